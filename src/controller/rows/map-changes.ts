import type { Mutation } from '../../ovsdb/client/operation.ts'

type StringMap = ReadonlyMap<string, string>

/** Mutations that give some keys of a map column the values wanted (undefined: no such key), and leave the rest alone. */
export function mapChanges(
  column: string,
  present: StringMap,
  wanted: ReadonlyMap<string, string | undefined>,
): Mutation[] {
  const remove: string[] = []
  const insert = new Map<string, string>()
  for (const [key, value] of wanted) {
    const old = present.get(key)
    if (old === value) continue
    if (old !== undefined) remove.push(key)
    if (value !== undefined) insert.set(key, value)
  }
  const out: Mutation[] = []
  if (remove.length) out.push([column, 'delete', remove.sort()])
  if (insert.size) out.push([column, 'insert', new Map([...insert].sort(([a], [b]) => (a < b ? -1 : 1)))])
  return out
}

export function sameMap(a: StringMap, b: StringMap): boolean {
  if (a.size !== b.size) return false
  for (const [k, v] of a) if (b.get(k) !== v) return false
  return true
}
