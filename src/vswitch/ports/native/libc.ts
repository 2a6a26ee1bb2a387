import { createRequire } from 'node:module'

/** The part of the C library that devices need. Linux, x86-64 or arm64: both have these layouts. */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number
  bind(fd: number, address: Uint8Array, length: number): number
  close(fd: number): number
  ioctl(fd: number, request: number, argument: Uint8Array | null): number
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number): number
  open(path: string, flags: number): number
  read(fd: number, buffer: Uint8Array, length: number): number
  write(fd: number, buffer: Uint8Array, length: number): number
  errno(): number
  errorText(code: number): string
  /** Calls back whenever the descriptor can be read, until the returned function is called. */
  readable(fd: number, run: () => void): () => void
  /** Reads one packet with its auxiliary data; the result is its length, and `tag` (TPID, TCI) what the kernel took off. */
  receive(fd: number, buffer: Uint8Array): { readonly length: number; readonly tag: number }
}

interface Koffi {
  load(path: string): { func(prototype: string): (...args: never[]) => unknown }
  errno(): number
  struct(name: string, fields: Record<string, string>): unknown
  node: {
    poll(fd: number, options: { readable: boolean }, run: () => void): { stop(): void; close(): void }
  }
}

export const O_RDWR = 2
export const O_NONBLOCK = 0o4000
export const SOCK_RAW = 3
export const SOCK_DGRAM = 2
export const SOCK_NONBLOCK = 0o4000
export const AF_INET = 2
export const AF_PACKET = 17

const PACKET_AUXDATA = 8
const SOL_PACKET = 263
const MSG_DONTWAIT = 0x40
const VLAN_VALID = 0x10
const VLAN_TPID_VALID = 0x40

let loaded: Libc | Error | undefined

/** The C library through koffi, which is an optional dependency; an Error where there is none. */
export function libc(): Libc | Error {
  loaded ??= load()
  return loaded
}

function load(): Libc | Error {
  let koffi: Koffi
  try {
    koffi = createRequire(import.meta.url)('koffi') as Koffi
  } catch (e) {
    return new Error(`devices of the host need the optional package koffi: ${(e as Error).message}`)
  }
  try {
    const lib = koffi.load('libc.so.6')
    const fn = <T>(prototype: string): T => lib.func(prototype) as T
    koffi.struct('ovn_iovec', { base: 'void *', length: 'size_t' })
    koffi.struct('ovn_msghdr', {
      name: 'void *',
      namelen: 'uint32',
      iov: 'ovn_iovec *',
      iovlen: 'size_t',
      control: 'void *',
      controllen: 'size_t',
      flags: 'int',
    })
    const strerror = fn<(code: number) => string>('const char *strerror(int code)')
    const read = fn<(fd: number, b: Uint8Array, n: number) => number | bigint>('long read(int fd, void *b, size_t n)')
    const write = fn<(fd: number, b: Uint8Array, n: number) => number | bigint>(
      'long write(int fd, const void *b, size_t n)',
    )
    const recvmsg = fn<(fd: number, m: object, flags: number) => number | bigint>(
      'long recvmsg(int fd, _Inout_ ovn_msghdr *m, int flags)',
    )
    const control = new Uint8Array(64)
    const view = new DataView(control.buffer)
    return {
      socket: fn('int socket(int domain, int type, int protocol)'),
      bind: fn('int bind(int fd, const void *address, uint32 length)'),
      close: fn('int close(int fd)'),
      ioctl: fn('int ioctl(int fd, unsigned long request, void *argument)'),
      setsockopt: fn('int setsockopt(int fd, int level, int name, const void *value, uint32 length)'),
      open: fn('int open(const char *path, int flags)'),
      read: (fd, b, n) => Number(read(fd, b, n)),
      write: (fd, b, n) => Number(write(fd, b, n)),
      errno: () => koffi.errno(),
      errorText: (code) => strerror(code),
      readable: (fd, run) => {
        const handle = koffi.node.poll(fd, { readable: true }, run)
        return () => handle.close()
      },
      receive: (fd, buffer) => {
        view.setUint32(8, 0, true)
        const m = {
          name: null,
          namelen: 0,
          iov: [{ base: buffer, length: buffer.length }],
          iovlen: 1,
          control,
          controllen: control.length,
          flags: 0,
        }
        const length = Number(recvmsg(fd, m, MSG_DONTWAIT))
        if (length <= 0 || view.getInt32(8, true) !== SOL_PACKET || view.getInt32(12, true) !== PACKET_AUXDATA)
          return { length, tag: 0 }
        // struct tpacket_auxdata: status, len, snaplen, mac, net, vlan_tci, vlan_tpid
        const status = view.getUint32(16, true)
        const tci = view.getUint16(32, true)
        if (!(status & VLAN_VALID) && tci === 0) return { length, tag: 0 }
        const tpid = status & VLAN_TPID_VALID ? view.getUint16(34, true) : 0x8100
        return { length, tag: ((tpid << 16) | tci) >>> 0 }
      },
    }
  } catch (e) {
    return new Error(`the C library cannot be loaded: ${(e as Error).message}`)
  }
}
