import {
  type EncodeContext,
  type Expression,
  expandTemplates,
  type Integer,
  LOG_INPORT,
  LOG_OUTPORT,
  type LogicalGroup,
  type LogicalMeter,
  type LoweredMatch,
  lowerActions,
  lowerMatch,
  type NameSets,
  openflowTable,
  parseActions,
  parseAddresses,
  parseMatch,
} from '../../logical/index.ts'
import type { Action } from '../../openflow/actions/action.ts'
import { exact } from '../../openflow/fields/match.ts'
import type { LogicalFlow } from '../../schema/southbound.ts'
import type { LocalDatapath } from '../datapaths.ts'
import { cookieOf } from '../flow.ts'
import { type Environment, multicastKey, ONLY } from './environment.ts'
import { type FlowTemplate, onlySet, split, standIns } from './template.ts'

/** Numbers of the switch that a flow's actions use; 0 stands for one not yet given. */
export interface Numbers {
  group(group: LogicalGroup): number
  meter(meter: string | LogicalMeter): number | undefined
}

/** A logical flow in one datapath, in OpenFlow but for the datapath and conjunction ids. */
export interface Translation {
  readonly table: number
  readonly priority: number
  readonly cookie: number
  readonly match: LoweredMatch
  /** Flows for each member of an address set, which `match` then does not have. */
  readonly templates: readonly FlowTemplate[]
  readonly set: string | undefined
  readonly actions: readonly Action[]
}

export type TranslationResult =
  | { readonly ok: true; readonly value: Translation }
  | { readonly ok: false; readonly error: string }
  | undefined

const PARSED = new WeakMap<readonly string[], readonly Integer[]>()

/** The constants of a set; each set of members is read once. */
function parsed(members: readonly string[] | undefined): readonly Integer[] | undefined {
  if (!members) return undefined
  let integers = PARSED.get(members)
  if (!integers) {
    integers = parseAddresses(members)
    PARSED.set(members, integers)
  }
  return integers
}

/** What names in expressions stand for, outside of any datapath. */
export function namedSets(env: Pick<Environment, 'members' | 'portGroups'>): NameSets {
  return {
    addressSet: (name) => parsed(env.members.peek(name)),
    portGroup: (name) => env.portGroups.peek(name),
  }
}

/** What of a Logical_Flow row its translation depends on. */
export type FlowText = Pick<
  LogicalFlow,
  '_uuid' | 'pipeline' | 'table_id' | 'priority' | 'match' | 'actions' | 'controller_meter' | 'tags'
>

export function textOf(row: LogicalFlow): FlowText {
  const { _uuid, pipeline, table_id, priority, match, actions, controller_meter, tags } = row
  return { _uuid, pipeline, table_id, priority, match, actions, controller_meter, tags }
}

/** Without the flows about packets of a switch's port that is elsewhere: they pass the pipeline there. */
function useful(lowered: LoweredMatch, row: FlowText, datapath: LocalDatapath, env: Environment): LoweredMatch {
  if (datapath.kind !== 'switch') return lowered
  const field = row.pipeline === 'ingress' ? LOG_INPORT : LOG_OUTPORT
  const flows = lowered.flows.filter((f) => {
    const port = exact(f.match, field)
    return port === undefined || port === 0n || env.relatedKeys.has(`${datapath.key} ${port}`)
  })
  return flows.length === lowered.flows.length ? lowered : { ...lowered, flows }
}

/**
 * Translates a logical flow for a datapath. Undefined: the flow has no use on this chassis, since
 * it is about packets of a port that is elsewhere. Whatever it reads from `env` is recorded for the
 * rule run that calls.
 */
export function translate(
  row: FlowText,
  datapath: LocalDatapath,
  env: Environment & { readonly resident: { has(port: string): boolean } },
  numbers: Numbers,
): TranslationResult {
  const port = row.tags.get('in_out_port')
  if (port !== undefined && !env.related.has(port)) return undefined

  const variables = row.match.includes('^') || row.actions.includes('^') ? env.templates.get(ONLY) : undefined
  const expand = (text: string) => (variables ? expandTemplates(text, (name) => variables.get(name)) : text)

  const sets: NameSets = {
    addressSet: (name) => parsed(env.members.get(name)),
    portGroup: (name) => env.portGroups.get(`${datapath.key}_${name}`) ?? env.portGroups.get(name),
  }
  const matchText = expand(row.match)
  const name = onlySet(matchText)
  const shape = name === undefined ? undefined : env.shapes.get(name)
  const standing = name === undefined || !shape ? undefined : parseMatch(matchText, standIns(sets, name, shape))
  let match = standing?.ok ? standing : parseMatch(matchText, sets)
  if (!match.ok) return { ok: false, error: `error parsing match "${matchText}": ${match.error}` }

  const actionsText = expand(row.actions)
  const dhcp = actionsText.includes('put_dhcp')
  const dhcpOptions = dhcp ? env.dhcpOptions.get(ONLY) : undefined
  const dhcpv6Options = dhcp ? env.dhcpv6Options.get(ONLY) : undefined
  const actions = parseActions(actionsText, {
    pipeline: row.pipeline,
    table: row.table_id,
    ...(dhcpOptions ? { dhcpOptions } : {}),
    ...(dhcpv6Options ? { dhcpv6Options } : {}),
  })
  if (!actions.ok) return { ok: false, error: `error parsing actions "${actionsText}": ${actions.error}` }

  const context = {
    // "none" is how a logical flow says that no output port was found.
    lookupPort: (name: string) =>
      name === 'none' ? 0 : (env.ports.get(name)?.key ?? env.multicast.get(multicastKey(datapath.uuid, name))),
    isChassisResident: (name: string) => env.resident.has(name),
  }
  const lower = (expression: Expression) =>
    useful(lowerMatch(expression, actions.value.prerequisites, context), row, datapath, env)
  let lowered = lower(match.value.expression)
  let templates: readonly FlowTemplate[] = []
  if (match === standing && shape) {
    const parts = lowered.flows.length ? split(lowered, shape) : { rest: lowered, templates: [] }
    if (parts) {
      lowered = parts.rest
      templates = parts.templates
    } else {
      match = parseMatch(matchText, sets)
      if (!match.ok) return { ok: false, error: `error parsing match "${matchText}": ${match.error}` }
      lowered = lower(match.value.expression)
    }
  }
  if (!lowered.flows.length && !templates.length) return undefined
  const cookie = cookieOf(row._uuid)
  const controllerMeter = row.controller_meter === undefined ? undefined : numbers.meter(row.controller_meter)
  const encode: EncodeContext = {
    pipeline: row.pipeline,
    table: row.table_id,
    router: datapath.kind === 'router',
    datapathKey: datapath.key,
    cookie,
    ...context,
    group: (g) => numbers.group(g),
    meter: (m) => numbers.meter(m),
    ...(controllerMeter === undefined ? {} : { controllerMeter }),
  }
  return {
    ok: true,
    value: {
      table: openflowTable(row.pipeline, row.table_id),
      priority: row.priority,
      cookie,
      match: lowered,
      templates,
      set: templates.length ? name : undefined,
      actions: lowerActions(actions.value.actions, encode),
    },
  }
}
