import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { FileAppender } from './appenders/file.ts'
import { type Backend, Logging, loadLogging, VlogBackend } from './index.ts'

// What becomes of each dialect's log file when the disk or the folder fails.

const dir = mkdtempSync(join(tmpdir(), 'log-failure-'))
afterAll(() => {
  execFileSync('chmod', ['-R', 'u+rwx', dir])
  rmSync(dir, { recursive: true })
})

const python = (handler: string) => (path: string) => ({
  conf: `[loggers]\nkeys=root\n[handlers]\nkeys=f\n[formatters]\nkeys=p\n[logger_root]\nlevel=INFO\nhandlers=f
[handler_f]\nclass=${handler.replace('(', `\nargs=('${path}', `)}\nformatter=p\n[formatter_p]\nformat=%(message)s\n`,
  own: 'logger_class = ConfigLogger',
})
const log4cplus =
  (kind: string, more = '') =>
  (path: string) => ({
    conf: `log4cplus.rootLogger=INFO, F\nlog4cplus.appender.F=log4cplus::${kind}\nlog4cplus.appender.F.File=${path}
log4cplus.appender.F.layout=log4cplus::PatternLayout\nlog4cplus.appender.F.layout.ConversionPattern=%m%n\n${more}`,
    own: undefined,
  })

/** How a file of each dialect says that messages go to a file: its text, and what names the dialect. */
const DIALECTS: Readonly<Record<string, (path: string) => { conf: string; own: string | undefined } | string>> = {
  'plain, text': (path) => `log_file = ${path}`,
  'plain, JSON': (path) => `log_file = ${path}\nlog_format = json`,
  'python FileHandler': python("FileHandler('a',)"),
  'python WatchedFileHandler': python("handlers.WatchedFileHandler('a',)"),
  'python RotatingFileHandler': python("handlers.RotatingFileHandler('a', 1000000, 3)"),
  'python TimedRotatingFileHandler': python("handlers.TimedRotatingFileHandler('midnight', 1, 3)"),
  oslo: (path) => ({ conf: `[DEFAULT]\nlog_file = ${path}\nuse_stderr = false\n`, own: 'logger_class = OsloLogger' }),
  'oslo, watched': (path) => ({
    conf: `[DEFAULT]\nlog_file = ${path}\nuse_stderr = false\nwatch_log_file = true\n`,
    own: 'logger_class = OsloLogger',
  }),
  'log4cplus FileAppender': log4cplus('FileAppender', 'log4cplus.appender.F.ReopenDelay=1\n'),
  'log4cplus RollingFileAppender': log4cplus('RollingFileAppender', 'log4cplus.appender.F.ReopenDelay=1\n'),
  'log4cplus DailyRollingFileAppender': log4cplus(
    'DailyRollingFileAppender',
    'log4cplus.appender.F.ReopenDelay=1\nlog4cplus.appender.F.RollOnClose=false\n',
  ),
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 10))

let count = 0

/** Logging by one dialect to a path; what it says of trouble. */
async function logging(dialect: string, path: string) {
  const said: string[] = []
  const clock = new VirtualClock(Date.UTC(2026, 10, 24, 12))
  let backend: Backend
  if (dialect === 'vlog') {
    const appender = new FileAppender({ path, onTrouble: (m) => said.push(m) })
    backend = new VlogBackend({ modules: [], hostname: 'h', pid: 1, appenders: { file: appender } })
  } else {
    const made = DIALECTS[dialect]?.(path) ?? ''
    const base = join(dir, `conf${count++}`)
    if (typeof made === 'string') writeFileSync(base, `[DEFAULT]\n${made}\n`)
    else {
      writeFileSync(`${base}.own`, made.conf)
      const named =
        made.own === undefined ? `log_property_file = ${base}.own` : `logging_conf = ${base}.own\n${made.own}`
      writeFileSync(base, `[DEFAULT]\n${named}\n`)
    }
    const loaded = await loadLogging(base, {
      ...{ component: 'ovn-northd', hostname: 'h', pid: 1, now: () => clock.now(), resolve: (p: string) => p },
      onTrouble: (m) => said.push(m),
    })
    if (!loaded.ok) throw new Error(loaded.error)
    backend = loaded.value.backend
  }
  const hub = new Logging('ovn-northd', clock, [backend])
  const log = hub.log('lflow')
  /** Logs lines `WORD 0`, `WORD 1` ..., a second apart. */
  const lines = async (word: string, n: number) => {
    for (let i = 0; i < n; i++) {
      log.info(`${word} ${i}.`)
      clock.advance(1000)
      await turn()
    }
  }
  return { said, hub, log, clock, lines }
}

const text = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '')

/** Which lines a file lacks, some time after the last one was logged. */
async function lacks(path: string, ...lines: string[]): Promise<string[]> {
  const missing = () => lines.filter((l) => !text(path).includes(`${l}.`))
  for (let i = 0; i < 3000 && missing().length; i++) await turn()
  return missing()
}

describe.each(['vlog', ...Object.keys(DIALECTS)])('%s', (dialect) => {
  const fresh = () => {
    const folder = join(dir, `f${count++}`)
    mkdirSync(folder)
    return join(folder, 'x.log')
  }

  it('a disk that is full is said once; with room lines go out again, and the number of the lost is said', async () => {
    const path = fresh()
    symlinkSync('/dev/full', path)
    const s = await logging(dialect, path)
    await s.lines('lost', 5)
    for (let i = 0; i < 3000 && s.said.length < 1; i++) await turn()
    expect(s.said).toEqual([`${path}: cannot write log: No space left on device`])
    expect(readlinkSync(path)).toBe('/dev/full')
    unlinkSync(path)
    s.hub.reopen()
    await s.lines('kept', 3)
    s.hub.close()
    expect(await lacks(path, 'kept 0', 'kept 1', 'kept 2')).toEqual([])
    for (let i = 0; i < 3000 && s.said.length < 2; i++) await turn()
    expect(s.said.slice(1)).toEqual([`${path}: log written again, 5 lines lost`])
  })

  it('a folder that is not there is said once; when it is, lines go out by themselves', async () => {
    const path = join(dirname(fresh()), 'no', 'x.log')
    const s = await logging(dialect, path)
    await s.lines('lost', 4)
    expect(s.said).toEqual([`${path}: cannot write log: No such file or directory`])
    mkdirSync(dirname(path))
    await s.lines('kept', 4)
    s.hub.close()
    expect(await lacks(path, 'kept 3')).toEqual([])
    for (let i = 0; i < 3000 && s.said.length < 2; i++) await turn()
    const lost = Number(/: log written again, (\d+) lines lost$/.exec(s.said[1] ?? '')?.[1])
    expect(lost + text(path).split('\n').length - 1).toBe(8)
    expect(s.said).toHaveLength(2)
  })

  it('a folder without permission is said once; when there is one, lines go out by themselves', async () => {
    const path = fresh()
    const nobody = 65534
    const root = process.getuid?.() === 0
    chmodSync(dir, 0o777)
    chmodSync(dirname(path), 0o555)
    if (root) process.seteuid?.(nobody)
    try {
      const s = await logging(dialect, path)
      await s.lines('lost', 4)
      expect(s.said).toEqual([`${path}: cannot write log: Permission denied`])
      if (root) process.seteuid?.(0)
      chmodSync(dirname(path), 0o777)
      if (root) process.seteuid?.(nobody)
      await s.lines('kept', 4)
      s.hub.close()
      expect(await lacks(path, 'kept 3')).toEqual([])
      for (let i = 0; i < 3000 && s.said.length < 2; i++) await turn()
      expect(s.said).toHaveLength(2)
    } finally {
      if (root) process.seteuid?.(0)
    }
  })

  it('a file that is removed or moved: written on until told to reopen, or found by itself where it is watched', async () => {
    const path = fresh()
    const s = await logging(dialect, path)
    await s.lines('first', 2)
    renameSync(path, `${path}.moved`)
    await s.lines('second', 2)
    if (!/Watched|oslo/.test(dialect)) {
      expect(existsSync(path)).toBe(false)
      expect(await lacks(`${path}.moved`, 'first 1', 'second 1')).toEqual([])
      s.hub.reopen()
      await s.lines('third', 1)
    } else {
      expect(await lacks(path, 'second 0', 'second 1')).toEqual([])
      await s.lines('third', 1)
    }
    expect(await lacks(path, 'third 0')).toEqual([])
    unlinkSync(path)
    s.hub.reopen()
    await s.lines('fourth', 1)
    s.hub.close()
    expect(await lacks(path, 'fourth 0')).toEqual([])
    expect(s.said).toEqual([])
  })
})

it('a full file that cannot be moved away grows on, which is said once', async () => {
  const path = join(dir, 'stuck', 'x.log')
  mkdirSync(dirname(path))
  const file = join(dir, 'stuck.conf')
  writeFileSync(file, `[DEFAULT]\nlog_file = ${path}\nlog_file_size = 1K\nlog_files_count = 2\n`)
  // A folder in the way of FILE.1, with something in it, cannot be replaced by a file, whoever we are.
  mkdirSync(`${path}.1/x`, { recursive: true })
  mkdirSync(`${path}.2/x`, { recursive: true })
  const said: string[] = []
  const clock = new VirtualClock()
  const loaded = await loadLogging(file, {
    ...{ component: 'c', hostname: 'h', pid: 1, now: () => clock.now(), resolve: (p: string) => p },
    onTrouble: (m) => said.push(m),
  })
  if (!loaded.ok) throw new Error(loaded.error)
  const hub = new Logging('c', clock, [loaded.value.backend])
  for (let i = 0; i < 200; i++) {
    hub.log('m').info(`line ${i}.`)
    clock.advance(100)
  }
  hub.flush()
  expect(said).toEqual([`${path}: cannot move full log away, it grows on`])
  expect(text(path).split('\n')).toHaveLength(201)
  rmSync(`${path}.1`, { recursive: true })
  for (let i = 0; i < 20; i++) {
    hub.log('m').info(`after ${i}.`)
    clock.advance(100)
  }
  hub.close()
  expect(readdirSync(dirname(path)).sort()).toEqual(['x.log', 'x.log.1', 'x.log.2'])
  expect(text(`${path}.1`)).toContain('line 199.')
})
