import { err, ok, type Result } from '../../base/result.ts'
import { type Action, OFPP } from '../../openflow/actions/action.ts'
import { missingPrerequisite } from '../../openflow/fields/prerequisite.ts'
import type { ErrorName } from '../../openflow/messages/errors.ts'
import { FLOW_FLAG, type FlowMod, OF10, OF15, type Version } from '../../openflow/messages/message.ts'
import type { FlowFilter } from '../../openflow/messages/multipart.ts'
import { expandMask, type Mask } from '../classifier/mask.ts'
import { compileMatch, type Slots } from '../classifier/slots.ts'
import { conjunctionsOf, Rule } from '../pipeline/rule.ts'
import type { FlowTable } from '../pipeline/table.ts'
import { type Bridge, TABLES } from './bridge.ts'

/** Undoes a change of flows: for bundles that fail half way. */
export type Undo = () => void

export const REMOVED = { IDLE: 0, HARD: 1, DELETE: 2, GROUP: 3, METER: 4, EVICTION: 5 } as const

interface Changes {
  readonly undo: Undo[]
  /** Told once the whole change stands. */
  readonly told: (() => void)[]
}

export interface Applied {
  undo(): void
  /** Tells listeners of flows removed and changed. */
  tell(): void
}

/** Carries out a flow modification (OpenFlow 1.5 §6.4). Nothing is changed when it fails. */
export function applyFlowMod(
  bridge: Bridge,
  slots: Slots,
  mod: FlowMod,
  by?: unknown,
  version: Version = OF15,
): Result<Applied, ErrorName> {
  const compiled = compileMatch(mod.match, slots)
  if ('missing' in compiled) return err(compiled.missing.variable ? 'NXFMFC_INVALID_TLV_FIELD' : 'OFPBMC_BAD_FIELD')
  const deleting = mod.command === 'delete' || mod.command === 'delete_strict'
  if (mod.table !== 0xff && mod.table >= TABLES) return err('OFPBRC_EPERM')
  if (!deleting) {
    if (missingPrerequisite(mod.match)) return err('OFPBMC_BAD_PREREQ')
    const bad = checkActions(bridge, slots, mod.actions, mod.table === 0xff ? 0 : mod.table)
    if (bad) return err(bad)
  }
  const changes: Changes = { undo: [], told: [] }
  const failed = carryOut(bridge, mod, compiled.mask, compiled.values, changes, by, version)
  if (failed) {
    for (const u of changes.undo.reverse()) u()
    return err(failed)
  }
  return ok({
    undo: () => {
      for (const u of changes.undo.reverse()) u()
    },
    tell: () => {
      for (const t of changes.told) t()
    },
  })
}

function carryOut(
  bridge: Bridge,
  mod: FlowMod,
  mask: Mask,
  values: Uint32Array,
  changes: Changes,
  by: unknown,
  version: Version,
): ErrorName | undefined {
  switch (mod.command) {
    case 'add':
      return add(bridge, mod, mask, values, changes, by)
    case 'modify':
    case 'modify_strict': {
      const strict = mod.command === 'modify_strict'
      const rules = select(bridge, mod, mask, values, strict)
      if (rules.length === 0) {
        // OpenFlow 1.0 adds when there is nothing to modify; with a cookie to match it never does
        return mod.cookieMask === 0n && version === OF10 ? add(bridge, mod, mask, values, changes, by) : undefined
      }
      for (const r of rules) modify(bridge, r, mod, changes, by, version)
      return undefined
    }
    case 'delete':
    case 'delete_strict':
      for (const r of select(bridge, mod, mask, values, mod.command === 'delete_strict'))
        remove(bridge, r, REMOVED.DELETE, changes, by)
      return undefined
  }
}

function add(
  bridge: Bridge,
  mod: FlowMod,
  mask: Mask,
  values: Uint32Array,
  changes: Changes,
  by: unknown,
): ErrorName | undefined {
  const table = bridge.table(mod.table === 0xff ? 0 : mod.table)
  if (mod.flags & FLOW_FLAG.CHECK_OVERLAP && overlaps(table, mod, mask, values)) return 'OFPFMFC_OVERLAP'
  const now = bridge.now()
  const rule = new Rule(
    {
      table: table.id,
      priority: mod.priority,
      match: mod.match,
      mask,
      values,
      actions: mod.actions,
      cookie: mod.cookie,
      idleTimeout: mod.idleTimeout,
      hardTimeout: mod.hardTimeout,
      importance: mod.importance,
      flags: mod.flags,
    },
    now,
  )
  const old = table.classifier.find(mask, values, mod.priority)
  if (old) {
    // replaced: counters go on unless they are to be reset
    if (!(mod.flags & FLOW_FLAG.RESET_COUNTS)) {
      rule.packets = old.packets
      rule.bytes = old.bytes
      rule.used = old.used
      rule.created = old.created
    }
    table.remove(old)
  } else if (table.limit !== undefined && table.size >= table.limit) {
    const victim = table.evict ? toEvict(table) : undefined
    if (!victim) return 'OFPFMFC_TABLE_FULL'
    remove(bridge, victim, REMOVED.EVICTION, changes, by)
  }
  table.insert(rule)
  changes.undo.push(() => {
    table.remove(rule)
    if (old) {
      old.removed = false
      table.insert(old)
    }
  })
  changes.told.push(() => {
    for (const e of bridge.events) e.flowChanged?.(old ? 'modified' : 'added', rule, 0, by)
  })
  return undefined
}

/** The flow with a timeout, of the least importance, that goes soonest. */
function toEvict(table: FlowTable): Rule | undefined {
  let best: Rule | undefined
  const deadline = (r: Rule) =>
    Math.min(
      r.hardTimeout ? r.modified + r.hardTimeout * 1000 : Number.POSITIVE_INFINITY,
      r.idleTimeout ? r.used + r.idleTimeout * 1000 : Number.POSITIVE_INFINITY,
    )
  for (const r of table.classifier.rules()) {
    if (!r.idleTimeout && !r.hardTimeout) continue
    if (!best || r.importance < best.importance || (r.importance === best.importance && deadline(r) < deadline(best)))
      best = r
  }
  return best
}

function modify(bridge: Bridge, rule: Rule, mod: FlowMod, changes: Changes, by: unknown, version: Version): void {
  const before = {
    actions: rule.actions,
    conjunctions: rule.conjunctions,
    cookie: rule.cookie,
    packets: rule.packets,
    bytes: rule.bytes,
  }
  rule.actions = mod.actions
  rule.conjunctions = conjunctionsOf(mod.actions)
  // since 1.1 a modification leaves the cookie alone
  if (version === OF10 && mod.cookie !== 0xffffffffffffffffn) rule.cookie = mod.cookie
  if (mod.flags & FLOW_FLAG.RESET_COUNTS) {
    rule.packets = 0
    rule.bytes = 0
  }
  rule.modified = bridge.now()
  const table = bridge.table(rule.table)
  table.dependency.changed()
  changes.undo.push(() => {
    Object.assign(rule, before)
    table.dependency.changed()
  })
  changes.told.push(() => {
    for (const e of bridge.events) e.flowChanged?.('modified', rule, 0, by)
  })
}

function remove(bridge: Bridge, rule: Rule, reason: number, changes: Changes, by: unknown): void {
  const table = bridge.table(rule.table)
  table.remove(rule)
  changes.undo.push(() => {
    rule.removed = false
    table.insert(rule)
  })
  changes.told.push(() => told(bridge, rule, reason, by))
}

function told(bridge: Bridge, rule: Rule, reason: number, by: unknown): void {
  for (const e of bridge.events) {
    if (rule.flags & FLOW_FLAG.SEND_FLOW_REM) e.flowRemoved?.(rule, reason)
    e.flowChanged?.('deleted', rule, reason, by)
  }
}

/** Takes a flow away for a reason of the switch's own. */
export function expire(bridge: Bridge, rule: Rule, reason: number): void {
  if (rule.removed) return
  bridge.table(rule.table).remove(rule)
  told(bridge, rule, reason, undefined)
}

/** The flows that a modification or deletion is about. */
function select(bridge: Bridge, mod: FlowMod, mask: Mask, values: Uint32Array, strict: boolean): Rule[] {
  const tables = mod.table === 0xff ? [...bridge.usedTables()] : [bridge.table(mod.table)]
  const deleting = mod.command === 'delete' || mod.command === 'delete_strict'
  const out: Rule[] = []
  const accept = (r: Rule) => {
    if (r.hidden) return
    if ((r.cookie ^ mod.cookie) & mod.cookieMask) return
    if (deleting && !outputsTo(r.actions, mod.outPort, mod.outGroup)) return
    out.push(r)
  }
  for (const t of tables) {
    if (strict) {
      const r = t.classifier.find(mask, values, mod.priority)
      if (r) accept(r)
    } else for (const r of within(t, mask, values)) accept(r)
  }
  return out
}

/** The flows whose matches are as narrow as a mask and values, or narrower. */
function* within(table: FlowTable, mask: Mask, values: Uint32Array): IterableIterator<Rule> {
  if (mask.words.length === 0) {
    yield* table.classifier.rules()
    return
  }
  let last: Mask | undefined
  let positions: number[] | undefined
  for (const r of table.classifier.rules()) {
    if (r.mask !== last) {
      last = r.mask
      positions = positionsIn(r.mask, mask)
    }
    if (!positions) continue
    let same = true
    for (let i = 0; i < positions.length && same; i++) {
      const v = r.values[positions[i] as number] as number
      if (((v & (mask.bits[i] as number)) ^ (values[i] as number)) !== 0) same = false
    }
    if (same) yield r
  }
}

/** For each word of `mask`, where `outer` has it; undefined when `outer` compares less. */
function positionsIn(outer: Mask, mask: Mask): number[] | undefined {
  const out: number[] = []
  for (let i = 0; i < mask.words.length; i++) {
    const p = outer.words.indexOf(mask.words[i] as number)
    if (p < 0 || ((mask.bits[i] as number) & ~(outer.bits[p] as number)) !== 0) return undefined
    out.push(p)
  }
  return out
}

function overlaps(table: FlowTable, mod: FlowMod, mask: Mask, values: Uint32Array): boolean {
  const full = expandMask(mask)
  const key = new Uint32Array(full.length)
  for (let i = 0; i < mask.words.length; i++) key[mask.words[i] as number] = values[i] as number
  for (const r of table.classifier.rules()) {
    if (r.priority !== mod.priority) continue
    let differ = false
    for (let i = 0; i < r.mask.words.length && !differ; i++) {
      const w = r.mask.words[i] as number
      const common = (r.mask.bits[i] as number) & (full[w] as number)
      if ((((r.values[i] as number) ^ (key[w] as number)) & common) !== 0) differ = true
    }
    if (!differ) return true
  }
  return false
}

/** Whether actions output to a port and a group; OFPP.NONE and 0xffffffff ask for nothing. */
export function outputsTo(actions: readonly Action[], port: number, group: number): boolean {
  const any = (test: (a: Action) => boolean): boolean => {
    const walk = (list: readonly Action[]): boolean =>
      list.some((a) => test(a) || ((a.type === 'clone' || a.type === 'write_actions') && walk(a.actions)))
    return walk(actions)
  }
  if (port !== OFPP.NONE) {
    const to = (a: Action) =>
      (a.type === 'output' && a.port === port) ||
      (a.type === 'output_trunc' && a.port === port) ||
      (a.type === 'enqueue' && a.port === port) ||
      (a.type === 'controller' && port === OFPP.CONTROLLER)
    if (!any(to)) return false
  }
  return group === 0xffffffff || any((a) => a.type === 'group' && a.group === group)
}

/** The flows that a request for statistics is about, by table and falling priority. */
export function filterFlows(bridge: Bridge, slots: Slots, filter: FlowFilter): Rule[] {
  const compiled = compileMatch(filter.match, slots)
  if ('missing' in compiled) return []
  const tables =
    filter.table === 0xff ? [...bridge.usedTables()] : filter.table < TABLES ? [bridge.table(filter.table)] : []
  const out: Rule[] = []
  for (const t of tables) {
    const rules = [...within(t, compiled.mask, compiled.values)].filter(
      (r) =>
        !r.hidden &&
        ((r.cookie ^ filter.cookie) & filter.cookieMask) === 0n &&
        outputsTo(r.actions, filter.outPort, filter.outGroup),
    )
    rules.sort((a, b) => b.priority - a.priority)
    out.push(...rules)
  }
  return out
}

/** The first thing in a list of actions that this bridge cannot do. */
export function checkActions(
  bridge: Bridge,
  slots: Slots,
  actions: readonly Action[],
  table: number | undefined,
): ErrorName | undefined {
  const conj = actions.filter((a) => a.type === 'conjunction').length
  if (conj > 0 && actions.some((a) => a.type !== 'conjunction' && a.type !== 'note')) return 'NXBAC_BAD_CONJUNCTION'
  for (const a of actions) {
    const bad = checkAction(bridge, slots, a, table)
    if (bad) return bad
  }
  return undefined
}

function checkAction(bridge: Bridge, slots: Slots, a: Action, table: number | undefined): ErrorName | undefined {
  switch (a.type) {
    case 'group':
      return bridge.groups.has(a.group) ? undefined : 'OFPBAC_BAD_OUT_GROUP'
    case 'meter':
      return bridge.meters.has(a.meter) || a.meter > 0xffff0000 ? undefined : 'OFPMMFC_INVALID_METER'
    case 'goto_table':
      return table !== undefined && (a.table <= table || a.table >= TABLES) ? 'OFPBIC_BAD_TABLE_ID' : undefined
    case 'set_field':
    case 'delete_field':
      return a.field.variable && !slots.of(a.field) ? 'NXFMFC_INVALID_TLV_FIELD' : undefined
    case 'move':
      return (a.src.field.variable && !slots.of(a.src.field)) || (a.dst.field.variable && !slots.of(a.dst.field))
        ? 'NXFMFC_INVALID_TLV_FIELD'
        : undefined
    case 'clone':
    case 'write_actions':
      return checkActions(bridge, slots, a.actions, undefined)
    case 'ct':
      // connection helpers are not built: say so rather than track in silence without them
      if (a.alg !== 0) return 'OFPBAC_BAD_ARGUMENT'
      return checkActions(
        bridge,
        slots,
        a.exec.filter((x) => x.type !== 'ct'),
        undefined,
      )
    case 'encap':
    case 'decap':
    case 'dec_nsh_ttl':
    case 'unknown':
      return 'OFPBAC_BAD_TYPE'
    default:
      return undefined
  }
}
