import { parseMac } from '../address/mac.ts'
import { err, ok, type Result } from '../base/result.ts'
import { ingressPorts, LOG_INPORT, parseMatch, parseMicroflow } from '../logical/index.ts'
import { type TraceOptions, Tracer } from './execute.ts'
import { formatFlow } from './format-flow.ts'
import { type Datapath, type Port, TraceModel, type TraceTables } from './southbound.ts'
import { minimal, printDetailed, printNested, summary, type TraceNode } from './tree.ts'

export type { TraceOptions } from './execute.ts'
export { TRACE_TABLES, TraceModel, type TraceTables } from './southbound.ts'
export type { NodeType, TraceNode } from './tree.ts'

/** The forms of output, in the order in which they are printed. */
export interface TraceForms {
  readonly detailed: boolean
  readonly summary: boolean
  readonly minimal: boolean
}

export function traceModel(tables: TraceTables): TraceModel {
  return new TraceModel(tables, parseMac)
}

/** What happened to a packet: the packet, and the tree of what was done to it. */
export interface Trace {
  readonly flow: string
  readonly nodes: readonly TraceNode[]
}

/**
 * Traces a microflow through a datapath, named or found from the port that the microflow compares
 * with inport. The error is ovn-trace's own.
 */
export function trace(
  model: TraceModel,
  datapath: string | undefined,
  microflow: string,
  options: TraceOptions,
): Result<Trace> {
  let dp: Datapath | undefined
  if (datapath !== undefined) {
    const found = findDatapath(model, datapath)
    if (!found.ok) return found
    dp = found.value
  } else {
    const parsed = parseMatch(microflow, model.sets)
    if (!parsed.ok) return err(`error parsing flow: ${parsed.error}\n`)
    const [name, other] = ingressPorts(parsed.value.expression)
    if (name === undefined) return err('error parsing flow: flow match expression does not match on inport\n')
    if (other !== undefined) return err('error parsing flow: flow match expression matches on multiple inports\n')
    dp = findPort(model, name, undefined)?.datapath
    if (!dp) return err(`unknown port "${name}"\n`)
  }
  const inside = dp
  const state = parseMicroflow(microflow, model.sets, {
    lookupPort: (name) => (name === '' ? 0 : (findPort(model, name, inside)?.key ?? inside.keys.get(name) ?? 0)),
    isChassisResident: () => true,
  })
  if (!state.ok) return err(`error parsing flow: ${state.error}\n`)
  if (state.value.read(LOG_INPORT) === 0n) return err('microflow does not specify ingress port')
  const flow = formatFlow(state.value)
  return ok({ flow, nodes: new Tracer(model, options).start(dp, state.value) })
}

function findDatapath(model: TraceModel, name: string): Result<Datapath> {
  const found = [...model.datapaths.values()].filter((d) => d.names.includes(name))
  const [first, second] = found
  if (!first) return err(`unknown datapath "${name}"\n`)
  return second ? err(`name "${name}" matches multiple datapaths\n`) : ok(first)
}

function findPort(model: TraceModel, name: string, inside: Datapath | undefined): Port | undefined {
  const port = model.ports.get(name)
  if (port && (!inside || port.datapath === inside)) return port
  const friendly = [...model.ports.values()].filter((p) => p.friendly === name && (!inside || p.datapath === inside))
  return friendly.length === 1 ? friendly[0] : undefined
}

/** A trace as ovn-trace prints it: the packet, then each form, under a heading where there are several. */
export function formatTrace(t: Trace, forms: TraceForms): string {
  const several = Number(forms.detailed) + Number(forms.summary) + Number(forms.minimal) > 1
  let out = `# ${t.flow}\n`
  if (forms.detailed) out += (several ? '# Detailed trace.\n' : '') + printDetailed(t.nodes)
  if (forms.summary) out += (several ? '# Summary trace.\n' : '') + printNested(summary(t.nodes))
  if (forms.minimal) out += (several ? '# Minimal trace.\n' : '') + printNested(minimal(t.nodes))
  return out
}
