import { err, ok, type Result } from '../../base/result.ts'
import type { Schedule } from '../appenders/rolling.ts'
import { strftime } from '../strftime.ts'

const SECOND = 1000
const DAY = 86_400 * SECOND

const UNITS: Readonly<Record<string, readonly [number, string, RegExp]>> = {
  S: [SECOND, '%Y-%m-%d_%H-%M-%S', /^\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(\.\w+)?$/],
  M: [60 * SECOND, '%Y-%m-%d_%H-%M', /^\d{4}-\d\d-\d\d_\d\d-\d\d(\.\w+)?$/],
  H: [3600 * SECOND, '%Y-%m-%d_%H', /^\d{4}-\d\d-\d\d_\d\d(\.\w+)?$/],
  D: [DAY, '%Y-%m-%d', /^\d{4}-\d\d-\d\d(\.\w+)?$/],
  MIDNIGHT: [DAY, '%Y-%m-%d', /^\d{4}-\d\d-\d\d(\.\w+)?$/],
  W: [7 * DAY, '%Y-%m-%d', /^\d{4}-\d\d-\d\d(\.\w+)?$/],
}

/** The midnight after a moment, by UTC or by this place's time. */
function midnight(time: number, utc: boolean): number {
  const d = new Date(time)
  if (utc) return Date.UTC(d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate() + 1)
  return new Date(d.getFullYear(), d.getMonth(), d.getDate() + 1).getTime()
}

/** `when` and `interval` of TimedRotatingFileHandler: S, M, H, D, midnight, W0 (Monday) to W6. */
export function pythonSchedule(when: string, interval: number, utc: boolean): Result<Schedule> {
  const key = when.toUpperCase()
  const weekday = /^W([0-6])$/.exec(key)?.[1]
  const unit = UNITS[weekday === undefined ? key : 'W']
  if (!unit || key === 'W') return err(`Invalid rollover interval specified: ${when}`)
  if (!Number.isInteger(interval) || interval < 1)
    return err(`interval must be a positive whole number, not ${interval}`)
  const [length, suffix, pattern] = unit
  const step = length * interval
  const next = (time: number): number => {
    const second = Math.floor(time / SECOND) * SECOND
    if (key !== 'MIDNIGHT' && weekday === undefined) return second + step
    const first = midnight(second, utc)
    if (weekday === undefined) return first + (step - DAY)
    const d = new Date(second)
    // The day that ends at that midnight is the one that is named.
    const today = ((utc ? d.getUTCDay() : d.getDay()) + 6) % 7
    return first + ((Number(weekday) - today + 7) % 7) * DAY + (step - 7 * DAY)
  }
  return ok({
    next,
    following(_roll, time) {
      let at = next(time)
      while (at <= time) at += step
      return at
    },
    suffix: (roll) => strftime(suffix, roll - step, utc),
    pattern,
  })
}
