/**
 * Work that can be put aside half done: it yields where others may be served meanwhile, and ends with
 * its outcome. What it works on must not change until it goes on.
 */
export type Steps<T> = Generator<undefined, T, undefined>

/** So many rows are looked at before work may be put aside: a millisecond or two. */
export const STEP_ROWS = 2048

/** Does all that is left to do, at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}
