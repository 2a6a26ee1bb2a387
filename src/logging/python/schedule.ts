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

const HOUR = 3600 * SECOND

/** The end of a moment's day, as if no clock were changed in it. */
function dayEnd(time: number, utc: boolean): number {
  const d = new Date(time)
  const [hours, minutes, seconds] = utc
    ? [d.getUTCHours(), d.getUTCMinutes(), d.getUTCSeconds()]
    : [d.getHours(), d.getMinutes(), d.getSeconds()]
  return time + DAY - ((hours * 60 + minutes) * 60 + seconds) * SECOND
}

/** Whether it is summer time at this place. */
function summer(time: number): boolean {
  const d = new Date(time)
  const usual = [0, 6].map((month) => new Date(d.getFullYear(), month, 1).getTimezoneOffset())
  return d.getTimezoneOffset() < Math.max(...usual)
}

/** What a clock that is changed between two moments moves the second one by, as Python reckons: an hour at any place. */
function changed(now: number, then: number, utc: boolean): number {
  if (utc || summer(now) === summer(then)) return 0
  return summer(now) ? HOUR : -HOUR
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
    const first = dayEnd(second, utc) + (step - length)
    if (weekday === undefined) return first
    const d = new Date(second)
    // The day that ends at that midnight is the one that is named.
    const today = ((utc ? d.getUTCDay() : d.getDay()) + 6) % 7
    const wait = (Number(weekday) - today + 7) % 7
    const at = first + wait * DAY
    return wait === 0 ? at : at + changed(second, at, utc)
  }
  return ok({
    next,
    following(_roll, time) {
      let at = next(time)
      while (at <= time) at += step
      return key === 'MIDNIGHT' || weekday !== undefined ? at + changed(time, at, utc) : at
    },
    suffix: (roll, time) => strftime(suffix, roll - step + changed(time, roll - step, utc), utc),
    pattern,
  })
}
