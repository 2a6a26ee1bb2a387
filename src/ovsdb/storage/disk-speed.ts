/**
 * A sync that takes this long, in milliseconds, is a stall, and for a while none is waited for. A large
 * transaction holds up others as long, and a busy machine may do so without its disk being slow.
 */
const STALL = 25
/** For so many milliseconds. */
const MISTRUST = 60_000
/** Longer than this on average, in milliseconds, syncs are not worth waiting for. */
const FAST = 1
/** How many syncs must have been fast in a row. */
const PROOF = 32
/** Weight of a new sync in the average. */
const WEIGHT = 1 / 16

/**
 * Whether a disk syncs so fast that a sync is better waited for than handed to a thread: waking the thread, and
 * being woken by it, takes longer. Who waits can be held up by a stall of the disk, once a minute at most.
 */
export class DiskSpeed {
  private average = 0
  private proven = 0
  private stalledAt = Number.NEGATIVE_INFINITY

  /** @param now milliseconds of the clock with which the syncs are measured */
  isFast(now: number): boolean {
    return this.proven >= PROOF && this.average < FAST && now - this.stalledAt >= MISTRUST
  }

  /** @param ms how long a sync took that ended at `now` */
  synced(ms: number, now: number): void {
    this.average += WEIGHT * (ms - this.average)
    if (ms < STALL) {
      this.proven++
      return
    }
    this.proven = 0
    this.stalledAt = now
  }
}
