import type { Action, Ct, Nat } from '../openflow/actions/action.ts'
import { OFPP } from '../openflow/actions/action.ts'
import type { Field, Subfield } from '../openflow/fields/field.ts'
import { F } from '../openflow/fields/table.ts'
import type { LogicalAction, NatZone, Pipeline } from './action.ts'
import { controllerActions } from './lower-controller.ts'
import { learnEcmpNextHop, learnLbAffinity } from './lower-learn.ts'
import { answerBits, lookupActions } from './lower-lookup.ts'
import type { FieldRef } from './match.ts'
import { portKey } from './normalise.ts'
import { CT_MARK, LOG_CT_ZONE, LOG_DNAT_ZONE, LOG_OUTPORT, LOG_SNAT_ZONE, TABLE } from './registers.ts'

/** A bucket of a select group. */
export interface LogicalBucket {
  readonly weight: number
  readonly actions: readonly Action[]
  /** A port whose liveness decides about the bucket. */
  readonly watchPort?: number
}

/** A group that a logical action needs; equal keys are equal groups. */
export interface LogicalGroup {
  readonly key: string
  readonly method: 'dp_hash' | 'hash'
  /** 1 << 32 asks for a symmetric hash of the addresses and ports. */
  readonly methodParam: bigint
  /** Fields of the `hash` method, as the logical flow names them. */
  readonly fields: readonly string[]
  readonly buckets: readonly LogicalBucket[]
}

/** A meter that set_meter asks for: kbit/s and kbit. */
export interface LogicalMeter {
  readonly rate: bigint
  readonly burst: bigint
}

/** What the lowering of actions depends on. */
export interface EncodeContext {
  /** The flow's own pipeline: `output` and the tables of `next` differ. */
  readonly pipeline: Pipeline
  /** The flow's own logical table. */
  readonly table: number
  /** The flow's datapath is a router. */
  readonly router: boolean
  /** Tunnel key of the datapath. */
  readonly datapathKey: number
  /** First 32 bits of the flow's uuid. */
  readonly cookie: number
  lookupPort(name: string): number | undefined
  /** Whether the port is bound to this chassis. */
  isChassisResident(port: string): boolean
  /** The OpenFlow port of the tunnel to the chassis of a port, where there is one: fwd_group's liveness. */
  tunnelPort?(port: string): number | undefined
  group(group: LogicalGroup): number
  /** The id of a named meter (log, controller_meter), or of a rate. */
  meter(meter: string | LogicalMeter): number | undefined
  /** Meter of the flow's controller_meter column. */
  readonly controllerMeter?: number
  /** Whether the switch has a collector set of this id; without, nothing is sampled. */
  hasCollectorSet?(id: number): boolean
}

/** What stays the same in nested actions. */
export interface Scope {
  readonly ctx: EncodeContext
  /** The OpenFlow table of the logical table after the flow's own. */
  readonly nextTable: number
}

/** OpenFlow table of a logical one. */
export function openflowTable(pipeline: Pipeline, table: number): number {
  return (pipeline === 'ingress' ? TABLE.LOG_INGRESS : TABLE.LOG_EGRESS) + table
}

/** Where `output;` goes on. */
export function outputTable(pipeline: Pipeline): number {
  return pipeline === 'ingress' ? TABLE.OUTPUT_LARGE_PKT_DETECT : TABLE.SAVE_INPORT
}

/** The OpenFlow actions of a logical flow; none drop the packet. */
export function lowerActions(actions: readonly LogicalAction[], ctx: EncodeContext): Action[] {
  return lowerList(actions, { ctx, nextTable: openflowTable(ctx.pipeline, ctx.table + 1) })
}

export function lowerList(actions: readonly LogicalAction[], scope: Scope): Action[] {
  const out: Action[] = []
  for (const a of actions) lower(a, scope, out)
  return out
}

/** The subfield of the whole field. */
export function place(f: FieldRef): Subfield {
  const field = f.symbol.root.field
  return f.bits === 0 ? { field, offset: 0, bits: field.bits } : { field, offset: f.offset, bits: f.bits }
}

export function resubmit(table: number): Action {
  return { type: 'resubmit', port: OFPP.IN_PORT, table }
}

export function whole(field: Field): Subfield {
  return { field, offset: 0, bits: field.bits }
}

export function setBits(s: Subfield, value: bigint, mask = (1n << BigInt(s.bits)) - 1n): Action {
  const shift = BigInt(s.offset)
  const set = { type: 'set_field', field: s.field, value: (value & mask) << shift, mask: mask << shift } as const
  // A field that does not fill its bytes is set under a mask even as a whole.
  return s.field.bits % 8 && set.mask === s.field.ones ? { ...set, style: 'masked' } : set
}

function zone(z: NatZone, scope: Scope): Subfield {
  if (!scope.ctx.router) return LOG_CT_ZONE
  return z === 'dnat' ? LOG_DNAT_ZONE : LOG_SNAT_ZONE
}

function ct(parts: Partial<Ct> & Pick<Ct, 'zone'>): Ct {
  return { type: 'ct', commit: false, force: false, alg: 0, exec: [], ...parts }
}

function lower(a: LogicalAction, scope: Scope, out: Action[]): void {
  const { ctx, nextTable } = scope
  switch (a.type) {
    case 'output':
      out.push(resubmit(outputTable(ctx.pipeline)))
      return
    case 'next':
      out.push(resubmit(openflowTable(a.pipeline, a.table)))
      return
    case 'load':
      if ('string' in a.value)
        out.push(setBits(whole(a.dst.symbol.root.field), BigInt(portKey(a.value.string, ctx) ?? 0)))
      else {
        const dst = place(a.dst)
        const all = (1n << BigInt(dst.bits)) - 1n
        out.push(setBits(dst, a.value.value, (a.value.mask ?? all) & all))
      }
      return
    case 'move':
      out.push({ type: 'move', src: place(a.src), dst: place(a.dst) })
      return
    case 'exchange': {
      const x = place(a.a)
      const y = place(a.b)
      out.push({ type: 'push', src: y }, { type: 'push', src: x }, { type: 'pop', dst: y }, { type: 'pop', dst: x })
      return
    }
    case 'push':
      out.push({ type: 'push', src: place(a.field) })
      return
    case 'pop':
      out.push({ type: 'pop', dst: place(a.field) })
      return
    case 'dec_ttl':
      out.push({ type: 'dec_ttl', controllers: [] })
      return
    case 'ct_clear':
      out.push({ type: 'ct_clear' })
      return
    case 'ct_next':
      out.push(ct({ zone: zone(a.zone, scope), table: nextTable }))
      return
    case 'ct_commit':
      // Source translation to nothing: the connection's ports stay free of collisions.
      out.push(ct({ commit: true, zone: zone('dnat', scope), nat: { kind: 'src' }, exec: lowerList(a.actions, scope) }))
      return
    case 'ct_commit_to_zone':
      out.push(ct({ commit: true, zone: zone(a.zone, scope), table: nextTable }))
      return
    case 'ct_commit_nat':
      out.push(ct({ commit: true, zone: zone(a.zone, scope), table: nextTable, nat: {} }))
      return
    case 'ct_dnat':
    case 'ct_snat':
    case 'ct_dnat_in_czone':
    case 'ct_snat_in_czone':
      out.push(lowerNat(a, nextTable))
      return
    case 'ct_lb':
    case 'ct_lb_mark':
    case 'ct_lb_mark_local':
      lowerBalancing(a, scope, out)
      return
    case 'select': {
      const buckets = a.values.map((v) => ({
        weight: v.weight,
        actions: [setBits({ ...place(a.dst), bits: 16 }, BigInt(v.id)), resubmit(nextTable)],
      }))
      // Without fields: a symmetric hash of the connection's addresses and ports.
      const param = a.hashFields === undefined ? 1n << 32n : 0n
      out.push(group(ctx, buckets, a.hashFields, param))
      return
    }
    case 'fwd_group': {
      const keys = a.ports.map((name) => ({ name, key: ctx.lookupPort(name) }))
      const buckets: LogicalBucket[] = []
      for (const { name, key } of keys) {
        if (key === undefined) return
        const actions = [
          setBits({ field: LOG_OUTPORT, offset: 0, bits: 16 }, BigInt(key)),
          resubmit(outputTable(ctx.pipeline)),
        ]
        if (!a.liveness) buckets.push({ weight: 1, actions })
        else {
          const watchPort = ctx.tunnelPort?.(name)
          if (watchPort === undefined) return
          buckets.push({ weight: 1, actions, watchPort })
        }
      }
      out.push(group(ctx, buckets, undefined, 0n))
      return
    }
    case 'clone':
      out.push({ type: 'clone', actions: lowerList(a.actions, scope) })
      return
    case 'set_queue':
      out.push({ type: 'set_queue', queue: a.queue })
      return
    case 'set_meter': {
      const meter = ctx.meter({ rate: a.rate, burst: a.burst })
      if (meter !== undefined) out.push({ type: 'meter', meter })
      return
    }
    case 'check_pkt_larger':
      out.push({ type: 'check_pkt_larger', length: a.length, dst: place(a.dst) })
      return
    case 'ct_snat_to_vip':
      out.push(resubmit(TABLE.CT_SNAT_HAIRPIN))
      return
    case 'mac_cache_use':
      out.push(resubmit(TABLE.MAC_CACHE_USE))
      return
    case 'flood_remote':
      out.push(resubmit(TABLE.FLOOD_REMOTE_CHASSIS))
      return
    case 'commit_ecmp_nh':
      out.push(...learnEcmpNextHop(a.ipv6, a.proto))
      return
    case 'commit_lb_aff':
      out.push(learnLbAffinity(a, ctx.cookie))
      return
    case 'sample':
      if (ctx.hasCollectorSet && !ctx.hasCollectorSet(a.collectorSet)) return
      out.push({
        type: 'sample',
        probability: a.probability,
        collectorSet: a.collectorSet,
        domain: a.domain * 0x1000000 + (ctx.datapathKey & 0xffffff),
        point: a.point === 'cookie' ? ctx.cookie : typeof a.point === 'number' ? a.point : place(a.point),
        samplingPort: OFPP.NONE,
        direction: 'default',
      })
      return
    case 'mirror': {
      const key = ctx.lookupPort(a.port)
      if (key === undefined) return
      out.push({
        type: 'clone',
        actions: [
          setBits(whole(F.in_port), BigInt(OFPP.NONE)),
          setBits(whole(LOG_OUTPORT), BigInt(key)),
          resubmit(TABLE.REMOTE_OUTPUT),
        ],
      })
      return
    }
    case 'dns_lookup':
      controllerActions(a, scope, out)
      return
    case 'get_arp':
    case 'get_nd':
    case 'lookup_arp':
    case 'lookup_nd':
    case 'lookup_arp_ip':
    case 'lookup_nd_ip':
    case 'get_fdb':
    case 'get_remote_fdb':
    case 'lookup_fdb':
      lookupActions(a, out)
      return
    case 'chk_lb_hairpin':
    case 'chk_lb_hairpin_reply':
    case 'check_in_port_sec':
    case 'check_out_port_sec':
    case 'chk_ecmp_nh_mac':
    case 'chk_ecmp_nh':
    case 'chk_lb_aff':
    case 'ct_nw_dst':
    case 'ct_ip6_dst':
    case 'ct_tp_dst':
    case 'ct_proto':
    case 'ct_state_save':
      answerBits(a.type, place(a.dst), out)
      return
    default:
      controllerActions(a, scope, out)
  }
}

function lowerNat(
  a: Extract<LogicalAction, { type: 'ct_dnat' | 'ct_snat' | 'ct_dnat_in_czone' | 'ct_snat_in_czone' }>,
  table: number,
): Action {
  const destination = a.type === 'ct_dnat' || a.type === 'ct_dnat_in_czone'
  // The common zone of both translations is that of the destination's.
  const at = a.type === 'ct_snat' ? LOG_SNAT_ZONE : LOG_DNAT_ZONE
  if (!a.address) return ct({ zone: at, table, nat: {} })
  const { family, value } = a.address
  const nat: Nat = {
    kind: destination ? 'dst' : 'src',
    addresses: { family, min: value, max: value },
    ...(a.ports ? { ports: a.ports } : {}),
    ...(a.ports && a.ports.min !== a.ports.max ? { random: true } : {}),
  }
  return ct({ commit: true, zone: at, table, nat })
}

function lowerBalancing(
  a: Extract<LogicalAction, { type: 'ct_lb' | 'ct_lb_mark' | 'ct_lb_mark_local' }>,
  scope: Scope,
  out: Action[],
): void {
  const { ctx, nextTable } = scope
  const at = zone('dnat', scope)
  if (a.backends.length === 0) {
    out.push(ct({ zone: at, table: nextTable, nat: {} }))
    return
  }
  const field = a.type === 'ct_lb' ? F.ct_label : F.ct_mark
  const bit = ([from]: readonly [number, number]) => setBits({ field, offset: from, bits: 1 }, 1n)
  const flags: Action[] = [bit(CT_MARK.natted)]
  if (a.flag === 'skip_snat') flags.push(bit(CT_MARK.skip_snat))
  if (a.flag === 'force_snat') flags.push(bit(CT_MARK.force_snat))
  const here = a.backends.filter((b) => b.lport === undefined || ctx.isChassisResident(b.lport))
  if (here.length === 0) return
  const buckets = here.map(({ address, port }) => ({
    weight: 100,
    actions: [
      ct({
        commit: true,
        zone: at,
        table: nextTable,
        nat: {
          kind: 'dst',
          addresses: { family: address.family, min: address.value, max: address.value },
          ...(port ? { ports: { min: port, max: port } } : {}),
        },
        exec: flags,
      }),
    ],
  }))
  out.push(group(ctx, buckets, a.hashFields, 0n))
}

function group(
  ctx: EncodeContext,
  buckets: readonly LogicalBucket[],
  hashFields: string | undefined,
  methodParam: bigint,
): Action {
  const method = hashFields === undefined ? 'dp_hash' : 'hash'
  const fields = hashFields === undefined ? [] : hashFields.split(',').map((f) => f.trim())
  const key = JSON.stringify([method, fields, methodParam, buckets], (k, v) =>
    typeof v === 'bigint' ? v.toString(16) : k === 'field' ? (v as Field).name : v,
  )
  return { type: 'group', group: ctx.group({ key, method, methodParam, fields, buckets }) }
}
