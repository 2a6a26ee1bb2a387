import { parseUuid } from '../../ovsdb/schema/index.ts'
import type { SB, Southbound } from '../../schema/index.ts'
import type { Call, Command } from '../command.ts'
import { fatal } from '../error.ts'
import { findRecord } from '../records.ts'
import { RECORDS } from './records.ts'

type SbCall = Call<Southbound>

/** A flow as it applies to one datapath. */
interface Entry {
  readonly flow: SB.LogicalFlow
  readonly datapath: SB.DatapathBinding
}

const nameOf = (datapath: SB.DatapathBinding): string => datapath.external_ids.get('name') ?? ''

/** `"sw0" aka "public" (UUID)`. */
function describeDatapath(datapath: SB.DatapathBinding): string {
  const name = datapath.external_ids.get('name')
  const other = datapath.external_ids.get('name2')
  const names = [name === undefined ? '' : `"${name}" `, other === undefined ? '' : `aka "${other}" `]
  return `${names.join('')}(${datapath._uuid})`
}

/** The beginning of a uuid: hexadecimal digits, `0x` before them or not. */
function readStart(text: string): string {
  const digits = text.replace(/^0x/, '').toLowerCase()
  if (parseUuid(digits) || /^[0-9a-f]{4,8}$/.test(digits) || /^[0-9a-f]{8}-[0-9a-f-]*$/.test(digits)) return digits
  return fatal(`${text} is not a UUID or the beginning of a UUID`)
}

function datapathsOf(call: SbCall, flow: SB.LogicalFlow): SB.DatapathBinding[] {
  const group = flow.logical_dp_group === undefined ? undefined : call.db.get('Logical_DP_Group', flow.logical_dp_group)
  const uuids = [...(flow.logical_datapath === undefined ? [] : [flow.logical_datapath]), ...(group?.datapaths ?? [])]
  return uuids.map((u) => call.db.get('Datapath_Binding', u)).filter((d) => d !== undefined)
}

const text = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

function compareEntries(a: Entry, b: Entry): number {
  return (
    text(nameOf(a.datapath), nameOf(b.datapath)) ||
    text(a.datapath._uuid, b.datapath._uuid) ||
    text(b.flow.pipeline, a.flow.pipeline) ||
    a.flow.table_id - b.flow.table_id ||
    b.flow.priority - a.flow.priority ||
    text(a.flow.match, b.flow.match) ||
    text(a.flow.actions, b.flow.actions)
  )
}

/** What the arguments choose: a datapath, if the first names one, and starts of uuids of flows. */
function choose(call: SbCall): {
  readonly datapath: SB.DatapathBinding | undefined
  readonly starts: readonly string[]
} {
  const [first, ...rest] = call.args
  if (first === undefined) return { datapath: undefined, starts: [] }
  const table = call.db.schema.tables.get('Datapath_Binding')
  const row = table && findRecord(call.db, RECORDS, table, first)
  const datapath = row && call.db.get('Datapath_Binding', row._uuid)
  return datapath
    ? { datapath, starts: rest.map(readStart) }
    : { datapath: undefined, starts: [first, ...rest].map(readStart) }
}

function entriesOf(call: SbCall, datapath: SB.DatapathBinding | undefined, starts: readonly string[]): Entry[] {
  const entries: Entry[] = []
  for (const flow of call.db.rows('Logical_Flow')) {
    if (starts.length && !starts.some((s) => flow._uuid.startsWith(s))) continue
    for (const d of datapathsOf(call, flow)) {
      if (!datapath || d._uuid === datapath._uuid) entries.push({ flow, datapath: d })
    }
  }
  return entries.sort(compareEntries)
}

const stageOf = (flow: SB.LogicalFlow): string => flow.external_ids.get('stage-name') ?? ''
const cookieOf = (uuid: string): string => `0x${uuid.slice(0, 8)}`
const tableText = (flow: SB.LogicalFlow): string => `${String(flow.table_id).padEnd(2)}(${stageOf(flow).padEnd(19)})`

/** Entries with one heading, a datapath and pipeline, next to each other. */
function sections(entries: readonly Entry[]): Entry[][] {
  const out: Entry[][] = []
  for (const entry of entries) {
    const last = out.at(-1)
    const head = last?.[0]
    if (last && head?.datapath === entry.datapath && head.flow.pipeline === entry.flow.pipeline) last.push(entry)
    else out.push([entry])
  }
  return out
}

const heading = ({ datapath, flow }: Entry): string =>
  `Datapath: ${describeDatapath(datapath)}  Pipeline: ${flow.pipeline}\n`

function list(call: SbCall): void {
  if (call.has('ovs')) {
    fatal('--ovs needs a connection to the switch, which this tool does not make: use ovs-ofctl dump-flows br-int')
  }
  const { datapath, starts } = choose(call)
  const entries = entriesOf(call, datapath, starts)
  for (const section of sections(entries)) {
    call.print(heading(section[0] as Entry))
    for (const { flow } of section) {
      const uuid = call.has('uuid') ? `uuid=${cookieOf(flow._uuid)}, ` : ''
      const priority = String(flow.priority).padEnd(5)
      call.print(
        `  ${uuid}table=${tableText(flow)}, priority=${priority}, match=(${flow.match}), action=(${flow.actions})\n`,
      )
    }
  }
  if (call.has('vflows')) printOthers(call, datapath)
}

/** The other rows that flows are made of: --vflows. */
function printOthers(call: SbCall, datapath: SB.DatapathBinding | undefined): void {
  const uuidText = (row: { readonly _uuid: string }) => (call.has('uuid') ? `uuid=${cookieOf(row._uuid)}, ` : '')
  const of = (uuid: string) => {
    const row = call.db.get('Datapath_Binding', uuid)
    return row ? `datapath="${nameOf(row)}", ` : ''
  }
  const own = (uuid: string) => !datapath || uuid === datapath._uuid
  const block = (title: string, lines: readonly string[]) => {
    if (lines.length) call.print(`\n${title}:\n${[...lines].sort().join('')}`)
  }
  block(
    'Port Bindings',
    call.db
      .rows('Port_Binding')
      .filter((b) => own(b.datapath))
      .map((b) => {
        const head = `${datapath ? '' : of(b.datapath)}logical_port=${b.logical_port}`
        return `  ${uuidText(b)}${head}, tunnel_key=${String(b.tunnel_key).padEnd(5)}\n`
      }),
  )
  block(
    'MAC Bindings',
    call.db
      .rows('MAC_Binding')
      .filter((b) => own(b.datapath))
      .map((b) => {
        const head = `${datapath ? '' : of(b.datapath)}logical_port=${b.logical_port}`
        return `  ${uuidText(b)}${head}, ip=${b.ip}, mac=${b.mac}\n`
      }),
  )
  block(
    'Multicast Groups',
    call.db
      .rows('Multicast_Group')
      .filter((g) => own(g.datapath))
      .map((g) => {
        const ports = g.ports.map((p) => call.db.get('Port_Binding', p)?.logical_port ?? '').sort()
        const head = `${datapath ? '' : of(g.datapath)}name="${g.name}"`
        return `  ${uuidText(g)}${head}, tunnel_key=${String(g.tunnel_key).padEnd(5)}, ports=(${ports.join(', ')})\n`
      }),
  )
  block(
    'Chassis',
    call.db.rows('Chassis').map((c) => `  ${uuidText(c)}name=${c.name}\n`),
  )
}

function count(call: SbCall): void {
  const [name] = call.args
  const table = call.db.schema.tables.get('Datapath_Binding')
  const row = name === undefined || !table ? undefined : findRecord(call.db, RECORDS, table, name)
  const datapath = row && call.db.get('Datapath_Binding', row._uuid)
  const entries = name !== undefined && !datapath ? [] : entriesOf(call, datapath, [])
  for (const section of sections(entries)) {
    const first = section[0] as Entry
    call.print(heading(first))
    const counts = new Map<string, number>()
    for (const { flow } of section) counts.set(tableText(flow), (counts.get(tableText(flow)) ?? 0) + 1)
    for (const [stage, n] of counts) call.print(`  table=${stage} lflows=${n}\n`)
    const where = `${describeDatapath(first.datapath)} Pipeline: ${first.flow.pipeline}`
    call.print(`Total number of logical flows in the datapath ${where} = ${section.length}\n\n`)
  }
  call.print(`Total number of logical flows = ${entries.length}\n`)
}

const FLOWS = ['Logical_Flow', 'Logical_DP_Group', 'Datapath_Binding'] as const
const OTHERS = ['Port_Binding', 'MAC_Binding', 'Multicast_Group', 'Chassis'] as const

export const flowCommands: readonly Command<Southbound>[] = [
  ...['lflow-list', 'dump-flows'].map(
    (name): Command<Southbound> => ({
      name,
      args: [0, Number.POSITIVE_INFINITY],
      usage: '[DATAPATH] [LFLOW...]',
      options: ['uuid', 'ovs?', 'stats', 'vflows?'],
      access: 'ro',
      tables: (call) => (call.options.has('vflows') ? [...FLOWS, ...OTHERS] : FLOWS),
      run: list,
    }),
  ),
  { name: 'count-flows', args: [0, 1], usage: '[DATAPATH]', access: 'ro', tables: FLOWS, run: count },
]
