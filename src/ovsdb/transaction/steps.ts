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

/** So many rows are looked at before work may be put aside: a millisecond or two. */
export const STEP_ROWS = 2048

export function isSteps<T>(work: Work<T>): work is Steps<T> {
  return typeof work === 'object' && work !== null && 'next' in work && Symbol.iterator in work
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

/** Calls `visit` with the items, all at once or, when there are many, in groups. */
export function inGroups<T>(items: Iterable<T>, size: number, visit: (group: Iterable<T>) => void): Work<void> {
  if (size > STEP_ROWS) return groupwise(items, visit)
  visit(items)
}

function* groupwise<T>(items: Iterable<T>, visit: (group: Iterable<T>) => void): Steps<void> {
  let group: T[] = []
  for (const item of items) {
    group.push(item)
    if (group.length < STEP_ROWS) continue
    visit(group)
    group = []
    yield
  }
  visit(group)
}
