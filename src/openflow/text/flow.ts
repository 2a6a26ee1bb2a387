import { err, ok, type Result } from '../../base/result.ts'
import { OFPP } from '../actions/action.ts'
import type { Match } from '../fields/field.ts'
import { FLOW_FLAG, type FlowMod, type FlowModCommand, GROUP_ANY, NO_BUFFER } from '../messages/message.ts'
import type { FlowStats } from '../messages/multipart.ts'
import { formatActions } from './actions-format.ts'
import { parseActions } from './actions-parse.ts'
import { formatDuration } from './duration.ts'
import { formatMatch, MatchParser, normalised } from './match.ts'
import { formatPort, formatTable, hex, type Names, parseInteger, parsePort, parseTable } from './names.ts'
import { split } from './scan.ts'

const DEFAULT_PRIORITY = 0x8000

/** `priority=100,ip,...` as in a dump: the default priority is left out. */
export function formatPriorityMatch(priority: number, match: Match, names?: Names): string {
  const parts: string[] = []
  if (priority !== DEFAULT_PRIORITY) parts.push(`priority=${priority}`)
  const m = formatMatch(match, names)
  if (m) parts.push(m)
  return parts.join(',')
}

/** The flags of a flow, in the order and with the names in which they are printed. */
export const FLAGS = [
  [FLOW_FLAG.SEND_FLOW_REM, 'send_flow_rem'],
  [FLOW_FLAG.CHECK_OVERLAP, 'check_overlap'],
  [FLOW_FLAG.RESET_COUNTS, 'reset_counts'],
  [FLOW_FLAG.NO_PACKET_COUNTS, 'no_packet_counts'],
  [FLOW_FLAG.NO_BYTE_COUNTS, 'no_byte_counts'],
] as const

/** One line of `ovs-ofctl dump-flows`, without the blank in front; `stats` off is --no-stats. */
export function formatFlow(f: FlowStats, { names, stats = true }: { names?: Names; stats?: boolean } = {}): string {
  let s = `cookie=0x${f.cookie.toString(16)}, `
  if (stats) s += `duration=${formatDuration(f)}, `
  if (stats || f.table !== 0) s += `table=${formatTable(f.table, names)}, `
  if (stats) s += `n_packets=${f.packets}, n_bytes=${f.bytes}, `
  if (f.idleTimeout) s += `idle_timeout=${f.idleTimeout}, `
  if (f.hardTimeout) s += `hard_timeout=${f.hardTimeout}, `
  for (const [bit, name] of FLAGS) if (f.flags & bit) s += `${name} `
  if (f.importance) s += `importance=${f.importance}, `
  if (stats && f.idleAge !== undefined && f.idleAge > 0) s += `idle_age=${f.idleAge - 1}, `
  if (stats && f.hardAge !== undefined && f.hardAge - 1 !== f.durationSec && f.hardAge > 0)
    s += `hard_age=${f.hardAge - 1}, `
  s += formatPriorityMatch(f.priority, f.match, names)
  if (!s.endsWith(' ')) s += ' '
  return `${s}actions=${formatActions(f.actions, names)}`
}

/** A flow mod as one line, in the syntax that `parseFlow` reads. */
export function formatFlowMod(m: FlowMod, names?: Names): string {
  const parts: string[] = []
  if (m.table !== 0 && m.table !== 0xff) parts.push(`table=${formatTable(m.table, names)}`)
  if (m.cookie || m.cookieMask) parts.push(`cookie=${hex(m.cookie)}${m.cookieMask ? `/${hex(m.cookieMask)}` : ''}`)
  if (m.idleTimeout) parts.push(`idle_timeout=${m.idleTimeout}`)
  if (m.hardTimeout) parts.push(`hard_timeout=${m.hardTimeout}`)
  if (m.importance) parts.push(`importance=${m.importance}`)
  for (const [bit, name] of FLAGS) if (m.flags & bit) parts.push(name)
  if (m.outPort !== OFPP.NONE) parts.push(`out_port=${formatPort(m.outPort, names)}`)
  if (m.outGroup !== GROUP_ANY) parts.push(`out_group=${m.outGroup}`)
  const match = formatPriorityMatch(m.priority, m.match, names)
  if (match) parts.push(match)
  if (m.command === 'delete' || m.command === 'delete_strict') return parts.join(',')
  return `${parts.join(',')}${parts.length ? ' ' : ''}actions=${formatActions(m.actions, names)}`
}

/**
 * Reads a flow as ovs-ofctl takes it: `table=0,priority=10,ip,nw_dst=10.0.0.1,actions=output:2`.
 * Commands that add or modify need actions; matches without their prerequisites are dropped, as
 * ovs-ofctl does.
 */
export function parseFlow(text: string, command: FlowModCommand = 'add', names?: Names): Result<FlowMod> {
  const deleting = command === 'delete' || command === 'delete_strict'
  const at = /(?:^|[\s,])actions?\s*=/.exec(text)
  if (!at && !deleting) return err('must specify an action')
  const head = at ? text.slice(0, at.index) : text
  const tail = at ? text.slice(at.index + at[0].length) : ''
  const m: { -readonly [K in keyof FlowMod]: FlowMod[K] } = {
    type: 'flow_mod',
    xid: 0,
    command,
    match: [],
    priority: DEFAULT_PRIORITY,
    table: command === 'add' ? 0 : 0xff,
    cookie: 0n,
    cookieMask: 0n,
    idleTimeout: 0,
    hardTimeout: 0,
    importance: 0,
    flags: 0,
    bufferId: NO_BUFFER,
    outPort: OFPP.NONE,
    outGroup: GROUP_ANY,
    actions: [],
  }
  const matches = new MatchParser(names)
  for (const part of split(head)) {
    const eq = part.indexOf('=')
    const name = eq < 0 ? part : part.slice(0, eq)
    const value = eq < 0 ? undefined : part.slice(eq + 1)
    const wrong = attribute(m, name, value, command, names)
    if (wrong === true) continue
    if (typeof wrong === 'string') return err(wrong)
    const taken = matches.take(name, value)
    if (taken instanceof Error) return err(taken.message)
    if (!taken) return err(`unknown keyword ${name}`)
  }
  const match = matches.finish()
  if (match instanceof Error) return err(match.message)
  m.match = normalised(match)
  if (!deleting) {
    const actions = parseActions(tail, names)
    if (!actions.ok) return actions
    m.actions = actions.value
  }
  return ok(m)
}

/** True: taken. A text: wrong. Undefined: not an attribute of the flow, so a part of its match. */
function attribute(
  m: { -readonly [K in keyof FlowMod]: FlowMod[K] },
  name: string,
  value: string | undefined,
  command: FlowModCommand,
  names: Names | undefined,
): true | string | undefined {
  const flag = FLAGS.find(([, n]) => n === name)
  if (flag) {
    m.flags |= flag[0]
    return true
  }
  if (name === 'allow_hidden_fields') return true
  const number = (limit: number): number | string => {
    const n = parseInteger(value ?? '')
    return n === undefined || n > BigInt(limit) ? `invalid ${name} "${value ?? ''}"` : Number(n)
  }
  switch (name) {
    case 'table': {
      const t = parseTable(value ?? '', names)
      if (t === undefined) return `unknown table "${value ?? ''}"`
      m.table = t
      return true
    }
    case 'priority':
    case 'importance': {
      const n = number(65535)
      if (typeof n === 'string') return n
      m[name] = n
      return true
    }
    case 'idle_timeout':
    case 'hard_timeout': {
      const n = number(65535)
      if (typeof n === 'string') return n
      m[name === 'idle_timeout' ? 'idleTimeout' : 'hardTimeout'] = n
      return true
    }
    case 'cookie': {
      const [c = '', mask] = (value ?? '').split('/')
      const cookie = parseInteger(c)
      const cookieMask = mask === '-1' ? 0xffffffffffffffffn : mask === undefined ? 0n : parseInteger(mask)
      if (cookie === undefined || cookieMask === undefined) return `invalid cookie "${value ?? ''}"`
      if (command === 'add' && mask !== undefined) {
        return 'cookie mask not allowed with add-flow'
      }
      m.cookie = cookie
      m.cookieMask = cookieMask
      return true
    }
    case 'out_port': {
      if (command === 'add') return undefined
      const p = parsePort(value ?? '', names)
      if (p === undefined) return `${value ?? ''} is not a valid OpenFlow port`
      m.outPort = p
      return true
    }
    case 'out_group': {
      const n = number(0xffffffff)
      if (typeof n === 'string') return n
      m.outGroup = n
      return true
    }
    default:
      return undefined
  }
}

/** Reads a match alone: `ip,nw_dst=10.0.0.1`. */
export function parseMatch(text: string, names?: Names): Result<Match> {
  const matches = new MatchParser(names)
  for (const part of split(text)) {
    const eq = part.indexOf('=')
    const taken = matches.take(eq < 0 ? part : part.slice(0, eq), eq < 0 ? undefined : part.slice(eq + 1))
    if (taken instanceof Error) return err(taken.message)
    if (!taken) return err(`unknown keyword ${eq < 0 ? part : part.slice(0, eq)}`)
  }
  const match = matches.finish()
  return match instanceof Error ? err(match.message) : ok(match)
}
