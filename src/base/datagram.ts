import type { Clock } from './clock.ts'

/** A bound UDP socket, as tunnels use it. Addresses are texts: `192.0.2.1`, `2001:db8::1`. */
export interface DatagramSocket {
  readonly address: string
  readonly port: number
  send(to: string, port: number, payload: Uint8Array): void
  onDatagram: ((payload: Uint8Array, from: string, port: number) => void) | undefined
  close(): void
}

/** What a host's network stack gives a tunnel: sockets, and which local address leads to a remote one. */
export interface Underlay {
  bind(address: string, port: number): DatagramSocket
}

/**
 * An underlay in memory: one segment that joins the addresses bound to it. A cut address neither
 * sends nor receives, as behind a pulled cable.
 */
export class MemoryUnderlay implements Underlay {
  private readonly sockets = new Map<string, DatagramSocket>()
  private readonly cut = new Set<string>()
  /** Sees each datagram that is delivered: for captures and tests. */
  onTransit: ((from: string, to: string, port: number, payload: Uint8Array) => void) | undefined

  constructor(private readonly clock: Clock) {}

  bind(address: string, port: number): DatagramSocket {
    const key = `${address} ${port}`
    if (this.sockets.has(key)) throw new Error(`${address}:${port}: Address already in use`)
    const socket: DatagramSocket = {
      address,
      port,
      onDatagram: undefined,
      send: (to, toPort, payload) => {
        this.clock.after(0, () => {
          const peer = this.sockets.get(`${to} ${toPort}`)
          if (!peer || this.cut.has(address) || this.cut.has(to)) return
          this.onTransit?.(address, to, toPort, payload)
          peer.onDatagram?.(payload, address, port)
        })
      },
      close: () => {
        this.sockets.delete(key)
      },
    }
    this.sockets.set(key, socket)
    return socket
  }

  /** Pulls (`true`) or plugs the cable of an address. */
  setCut(address: string, cut: boolean): void {
    if (cut) this.cut.add(address)
    else this.cut.delete(address)
  }
}
