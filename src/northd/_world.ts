import { VirtualClock } from '../base/clock.ts'
import { keptLog } from '../base/log.ts'
import { type Random, seeded, uuid4 } from '../base/random.ts'
import { localReplica } from '../ovsdb/client/local.ts'
import type { Operation } from '../ovsdb/client/operation.ts'
import type { DatabaseSchema, Datum, Row } from '../ovsdb/schema/index.ts'
import { Database } from '../ovsdb/transaction/index.ts'
import { type Northbound, northbound } from '../schema/northbound.ts'
import { type Southbound, southbound } from '../schema/southbound.ts'
import { createNorthd, type Northd } from './northd.ts'

/** Two databases and a northd between them on virtual time, for tests. */
export class NorthdWorld {
  readonly clock = new VirtualClock()
  readonly random: Random
  readonly northbound: Database
  readonly southbound: Database
  readonly kept = keptLog()
  northd: Northd
  readonly global: string

  /** @param schema the southbound's, where it is to be that of an older release. */
  constructor(seed = 1, schema: DatabaseSchema = southbound) {
    this.random = seeded(seed)
    this.northbound = new Database(northbound, this.clock, this.random)
    this.southbound = new Database(schema, this.clock, this.random)
    this.global = this.uuid()
    this.nb({ op: 'insert', table: 'NB_Global', row: {}, uuid: this.global })
    this.southbound.transact([{ op: 'insert', table: 'SB_Global', row: {} }])
    this.northd = this.start()
    this.clock.settle()
  }

  /** Another northd on the same databases. */
  start(): Northd {
    const northd = createNorthd({
      nb: localReplica<Northbound>(this.northbound, northbound, { clock: this.clock }),
      sb: localReplica<Southbound>(this.southbound, southbound, { clock: this.clock }),
      clock: this.clock,
      log: this.kept.log,
      random: this.random,
    })
    northd.start()
    return northd
  }

  uuid(): string {
    return uuid4(this.random)
  }

  /** A northbound transaction; throws if the database refuses it. */
  nb(...operations: Operation[]): void {
    const { error, results } = this.northbound.transact(operations)
    const failed = error ?? results.find((r) => 'error' in r)
    if (failed) throw new Error(JSON.stringify(failed))
  }

  insert(
    table: keyof Northbound & string,
    row: Readonly<Record<string, Datum>>,
    into?: [string, string, string],
  ): string {
    const uuid = this.uuid()
    const operations: Operation[] = [{ op: 'insert', table, row, uuid }]
    if (into) operations.push(adds(into, uuid))
    this.nb(...operations)
    return uuid
  }

  update(table: keyof Northbound & string, uuid: string, row: Readonly<Record<string, Datum>>): void {
    this.nb({ op: 'update', table, where: [['_uuid', '==', uuid]], row })
  }

  remove(uuid: string, from: [string, string, string]): void {
    const [table, parent, column] = from
    this.nb({ op: 'mutate', table, where: [['_uuid', '==', parent]], mutations: [[column, 'delete', [uuid]]] })
  }

  /** Southbound rows by table, as texts by uuid. */
  contents(): Map<string, string> {
    const out = new Map<string, string>()
    for (const table of this.southbound.tables.keys())
      for (const row of this.southbound.rows(table)) out.set(`${table} ${row._uuid}`, text(row))
    return out
  }

  flows(): string[] {
    const names = new Map<string, string>()
    for (const row of this.southbound.rows('Datapath_Binding') as IterableIterator<Southbound['Datapath_Binding']>)
      names.set(row._uuid, row.external_ids.get('name') ?? '')
    const out: string[] = []
    for (const f of this.southbound.rows('Logical_Flow') as IterableIterator<Southbound['Logical_Flow']>) {
      const group =
        f.logical_dp_group === undefined
          ? undefined
          : (this.southbound.row('Logical_DP_Group', f.logical_dp_group) as unknown as Southbound['Logical_DP_Group'])
      for (const dp of group?.datapaths ?? (f.logical_datapath === undefined ? [] : [f.logical_datapath]))
        out.push(`${names.get(dp)} ${f.external_ids.get('stage-name')} ${f.priority} ${f.match} => ${f.actions}`)
    }
    return out.sort()
  }
}

export function adds([table, parent, column]: [string, string, string], uuid: string): Operation {
  return { op: 'mutate', table, where: [['_uuid', '==', parent]], mutations: [[column, 'insert', [uuid]]] }
}

function text(row: Row): string {
  return Object.entries(row)
    .filter(([name]) => name !== '_version')
    .map(([name, value]) => `${name}=${value instanceof Map ? JSON.stringify([...value]) : JSON.stringify(value)}`)
    .join(' ')
}
