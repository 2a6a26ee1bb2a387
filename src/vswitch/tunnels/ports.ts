import type { Clock } from '../../base/clock.ts'
import type { Underlay } from '../../base/datagram.ts'
import type { Log } from '../../base/log.ts'
import * as K from '../classifier/key.ts'
import type { Slots } from '../classifier/slots.ts'
import type { Datapath, DpPort } from '../datapath/datapath.ts'
import type { BridgePort } from '../ofproto/port.ts'
import type { TunnelConfig } from './config.ts'
import { tunnelDestination, tunnelSource, Vport } from './vport.ts'

/** How long an answer about the local address is believed, milliseconds: it is asked for each packet. */
const BELIEF = 1000

export interface TunnelOptions {
  readonly clock: Clock
  readonly log: Log
  readonly slots: Slots
  readonly datapath: Datapath
  readonly underlay: Underlay | undefined
  /** The local address from which a remote one is reached. */
  localAddress(remote: string): string | undefined
}

/** The tunnel ports of all bridges, and the datapath ports (`genev_sys_6081`) that they share. */
export class TunnelPorts {
  private readonly vports = new Map<string, Vport>()
  private readonly ports: BridgePort[] = []
  private readonly local = new Map<string, string>()
  private localSince = Number.NEGATIVE_INFINITY

  constructor(private readonly options: TunnelOptions) {}

  /** The datapath port for a tunnel, made if there is none. */
  vport(t: TunnelConfig): Vport | { readonly error: string } {
    const { underlay, log, slots, datapath } = this.options
    if (!underlay) return { error: `${t.type}: no underlay for tunnels` }
    const name = `${t.type === 'geneve' ? 'genev' : 'vxlan'}_sys_${t.port}`
    let v = this.vports.get(name)
    if (!v) {
      const localAddress = (remote: string) => this.localAddress(remote)
      v = new Vport(datapath.freeNumber(), name, t.type, t.port, { underlay, log, slots, datapath, localAddress })
      this.vports.set(name, v)
      datapath.addPort(v)
    }
    return v
  }

  add(port: BridgePort): void {
    this.ports.push(port)
    this.listen(port)
  }

  remove(port: BridgePort): void {
    const i = this.ports.indexOf(port)
    if (i >= 0) this.ports.splice(i, 1)
    this.release(port.datapath)
  }

  /** Gives a tunnel port other options. */
  change(port: BridgePort, tunnel: TunnelConfig): void {
    const v = this.vport(tunnel)
    if ('error' in v) return
    const before = port.datapath
    port.tunnel = tunnel
    port.datapath = v
    if (before !== v) this.release(before)
    this.listen(port)
  }

  /** Closes a datapath port that no tunnel uses any more. */
  private release(v: DpPort | undefined): void {
    if (!(v instanceof Vport) || this.ports.some((p) => p.datapath === v)) return
    this.vports.delete(v.name)
    this.options.datapath.flushStatistics()
    this.options.datapath.removePort(v.number)
    v.close()
  }

  localAddress(remote: string): string | undefined {
    const now = this.options.clock.monotonic()
    if (now - this.localSince > BELIEF) {
      this.localSince = now
      this.local.clear()
    }
    let address = this.local.get(remote)
    if (address === undefined) {
      address = this.options.localAddress(remote)
      if (address !== undefined) this.local.set(remote, address)
    }
    return address
  }

  /** Listens for a tunnel port, when it is known where. */
  private listen(port: BridgePort): void {
    const t = port.tunnel
    if (!t || !(port.datapath instanceof Vport)) return
    const local = t.localIp && t.localIp !== 'flow' ? t.localIp : this.localAddress(t.remoteIp)
    if (local) port.datapath.listen(local)
  }

  /** Looks for the addresses of all tunnels again. */
  rebind(): void {
    this.local.clear()
    for (const v of this.vports.values()) v.retry()
    for (const p of this.ports) this.listen(p)
  }

  /** Where tunnels lead, in the manner of `ovs/route/show`. */
  *routes(): IterableIterator<string> {
    for (const p of this.ports) {
      const remote = p.tunnel?.remoteIp
      if (!remote || remote === 'flow') continue
      const local = this.localAddress(remote)
      if (local) yield `${remote}/${remote.includes(':') ? 128 : 32} dev underlay SRC ${local}`
    }
  }

  /** The tunnel port that a packet came in by: the one whose options say most about it. */
  ingress(dp: DpPort | undefined, key: K.Key, wildcards: K.Key): BridgePort | undefined {
    if (!(dp instanceof Vport)) return undefined
    for (const w of [K.TUN_ID_HIGH, K.TUN_ID_LOW, K.TUN_SRC, K.TUN_DST]) wildcards[w] = 0xffffffff
    for (let i = 0; i < 4; i++) {
      wildcards[K.TUN_IPV6_SRC + i] = 0xffffffff
      wildcards[K.TUN_IPV6_DST + i] = 0xffffffff
    }
    const src = tunnelSource(key)
    const dst = tunnelDestination(key)
    const id = (BigInt(key[K.TUN_ID_HIGH] as number) << 32n) | BigInt(key[K.TUN_ID_LOW] as number)
    let best: BridgePort | undefined
    let score = -1
    for (const p of this.ports) {
      const t = p.tunnel
      if (!t || p.datapath !== dp) continue
      const exactKey = t.inKey !== 'flow'
      if (exactKey && (t.inKey ?? 0n) !== id) continue
      const exactRemote = t.remoteIp !== 'flow'
      if (exactRemote && t.remoteIp !== src) continue
      const exactLocal = t.localIp !== '' && t.localIp !== 'flow'
      if (exactLocal && t.localIp !== dst) continue
      const s = (exactLocal ? 4 : 0) + (exactRemote ? 2 : 0) + (exactKey ? 1 : 0)
      if (s > score) {
        score = s
        best = p
      }
    }
    return best
  }
}
