# Makes a tap device and carries its frames over standard input and output, each behind two bytes of length.
import fcntl, os, select, struct, sys

tap = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(tap, 0x400454CA, struct.pack('16sH', sys.argv[1].encode(), 0x1002))
sys.stderr.write('ready\n')
sys.stderr.flush()
pending = b''
while True:
    ready, _, _ = select.select([tap, 0], [], [])
    if tap in ready:
        frame = os.read(tap, 65536)
        os.write(1, struct.pack('!H', len(frame)) + frame)
    if 0 in ready:
        chunk = os.read(0, 65536)
        if not chunk:
            break
        pending += chunk
        while len(pending) >= 2 and len(pending) >= 2 + struct.unpack('!H', pending[:2])[0]:
            n = struct.unpack('!H', pending[:2])[0]
            try:
                os.write(tap, pending[2:2 + n])
            except OSError:
                pass
            pending = pending[2 + n:]
