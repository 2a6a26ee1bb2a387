import type { Context } from '../context.ts'
import type { Flow } from '../pipeline/flow.ts'
import { FLOW_STRATUM } from '../pipeline/flow.ts'

/** What makes a Logical_Flow row the same flow over time: all but where it applies. */
export function flowKey(f: {
  readonly pipeline: string
  readonly table: number
  readonly priority: number
  readonly match: string
  readonly actions: string
  readonly meter: string | undefined
  readonly port: string | undefined
  readonly kind: string
}): string {
  return `${f.kind} ${f.pipeline} ${f.table} ${f.priority} ${f.meter ?? ''} ${f.port ?? ''}\u0000${f.match}\u0000${f.actions}`
}

function keyOf(f: Flow, table: number, actions: string): string {
  return flowKey({ ...f, actions, pipeline: f.stage.pipeline, table, kind: f.stage.kind })
}

/** `Logical_Flow` and `Logical_DP_Group`: flows with more than one datapath share a group. */
export function logicalFlows({ graph, flows, outputs, southboundLimits }: Context): void {
  graph.rule('southbound/logical flow', FLOW_STRATUM + 2, flows.shared, ({ flow, datapaths, hint, source }, out) => {
    const { stage } = flow
    const { numbering } = southboundLimits
    const table = numbering.table(stage)
    if (table === undefined) return
    const actions = numbering.actions(stage, flow.actions)
    const ids = new Map([
      ['source', source],
      ['stage-name', stage.name],
    ])
    if (hint !== undefined) ids.set('stage-hint', hint)
    const alone = datapaths.length === 1 ? datapaths[0] : undefined
    const group = datapaths.join(' ')
    out.emit(outputs.Logical_Flow, keyOf(flow, table, actions), {
      logical_datapath: alone,
      logical_dp_group: alone === undefined ? group : undefined,
      pipeline: stage.pipeline,
      table_id: table,
      priority: flow.priority,
      match: flow.match,
      actions,
      tags: flow.port === undefined ? new Map<string, string>() : new Map([['in_out_port', flow.port]]),
      controller_meter: flow.meter,
      external_ids: ids,
      flow_desc: flow.description,
    })
    if (alone === undefined) out.emit(outputs.Logical_DP_Group, group, { datapaths })
  })
}
