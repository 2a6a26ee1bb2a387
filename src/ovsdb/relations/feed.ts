import type { Input } from '../../reactive/index.ts'
import type { Replica, ReplicaChange, RowChange, TableName } from '../client/replica.ts'

/** Input relations by the name of the table that feeds them; a row's key is its uuid. */
export type Inputs<T> = { readonly [N in TableName<T>]?: Input<T[N]> }

/** The same without the types of the rows: a loop over tables can not know them. */
const untyped = <T>(inputs: Inputs<T>) => inputs as { readonly [table: string]: Input<unknown> | undefined }

/** Makes inputs what the tables of a replica are. */
export function fill<T>(replica: Replica<T>, inputs: Inputs<T>): void {
  for (const [name, input] of Object.entries(untyped(inputs))) {
    const table = replica.anyTable(name)
    if (!table || !input) continue
    for (const uuid of input.contents.keys()) if (!table.has(uuid)) input.delete(uuid)
    for (const [uuid, row] of table.entries()) input.set(uuid, row)
  }
}

/** Passes on what an update of a replica changed. */
export function feed<T>(change: ReplicaChange<T>, inputs: Inputs<T>): void {
  for (const [name, rows] of Object.entries(change.tables) as [
    TableName<T>,
    ReadonlyMap<string, RowChange<unknown>>,
  ][]) {
    const input = untyped(inputs)[name]
    if (!input) continue
    for (const [uuid, { new: row }] of rows) {
      if (row === undefined) input.delete(uuid)
      else input.set(uuid, row)
    }
  }
}

/** Keeps inputs the same as a replica's tables, from its next contents on. Returns how to stop. */
export function follow<T>(replica: Replica<T>, inputs: Inputs<T>): () => void {
  const stops = [replica.onSynced(() => fill(replica, inputs)), replica.onChange((change) => feed(change, inputs))]
  return () => {
    for (const stop of stops) stop()
  }
}
