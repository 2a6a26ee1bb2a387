import { ofLibc } from './libc.ts'

const AF_UNIX = 1
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000

interface SocketCalls {
  socket(domain: number, type: number, protocol: number): number
  sendto(fd: number, bytes: Uint8Array, length: number, flags: number, to: Uint8Array, size: number): number
  close(fd: number): number
  errno(): number
}

/** Node has no unix datagram sockets: through libc, where it can be had. */
const calls = ofLibc<SocketCalls>(({ functions, errno }) => ({
  socket: functions.func('int socket(int, int, int)') as unknown as SocketCalls['socket'],
  sendto: functions.func(
    'intptr_t sendto(int, void *, size_t, int, void *, uint32_t)',
  ) as unknown as SocketCalls['sendto'],
  close: functions.func('int close(int)') as unknown as SocketCalls['close'],
  errno,
}))

/** struct sockaddr_un; a leading @ is the abstract name space (unix(7)). Undefined for a path too long. */
function address(path: string): Buffer | undefined {
  const name = path.startsWith('@') ? Buffer.from(`\0${path.slice(1)}`) : Buffer.from(`${path}\0`)
  if (name.length > 108) return undefined
  const family = Buffer.alloc(2)
  family.writeUInt16LE(AF_UNIX)
  return Buffer.concat([family, name])
}

/** Sends datagrams to the socket at a path, without ever waiting for its reader. */
export interface UnixDatagrams {
  /** Why the datagram is lost; undefined when it is the reader's. */
  send(bytes: Uint8Array): string | undefined
  close(): void
}

/** The reason of a datagram for which the reader's queue has no room: a later one may find some. */
export const FULL = 'not fast enough'

/** Linux's numbers (errno(3)) of what may happen to a datagram. */
const REASONS: Readonly<Record<number, string>> = {
  2: 'nobody listens',
  11: FULL,
  13: 'Permission denied',
  90: 'Message too long',
  91: 'not a socket for datagrams',
  111: 'nobody listens',
}

/** Undefined where there is no FFI, or no such socket can be. */
export function unixDatagrams(path: string): UnixDatagrams | undefined {
  const call = calls()
  const to = address(path)
  if (!call || !to) return undefined
  let fd = call.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0)
  if (fd < 0) return undefined
  return {
    send(bytes) {
      if (fd < 0) return 'closed'
      const sent = Number(call.sendto(fd, bytes, bytes.length, MSG_DONTWAIT_NOSIGNAL, to, to.length))
      if (sent === bytes.length) return undefined
      const number = call.errno()
      return REASONS[number] ?? `error ${number}`
    },
    close() {
      if (fd >= 0) call.close(fd)
      fd = -1
    },
  }
}

/** sd_notify(3): tells the service manager that is waiting, if one is. */
export function notifyServiceManager(state: string): void {
  const path = process.env['NOTIFY_SOCKET']
  if (!path) return
  const socket = unixDatagrams(path)
  socket?.send(Buffer.from(state))
  socket?.close()
}
