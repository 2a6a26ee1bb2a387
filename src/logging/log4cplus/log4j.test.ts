import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Log4cplusBackend } from './backend.ts'
import { parseLog4cplus } from './config.ts'
import { javaDates, javaSchedule } from './log4j.ts'

it.each([
  ['', '%Y-%m-%d %H:%M:%S,%q'],
  ['ISO8601', '%Y-%m-%d %H:%M:%S,%q'],
  ['yyyy-MM-dd HH:mm:ss,SSS', '%Y-%m-%d %H:%M:%S,%q'],
  ["EEE, d MMM yy hh:mm a 'o''clock' ''Z", "%a, %d %b %y %I:%M %p o'clock '%z"],
  ["yyyy-MM-dd'T'HH:mm:ssZ '50%' %", '%Y-%m-%dT%H:%M:%S%z 50%% %%'],
])('a date %s is %s', (java, c) => expect(javaDates(java)).toBe(c))

it.each([
  ["'.'yyyy-MM", 'MONTHLY'],
  ["'.'yyyy-ww", 'WEEKLY'],
  ["'.'yyyy-MM-dd", 'DAILY'],
  ["'.'yyyy-MM-dd-a", 'TWICE_DAILY'],
  ["'.'yyyy-MM-dd-HH", 'HOURLY'],
  ["'.'yyyy-MM-dd-HH-mm", 'MINUTELY'],
])('a file changes by %s: %s', (pattern, period) => {
  const schedule = javaSchedule(pattern)
  expect(schedule.period).toBe(period)
  expect(schedule.suffix.startsWith('%Y-')).toBe(true)
})

it('reads a file for log4j, dates and changing files too', () => {
  const dir = mkdtempSync(join(tmpdir(), 'log4j-'))
  const zone = process.env['TZ']
  process.env['TZ'] = 'America/New_York'
  try {
    const text = `log4j.rootLogger=INFO, A
log4j.appender.A=org.apache.log4j.DailyRollingFileAppender
log4j.appender.A.File=${dir}/x.log
log4j.appender.A.DatePattern='.'yyyy-MM-dd
log4j.appender.A.layout=org.apache.log4j.PatternLayout
log4j.appender.A.layout.ConversionPattern=%d{ISO8601} %-5p %c{1} - %m%n
`
    const around = { hostname: 'h', pid: 1 }
    const config = parseLog4cplus(text, 'f', { ...around, environment: () => undefined, include: () => undefined })
    if (!config.ok) throw new Error(config.error)
    expect(config.value.warnings).toEqual([])
    let time = Date.UTC(2026, 10, 24, 8, 38, 31, 793)
    const backend = new Log4cplusBackend(config.value, {
      ...{ ...around, component: 'ovn-northd', now: () => time, resolve: (p: string) => p, onTrouble() {} },
    })
    for (const message of ['one', 'two']) {
      backend.write({
        ...{ time, level: 'info', component: 'ovn-northd', module: 'lflow', message, fields: undefined, serial: 1 },
        elapsed: 0,
      })
      time += 24 * 3_600_000
    }
    backend.close()
    expect(readdirSync(dir).sort()).toEqual(['x.log', 'x.log.2026-11-24'])
    expect(readFileSync(join(dir, 'x.log.2026-11-24'), 'utf8')).toBe('2026-11-24 03:38:31,793 INFO  lflow - one\n')
    expect(readFileSync(join(dir, 'x.log'), 'utf8')).toBe('2026-11-25 03:38:31,793 INFO  lflow - two\n')
  } finally {
    if (zone === undefined) delete process.env['TZ']
    else process.env['TZ'] = zone
    rmSync(dir, { recursive: true })
  }
})
