import type { Derived, Emit, Graph } from '../../reactive/index.ts'
import type { Stage } from './stage.ts'

/** What a logical flow says, whichever datapaths it is for: one object for each content. */
export interface Flow {
  readonly id: string
  readonly stage: Stage
  readonly priority: number
  readonly match: string
  readonly actions: string
  /** `Logical_Flow.controller_meter`. */
  readonly meter: string | undefined
  /** `Logical_Flow.tags:in_out_port`: the port whose traffic alone it matters to. */
  readonly port: string | undefined
  /** `Logical_Flow.flow_desc`. */
  readonly description: string | undefined
}

/** A flow on one datapath. */
export interface DatapathFlow {
  readonly flow: Flow
  /** The logical switch's or router's northbound uuid. */
  readonly datapath: string
  /** First digits of the uuid of the northbound row it comes from. */
  readonly hint: string | undefined
  /** The place in the rules that says it: `switch/port.ts:15`. */
  readonly source: string
}

/** A flow and all datapaths it is for. */
export interface SharedFlow {
  readonly flow: Flow
  /** Northbound uuids, sorted. */
  readonly datapaths: readonly string[]
  /** These two are those of the first datapath, so that order of arrival does not decide them. */
  readonly hint: string | undefined
  readonly source: string
}

export interface FlowOptions {
  /** The uuid of the northbound row the flow comes from. */
  readonly hint?: string | undefined
  readonly meter?: string | undefined
  readonly port?: string | undefined
  readonly description?: string | undefined
}

/** Puts a flow on the datapath it was made for. */
export type AddFlow = (
  stage: Stage,
  priority: number,
  match: string,
  actions: string,
  options?: FlowOptions | string,
) => void

/** Where flows are emitted; they are folded by content one stratum up. */
export const FLOW_STRATUM = 20

/** All logical flows: emitted by rules a datapath at a time, folded by content. */
export class Flows {
  private readonly interned = new Map<string, Flow>()
  private next = 0
  readonly perDatapath: Derived<DatapathFlow>
  readonly shared: Derived<SharedFlow>

  /** How a drop is written, where it is not just `drop;`: under the key `drop`. */
  readonly dropAction: Derived<string>

  constructor(graph: Graph) {
    this.dropAction = graph.derived('drop action', 2)
    this.perDatapath = graph.derived<DatapathFlow>('flow of datapath', FLOW_STRATUM, {
      equal: (a, b) => a.flow === b.flow && a.datapath === b.datapath && a.hint === b.hint && a.source === b.source,
    })
    this.shared = graph.fold<DatapathFlow, { flow?: Flow; members: Map<string, DatapathFlow> }, SharedFlow>(
      'flow',
      FLOW_STRATUM + 1,
      this.perDatapath,
      {
        key: (row) => row.flow.id,
        empty: () => ({ members: new Map() }),
        add: (into, row) => {
          into.flow = row.flow
          into.members.set(row.datapath, row)
        },
        remove: (from, row) => {
          from.members.delete(row.datapath)
        },
        result: ({ flow, members }) => {
          const datapaths = [...members.keys()].sort()
          const first = members.get(datapaths[0] ?? '')
          return flow && first ? { flow, datapaths, hint: first.hint, source: first.source } : undefined
        },
      },
    )
    this.shared.subscribe((changes) => {
      for (const { before, after } of changes.values())
        if (before && !after) this.interned.delete(content(before.flow.stage, before.flow))
    })
  }

  /**
   * How a run of a rule emits flows for one datapath. `source` is a literal, the rule's file: the build
   * (scripts/build.mjs) puts the line of this call behind it.
   */
  on(out: Emit, datapath: string, source: string): AddFlow {
    const drop = this.dropAction.get('drop')
    return (stage, priority, match, written, options) => {
      const actions = drop === undefined ? written : withDrop(written, drop)
      const given: FlowOptions = typeof options === 'string' ? { hint: options } : (options ?? {})
      const flow = this.intern(stage, priority, match, actions, given)
      out.emit(this.perDatapath, `${flow.id} ${datapath}`, { flow, datapath, hint: given.hint?.slice(0, 8), source })
    }
  }

  private intern(
    stage: Stage,
    priority: number,
    match: string,
    actions: string,
    { meter, port, description }: FlowOptions,
  ): Flow {
    const key = content(stage, { priority, match, actions, meter, port, description })
    let flow = this.interned.get(key)
    if (!flow) {
      flow = { id: `${this.next++}`, stage, priority, match, actions, meter, port, description }
      this.interned.set(key, flow)
    }
    return flow
  }
}

function content(stage: Stage, f: Omit<Flow, 'id' | 'stage'>): string {
  const rest = `${f.meter ?? ''}\u0000${f.port ?? ''}\u0000${f.description ?? ''}`
  return `${stage.name}\u0000${f.priority}\u0000${f.match}\u0000${f.actions}\u0000${rest}`
}

/** A packet's end, in place of the action that says it or the comment that stands for it. */
function withDrop(actions: string, drop: string): string {
  return actions === 'drop;' ? drop : actions.replace('/* drop */', drop)
}

/** A string as the logical flow language quotes it. */
export function quote(text: string): string {
  return JSON.stringify(text)
}
