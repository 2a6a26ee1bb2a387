import type { Clock } from '../base/clock.ts'
import type { Frame } from '../base/frame.ts'
import { type Captured, emitPcap, printFrame } from '../packet/index.ts'

/** Frames seen at some place, oldest first. */
export class Capture {
  readonly frames: Captured[] = []
  /** Sees each frame as it is kept. */
  onFrame: ((frame: Captured) => void) | undefined

  constructor(
    private readonly clock: Clock,
    private readonly detach: (capture: Capture) => void,
    /** Which frames are kept. */
    private readonly filter: (frame: Frame) => boolean = () => true,
    /** At most so many frames are kept; the oldest go first. */
    private readonly limit = 100_000,
  ) {}

  /** For the place that is watched. */
  see(frame: Frame): void {
    if (!this.filter(frame)) return
    const captured = { time: this.clock.now(), frame }
    this.frames.push(captured)
    if (this.frames.length > this.limit) this.frames.shift()
    this.onFrame?.(captured)
  }

  /** A capture file of what was seen. */
  pcap(): Uint8Array {
    return emitPcap(this.frames)
  }

  /** One line a frame, as tcpdump prints it. */
  lines(link = false): string[] {
    return this.frames.map((c) => printFrame(c.frame, link))
  }

  stop(): void {
    this.detach(this)
  }
}

/** A place that may be watched by any number of captures. */
export class Taps {
  private readonly captures = new Set<Capture>()

  constructor(private readonly clock: Clock) {}

  capture(filter?: (frame: Frame) => boolean, limit?: number): Capture {
    const capture = new Capture(this.clock, (c) => this.captures.delete(c), filter, limit)
    this.captures.add(capture)
    return capture
  }

  see(frame: Frame): void {
    for (const capture of this.captures) capture.see(frame)
  }
}
