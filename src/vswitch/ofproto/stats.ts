import { OFPP } from '../../openflow/actions/action.ts'
import type { ErrorName } from '../../openflow/messages/errors.ts'
import { GROUP_ALL, METER_ALL } from '../../openflow/messages/message.ts'
import type {
  FlowStats,
  MeterStats,
  PortStats,
  StatsReply,
  StatsRequest,
  TableStats,
} from '../../openflow/messages/multipart.ts'
import type { Rule } from '../pipeline/rule.ts'
import type { Switch } from '../switch.ts'
import { type Bridge, TABLES } from './bridge.ts'
import { filterFlows } from './flow-mod.ts'
import type { BridgePort } from './port.ts'
import { TABLE_DESC, TABLE_FEATURES, tableDescriptions, tableFeatures } from './table-features.ts'

/** Bytes of flows in one part: a message has 64 kB at most. */
const PART_BYTES = 40_000
const UNKNOWN = 0xffffffffffffffffn
const UNKNOWN_32 = 0xffffffff
const ALL_QUEUES = 0xffffffff

/** The parts of the answer to a multipart request, or an error. */
export function answer(sw: Switch, bridge: Bridge, r: StatsRequest): StatsReply[] | ErrorName {
  const now = sw.clock.monotonic()
  switch (r.kind) {
    case 'desc':
      return [
        {
          kind: 'desc',
          description: {
            manufacturer: 'Nicira, Inc.',
            hardware: 'Open vSwitch',
            software: sw.version,
            serial: 'None',
            datapath: bridge.description,
          },
        },
      ]
    case 'flow': {
      const extended = r.extended ? { extended: true } : {}
      const parts: FlowStats[][] = [[]]
      let bytes = 0
      for (const rule of filterFlows(bridge, sw.slots, r)) {
        const size = 72 + rule.match.length * 24 + weigh(rule.actions)
        if (bytes + size > PART_BYTES && bytes > 0) {
          parts.push([])
          bytes = 0
        }
        bytes += size
        parts[parts.length - 1]?.push(flowStats(rule, now))
      }
      return parts.map((flows) => ({ kind: 'flow', ...extended, flows }))
    }
    case 'aggregate': {
      let packets = 0
      let bytes = 0
      const flows = filterFlows(bridge, sw.slots, r)
      for (const f of flows) {
        packets += f.packets
        bytes += f.bytes
      }
      return [
        {
          kind: 'aggregate',
          ...(r.extended ? { extended: true } : {}),
          packets: BigInt(packets),
          bytes: BigInt(bytes),
          flows: flows.length,
        },
      ]
    }
    case 'table': {
      const tables: TableStats[] = []
      for (let id = 0; id < TABLES; id++) {
        const t = bridge.table(id)
        tables.push({
          table: id,
          name: t.name || `table${id}`,
          active: t.size,
          lookups: BigInt(t.lookups.packets),
          matched: BigInt(t.matched.packets),
          maxEntries: 1_000_000,
          wildcards: 0x3fffff,
        })
      }
      return [{ kind: 'table', tables }]
    }
    case 'port': {
      const ports = choose(bridge, r.port)
      return ports ? [{ kind: 'port', ports: ports.map((p) => portStats(p, now)) }] : 'OFPBRC_BAD_PORT'
    }
    case 'port_desc': {
      const ports = choose(bridge, r.port)
      if (!ports) return 'OFPBRC_BAD_PORT'
      const parts: StatsReply[] = []
      for (let i = 0; i === 0 || i < ports.length; i += 500)
        parts.push({ kind: 'port_desc', ports: ports.slice(i, i + 500).map((p) => p.describe()) })
      return parts
    }
    case 'queue': {
      const ports = choose(bridge, r.port)
      if (!ports) return 'OFPQOFC_BAD_PORT'
      const queues = ports.flatMap((p) =>
        sw
          .queues(p)
          .filter((q) => r.queue === ALL_QUEUES || q.queue === r.queue)
          .map((q) => ({
            port: p.number,
            queue: q.queue,
            txBytes: BigInt(q.bytes),
            txPackets: BigInt(q.packets),
            txErrors: BigInt(q.dropped),
            durationSec: UNKNOWN_32,
            durationNsec: UNKNOWN_32,
          })),
      )
      return queues.length === 0 && r.queue !== ALL_QUEUES ? 'OFPQOFC_BAD_QUEUE' : [{ kind: 'queue', queues }]
    }
    case 'group': {
      const groups = r.group === GROUP_ALL ? [...bridge.groups.values()] : one(bridge.groups.get(r.group))
      groups.sort((a, b) => a.id - b.id)
      return chunk(groups, 100, (list) => ({
        kind: 'group',
        groups: list.map((g) => ({
          group: g.id,
          references: references(bridge, g.id),
          packets: BigInt(g.packets),
          bytes: BigInt(g.bytes),
          ...duration(now - g.created),
          buckets: g.buckets.map((b) => ({ packets: BigInt(b.packets), bytes: BigInt(b.bytes) })),
        })),
      }))
    }
    case 'group_desc': {
      const groups = r.group >= GROUP_ALL ? [...bridge.groups.values()] : one(bridge.groups.get(r.group))
      groups.sort((a, b) => a.id - b.id)
      return chunk(groups, 30, (list) => ({
        kind: 'group_desc',
        groups: list.map((g) => ({
          group: g.id,
          groupType: g.type,
          buckets: g.buckets.map((b) => b.spec),
          ...(g.selection ? { selection: g.selection } : {}),
        })),
      }))
    }
    case 'group_features': {
      const max = 0xffffff00
      // output, MPLS TTL, VLAN and MPLS tags, queue, group, TTL, set-field (OFPAT_*)
      const actions = 0x03ff8001
      return [
        {
          kind: 'group_features',
          types: 0xf,
          capabilities: 0x7,
          maxGroups: [max, max, max, max],
          actions: [actions, actions, actions, actions],
        },
      ]
    }
    case 'meter': {
      const meters = r.meter === METER_ALL ? [...bridge.meters.values()] : one(bridge.meters.get(r.meter))
      if (r.meter !== METER_ALL && meters.length === 0) return 'OFPMMFC_UNKNOWN_METER'
      meters.sort((a, b) => a.id - b.id)
      return [
        {
          kind: 'meter',
          meters: meters.map(
            (m): MeterStats => ({
              meter: m.id,
              flows: meterUsers(bridge, m.id),
              packets: BigInt(m.packets),
              bytes: BigInt(m.bytes),
              ...duration(now - m.created),
              bands: m.buckets.map((b) => ({ packets: BigInt(b.packets), bytes: BigInt(b.bytes) })),
            }),
          ),
        },
      ]
    }
    case 'meter_config': {
      const meters = r.meter === METER_ALL ? [...bridge.meters.values()] : one(bridge.meters.get(r.meter))
      if (r.meter !== METER_ALL && meters.length === 0) return 'OFPMMFC_UNKNOWN_METER'
      meters.sort((a, b) => a.id - b.id)
      return [
        {
          kind: 'meter_config',
          meters: meters.map((m) => ({ meter: m.id, flags: m.flags, bands: m.buckets.map((b) => b.band) })),
        },
      ]
    }
    case 'meter_features':
      // kilobits, packets, burst, statistics; bands: drop
      return [
        { kind: 'meter_features', maxMeters: 262_144, bandTypes: 1 << 1, capabilities: 0xf, maxBands: 8, maxColor: 0 },
      ]
    case 'ipfix_bridge':
    case 'ipfix_flow':
      return 'NXST_NOT_CONFIGURED'
    case 'table_desc':
      return tableDescriptions(bridge)
    case 'unknown':
      // a request with a body would change features, which cannot be
      if (r.statsType === TABLE_FEATURES) return r.body.length ? 'OFPBRC_BAD_STAT' : tableFeatures(sw.slots)
      return r.statsType === TABLE_DESC ? tableDescriptions(bridge) : 'OFPBRC_BAD_STAT'
    default:
      return 'OFPBRC_BAD_STAT'
  }
}

function one<T>(v: T | undefined): T[] {
  return v === undefined ? [] : [v]
}

function chunk<T>(list: readonly T[], n: number, make: (part: readonly T[]) => StatsReply): StatsReply[] {
  const out: StatsReply[] = []
  for (let i = 0; i === 0 || i < list.length; i += n) out.push(make(list.slice(i, i + n)))
  return out
}

function choose(bridge: Bridge, number: number): BridgePort[] | undefined {
  if (number === OFPP.NONE) return [...bridge.sortedPorts()]
  const p = bridge.ports.get(number)
  return p ? [p] : undefined
}

export function duration(ms: number): { durationSec: number; durationNsec: number } {
  return { durationSec: Math.floor(ms / 1000), durationNsec: Math.floor((ms % 1000) * 1e6) }
}

export function flowStats(rule: Rule, now: number): FlowStats {
  return {
    match: rule.match,
    priority: rule.priority,
    table: rule.table,
    cookie: rule.cookie,
    ...duration(now - rule.created),
    idleTimeout: rule.idleTimeout,
    hardTimeout: rule.hardTimeout,
    importance: rule.importance,
    flags: rule.flags,
    idleAge: Math.floor((now - rule.used) / 1000) + 1,
    hardAge: Math.floor((now - rule.modified) / 1000) + 1,
    packets: BigInt(rule.packets),
    bytes: BigInt(rule.bytes),
    actions: rule.actions,
  }
}

/** About how many bytes actions take on the wire, rather more than fewer. */
function weigh(actions: Rule['actions']): number {
  let n = 0
  for (const a of actions) {
    n += 40
    if (a.type === 'clone' || a.type === 'write_actions') n += weigh(a.actions)
    else if (a.type === 'ct') n += 48 + weigh(a.exec)
    else if (a.type === 'learn') n += 32 + a.specs.length * 40
    else if (a.type === 'controller') n += 32 + (a.userdata?.length ?? 0)
    else if (a.type === 'note' || a.type === 'unknown') n += 'data' in a ? a.data.length : a.bytes.length
  }
  return n
}

function portStats(p: BridgePort, now: number): PortStats {
  const c = p.kind === 'tunnel' ? undefined : p.datapath?.counters
  return {
    port: p.number,
    ...duration(now - p.created),
    rxPackets: BigInt(c?.rxPackets ?? p.rxPackets),
    txPackets: BigInt(c?.txPackets ?? p.txPackets),
    rxBytes: BigInt(c?.rxBytes ?? p.rxBytes),
    txBytes: BigInt(c?.txBytes ?? p.txBytes),
    rxDropped: c ? BigInt(c.rxDropped) : UNKNOWN,
    txDropped: c ? BigInt(c.txDropped) : UNKNOWN,
    rxErrors: c ? BigInt(c.rxErrors) : UNKNOWN,
    txErrors: c ? BigInt(c.txErrors) : UNKNOWN,
    rxFrameErrors: UNKNOWN,
    rxOverErrors: UNKNOWN,
    rxCrcErrors: UNKNOWN,
    collisions: UNKNOWN,
  }
}

function references(bridge: Bridge, group: number): number {
  let n = 0
  for (const r of bridge.rules()) if (r.actions.some((a) => a.type === 'group' && a.group === group)) n++
  return n
}

function meterUsers(bridge: Bridge, meter: number): number {
  let n = 0
  for (const r of bridge.rules()) if (r.actions.some((a) => a.type === 'meter' && a.meter === meter)) n++
  return n
}
