import { createSocket, type Socket } from 'node:dgram'
import type { DatagramSocket, Underlay } from '../../../base/datagram.ts'
import type { Log } from '../../../base/log.ts'

/** Large enough for a burst while flows are being translated. */
const BUFFER = 4 << 20

interface Shared {
  readonly socket: Socket
  readonly bound: Map<string, DatagramSocket>
}

/**
 * UDP of the host, for tunnels. One socket a port takes what comes to any address, so that an
 * address may come and go (a tap's is put back when it is made anew); which of those asked for a
 * datagram was to follows from the route back to its sender.
 */
export class HostUnderlay implements Underlay {
  private readonly shared = new Map<string, Shared>()

  /** @param source the local address from which a remote one is reached. */
  constructor(
    private readonly log: Log,
    private readonly source: (remote: string) => string | undefined,
  ) {}

  bind(address: string, port: number): DatagramSocket {
    const v6 = address.includes(':')
    const key = `${v6 ? 6 : 4} ${port}`
    const s = this.shared.get(key) ?? this.open(v6, port, key)
    const out: DatagramSocket = {
      address,
      port,
      onDatagram: undefined,
      send: (to, toPort, payload) => {
        s.socket.send(payload, toPort, to, (e) => {
          if (e) this.log.dbg(() => `${address}:${port} to ${to}: ${e.message}`)
        })
      },
      close: () => {
        s.bound.delete(address)
        if (s.bound.size > 0) return
        this.shared.delete(key)
        s.socket.close()
      },
    }
    s.bound.set(address, out)
    return out
  }

  private open(v6: boolean, port: number, key: string): Shared {
    const socket = createSocket({ type: v6 ? 'udp6' : 'udp4', reuseAddr: true, ipv6Only: v6 })
    const s: Shared = { socket, bound: new Map() }
    this.shared.set(key, s)
    socket.on('error', (e) => this.log.warn(`UDP port ${port}: ${e.message}`, { code: 'tunnel-socket' }))
    socket.on('message', (payload, from) => {
      const [first] = s.bound.values()
      const to = s.bound.size > 1 ? (s.bound.get(this.source(from.address) ?? '') ?? first) : first
      to?.onDatagram?.(payload, from.address, from.port)
    })
    socket.bind(port, v6 ? '::' : '0.0.0.0', () => {
      try {
        socket.setRecvBufferSize(BUFFER)
        socket.setSendBufferSize(BUFFER)
      } catch {
        // the system allows less: so be it
      }
    })
    return s
  }
}
