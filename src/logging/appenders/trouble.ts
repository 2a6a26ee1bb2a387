/** So long nothing may be lost, milliseconds of the events' time, before trouble that came back counts as over. */
const CALM = 10_000

/**
 * What a destination loses. That is said when it begins and, with the number of the lost, when it is over. Trouble that
 * comes and goes, as with a server that is a bit too slow, is one trouble: a line for each change would be more than
 * what is lost.
 */
export class Trouble {
  private begun = false
  /** It came back shortly after it was said to be over. */
  private back = false
  private lost = 0
  private lastLoss = Number.NEGATIVE_INFINITY
  private lastEnd = Number.NEGATIVE_INFINITY

  constructor(
    private readonly say: ((message: string) => void) | undefined,
    private readonly words: { begins(reason: string): string; ends(lost: number): string },
  ) {}

  /** What begins now, or goes on. */
  begin(reason: string, time: number): void {
    this.lastLoss = time
    if (this.begun) return
    this.begun = true
    this.back = soon(this.lastEnd, time)
    this.say?.(this.words.begins(reason))
  }

  lose(count: number, time: number): void {
    this.lost += count
    this.lastLoss = time
  }

  /** All is well at the moment. */
  end(time: number): void {
    if (!this.begun || (this.back && soon(this.lastLoss, time))) return
    this.begun = false
    this.lastEnd = time
    const lost = this.lost
    this.lost = 0
    this.say?.(this.words.ends(lost))
  }
}

/** Whether `time` comes shortly behind `since`; a clock may go back. */
function soon(since: number, time: number): boolean {
  return time >= since && time - since < CALM
}
