import type { Level } from '../../base/log.ts'
import { errorText } from '../../io/errors.ts'
import { type Backend, type LogEvent, loggerName } from '../event.ts'
import { LevelOverrides, type SetLevel } from '../overrides.ts'
import type { BaseLogger } from './base-logger.ts'

/** A logger of one's own behind a wall: whatever it throws is said once and counted. */
export class OwnBackend implements Backend {
  private lost = 0
  private said = false
  private readonly overrides = new LevelOverrides()

  constructor(
    private readonly name: string,
    private readonly logger: BaseLogger,
    private readonly onTrouble: (message: string) => void,
  ) {}

  enabled(level: Level, component: string, module: string): boolean {
    const set = this.overrides.admits(level, module)
    if (set !== undefined) return set
    try {
      return Boolean(this.logger.enabled(level, loggerName({ component, module })))
    } catch (e) {
      this.trouble('enabled', e)
      return false
    }
  }

  setLevel(module: string | undefined, level: SetLevel): void {
    this.overrides.set(module, level)
  }

  write(event: LogEvent): void {
    if (!this.enabled(event.level, event.component, event.module)) return
    this.call('write', () => this.logger.write({ ...event, logger: loggerName(event) }), true)
  }

  reopen(): void {
    this.call('reopen', () => this.logger.reopen())
  }

  flush(): void {
    this.call('flush', () => this.logger.flush())
  }

  close(): void {
    this.call('close', () => this.logger.close())
    if (this.lost) this.onTrouble(`${this.name}: ${this.lost} events were lost`)
    this.lost = 0
  }

  /** A class in JavaScript may be asynchronous although nobody waits for it. */
  private call(method: string, run: () => unknown, losing = false): void {
    const failed = (e: unknown) => {
      if (losing) this.lost++
      this.trouble(method, e)
    }
    try {
      const result = run()
      if (result instanceof Promise) result.catch(failed)
    } catch (e) {
      failed(e)
    }
  }

  /** Once: a logger that fails now and then would have its own failures to write. */
  private trouble(method: string, error: unknown): void {
    if (this.said) return
    this.said = true
    this.onTrouble(`${this.name}: cannot write log: ${method} failed: ${errorText(error)}`)
  }
}
