import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { FileAppender } from './appenders/file.ts'
import { Logging, loadLogging } from './index.ts'

// What operators and machines do to a log, beside what the disk does (failure.test.ts).

const dir = mkdtempSync(join(tmpdir(), 'log-adversity-'))
afterAll(() => rmSync(dir, { recursive: true }))

const python = (handler: string) => (path: string) => ({
  own: 'logger_class = ConfigLogger\nlogging_conf',
  conf: `[loggers]\nkeys=root\n[handlers]\nkeys=f\n[formatters]\nkeys=p\n[logger_root]\nlevel=INFO\nhandlers=f
[handler_f]\nclass=${handler.replace('@', path)}\nformatter=p\n[formatter_p]\nformat=%(message)s\n`,
})
const log4cplus = (kind: string, more: string) => (path: string) => ({
  own: 'log_property_file',
  conf: `log4cplus.rootLogger=INFO, F\nlog4cplus.appender.F=log4cplus::${kind}\nlog4cplus.appender.F.File=${path}
log4cplus.appender.F.layout=log4cplus::PatternLayout\nlog4cplus.appender.F.layout.ConversionPattern=%m%n
${more.replaceAll('@', path)}`,
})
const oslo = (rotation: string) => (path: string) => ({
  own: 'logger_class = OsloLogger\nlogging_conf',
  conf: `[DEFAULT]\nlog_file=${path}\nmax_logfile_count=500\nlogging_default_format_string=%(message)s\n${rotation}\n`,
})

/** Each with room for all lines. */
const DIALECTS: Readonly<Record<string, (path: string) => { own: string; conf: string }>> = {
  'python by size': python("handlers.RotatingFileHandler\nargs=('@', 'a', 20000, 500)"),
  'python by time': python("handlers.TimedRotatingFileHandler\nargs=('@', 'S', 1)"),
  'python watched': python("handlers.WatchedFileHandler\nargs=('@',)"),
  'oslo by size': oslo('log_rotation_type=size\nmax_logfile_size_mb=1'),
  'oslo by time': oslo('log_rotation_type=interval\nlog_rotate_interval=1\nlog_rotate_interval_type=seconds'),
  'log4cplus by size': log4cplus(
    'RollingFileAppender',
    'log4cplus.appender.F.MaxFileSize=200KB\nlog4cplus.appender.F.MaxBackupIndex=500\n',
  ),
  'log4cplus by day': log4cplus(
    'DailyRollingFileAppender',
    'log4cplus.appender.F.Schedule=MINUTELY\nlog4cplus.appender.F.MaxBackupIndex=500\n',
  ),
  'log4cplus by time': log4cplus(
    'TimeBasedRollingFileAppender',
    'log4cplus.appender.F.FilenamePattern=@.%d{yyyy-MM-dd-HH-mm}\nlog4cplus.appender.F.MaxHistory=500\n',
  ),
}

/** A clock that people set. */
class SetClock extends VirtualClock {
  private shift = 0

  /** Milliseconds, backwards too. */
  set(by: number): void {
    this.shift += by
  }

  override now(): number {
    return super.now() + this.shift
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

async function setup(dialect: string, name: string) {
  const folder = join(dir, `${name} ${dialect}`)
  mkdirSync(folder)
  const { own, conf } = DIALECTS[dialect]?.(join(folder, 'x.log')) ?? { own: '', conf: '' }
  const base = join(dir, `${name} ${dialect}.conf`)
  writeFileSync(`${base}.own`, conf)
  writeFileSync(base, `[DEFAULT]\n${own} = ${base}.own\n`)
  const said: string[] = []
  const clock = new SetClock(Date.UTC(2026, 11, 31, 23, 58))
  const hub = new Logging('ovn-northd', clock, [])
  const configure = async () => {
    // Files are as old as this clock says.
    for (const name of readdirSync(folder)) utimesSync(join(folder, name), clock.now() / 1000, clock.now() / 1000)
    const loaded = await loadLogging(base, {
      ...{ component: 'ovn-northd', hostname: 'h', pid: 1, now: () => clock.now(), resolve: (p: string) => p },
      onTrouble: (m) => said.push(m),
    })
    if (!loaded.ok) throw new Error(loaded.error)
    hub.use([loaded.value.backend])
  }
  await configure()
  /** All lines of all files of the folder, each file's in its order. */
  const lines = () =>
    readdirSync(folder).flatMap((f) => readFileSync(join(folder, f), 'utf8').split('\n').filter(Boolean))
  return { folder, said, clock, hub, configure, lines, log: hub.log('lflow') }
}

/** The lines of all files, when `count` are there or no more come. */
async function complete(lines: () => string[], count: number): Promise<string[]> {
  let [got, quiet] = [lines(), 0]
  while (got.length < count && quiet < 400) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    const now = lines()
    quiet = now.length === got.length ? quiet + 1 : 0
    got = now
  }
  return got
}

describe.each(Object.keys(DIALECTS))('%s', (dialect) => {
  it('loses and doubles no line while the configuration is read again and again', async () => {
    const s = await setup(dialect, 'storm')
    const LINES = 20_000
    for (let i = 0; i < LINES; i++) {
      s.log.info(`line ${i}`)
      if (i % 50 === 0) s.clock.advance(1)
      if (i % 100 === 0) await turn()
      if (i % 200 === 199) {
        s.clock.advance(700)
        await s.configure()
      }
    }
    s.hub.close()
    const got = await complete(s.lines, LINES)
    expect(got).toHaveLength(LINES)
    expect(new Set(got).size).toBe(LINES)
    expect(s.said).toEqual([])
  })

  it('keeps every line when the clock goes back over a change of files', async () => {
    const s = await setup(dialect, 'back')
    let count = 0
    const log = async (n: number) => {
      for (let i = 0; i < n; i++) s.log.info(`line ${count++}`)
      await turn()
    }
    await log(10)
    s.clock.advance(125_000)
    await log(10)
    for (let i = 0; i < 5; i++) {
      s.clock.set(-130_000)
      await log(10)
      await s.configure()
      s.clock.set(130_000)
      await log(10)
    }
    s.hub.close()
    const got = await complete(s.lines, count)
    expect(new Set(got).size).toBe(count)
    expect(got).toHaveLength(count)
    expect(s.said).toEqual([])
  })
})

describe('a pipe as the log file', () => {
  const said: string[] = []
  const pipe = (name: string) => {
    said.length = 0
    const path = join(dir, name)
    execFileSync('mkfifo', [path])
    return { path, open: () => new FileAppender({ path, retry: 0, onTrouble: (m) => said.push(m) }) }
  }
  const wait = async (what: () => boolean) => {
    for (let i = 0; i < 1000 && !what(); i++) await new Promise((resolve) => setTimeout(resolve, 10))
  }

  it('is not waited for when nobody reads, which is said once', async () => {
    const { path, open } = pipe('nobody')
    const file = open()
    for (let i = 0; i < 5; i++) file.append(`lost ${i}`)
    file.flush()
    expect(said).toEqual([`${path}: cannot write log: No such device or address`])
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    file.append('read')
    file.flush()
    await wait(() => said.length > 1)
    expect(said.slice(1)).toEqual([`${path}: log written again, 5 lines lost`])
    const buffer = Buffer.alloc(100)
    expect(buffer.toString('utf8', 0, readSync(reader, buffer))).toBe('read\n')
    file.close()
    closeSync(reader)
  })

  it('is not waited for when its reader is slow, and loses no line', async () => {
    const { path, open } = pipe('slow')
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const file = open()
    const LINES = 20_000
    for (let i = 0; i < LINES; i++) {
      file.append(`line ${i} ${'x'.repeat(20)}`)
      if (i % 100 === 0) await turn()
    }
    // By now a pipe's 64 KiB are full.
    let text = ''
    const buffer = Buffer.alloc(65_536)
    const read = () => {
      try {
        text += buffer.toString('utf8', 0, readSync(reader, buffer))
      } catch {
        // nothing there at the moment
      }
      return text.split('\n').length > LINES
    }
    await wait(read)
    expect(said).toEqual([])
    const numbers = text
      .split('\n')
      .filter(Boolean)
      .map((l) => Number(l.split(' ')[1]))
    expect(numbers).toEqual(Array.from({ length: LINES }, (_, i) => i))
    file.close()
    closeSync(reader)
  })

  it('whose reader goes away loses lines, which is said once, and is written when another one comes', async () => {
    const { path, open } = pipe('gone')
    const first = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const file = open()
    file.append('one')
    await turn()
    await wait(() => readable(first))
    closeSync(first)
    for (let i = 0; i < 3; i++) {
      file.append(`lost ${i}`)
      file.flush()
    }
    await wait(() => said.length > 0)
    expect(said).toEqual([`${path}: cannot write log: Broken pipe`])
    const second = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    file.append('two')
    file.flush()
    await wait(() => said.length > 1)
    expect(said.slice(1)).toEqual([`${path}: log written again, 3 lines lost`])
    file.close()
    closeSync(second)
  })
})

function readable(fd: number): boolean {
  try {
    return readSync(fd, Buffer.alloc(100)) > 0
  } catch {
    return false
  }
}

it('two processes that append to one file tear and lose no line', async () => {
  const path = join(dir, 'shared.log')
  const files = [0, 1, 2].map(() => new FileAppender({ path, onTrouble: () => {} }))
  for (let i = 0; i < 6000; i++) {
    files[i % 3]?.append(`line ${i} ${'y'.repeat(i % 200)}.`)
    if (i % 70 === 0) await turn()
    if (i % 1000 === 0) files[i % 3]?.reopen()
  }
  for (const file of files) {
    file.flush()
    file.close()
  }
  const lines = await complete(() => readFileSync(path, 'utf8').split('\n').filter(Boolean), 6000)
  expect(new Set(lines).size).toBe(6000)
  expect(lines.every((l) => /^line \d+ y*\.$/.test(l))).toBe(true)
})

it('/dev/full and /dev/null, by their names, are as files', async () => {
  const said: string[] = []
  for (const path of ['/dev/full', '/dev/null']) {
    const file = new FileAppender({ path, onTrouble: (m) => said.push(m) })
    for (let i = 0; i < 100; i++) file.append('line')
    file.flush()
    file.close()
    await turn()
  }
  expect(said).toEqual(['/dev/full: cannot write log: No space left on device'])
})
