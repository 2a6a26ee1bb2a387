import type { Level } from '../../base/log.ts'

/** Numbers of the levels by their names. */
const NUMBERS: Readonly<Record<string, number>> = {
  ...{ OFF: 60000, FATAL: 50000, ERROR: 40000, WARN: 30000, INFO: 20000, DEBUG: 10000, TRACE: 0, ALL: 0 },
}

const OURS: Readonly<Record<Level, readonly [string, number]>> = {
  emer: ['FATAL', 50000],
  err: ['ERROR', 40000],
  warn: ['WARN', 30000],
  info: ['INFO', 20000],
  dbg: ['DEBUG', 10000],
}

export const levelName = (level: Level): string => OURS[level][0]
export const levelNumber = (level: Level): number => OURS[level][1]

/** The number of a level by its name, in capitals or not; undefined for one that is none. */
export function numberNamed(name: string): number | undefined {
  const key = name.toUpperCase()
  return Object.hasOwn(NUMBERS, key) ? NUMBERS[key] : undefined
}
