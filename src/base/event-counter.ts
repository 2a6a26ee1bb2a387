/**
 * How often something has happened in this program: what `coverage/show` of a daemon prints. Where the real
 * daemons count the same event, the counter has their name (`txn_success`, `vconn_received` ...).
 */
export class EventCounter {
  total = 0

  constructor(readonly name: string) {}

  hit(times = 1): void {
    this.total += times
  }
}

const counters = new Map<string, EventCounter>()

/**
 * The counter of a name, the same for all who ask. Counters belong to the whole program, as those of the real
 * daemons do: nothing may depend on their values.
 */
export function eventCounter(name: string): EventCounter {
  let counter = counters.get(name)
  if (!counter) {
    counter = new EventCounter(name)
    counters.set(name, counter)
  }
  return counter
}

/** All counters, those that were never hit, too. */
export function eventCounters(): Iterable<EventCounter> {
  return counters.values()
}
