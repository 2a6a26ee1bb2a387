import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Level } from '../../base/log.ts'
import type { Appender, LogEvent } from '../event.ts'
import { Log4cplusBackend } from './backend.ts'
import { parseLog4cplus } from './config.ts'

const parse = (text: string) =>
  parseLog4cplus(text, 'f', {
    ...{ hostname: 'hv1', pid: 7, environment: () => undefined, include: () => undefined },
  })

const event = (level: Level, module: string, message = 'm'): LogEvent => ({
  ...{ time: 0, level, component: 'ovn-northd', module, message, fields: undefined, serial: 1, elapsed: 0 },
})

const CONSOLE = 'log4cplus.appender.A=log4cplus::ConsoleAppender\n'

function backend(text: string) {
  const config = parse(text)
  if (!config.ok) throw new Error(config.error)
  const lines: string[] = []
  const console: Appender = { reopen() {}, flush() {}, close() {}, append: (line) => void lines.push(line) }
  const made = new Log4cplusBackend(config.value, {
    ...{ component: 'ovn-northd', hostname: 'hv1', pid: 7, now: () => 0, resolve: (p) => p, onTrouble() {} },
    console: () => console,
  })
  return { made, lines, warnings: config.value.warnings }
}

it('names an appender that is not there once, and the others work', () => {
  const text = `log4cplus.rootLogger=INFO, B, A\nlog4cplus.logger.x=INFO, B\n${CONSOLE}`
  const { made, lines, warnings } = backend(text)
  expect(warnings).toEqual(["f:1: no appender 'B'"])
  made.write(event('info', 'x'))
  expect(lines).toEqual(['INFO - m\n'])
})

it('names an appender of an unknown class once', () => {
  const text = `log4cplus.rootLogger=INFO, B, A\n${CONSOLE}log4cplus.appender.B=log4cplus::Nope\n`
  expect(backend(text).warnings).toEqual([`f:3: appender 'B': Cannot find appender class "log4cplus::Nope"`])
})

it.each([
  ['', 'f:1: log4cplus.rootLogger is missing, and no logger is there'],
  ['\u0000\u0001PNG', 'f:1: log4cplus.rootLogger is missing, and no logger is there'],
  [`\nlog4cplus.rootLogger=LOUD, A\n${CONSOLE}`, 'f:2: rootLogger: Unrecognized log level: LOUD'],
  [`log4cplus.rootLogger=INHERITED, A\n${CONSOLE}`, 'f:1: rootLogger: Unrecognized log level: INHERITED'],
  [`log4cplus.rootLogger=, A\n${CONSOLE}`, 'f:1: rootLogger: Unrecognized log level: '],
  ['log4cplus.rootLogger=INFO, A, B\n', 'f:1: none of the appenders works: A, B'],
])('refuses %j, with which log4cplus logs nothing', (text, error) => {
  expect(parse(text)).toEqual({ ok: false, error })
})

it.each([
  ['Threshold=LOUD', 'Threshold: Unrecognized log level: LOUD'],
  ['UseLockFile=true\nlog4cplus.appender.A.File=/dev/null', undefined],
  ['filters.1=log4cplus::spi::LogLevelMatchFilter', 'LogLevelToMatch: Unrecognized log level: '],
])('says what of %s has no effect', (line, warning) => {
  const r = parse(`log4cplus.rootLogger=INFO, A\n${CONSOLE}log4cplus.appender.A.${line}\n`)
  expect(r.ok && r.value.warnings).toEqual(warning === undefined ? [] : [`f:2: appender 'A': ${warning}`])
})

it('says that processes do not share a file', () => {
  const text = CONSOLE.replace('Console', 'File')
  const r = parse(
    `log4cplus.rootLogger=INFO, A\n${text}log4cplus.appender.A.File=x\nlog4cplus.appender.A.UseLockFile=1\n`,
  )
  expect(r.ok && r.value.warnings).toEqual([
    "f:2: appender 'A': UseLockFile has no effect: let each process have its own file",
  ])
})

it('reads the names of log4j, too', () => {
  const text = [
    'log4j.rootLogger=WARN, A',
    'log4j.appender.A=org.apache.log4j.ConsoleAppender',
    'log4j.appender.A.layout=org.apache.log4j.PatternLayout',
    'log4j.appender.A.layout.ConversionPattern=%p %c - %m%n',
  ]
  const { made, lines, warnings } = backend(text.join('\n'))
  made.write(event('warn', 'lflow'))
  made.write(event('info', 'lflow'))
  expect(warnings).toEqual([])
  expect(lines).toEqual(['WARN ovn-northd.lflow - m\n'])
})

it('says whether a line would go anywhere', () => {
  const text = `log4cplus.rootLogger=INFO, A\n${CONSOLE}log4cplus.appender.A.Threshold=WARN
log4cplus.logger.ovn-northd.quiet=OFF\nlog4cplus.logger.ovn-northd.alone=DEBUG\nlog4cplus.additivity.ovn-northd.alone=0\n`
  const { made } = backend(text)
  const on = (level: Level, module: string) => made.enabled(level, 'ovn-northd', module)
  expect([on('warn', 'a'), on('info', 'a'), on('emer', 'quiet'), on('emer', 'alone')]).toEqual([
    ...[true, false, false, false],
  ])
})

it('loads 10,000 lines quickly, and does not say 10,000 times what is wrong', () => {
  const lines = ['log4cplus.rootLogger=INFO, A0, A']
  for (let i = 0; i < 1000; i++) {
    lines.push(`log4cplus.appender.A${i}=log4cplus::${i % 2 ? 'Null' : 'No'}Appender`)
    lines.push(`log4cplus.appender.A${i}.layout=log4cplus::PatternLayout`)
    lines.push(`log4cplus.appender.A${i}.layout.ConversionPattern=%D{%Y-%m-%d %H:%M:%S.%q} [%t] %-5p %c - %m%n`)
    for (let j = 0; j < 4; j++) lines.push(`log4cplus.logger.l${i}.m${j}=${j ? 'INFO' : 'LOUD'}, A${i}`)
    for (let j = 0; j < 3; j++) lines.push(`log4cplus.additivity.l${i}.m${j}=false`)
  }
  const before = performance.now()
  const r = parse(`${lines.join('\n')}\n${CONSOLE}`)
  expect(performance.now() - before).toBeLessThan(15_000)
  expect(r.ok && r.value.warnings.length).toBe(101)
  expect(r.ok && r.value.warnings.at(-1)).toBe('f: 1400 more lines have no effect')
})

it('never throws, whatever it is given', () => {
  const key = fc.constantFrom(
    ...['rootLogger', 'logger.a', 'additivity.a', 'appender.A', 'appender.B', 'appender.A.layout', 'appender.A.File'],
    ...['appender.A.layout.ConversionPattern', 'appender.A.layout.DateFormat', 'appender.A.filters.1', 'appender.', ''],
    ...['appender.A.filters.1.StringToMatch', 'appender.A.Appender', 'appender.A.Appender.Appender', 'logger.'],
    ...['appender.A.FilenamePattern', 'appender.A.MaxFileSize', 'appender.__proto__', 'appender.A.port'],
  )
  const value = fc.oneof(
    ...[
      fc.string(),
      fc.constantFrom('INFO, A, B', '__proto__', 'constructor', '$' + '{a}', '%999999999m%.99999999999999c'),
    ],
    fc
      .constantFrom('Console', 'Async', 'TimeBasedRollingFile', 'RollingFile', 'SysLog', 'DailyRollingFile')
      .map((k) => `log4cplus::${k}Appender`),
    fc.constantFrom('Pattern', 'TTCC', 'Simple').map((k) => `log4cplus::${k}Layout`),
    fc.constantFrom('LogLevelRange', 'StringMatch', 'NDCMatch', 'MDCMatch').map((k) => `log4cplus::spi::${k}Filter`),
    fc
      .array(fc.constantFrom('%', '-', '.', '5', 'd', 'D', '{', '}', 'c', 'X', 'm', 'Q', 'q', 'é'))
      .map((l) => l.join('')),
  )
  const line = fc.tuple(key, value).map(([k, v]) => `log4cplus.${k}=${v}`)
  fc.assert(
    fc.property(fc.array(line, { maxLength: 20 }), (lines) => {
      const r = parse(lines.join('\n'))
      if (!r.ok) return
      for (const a of r.value.appenders) {
        a.layout(event('warn', 'x', 'a\u0000b'))
        for (const filter of a.filters) filter(event('dbg', ''))
      }
    }),
    { numRuns: 500 },
  )
})
