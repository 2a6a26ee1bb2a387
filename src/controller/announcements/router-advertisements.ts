import type { Ipv6 } from '../../address/ipv6.ts'
import { parseIpv6 } from '../../address/ipv6.ts'
import { type Mac, parseMac } from '../../address/mac.ts'
import { parsePrefix } from '../../address/prefix.ts'
import { Writer } from '../../base/bytes.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import { below, type Random } from '../../base/random.ts'
import { FLAG } from '../../logical/registers.ts'
import { OFPP } from '../../openflow/actions/action.ts'
import { F } from '../../openflow/fields/table.ts'
import { type Message, NO_BUFFER } from '../../openflow/messages/message.ts'
import {
  linkAddressOption,
  mtuOption,
  type NdOption,
  NdOptionType,
  ndMessage,
  prefixOption,
  RaFlag,
  rdnssOption,
} from '../../packet/nd.ts'
import { craft } from '../../packet/packet.ts'
import type { Graph } from '../../reactive/graph.ts'
import type { Derived } from '../../reactive/relation.ts'
import type { Bindings } from '../binding/binding.ts'
import type { Datapaths } from '../datapaths.ts'
import { is, match, set } from '../flow.ts'
import type { SouthboundInputs } from '../inputs/inputs.ts'
import { S } from '../strata.ts'
import { OFTABLE } from '../tables.ts'

/** A router port that advertises itself (ovn-nb(5), Logical_Router_Port ipv6_ra_configs:send_periodic). */
export interface Advertiser {
  /** The switch's port towards the router: where the advertisement comes in. */
  readonly datapathKey: number
  readonly portKey: number
  readonly frame: Uint8Array
  /** Seconds between two, at least and at most. */
  readonly min: number
  readonly max: number
}

/** RFC 4861 §6.2.1, MaxRtrAdvInterval and MinRtrAdvInterval. */
const MAX_INTERVAL = 600
const FOREVER = 0xffffffff
const ON_LINK = 0x80
const AUTONOMOUS = 0x40
/** RFC 4191 §2.1, in the flags. */
const PREFERENCE: Readonly<Record<string, number>> = { HIGH: 0x08, MEDIUM: 0, LOW: 0x18 }
const ALL_NODES: Ipv6 = (0xff02n << 112n) | 1n
const ALL_NODES_MAC: Mac = 0x3333_0000_0001
const LIFETIME = 0xffff

/** The advertisement of Port_Binding options ipv6_ra_*; undefined where they do not make one. */
export function advertisement(options: ReadonlyMap<string, string>): Uint8Array | undefined {
  const src = parseMac(options.get('ipv6_ra_src_eth') ?? '')
  const address = parseIpv6(options.get('ipv6_ra_src_addr') ?? '')
  const mode = options.get('ipv6_ra_address_mode')
  if (src === undefined || address === undefined || mode === undefined) return undefined
  const managed = mode === 'dhcpv6_stateful' ? RaFlag.managed : 0
  const other = mode === 'dhcpv6_stateless' ? RaFlag.other : 0
  const nd: NdOption[] = [linkAddressOption('source', src)]
  const mtu = Number(options.get('ipv6_ra_mtu'))
  if (mtu > 0) nd.push(mtuOption(mtu))
  for (const text of (options.get('ipv6_ra_prefixes') ?? '').split(/\s+/)) {
    const p = parsePrefix(text)
    if (p?.family !== 6) continue
    const flags = managed ? ON_LINK : ON_LINK | AUTONOMOUS
    nd.push(prefixOption({ length: p.length, flags, valid: FOREVER, preferred: FOREVER, prefix: p.network }))
  }
  const server = parseIpv6(options.get('ipv6_ra_rdnss') ?? '')
  if (server !== undefined) nd.push(rdnssOption(FOREVER, [server]))
  const search = options.get('ipv6_ra_dnssl')
  if (search) nd.push(searchList(search.split(',').map((s) => s.trim())))
  for (const text of (options.get('ipv6_ra_route_info') ?? '').split(',')) {
    const route = routeInformation(text)
    if (route) nd.push(route)
  }
  return craft({
    eth: { dst: ALL_NODES_MAC, src },
    ip6: { src: address, dst: ALL_NODES, hopLimit: 255 },
    icmp6: ndMessage({
      kind: 'ra',
      hopLimit: 255,
      flags: managed | other | (PREFERENCE[options.get('ipv6_ra_prf') ?? ''] ?? 0),
      lifetime: LIFETIME,
      reachable: 0,
      retransmit: 0,
      options: nd,
    }),
  })
}

/** RFC 8106 §5.2: names as in DNS (RFC 1035 §3.1). */
function searchList(names: readonly string[]): NdOption {
  const w = new Writer().u16(0).u32(FOREVER)
  for (const name of names) {
    for (const label of name.split('.')) if (label) w.u8(label.length).bytes(new TextEncoder().encode(label))
    w.u8(0)
  }
  return { type: NdOptionType.dnssl, data: w.done() }
}

/** `HIGH-fd00:1::/64` (RFC 4191 §2.3). */
function routeInformation(text: string): NdOption | undefined {
  const m = /^\s*(HIGH|MEDIUM|LOW)-(\S+)\s*$/.exec(text)
  const p = m ? parsePrefix(m[2] as string) : undefined
  if (!m || p?.family !== 6) return undefined
  const w = new Writer()
    .u8(p.length)
    .u8(PREFERENCE[m[1] as string] ?? 0)
    .u32(FOREVER)
    .u128(p.network)
  const length = p.length === 0 ? 6 : p.length <= 64 ? 14 : 22
  return { type: NdOptionType.route, data: w.done().subarray(0, length) }
}

/** Router ports of local datapaths that advertise, by the port's uuid. */
export function declareAdvertisers(
  graph: Graph,
  parts: { readonly sb: SouthboundInputs; readonly datapaths: Datapaths; readonly bindings: Bindings },
): Derived<Advertiser> {
  const { sb, datapaths, bindings } = parts
  const advertisers = graph.derived<Advertiser>('router advertisers', S.ROWS)
  graph.rule('router advertisers', S.ROWS, sb.Port_Binding, (row, out) => {
    if (row.type !== 'patch' && row.type !== 'l3gateway') return
    if (row.options.get('ipv6_ra_send_periodic') !== 'true' || !datapaths.local.has(row.datapath)) return
    if (row.type === 'l3gateway' && !bindings.all.has(row.logical_port)) return
    const peer = bindings.portsByName.first(row.options.get('peer') ?? '')
    const dp = peer && datapaths.local.get(peer.datapath)
    const frame = advertisement(row.options)
    if (!peer || !dp || !frame) return
    const max = Math.min(1800, Math.max(4, Number(row.options.get('ipv6_ra_max_interval')) || MAX_INTERVAL))
    const min = Math.max(3, Number(row.options.get('ipv6_ra_min_interval')) || Math.floor(max / 3))
    out.emit(advertisers, row._uuid, {
      datapathKey: dp.key,
      portKey: peer.tunnel_key,
      frame,
      min: Math.min(min, max),
      max,
    })
  })
  return advertisers
}

/** Sends the advertisements of all advertisers, each at random times within its interval (RFC 4861 §6.2.4). */
export class RouterAdvertisements {
  private readonly timers = new Map<string, Timer>()

  constructor(
    private readonly advertisers: Derived<Advertiser>,
    private readonly options: {
      readonly clock: Clock
      readonly random: Random
      readonly nextXid: () => number
      readonly send: (message: Message) => void
    },
  ) {
    advertisers.subscribe((changes) => {
      for (const [key, { after }] of changes) {
        this.timers.get(key)?.cancel()
        this.timers.delete(key)
        if (after) this.plan(key, after)
      }
    })
  }

  close(): void {
    for (const timer of this.timers.values()) timer.cancel()
    this.timers.clear()
  }

  private plan(key: string, a: Advertiser): void {
    const { clock, random } = this.options
    const pause = 1000 * a.min + below(random, 1000 * (a.max - a.min) + 1)
    this.timers.set(
      key,
      clock.after(pause, () => this.advertise(key)),
    )
  }

  private advertise(key: string): void {
    const a = this.advertisers.peek(key)
    if (!a) return
    const localOnly = 1 << FLAG.local_only
    this.options.send({
      type: 'packet_out',
      xid: this.options.nextXid(),
      bufferId: NO_BUFFER,
      metadata: match(is(F.in_port, OFPP.CONTROLLER)),
      actions: [
        set(F.metadata, a.datapathKey),
        set(F.reg14, a.portKey),
        // Every chassis advertises to its own ports.
        set(F.reg10, localOnly, localOnly),
        { type: 'resubmit', port: OFPP.CONTROLLER, table: OFTABLE.LOG_INGRESS },
      ],
      packet: a.frame,
    })
    this.plan(key, a)
  }
}
