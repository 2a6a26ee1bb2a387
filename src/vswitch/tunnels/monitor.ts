import { parseIpv4 } from '../../address/ipv4.ts'
import { parseMac } from '../../address/mac.ts'
import { Writer } from '../../base/bytes.ts'
import { type Bfd, emitBfd, parseBfd } from '../../packet/bfd.ts'
import * as K from '../classifier/key.ts'
import { onesSum } from '../conntrack/lookup.ts'
import type { Packet } from '../datapath/packet.ts'
import type { BridgePort } from '../ofproto/port.ts'
import type { Switch } from '../switch.ts'
import { type BfdConfig, BfdSession, type BfdStatus } from './session.ts'

/** UDP port of BFD over one hop (RFC 5881 §4). */
const BFD_PORT = 3784

interface Endpoints {
  readonly localMac: number
  readonly remoteMac: number
  /** Only frames to this address are ours; 0: any. */
  readonly acceptMac: number
  readonly source: number
  readonly destination: number
  readonly checkKey: boolean
}

interface Entry {
  readonly session: BfdSession
  endpoints: Endpoints
  readonly sourcePort: number
}

/** BFD on the ports whose Interface.bfd asks for it. */
export class BfdMonitor {
  private readonly entries = new Map<BridgePort, Entry>()
  private nextPort = 49_152
  /** Called when a status changed, for the database. */
  onStatus: ((port: BridgePort) => void) | undefined

  constructor(private readonly sw: Switch) {}

  /** Starts, changes or stops BFD on a port as Interface.bfd says. */
  configure(port: BridgePort, settings: ReadonlyMap<string, string>): void {
    if (settings.get('enable') !== 'true') {
      this.remove(port)
      return
    }
    const config = configOf(settings)
    const endpoints: Endpoints = {
      localMac: parseMac(settings.get('bfd_local_src_mac') ?? '') ?? port.mac,
      remoteMac: parseMac(settings.get('bfd_remote_dst_mac') ?? '') ?? 0x0023_2000_0001,
      acceptMac: parseMac(settings.get('bfd_local_dst_mac') ?? '') ?? 0,
      source: parseIpv4(settings.get('bfd_src_ip') ?? '') ?? 0xa9fe0101,
      destination: parseIpv4(settings.get('bfd_dst_ip') ?? '') ?? 0xa9fe0100,
      checkKey: settings.get('check_tnl_key') === 'true',
    }
    const known = this.entries.get(port)
    if (known) {
      known.endpoints = endpoints
      known.session.configure(config)
      return
    }
    const sourcePort = this.nextPort
    this.nextPort = this.nextPort === 65_535 ? 49_152 : this.nextPort + 1
    const entry: Entry = {
      endpoints,
      sourcePort,
      session: new BfdSession(
        this.sw.clock,
        this.sw.random,
        config,
        this.sw.random.u32() || 1,
        (p) => this.sw.sendFrame(port, frameOf(entry.endpoints, entry.sourcePort, p)),
        () => {
          const up = entry.session.forwarding()
          if (port.bfdUp !== up) {
            port.bfdUp = up
            port.bridge.portModified(port)
          }
          port.revision++
          this.onStatus?.(port)
        },
      ),
    }
    entry.session.onState = (change) => {
      const text = entry.session.describe().trimEnd()
      this.sw.log
        .child('bfd')
        .info(`${port.name}: BFD state change: ${change}\n${text}`, { bridge: port.bridge.name, interface: port.name })
    }
    this.entries.set(port, entry)
    port.bfdUp = false
    port.bridge.portsChanged.changed()
    port.revision++
    this.onStatus?.(port)
  }

  remove(port: BridgePort): void {
    const e = this.entries.get(port)
    if (!e) return
    e.session.stop()
    this.entries.delete(port)
    port.bfdUp = undefined
    port.bridge.portsChanged.changed()
    port.revision++
    this.onStatus?.(port)
  }

  status(port: BridgePort): BfdStatus | undefined {
    return this.entries.get(port)?.session.status()
  }

  /** Overrides what sessions say of forwarding: `true`, `false`, or `normal` for their own word. */
  setForwarding(name: string | undefined, state: string): boolean {
    let found = false
    for (const [port, e] of this.entries) {
      if (name !== undefined && port.name !== name) continue
      found = true
      e.session.override(state === 'normal' ? undefined : state === 'true')
    }
    return found || name === undefined
  }

  /** `bfd/show`, of one interface or all. */
  show(name: string | undefined): string | undefined {
    const out: string[] = []
    for (const [port, e] of this.entries) {
      if (name !== undefined && port.name !== name) continue
      out.push(name === undefined ? `---- ${port.name} ----\n${e.session.describe()}` : e.session.describe())
    }
    return name !== undefined && out.length === 0 ? undefined : out.join('\n')
  }

  /** Whether a packet is BFD for a session of ours. */
  takes(port: BridgePort, key: K.Key, wildcards: K.Key): boolean {
    const e = this.entries.get(port)
    if (!e || key[K.DL_TYPE] !== K.ETH_IPV4) return false
    wildcards[K.NW_PROTO] = 0xffffffff
    if (key[K.NW_PROTO] !== K.IP_UDP) return false
    wildcards[K.TP_DST] = 0xffffffff
    if (key[K.TP_DST] !== BFD_PORT) return false
    const { acceptMac } = e.endpoints
    if (acceptMac) {
      wildcards[K.DL_DST_HIGH] = 0xffffffff
      wildcards[K.DL_DST_LOW] = 0xffffffff
      if (K.mac(key, K.DL_DST_HIGH) !== acceptMac) return false
    }
    return !e.endpoints.checkKey || (key[K.TUN_ID_LOW] === 0 && key[K.TUN_ID_HIGH] === 0)
  }

  receive(port: BridgePort, packet: Packet): void {
    const e = this.entries.get(port)
    const { l4, end } = packet.layers
    // RFC 5881 §5: whatever crossed a router is not from a neighbour
    if (!e || l4 < 0 || packet.key[K.NW_TTL] !== 255) return
    const p = parseBfd(packet.frame.subarray(l4 + 8, end))
    if (p.ok) e.session.receive(p.value)
    else this.sw.log.dbg(() => `${port.name}: ${p.error}`)
  }

  close(): void {
    for (const port of [...this.entries.keys()]) this.remove(port)
  }
}

function configOf(settings: ReadonlyMap<string, string>): BfdConfig {
  const number = (key: string, otherwise: number, least: number) => {
    const n = Number(settings.get(key) ?? otherwise)
    return Number.isFinite(n) ? Math.max(least, Math.floor(n)) : otherwise
  }
  return {
    minRx: number('min_rx', 1000, 1),
    minTx: number('min_tx', 100, 1),
    mult: Math.min(255, number('mult', 3, 1)),
    forwardingIfRx: settings.get('forwarding_if_rx') === 'true',
    cpathDown: settings.get('cpath_down') === 'true',
  }
}

/** A control packet as a frame: IPv4 with a TTL of 255 (RFC 5881 §5) and network control's DSCP. */
function frameOf(e: Endpoints, sourcePort: number, p: Bfd): Uint8Array {
  const payload = emitBfd(p)
  const w = new Writer(42 + payload.length)
  w.u48(e.remoteMac).u48(e.localMac).u16(K.ETH_IPV4)
  w.u8(0x45)
    .u8(0xc0)
    .u16(28 + payload.length)
    .u16(0)
    .u16(0x4000)
    .u8(255)
    .u8(K.IP_UDP)
    .u16(0)
    .u32(e.source)
    .u32(e.destination)
  w.u16(sourcePort)
    .u16(BFD_PORT)
    .u16(8 + payload.length)
    .u16(0)
    .bytes(payload)
  const frame = w.done().slice()
  const sum = ~onesSum(frame, 14, 34) & 0xffff
  frame[24] = sum >>> 8
  frame[25] = sum
  return frame
}
