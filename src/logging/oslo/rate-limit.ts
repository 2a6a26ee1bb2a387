import type { Level } from '../../base/log.ts'
import type { Backend, LogEvent } from '../event.ts'
import type { SetLevel } from '../overrides.ts'
import { levelNumber } from '../python/formatter.ts'
import type { RateLimitOptions } from './options.ts'

/**
 * Lets `burst` events through in each `interval`, whatever their logger. The first that is one too many is
 * replaced by a message that says so, the others of the interval are lost.
 */
export class RateLimited implements Backend {
  private count = 0

  constructor(
    private readonly inner: Backend,
    private readonly limit: RateLimitOptions,
    /** When the first interval begins, milliseconds since 1970. */
    private begun: number,
  ) {}

  enabled(level: Level, component: string, module: string): boolean {
    return this.inner.enabled(level, component, module)
  }

  write(event: LogEvent): void {
    if (!this.inner.enabled(event.level, event.component, event.module)) return
    if (levelNumber(event.level) >= this.limit.exceptLevel) {
      this.inner.write(event)
      return
    }
    // A clock that was set back begins anew.
    const elapsed = event.time - this.begun
    if (elapsed >= this.limit.interval * 1000 || elapsed < 0) {
      this.begun = event.time
      this.count = 0
    }
    this.count++
    if (this.count <= this.limit.burst) this.inner.write(event)
    else if (this.count === this.limit.burst + 1) this.inner.write(this.dropping(event))
  }

  private dropping(event: LogEvent): LogEvent {
    const { burst, interval } = this.limit
    return {
      ...{ time: event.time, serial: event.serial, elapsed: event.elapsed, level: 'err', fields: undefined },
      ...{ component: 'root', module: '', message: `Logging rate limit: drop after ${burst} records/${interval} sec` },
    }
  }

  setLevel(module: string | undefined, level: SetLevel): void {
    this.inner.setLevel?.(module, level)
  }

  release(): void {
    this.inner.release?.()
  }

  reopen(): void {
    this.inner.reopen()
  }

  flush(): void {
    this.inner.flush()
  }

  close(): void {
    this.inner.close()
  }
}
