import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import koffi from 'koffi'

const HOST = '127.0.0.1'

/** A syslog server that reads and forgets: prints its address, and reads until its process is killed. */
export function syslogSink(kind: string, path: string): void {
  if (kind === 'udp') {
    const socket = createSocket('udp4', () => {})
    socket.bind(0, HOST, () => console.log(`${HOST}:${socket.address().port}`))
  } else if (kind === 'tcp') {
    const server = createServer((stream) => stream.resume())
    server.listen(0, HOST, () => {
      const address = server.address()
      console.log(`tcp:${HOST}:${typeof address === 'object' ? address?.port : ''}`)
    })
  } else {
    // Node has no unix datagram sockets.
    const libc = koffi.load('libc.so.6')
    const fd = libc.func('int socket(int, int, int)')(1, 2, 0)
    const address = Buffer.concat([Buffer.from([1, 0]), Buffer.from(`${path}\0`)])
    if (libc.func('int bind(int, void *, uint32_t)')(fd, address, address.length) !== 0) throw new Error('bind')
    console.log(path)
    const receive = libc.func('intptr_t recv(int, void *, size_t, int)')
    const buffer = Buffer.alloc(65_536)
    for (;;) receive(fd, buffer, buffer.length, 0)
  }
}
