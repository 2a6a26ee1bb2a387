import { formatIpv4 } from '../../address/ipv4.ts'
import { formatIpv6 } from '../../address/ipv6.ts'
import type { Timer } from '../../base/clock.ts'
import { uuid4 } from '../../base/random.ts'
import type { Operation } from '../../ovsdb/client/operation.ts'
import type { IGMPGroup, IPMulticast } from '../../schema/southbound.ts'
import type { ControllerState } from '../controller.ts'
import { US } from '../interfaces.ts'
import type { Effect, Ip } from '../packet-in/effect.ts'
import { type Group, MulticastGroups } from './multicast-groups.ts'
import { forward, toPort } from './out.ts'
import { generalQueries } from './queries.ts'

type Seen = Extract<Effect, { type: 'multicast' }>

/** Tunnel keys of a switch's multicast groups (ovn-northd's own). */
const FLOOD = 0x8000
const ROUTER_FLOOD = 0x8002
const FLOOD_L2 = 0x8004
/** The row that names the ports with multicast routers. */
const ROUTERS = 'mrouters'

const textOf = (ip: Ip): string => (typeof ip === 'number' ? formatIpv4(ip) : formatIpv6(ip))

interface Switch {
  readonly uuid: string
  readonly key: number
  config: IPMulticast
  readonly groups: MulticastGroups
  expiry: Timer | undefined
  query: Timer | undefined
}

/** Multicast snooping and querying of local switches (ovn-sb(5), IP_Multicast and IGMP_Group). */
export class Multicast {
  private readonly switches = new Map<string, Switch>()
  private readonly stops: (() => void)[] = []

  constructor(private readonly state: ControllerState) {
    const { sb } = state.options
    state.southbound.rows.watch('multicast group', (key) => this.operations(key))
    const refresh = () => this.refresh()
    this.stops.push(
      sb.onChange((change) => {
        if (change.tables.IP_Multicast) refresh()
      }),
      state.datapaths.local.subscribe(refresh),
    )
  }

  close(): void {
    for (const stop of this.stops) stop()
    for (const s of this.switches.values()) {
      s.expiry?.cancel()
      s.query?.cancel()
    }
    this.switches.clear()
  }

  /** A report, leave or query from a port: learned, and sent on to whom it concerns. */
  seen(effect: Seen): void {
    const s = [...this.switches.values()].find((x) => x.key === effect.datapath)
    if (!s) return
    const now = this.state.options.clock.now()
    const limits = { tableSize: s.config.table_size ?? 2048, idleTimeout: s.config.idle_timeout ?? 300 }
    const before = new Set(s.groups.addresses)
    if (s.groups.report(effect.port, effect.reports, limits, now)) this.changed(s, before)
    this.watchExpiry(s)
    // RFC 4541 §2.1.1: reports go to multicast routers alone, queries to all.
    const query = effect.reports.some((r) => r.change === 'query')
    const message = forward(effect.datapath, effect.port, query ? FLOOD_L2 : ROUTER_FLOOD, effect.packet)
    this.state.send({ ...message, xid: this.state.installer.nextXid() })
  }

  private refresh(): void {
    const wanted = new Map<string, IPMulticast>()
    for (const row of this.state.options.sb.table('IP_Multicast').values()) {
      if (row.enabled && this.state.datapaths.local.peek(row.datapath)) wanted.set(row.datapath, row)
    }
    for (const [uuid, s] of this.switches) {
      if (wanted.has(uuid)) continue
      s.expiry?.cancel()
      s.query?.cancel()
      this.switches.delete(uuid)
      this.mark(uuid, [...s.groups.addresses.map(textOf), ROUTERS])
    }
    for (const [uuid, config] of wanted) {
      const old = this.switches.get(uuid)
      if (old) {
        const before = new Set(old.groups.addresses)
        if (old.config.seq_no !== config.seq_no) {
          old.groups.flush()
          this.changed(old, before)
        }
        const asks = old.config.querier !== config.querier || old.config.query_interval !== config.query_interval
        old.config = config
        if (asks) this.askAgain(old, 0)
        continue
      }
      const key = this.state.datapaths.local.peek(uuid)?.key ?? 0
      const s: Switch = { uuid, key, config, groups: new MulticastGroups(), expiry: undefined, query: undefined }
      this.switches.set(uuid, s)
      this.mark(uuid, [ROUTERS])
      this.askAgain(s, 0)
    }
  }

  private mark(uuid: string, addresses: Iterable<string>): void {
    for (const a of addresses) this.state.southbound.rows.mark('multicast group', `${uuid} ${a}`)
  }

  private changed(s: Switch, before: ReadonlySet<Ip>): void {
    this.mark(s.uuid, [...new Set([...before, ...s.groups.addresses])].map(textOf))
    this.mark(s.uuid, [ROUTERS])
  }

  private watchExpiry(s: Switch): void {
    const next = s.groups.next()
    s.expiry?.cancel()
    if (next === undefined) return
    const { clock } = this.state.options
    s.expiry = clock.after(Math.max(0, next - clock.now()), () => {
      const before = new Set(s.groups.addresses)
      if (s.groups.expire(clock.now())) this.changed(s, before)
      this.watchExpiry(s)
    })
  }

  private askAgain(s: Switch, delay: number): void {
    s.query?.cancel()
    s.query = undefined
    if (!s.config.querier) return
    s.query = this.state.options.clock.after(delay, () => {
      for (const packet of generalQueries({
        ethSource: s.config.eth_src,
        ip4Source: s.config.ip4_src,
        ip6Source: s.config.ip6_src,
        maxResponse: s.config.query_max_resp ?? 1,
      })) {
        this.state.send({ ...toPort(s.key, FLOOD, packet), xid: this.state.installer.nextXid() })
      }
      const interval = s.config.query_interval ?? (s.config.idle_timeout ?? 300) / 2
      this.askAgain(s, 1000 * Math.max(1, interval))
    })
  }

  private operations(key: string): readonly Operation[] {
    const [datapath = '', address = ''] = key.split(' ')
    const us = this.state.chassis.us.peek(US)
    if (!us) return []
    const { sb, random } = this.state.options
    const s = this.switches.get(datapath)
    const group = s && this.desired(s, address)
    let row: IGMPGroup | undefined
    for (const r of sb.table('IGMP_Group').values()) {
      if (r.datapath === datapath && r.address === address && r.chassis === us.uuid) row = r
    }
    if (!group) return row ? [{ op: 'delete', table: 'IGMP_Group', where: [['_uuid', '==', row._uuid]] }] : []
    const ports = this.portRows(datapath, group.ports)
    if (!row) {
      const values = { address, protocol: group.protocol, datapath, chassis: us.uuid, ports, chassis_name: us.name }
      return [{ op: 'insert', table: 'IGMP_Group', uuid: uuid4(random), row: values }]
    }
    if (row.ports.join() === ports.join() && row.protocol === group.protocol) return []
    const where = [['_uuid', '==', row._uuid]] as const
    return [{ op: 'update', table: 'IGMP_Group', where, row: { ports, protocol: group.protocol } }]
  }

  private desired(s: Switch, address: string): Group | undefined {
    if (address === ROUTERS) return { protocol: '', ports: s.groups.routerPorts }
    const ip = s.groups.addresses.find((a) => textOf(a) === address)
    return ip === undefined ? undefined : s.groups.group(ip)
  }

  private portRows(datapath: string, keys: readonly number[]): string[] {
    const out: string[] = []
    for (const p of this.state.options.sb.table('Port_Binding').values()) {
      if (p.datapath === datapath && keys.includes(p.tunnel_key)) out.push(p._uuid)
    }
    return out.sort()
  }
}
