import { STEP_ROWS } from './step-rows.ts'

export { STEP_ROWS }

/**
 * Work that can be put aside half done: it yields where others may be served meanwhile, and ends with
 * its outcome. What it works on must not change until it goes on.
 */
export type Steps<T> = Generator<undefined, T, undefined>

/**
 * The outcome of work that was small enough to be done at once, or the steps of what is left of it. Most
 * transactions change a row or two: steps for each part of one would cost as much as the transaction.
 */
export type Work<T> = T | Steps<T>

export function isSteps<T>(work: Work<T>): work is Steps<T> {
  return typeof work === 'object' && work !== null && 'next' in work
}

/** Work, and then what follows from its outcome. */
export function andThen<A, B>(work: Work<A>, next: (outcome: A) => Work<B>): Work<B> {
  return isSteps(work) ? followed(work, next) : next(work)
}

function* followed<A, B>(work: Steps<A>, next: (outcome: A) => Work<B>): Steps<B> {
  const last = next(yield* work)
  return isSteps(last) ? yield* last : last
}

/** Does all that is left to do, at once. */
export function finish<T>(work: Work<T>): T {
  if (!isSteps(work)) return work
  for (;;) {
    const step = work.next()
    if (step.done) return step.value
  }
}

/** Repeats what does some of its work, and says whether that was all. */
export function repeat(some: () => boolean): Work<void> {
  return some() ? undefined : again(some)
}

function* again(some: () => boolean): Steps<void> {
  do yield
  while (!some())
}

/**
 * Calls `visit` with the entries of each map, all at once or, when there are many, in groups. Entries may be
 * changed and deleted meanwhile.
 */
export function inGroups<K, V>(
  maps: ReadonlyMap<K, ReadonlyMap<string, V>>,
  visit: (key: K, entries: Entries<V>) => void,
): Work<void> {
  if (countEntries(maps) > STEP_ROWS) return groupwise(maps, visit)
  for (const [key, entries] of maps) visit(key, entries)
}

function* groupwise<K, V>(
  maps: ReadonlyMap<K, ReadonlyMap<string, V>>,
  visit: (key: K, entries: Entries<V>) => void,
): Steps<void> {
  for (const [key, entries] of maps) {
    for (const group of groups(entries)) {
      visit(key, group)
      yield
    }
  }
}

export type Entries<V> = Iterable<readonly [string, V]>

export function countEntries(maps: ReadonlyMap<unknown, ReadonlyMap<string, unknown>>): number {
  let n = 0
  for (const entries of maps.values()) n += entries.size
  return n
}

/** Items in groups of which each is worth a step. */
export function* groups<T>(items: Iterable<T>): Generator<readonly T[]> {
  let group: T[] = []
  for (const item of items) {
    group.push(item)
    if (group.length < STEP_ROWS) continue
    yield group
    group = []
  }
  if (group.length) yield group
}
