import { spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Level } from '../../base/log.ts'
import type { Appender, LogEvent } from '../event.ts'
import { PythonBackend } from './backend.ts'
import { parsePythonConfig } from './config.ts'
import { CORPUS } from './corpus.ts'
import { FOUND, FOUND_BROKEN, RUN } from './corpus-found.ts'
import { levelNumber } from './formatter.ts'

const python = spawnSync('python3', ['--version']).status === 0
const root = mkdtempSync(join(tmpdir(), 'logging-'))
afterAll(() => rmSync(root, { recursive: true }))

const START = Date.UTC(2026, 10, 22, 21, 29, 58, 0)
const PID = 4242
const AROUND = { component: 'ovn-northd', hostname: 'host', pid: PID, now: () => START, resolve: (p: string) => p }
const NAMES = { emer: 'CRITICAL', err: 'ERROR', warn: 'WARNING', info: 'INFO', dbg: 'DEBUG' } as const

/** Events over nine days: dense at first, then hours and days apart; all levels and several loggers. */
function events(): LogEvent[] {
  const levels: Level[] = ['info', 'dbg', 'warn', 'info', 'err', 'dbg', 'info', 'emer']
  const loggers = [
    ['ovn-northd', ''],
    ['ovn-northd', 'lflow'],
    ['ovn-controller', 'binding'],
    ['ovsdb-server', ''],
    ['ovn-northd', 'lflow.cache'],
  ] as const
  const texts = ['listening on port 6641', 'lsp "é" \\ it\'s', 'two\nlines', 'x'.repeat(90), '100% {done} $now', '']
  return Array.from({ length: 60 }, (_, i) => {
    const step = i < 20 ? i * 700 : i < 40 ? (i - 19) * 1_500_000 : (i - 35) * 13_000_000
    const [component, module] = loggers[i % loggers.length] as (typeof loggers)[number]
    const [level, text] = [levels[i % levels.length] as Level, texts[i % texts.length] as string]
    const time = START + Math.floor(step) + ((i * 137) % 1000)
    return {
      time,
      level,
      component,
      module,
      message: `${i} ${text}`,
      fields: undefined,
      serial: i + 1,
      elapsed: i * 250,
    }
  }).sort((a, b) => a.time - b.time)
}

const EVENTS = events()

function record(e: LogEvent) {
  return {
    ...{ name: e.module ? `${e.component}.${e.module}` : e.component, msg: e.message, args: null },
    ...{ levelno: levelNumber(e.level), levelname: NAMES[e.level], created: e.time / 1000 },
    ...{ msecs: e.time % 1000, relativeCreated: e.elapsed, module: e.module || e.component },
    ...{ pathname: '(unknown file)', filename: '(unknown file)', lineno: 0, funcName: '(unknown function)' },
    ...{ process: PID, thread: PID, processName: 'MainProcess', threadName: 'MainThread' },
  }
}

interface Outcome {
  readonly files: Readonly<Record<string, string>>
  readonly out: string
  readonly err: string
}

function ours(
  text: string,
  dir: string,
  given: readonly LogEvent[],
  between?: (i: number) => void,
  start = START,
): Outcome {
  const config = parsePythonConfig(text, 'logging.conf', PID)
  if (!config.ok) throw new Error(config.error)
  const streams: Record<1 | 2, string> = { 1: '', 2: '' }
  const console = (fd: 1 | 2): Appender => ({
    ...{ reopen() {}, flush() {}, close() {} },
    append(line) {
      streams[fd] += `${line}\n`
    },
  })
  const fail = (message: string) => {
    throw new Error(message)
  }
  const backend = new PythonBackend(config.value, { ...AROUND, now: () => start, onTrouble: fail, console })
  for (const [i, event] of given.entries()) {
    between?.(i)
    if (backend.enabled(event.level, event.component, event.module)) backend.write(event)
  }
  backend.close()
  return { files: contents(dir), out: streams[1], err: streams[2] }
}

const contents = (dir: string) =>
  Object.fromEntries(readdirSync(dir).map((name) => [name, readFileSync(join(dir, name), 'utf8')]))

function folder(...path: string[]): string {
  const dir = join(root, ...path)
  mkdirSync(dir, { recursive: true })
  return dir
}

/** What CPython makes of the same files and events. */
function theirs(
  zone: string,
  cases: readonly { text: string; dir: string; events: readonly unknown[] }[],
  start = START,
) {
  const input = cases.map(({ text, dir, events }, i) => {
    const file = join(root, `${zone.replace('/', '-')}-${i}.conf`)
    writeFileSync(file, text)
    return { file, dir, events, start: start / 1000 }
  })
  const r = spawnSync('python3', [join(import.meta.dirname, 'corpus.py')], {
    ...{ input: JSON.stringify(input), encoding: 'utf8', maxBuffer: 1 << 28, env: { ...process.env, TZ: zone } },
  })
  if (r.status !== 0) throw new Error(r.stderr)
  const outcomes = JSON.parse(r.stdout) as (Outcome & { error?: string })[]
  return outcomes.map((o) => {
    if (o.error !== undefined) return o
    const files = Object.entries(o.files).map(([n, b]) => [n, Buffer.from(b, 'base64').toString()])
    return { ...o, files: Object.fromEntries(files) as Record<string, string> }
  })
}

const pythonRecords = EVENTS.map(record)

describe.skipIf(!python)('the same bytes as CPython (needs python3)', () => {
  it('has 40 configurations and more', () => expect(Object.keys(CORPUS).length).toBeGreaterThanOrEqual(40))

  describe.each(['UTC', 'Asia/Kolkata', 'America/New_York'])('%s', (zone) => {
    const cases = Object.entries({ ...CORPUS, ...FOUND }).map(([name, text], i) => {
      const place = (side: string) => folder(zone.replace('/', '-'), String(i), side)
      return { name, text, a: place('a'), b: place('b') }
    })
    const expected = python
      ? theirs(
          zone,
          cases.map((c) => ({ text: c.text.replaceAll('@DIR@', c.a), dir: c.a, events: pythonRecords })),
        )
      : []
    it.each(cases.map((c, i) => [c.name, c, i] as const))('%s', (_, c, i) => {
      const before = process.env['TZ']
      process.env['TZ'] = zone
      try {
        const got = ours(c.text.replaceAll('@DIR@', c.b), c.b, EVENTS)
        expect(got).toEqual(expected[i])
      } finally {
        if (before === undefined) delete process.env['TZ']
        else process.env['TZ'] = before
      }
    })
  })

  describe.each([
    ['America/New_York', '2026-10-31T15:10:00Z'],
    ['America/New_York', '2026-03-07T15:10:00Z'],
    ['Europe/Berlin', '2026-10-24T12:10:00Z'],
    ['Australia/Lord_Howe', '2026-04-03T12:00:00Z'],
    ['UTC', '2026-12-30T12:00:00Z'],
  ])('clocks that are changed, and years: %s, %s', (zone, from) => {
    const start = Date.parse(from)
    // Three days, half an hour apart.
    const given = Array.from({ length: 150 }, (_, i): LogEvent => {
      const about = { level: 'info', component: 'ovn-northd', module: '', fields: undefined, serial: i + 1 } as const
      return { ...about, time: start + i * 1_700_000, message: `${i}`, elapsed: i }
    })
    const whens = ["'h', 1", "'h', 2", "'D', 1", "'midnight', 1", "'midnight', 1, 2", "'W6', 1", "'W0', 1", "'M', 30"]
    const utc = ["'midnight', 1, 0, None, False, True", "'h', 3, 0, None, False, True"]
    it('have the same files', () => {
      const before = process.env['TZ']
      process.env['TZ'] = zone
      try {
        const text = (when: string, dir: string) =>
          (CORPUS['by the day'] ?? '').replace("'D', 1, 2", when).replaceAll('@DIR@', dir)
        const cases = [...whens, ...utc].map((when, i) => {
          const at = (side: string) => folder('clocks', zone.replace('/', '-'), from, `${i}`, side)
          return { when, a: at('a'), b: at('b') }
        })
        const records = given.map(record)
        const expected = theirs(
          zone,
          cases.map(({ when, a }) => ({ text: text(when, a), dir: a, events: records })),
          start,
        )
        for (const [i, { when, b }] of cases.entries()) {
          const [got, want] = [ours(text(when, b), b, given, undefined, start), expected[i]]
          const lines = (o: Outcome | undefined) =>
            Object.values(o?.files ?? {})
              .join('')
              .split('\n').length
          // An hour that comes twice has one name: CPython throws the first one's file away.
          if (when === "'h', 1" && lines(want) < 151) expect(lines(got)).toBe(151)
          else expect(got, when).toEqual(want)
        }
      } finally {
        if (before === undefined) delete process.env['TZ']
        else process.env['TZ'] = before
      }
    })
  })

  it('refuses what CPython refuses', () => {
    const cases = Object.entries(FOUND_BROKEN).map(([name, text], i) => ({ name, text, dir: folder('broken', `${i}`) }))
    const expected = theirs(
      'UTC',
      cases.map((c) => ({ text: c.text.replaceAll('@DIR@', c.dir), dir: c.dir, events: [] })),
    )
    const taken = (of: (i: number) => boolean) => cases.filter((_, i) => of(i)).map((c) => c.name)
    expect(taken((i) => !('error' in (expected[i] ?? {})))).toEqual([])
    expect(taken((i) => parsePythonConfig(cases[i]?.text ?? '', 'f', PID).ok)).toEqual([])
  })

  it('follows a file that is moved away, if it watches', () => {
    for (const kind of ['WatchedFileHandler', 'FileHandler']) {
      const at = (side: string) => folder('moved', kind, side)
      const text = (dir: string) =>
        (CORPUS['watched'] as string)
          .replace('WatchedFileHandler', kind)
          .replace('handlers.File', 'File')
          .replaceAll('@DIR@', dir)
      const [a, b] = [at('a'), at('b')]
      const move = { rename: [join(a, 'x.log'), join(a, 'x.log.1')] }
      const given = [...pythonRecords.slice(0, 9), move, ...pythonRecords.slice(9)]
      const [expected] = theirs('UTC', [{ text: text(a), dir: a, events: given }])
      const got = ours(text(b), b, EVENTS, (i) => {
        if (i === 9) renameSync(join(b, 'x.log'), join(b, 'x.log.1'))
      })
      // Python writes at once, and so do we where the file is looked at; both files together hold every line.
      expect(Object.values(got.files).join('')).toHaveLength(Object.values(expected?.files ?? {}).join('').length)
      expect(Object.keys(got.files)).toEqual(Object.keys(expected?.files ?? {}))
    }
  })

  it.each(['handlers.SysLogHandler.LOG_USER', "'local3'", 'handlers.SysLogHandler.LOG_DAEMON'])(
    'syslog by UDP: %s',
    async (facility) => {
      const server = createSocket('udp4')
      await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve))
      const got: string[] = []
      server.on('message', (m) => got.push(m.toString()))
      const text = `[loggers]\nkeys=root\n[handlers]\nkeys=s\n[formatters]\nkeys=p\n[logger_root]\nlevel=DEBUG\nhandlers=s
[handler_s]\nclass=handlers.SysLogHandler\nargs=(('127.0.0.1', ${server.address().port}), ${facility})\nformatter=p
[formatter_p]\nformat=%(name)s[%(process)d]: %(message)s\n`
      const dir = folder('syslog', facility)
      theirs('UTC', [{ text, dir, events: pythonRecords.slice(0, 10) }])
      const until = async (n: number) => {
        for (let i = 0; i < 3000 && got.length < n; i++) await new Promise((r) => setTimeout(r, 10))
      }
      await until(10)
      const expected = got.splice(0)
      const config = parsePythonConfig(text, 'x', PID)
      if (!config.ok) throw new Error(config.error)
      const backend = new PythonBackend(config.value, { ...AROUND, onTrouble() {} })
      for (const e of EVENTS.slice(0, 10)) backend.write(e)
      await until(10)
      backend.close()
      server.close()
      expect(expected).toHaveLength(10)
      expect(got).toEqual(expected)
    },
  )
})

it.each(Object.entries(RUN))('runs nothing: %s', (args, reason) => {
  const text = (CORPUS['a file'] ?? '').replace("('@DIR@/x.log',)", args)
  const r = parsePythonConfig(text, 'logging.conf', PID)
  expect(r.ok ? '' : r.error).toMatch(/^logging\.conf:\d+: /)
  expect(r.ok ? '' : r.error).toContain(reason)
})
