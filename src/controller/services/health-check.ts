import type { Clock, Timer } from '../../base/clock.ts'

/** Seconds, and numbers of checks in a row (ovn-sb(5), Service_Monitor options). */
export interface HealthCheckOptions {
  readonly interval: number
  readonly timeout: number
  readonly successCount: number
  readonly failureCount: number
}

export const HEALTH_CHECK_DEFAULTS: HealthCheckOptions = { interval: 5, timeout: 3, successCount: 1, failureCount: 1 }

export interface HealthCheckParts {
  readonly clock: Clock
  readonly options: HealthCheckOptions
  /** What no answer within the timeout means: success for UDP, failure for the rest. */
  readonly silence: 'success' | 'failure'
  /** Sends one probe. */
  readonly probe: () => void
  readonly report: (status: 'online' | 'offline') => void
}

/** Probes a service at its interval, and tells when enough checks in a row agree. Knows no packets. */
export class HealthCheck {
  private timer: Timer | undefined
  private waiting = false
  private successes = 0
  private failures = 0

  constructor(private readonly parts: HealthCheckParts) {}

  start(): void {
    this.send()
  }

  close(): void {
    this.timer?.cancel()
    this.timer = undefined
    this.waiting = false
  }

  /** An answer came; one that is not waited for changes nothing. */
  answered(success: boolean): void {
    if (!this.waiting) return
    this.done(success)
  }

  private send(): void {
    this.waiting = true
    this.parts.probe()
    this.timer = this.parts.clock.after(1000 * this.parts.options.timeout, () =>
      this.done(this.parts.silence === 'success'),
    )
  }

  private done(success: boolean): void {
    const { options, report, clock } = this.parts
    this.waiting = false
    this.timer?.cancel()
    if (success) {
      this.failures = 0
      if (++this.successes >= options.successCount) report('online')
    } else {
      this.successes = 0
      if (++this.failures >= options.failureCount) report('offline')
    }
    this.timer = clock.after(1000 * options.interval, () => this.send())
  }
}
