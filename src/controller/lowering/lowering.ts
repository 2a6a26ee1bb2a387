import { type Log, silent } from '../../base/log.ts'
import type { LogicalGroup, LogicalMeter, LoweredFlow } from '../../logical/index.ts'
import type { Action } from '../../openflow/actions/action.ts'
import { OFPP } from '../../openflow/actions/action.ts'
import type { Field, Match } from '../../openflow/fields/field.ts'
import { fieldMatch, matchOf } from '../../openflow/fields/match.ts'
import { F, fieldByName } from '../../openflow/fields/table.ts'
import { METER_FLAG, type MeterBand } from '../../openflow/messages/message.ts'
import type { Request } from '../../reactive/allocate.ts'
import type { Graph } from '../../reactive/graph.ts'
import type { Derived } from '../../reactive/relation.ts'
import type { Emit } from '../../reactive/rule.ts'
import type { LocalDatapath } from '../datapaths.ts'
import { type Flow, flowKey } from '../flow.ts'
import type { Group, Meter } from '../flow-installer/desired.ts'
import type { SouthboundInputs } from '../inputs/inputs.ts'
import { S } from '../strata.ts'
import type { Environment } from './environment.ts'
import { memberMatch } from './template.ts'
import { type FlowText, type Numbers, type Translation, textOf, translate } from './translate.ts'

/** A logical flow and the local datapaths it is for. */
interface LocalFlow {
  readonly text: FlowText
  readonly datapaths: readonly string[]
}

/** One `conjunction()` action that a flow should have, among those of other logical flows. */
interface ConjunctionClause {
  readonly flow: string
  readonly table: number
  readonly priority: number
  readonly match: Match
  readonly id: number
  readonly clause: number
  readonly clauses: number
}

/** A flow for each member of an address set: all of it but the member's address. */
interface SetFlow {
  readonly set: string
  readonly field: Field
  readonly base: Match
  readonly table: number
  readonly priority: number
  readonly actions: readonly Action[]
  readonly cookie: number
  /** With them the flows carry these conjunction actions. */
  readonly parts: readonly { readonly id: number; readonly clause: number; readonly clauses: number }[]
}

/** A flow whose numbers had to be asked for first. */
interface Pending {
  readonly text: FlowText
  readonly datapath: string
}

export interface LoweringParts {
  readonly sb: SouthboundInputs
  readonly local: Derived<LocalDatapath>
  readonly env: Environment
  readonly resident: Derived<true>
  /** Groups and meters of the switch when the controller began, by name: they keep their numbers. */
  readonly previousGroup?: (key: string) => number | undefined
  readonly log?: Log
}

export interface Lowering {
  readonly groups: Derived<Group>
  readonly meters: Derived<Meter>
  /** Numbers by conjunction, group or meter: for the control commands. */
  readonly conjunctionIds: Derived<number>
  readonly groupIds: Derived<number>
  readonly meterIds: Derived<number>
}

const CONJUNCTION_SPACE = 'conjunctions'
const GROUP_SPACE = 'groups'
const METER_SPACE = 'meters'
/** Below are those of fixed flows. */
const FIRST_CONJUNCTION = 0x100

const meterKey = (m: string | LogicalMeter) => (typeof m === 'string' ? m : `rate=${m.rate} burst=${m.burst}`)

/** Logical flows of local datapaths become OpenFlow flows, groups and meters. */
export function declareLowering(graph: Graph, flows: Derived<Flow>, parts: LoweringParts): Lowering {
  const { sb, local, env, resident } = parts
  const log = parts.log ?? silent

  const localFlows = graph.derived<LocalFlow>('local logical flows', S.PORTS)
  graph.rule('local logical flows', S.PORTS, sb.Logical_Flow, (row, out) => {
    const members =
      row.logical_dp_group === undefined ? [] : (sb.Logical_DP_Group.get(row.logical_dp_group)?.datapaths ?? [])
    const all = row.logical_datapath === undefined ? members : [row.logical_datapath, ...members]
    const datapaths = all.filter((uuid) => local.has(uuid))
    if (datapaths.length) out.emit(localFlows, row._uuid, { text: textOf(row), datapaths })
  })

  const conjunctionRequests = graph.derived<Request>('conjunction requests', S.LOWERED)
  const groupRequests = graph.derived<Request>('group requests', S.LOWERED)
  const meterRequests = graph.derived<Request>('meter requests', S.LOWERED)
  const groupTexts = graph.derived<LogicalGroup>('group contents', S.LOWERED)
  const rateMeters = graph.derived<LogicalMeter>('rate meters', S.LOWERED)
  const pending = graph.derived<Pending>('flows with numbers', S.LOWERED)
  const conjunctionIds = graph.allocate('conjunction ids', S.NUMBERS, conjunctionRequests, {
    first: FIRST_CONJUNCTION,
    last: 0xffffffff,
  })
  const groupIds = graph.allocate('group ids', S.NUMBERS, groupRequests, {
    first: 1,
    last: 0xffff,
    ...(parts.previousGroup ? { previous: parts.previousGroup } : {}),
  })
  const meterIds = graph.allocate('meter ids', S.NUMBERS, meterRequests, { first: 1, last: 0xffff })

  const clauses = graph.derived<ConjunctionClause>('conjunction clauses', S.FLOWS)
  const setFlows = graph.derived<SetFlow>('flows of address sets', S.PLACED)
  const environment = { ...env, resident }
  graph.pair(
    'logical flows',
    S.LOWERED,
    localFlows,
    { members: (f) => f.datapaths, pick: (f) => f.text },
    (_uuid, dp, text, out) => {
      const datapath = local.get(dp)
      if (!datapath) return
      let asks = false
      const asking: Numbers = {
        group(g) {
          asks = true
          out.emit(groupRequests, g.key, { space: GROUP_SPACE })
          out.emit(groupTexts, g.key, g)
          return 0
        },
        meter(m) {
          asks = true
          out.emit(meterRequests, meterKey(m), { space: METER_SPACE })
          if (typeof m !== 'string') out.emit(rateMeters, meterKey(m), m)
          return undefined
        },
      }
      const result = translate(text, datapath, environment, asking)
      if (!result) return
      if (!result.ok) {
        log.warn(result.error, { code: 'invalid-logical-flow', row: text._uuid, datapath: datapath.uuid })
        return
      }
      for (let i = 0; i < result.value.match.conjunctions; i++) {
        asks = true
        out.emit(conjunctionRequests, conjunctionKey(text._uuid, dp, i), { space: CONJUNCTION_SPACE })
      }
      const key = `${text._uuid} ${dp}`
      if (asks) out.emit(pending, key, { text, datapath: dp })
      else emitFlows(out, { flows, clauses, setFlows }, key, result.value, datapath, () => undefined)
    },
  )

  graph.rule('numbered flows', S.PLACED, pending, ({ text, datapath: dp }, out, key) => {
    const datapath = local.get(dp)
    if (!datapath) return
    const numbers: Numbers = {
      group: (g) => groupIds.get(g.key) ?? 0,
      meter: (m) => (typeof m === 'string' && !hasMeter(m) ? undefined : meterIds.get(meterKey(m))),
    }
    const result = translate(text, datapath, environment, numbers)
    if (result?.ok) {
      const number = (i: number) => conjunctionIds.get(conjunctionKey(text._uuid, dp, i))
      emitFlows(out, { flows, clauses, setFlows }, key, result.value, datapath, number)
    }
  })
  expandSets(graph, env, setFlows, flows, clauses)
  joinClauses(graph, flows, clauses)

  const meterRows = graph.derived<{ flags: number; bands: readonly MeterBand[] }>('meter rows', S.FACTS)
  graph.rule('meter rows', S.FACTS, sb.Meter, (row, out) => {
    const bands = row.bands.flatMap((uuid) => sb.Meter_Band.get(uuid) ?? [])
    const burst = bands.some((b) => b.burst_size > 0)
    const unit = row.unit === 'kbps' ? METER_FLAG.KBPS : METER_FLAG.PKTPS
    out.emit(meterRows, row.name, {
      flags: unit | METER_FLAG.STATS | (burst ? METER_FLAG.BURST : 0),
      bands: bands.map((b): MeterBand => ({ type: 'drop', rate: b.rate, burst: b.burst_size, precedence: 0 })),
    })
  })
  const hasMeter = (name: string) => meterRows.has(name)

  const groups = graph.derived<Group>('groups', S.PLACED)
  graph.rule('groups', S.PLACED, groupTexts, (g, out) => {
    const id = groupIds.get(g.key)
    if (id !== undefined) out.emit(groups, String(id), groupOf(id, g))
  })
  const meters = graph.derived<Meter>('meters', S.PLACED)
  graph.rule('meters', S.PLACED, meterIds, (id, out, key) => {
    const row = meterRows.get(key)
    const rate = rateMeters.get(key)
    if (row) out.emit(meters, String(id), { id, ...row })
    else if (rate) {
      const flags = METER_FLAG.KBPS | METER_FLAG.STATS | METER_FLAG.BURST
      const band: MeterBand = { type: 'drop', rate: Number(rate.rate), burst: Number(rate.burst), precedence: 0 }
      out.emit(meters, String(id), { id, flags, bands: [band] })
    } else log.err(`could not find meter named "${key}"`, { code: 'meter-not-found', meter: key })
  })
  return { groups, meters, conjunctionIds, groupIds, meterIds }
}

export function conjunctionKey(lflow: string, datapath: string, i: number): string {
  return `${lflow} ${datapath} ${i}`
}

export function conjunctionKeyParts(key: string): { lflow: string; datapath: string } {
  const [lflow = '', datapath = ''] = key.split(' ')
  return { lflow, datapath }
}

interface Targets {
  readonly flows: Derived<Flow>
  readonly clauses: Derived<ConjunctionClause>
  readonly setFlows: Derived<SetFlow>
}

function emitFlows(
  out: Emit,
  { flows, clauses, setFlows }: Targets,
  key: string,
  t: Translation,
  datapath: LocalDatapath,
  number: (i: number) => number | undefined,
): void {
  const { table, priority, actions, cookie } = t
  const dp = fieldMatch(F.metadata, datapath.key)
  const numbered = (parts: LoweredFlow['parts'] = []) =>
    parts.flatMap(({ id, clause, clauses: count }) => {
      const n = number(id)
      return n === undefined ? [] : [{ id: n, clause, clauses: count }]
    })
  /** The match with the datapath and, if it is a conjunction's, its id. */
  const whole = (f: LoweredFlow): Match | undefined => {
    if (f.conjunction === undefined) return matchOf(...f.match, dp)
    const id = number(f.conjunction)
    return id === undefined ? undefined : matchOf(...f.match, dp, fieldMatch(F.conj_id, id))
  }
  for (const f of t.match.flows) {
    const match = whole(f)
    if (!match) continue
    if (f.parts) emitClauses(out, clauses, { table, priority, match }, numbered(f.parts))
    else out.emit(flows, flowKey(table, priority, match), { table, priority, match, actions, cookie })
  }
  t.templates.forEach(({ flow, field }, i) => {
    const base = whole(flow)
    if (!base || t.set === undefined) return
    const row: SetFlow = { set: t.set, field, base, table, priority, actions, cookie, parts: numbered(flow.parts) }
    out.emit(setFlows, `${key} ${i}`, row)
  })
}

function emitClauses(
  out: Emit,
  clauses: Derived<ConjunctionClause>,
  at: { readonly table: number; readonly priority: number; readonly match: Match },
  parts: SetFlow['parts'],
): void {
  const flow = flowKey(at.table, at.priority, at.match)
  for (const part of parts) out.emit(clauses, `${flow} ${part.id} ${part.clause}`, { flow, ...at, ...part })
}

/** One flow a member: a member more costs one run. */
function expandSets(
  graph: Graph,
  env: Environment,
  setFlows: Derived<SetFlow>,
  flows: Derived<Flow>,
  clauses: Derived<ConjunctionClause>,
): void {
  const expanded = graph.derived<{ readonly flow: SetFlow; readonly members: readonly string[] }>(
    'flows with members',
    S.EXPANDED,
  )
  graph.rule('flows with members', S.EXPANDED, setFlows, (flow, out, key) =>
    out.emit(expanded, key, { flow, members: env.members.get(flow.set) ?? [] }),
  )
  graph.pair(
    'flows of members',
    S.FLOWS,
    expanded,
    { members: (e) => e.members, pick: (e) => e.flow },
    (_key, member, { field, base, table, priority, actions, cookie, parts }, out) => {
      const address = memberMatch(field, member)
      const match = address && matchOf(...base, address)
      if (!match) return
      if (parts.length) emitClauses(out, clauses, { table, priority, match }, parts)
      else out.emit(flows, flowKey(table, priority, match), { table, priority, match, actions, cookie })
    },
  )
}

/** Conjunction actions of several logical flows with one match share one flow (cookie 0: it is no one's own). */
function joinClauses(graph: Graph, flows: Derived<Flow>, clauses: Derived<ConjunctionClause>): void {
  const joined = graph.fold<ConjunctionClause, Map<string, ConjunctionClause>, Flow>(
    'joined clauses',
    S.JOINED,
    clauses,
    {
      key: (c) => c.flow,
      empty: () => new Map(),
      add: (into, c, key) => void into.set(key, c),
      remove: (from, _c, key) => void from.delete(key),
      result: (all) => {
        const sorted = [...all.values()].sort((a, b) => a.id - b.id || a.clause - b.clause)
        const first = sorted[0]
        if (!first) return undefined
        const { table, priority, match } = first
        const actions = sorted.map(
          (c): Action => ({ type: 'conjunction', id: c.id, clause: c.clause, clauses: c.clauses }),
        )
        return { table, priority, match, actions, cookie: 0 }
      },
    },
  )
  graph.rule('conjunctive flows', S.ALL_FLOWS, joined, (flow, out, key) => out.emit(flows, key, flow))
}

function groupOf(id: number, g: LogicalGroup): Group {
  const fields = g.fields.flatMap((name) => {
    const field = fieldByName(name)
    return field ? [fieldMatch(field, field.ones)] : []
  })
  return {
    id,
    type: 'select',
    selection: { method: g.method, param: g.methodParam, fields: matchOf(...fields) ?? [] },
    buckets: g.buckets.map((b, i) => ({
      id: i,
      weight: b.weight,
      watchPort: b.watchPort ?? OFPP.NONE,
      watchGroup: 0xffffffff,
      actions: b.actions,
    })),
  }
}
