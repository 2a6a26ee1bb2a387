import { lsIn, lsOut, type PipelineName, STAGES, type Stage } from './stage.ts'

/**
 * Which number a stage has in the southbound. Databases of OVN before 25.09 take 33 tables a pipeline;
 * they know no network functions, so their stages are left out there and those behind move up.
 */
export interface Numbering {
  /** `Logical_Flow.table_id`; undefined for a stage that is left out. */
  table(stage: Stage): number | undefined
  /** The actions of a flow of a stage, with the numbers in `next(pipeline=P, table=N)` adjusted. */
  actions(stage: Stage, text: string): string
}

export const CURRENT: Numbering = { table: (stage) => stage.table, actions: (_stage, text) => text }

const LEFT_OUT: ReadonlySet<Stage> = new Set<Stage>([
  lsIn.pre_network_function,
  lsIn.network_function,
  lsOut.pre_network_function,
  lsOut.network_function,
])

function olderTable(stage: Stage): number | undefined {
  if (LEFT_OUT.has(stage)) return undefined
  let table = stage.table
  for (const gone of LEFT_OUT)
    if (gone.kind === stage.kind && gone.pipeline === stage.pipeline && gone.table < stage.table) table--
  return table
}

const OLDER_TABLES = new Map(STAGES.map((stage) => [stage, olderTable(stage)]))

const tableAt = (kind: Stage['kind'], pipeline: PipelineName, table: number): number | undefined => {
  const stage = STAGES.find((s) => s.kind === kind && s.pipeline === pipeline && s.table === table)
  return stage && OLDER_TABLES.get(stage)
}

export const OLDER: Numbering = {
  table: (stage) => OLDER_TABLES.get(stage),
  actions: (stage, text) =>
    stage.kind === 'router' || !text.includes('table=')
      ? text
      : text.replace(/(next\(pipeline=(ingress|egress), ?table=)(\d+)\)/g, (whole, head: string, pipeline, number) => {
          const table = tableAt(stage.kind, pipeline as PipelineName, Number(number))
          return table === undefined ? whole : `${head}${table})`
        }),
}
