import { eventCounter } from '../base/event-counter.ts'
import type { Operation } from '../ovsdb/client/operation.ts'
import { RemoteReplica } from '../ovsdb/client/remote.ts'
import type { Replica, TransactOutcome } from '../ovsdb/client/replica.ts'
import type { DatabaseSchema } from '../ovsdb/schema/index.ts'
import type { Measure } from './_metrics.ts'

const success = eventCounter('txn_success')
const error = eventCounter('txn_error')
const tryAgain = eventCounter('txn_try_again')
const notLocked = eventCounter('txn_not_locked')
const aborted = eventCounter('txn_aborted')

/** A replica of a daemon's, whose transactions are counted as the real daemons count theirs. */
export class CountedReplica<T> extends RemoteReplica<T> {
  override transact(operations: readonly Operation[], done: (outcome: TransactOutcome) => void): void {
    super.transact(operations, (outcome) => {
      count(outcome)
      done(outcome)
    })
  }
}

function count(outcome: TransactOutcome): void {
  if (outcome.ok) success.hit()
  else if (outcome.error.kind === 'refused') error.hit()
  else if (outcome.error.kind === 'not owner') notLocked.hit()
  else if (outcome.error.kind === 'conflict') tryAgain.hit()
  else aborted.hit()
}

/** Rows of each table that a replica holds. */
function rowsByTable(replica: Replica<unknown>): Map<string, number> {
  const schema: DatabaseSchema = replica.schema
  const rows = new Map<string, number>()
  for (const name of schema.tables.keys()) {
    const table = replica.anyTable(name)
    if (table) rows.set(name, table.size)
  }
  return rows
}

/** `ovn_<prefix>_rows{table=}`: what a daemon sees of a database. */
export function rowsMeasure(prefix: string, replica: Replica<unknown>): Measure {
  return {
    name: `${prefix}_rows`,
    help: `Rows of the ${prefix} database that this daemon holds, by table.`,
    label: 'table',
    values: () => rowsByTable(replica),
  }
}

/** What a replica takes of memory, as `memory/show` counts it: a cell is a column of a row. */
export function replicaUsage(replicas: readonly Replica<unknown>[]): Record<string, number> {
  const usage: Record<string, number> = {}
  for (const replica of replicas) {
    const schema: DatabaseSchema = replica.schema
    let cells = 0
    for (const [name, rows] of rowsByTable(replica)) cells += rows * (schema.tables.get(name)?.columns.size ?? 0)
    usage[`idl-cells-${schema.name}`] = cells
  }
  return usage
}
