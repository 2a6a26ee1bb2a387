import type { TableReplica } from '../client/replica.ts'
import type { Datum, Row } from '../schema/index.ts'
import type { Target } from './row-sink.ts'

type Values = Readonly<Record<string, Datum>>

/** A row whose key goes while one alike comes is changed, not removed and made. */
export function rename(target: Target): void {
  const { table, dirty, byKey, keys } = target
  const { alike } = table
  if (!alike) return
  const gone = new Map<string, string[]>()
  for (const key of dirty) {
    const kind = byKey.has(key) && table.desired.peek(key) === undefined ? alike(key) : undefined
    if (kind === undefined) continue
    const list = gone.get(kind)
    if (list) list.push(key)
    else gone.set(kind, [key])
  }
  if (!gone.size) return
  for (const key of dirty) {
    if (byKey.has(key) || table.desired.peek(key) === undefined) continue
    const before = gone.get(alike(key) ?? '')?.shift()
    const uuid = before === undefined ? undefined : byKey.get(before)
    if (before === undefined || uuid === undefined) continue
    byKey.delete(before)
    byKey.set(key, uuid)
    keys.set(uuid, key)
  }
}

/**
 * Rows that many others refer to, as groups of datapaths: one whose members change has another key, but
 * keeps its row, so that one row is written instead of all that refer to it. The old row that most
 * referrers of a new one come from becomes it.
 */
export function inherit(target: Target, referrers: Target, column: string, rows: TableReplica<Row> | undefined): void {
  const fresh = [...target.dirty].filter((k) => !target.byKey.has(k) && target.table.desired.peek(k) !== undefined)
  if (!fresh.length) return
  const free = new Set<string>()
  for (const key of target.dirty) {
    const uuid = target.byKey.get(key)
    if (uuid !== undefined && target.table.desired.peek(key) === undefined) free.add(uuid)
  }
  if (!free.size) return
  const votes = new Map<string, Map<string, number>>()
  for (const key of referrers.dirty) {
    const uuid = referrers.byKey.get(key)
    const to = referrers.table.desired.peek(key)?.[column]
    if (uuid === undefined || typeof to !== 'string') continue
    const before = (rows?.get(uuid) as Values | undefined)?.[column]
    if (typeof before !== 'string' || !free.has(before)) continue
    let count = votes.get(to)
    if (!count) {
      count = new Map()
      votes.set(to, count)
    }
    count.set(before, (count.get(before) ?? 0) + 1)
  }
  for (const key of fresh) {
    let best: string | undefined
    let most = 0
    for (const [uuid, n] of votes.get(key) ?? [])
      if (free.has(uuid) && n > most) {
        best = uuid
        most = n
      }
    if (best === undefined) continue
    free.delete(best)
    const before = target.keys.get(best)
    if (before !== undefined) target.byKey.delete(before)
    target.keys.set(best, key)
    target.byKey.set(key, best)
  }
}

/** How many removed rows of a table are remembered. */
const RETIRED = 10_000

export function retire(target: Target, key: string, uuid: string): void {
  target.retired.set(key, uuid)
  if (target.retired.size <= RETIRED) return
  for (const oldest of target.retired.keys()) {
    target.retired.delete(oldest)
    break
  }
}

export function revive(target: Target, key: string): string | undefined {
  const uuid = target.retired.get(key)
  if (uuid === undefined) return undefined
  target.retired.delete(key)
  return target.keys.has(uuid) ? undefined : uuid
}
