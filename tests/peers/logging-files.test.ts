import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Lab, type Running, sleep, until } from './ovsdb-lab.ts'
import { referenceBin, referenceSchema } from './reference.ts'

// A daemon's log under the real logrotate, and on a disk that fills.

const LOGROTATE = '/usr/sbin/logrotate'
const lab = new Lab()
let count = 0
beforeAll(() => lab.prepare('ovsdb-server'))
afterAll(() => lab.close())

/** A database server whose bad clients are logged, each with the number it sends, and without a limit. */
async function server(...args: string[]): Promise<Running & { bad(number: number): Promise<void> }> {
  const at = lab.at(`s${count++}`)
  await lab.run('26.03', 'ovsdb-tool', 'create', `${at}.db`, referenceSchema('vswitch'))
  const running = await lab.start('ours', 'ovsdb-server', `${at}.db`, `--remote=punix:${at}`, ...args)
  await running.appctl('vlog/disable-rate-limit')
  const bad = (number: number) =>
    new Promise<void>((resolve) => {
      const stream = connect(at)
      stream.on('error', () => {})
      stream.on('close', () => resolve())
      stream.resume()
      stream.write(`{"number-${number}-":1}`)
    })
  return { ...running, bad }
}

/** A folder with a configuration of logging in it, whose log file is `x.log` there. */
function folder(dialect: 'plain' | 'FileHandler' | 'WatchedFileHandler'): { dir: string; config: string; log: string } {
  const dir = lab.at(`f${count++}`)
  mkdirSync(dir)
  const [config, log] = [join(dir, 'logging.conf'), join(dir, 'x.log')]
  if (dialect === 'plain') writeFileSync(config, `[DEFAULT]\nlog_file = ${log}\nlog_file_size = 0\n`)
  else {
    const handler = dialect === 'FileHandler' ? 'FileHandler' : 'handlers.WatchedFileHandler'
    writeFileSync(
      join(dir, 'python.conf'),
      `[loggers]\nkeys=root\n[handlers]\nkeys=f\n[formatters]\nkeys=p\n[logger_root]\nlevel=INFO\nhandlers=f
[handler_f]\nclass=${handler}\nargs=('${log}',)\nformatter=p\n[formatter_p]\nformat=%(asctime)s %(message)s\n`,
    )
    writeFileSync(config, `[DEFAULT]\nlogging_conf = ${join(dir, 'python.conf')}\nlogger_class = ConfigLogger\n`)
  }
  return { dir, config, log }
}

/** The numbers in a log and all its older files, compressed ones too, in the order of the files' age. */
function numbers(log: string): number[] {
  const dir = join(log, '..')
  const age = (name: string) => Number(/\.(\d+)(?:\.gz)?$/.exec(name)?.[1] ?? 0)
  const names = readdirSync(dir).filter((n) => n.startsWith('x.log'))
  return names
    .sort((a, b) => age(b) - age(a))
    .flatMap((name) => {
      const bytes = readFileSync(join(dir, name))
      const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()
      expect(text).not.toContain('\0')
      return [...text.matchAll(/"number-(\d+)-"/g)].map((m) => Number(m[1]))
    })
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i)

describe.skipIf(!existsSync(LOGROTATE))('under the real logrotate', () => {
  const WAYS = [
    ['vlog/reopen after it', 'plain', 'postrotate'],
    ['a rename that a WatchedFileHandler sees', 'WatchedFileHandler', 'nothing'],
    ['copytruncate', 'plain', 'copytruncate'],
    ['copytruncate', 'FileHandler', 'copytruncate'],
  ] as const
  test.each(WAYS)('%s (%s) loses no line', async (_, dialect, way) => {
    const { dir, config, log } = folder(dialect)
    const s = await server(`--logging-config=${config}`)
    const rotate = join(dir, 'logrotate.conf')
    const appctl = join(referenceBin('26.03'), 'ovs-appctl')
    const more = {
      postrotate: `postrotate\n${appctl} -t ${s.control} vlog/reopen\nendscript`,
      nothing: '',
      copytruncate: 'copytruncate',
    }[way]
    // Without `create`, so that the daemon makes its file itself; compressed one rotation later, as packaging/ has it.
    writeFileSync(rotate, `${log} {\nrotate 20\nnocreate\ncompress\ndelaycompress\n${more}\n}\n`)
    let sent = 0
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 40; i++) await s.bad(sent++)
      // What copytruncate copies and what is written until it truncates is a race for every program: a pause.
      if (way === 'copytruncate') await sleep(200)
      execFileSync(LOGROTATE, ['-f', '-s', join(dir, 'state'), rotate], { stdio: 'pipe' })
    }
    for (let i = 0; i < 10; i++) await s.bad(sent++)
    await until(
      () => Promise.resolve(numbers(log).length),
      (n) => n === sent,
      5,
    )
    await s.end()
    expect(numbers(log)).toEqual(upTo(sent))
    expect(readdirSync(dir).filter((n) => n.endsWith('.gz')).length).toBeGreaterThan(2)
  })
})

test('a disk that fills: the server serves on, says so once, and goes on when there is room', {
  timeout: 60_000,
}, async () => {
  const disk = lab.at('disk')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', disk])
  try {
    const config = lab.at('disk.conf')
    const log = join(disk, 'x.log')
    writeFileSync(config, `[DEFAULT]\nlog_file = ${log}\nlog_file_size = 0\n`)
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(64 * 1024))
    const s = await server(`--logging-config=${config}`)
    let sent = 0
    for (let i = 0; i < 500; i++) await s.bad(sent++)
    // It serves on, and its other log, which is elsewhere, says what happened.
    expect((await s.appctl('version')).code).toBe(0)
    const said = () =>
      s
        .log()
        .split('\n')
        .filter((l) => /\|vlog\|WARN\|.*log/.test(l))
    expect(said()).toHaveLength(1)
    expect(said()[0]).toContain(`${log}: cannot write log: No space left on device`)
    rmSync(join(disk, 'ballast'))
    for (let i = 0; i < 20; i++) await s.bad(sent++)
    await until(
      () => Promise.resolve(said().length),
      (n) => n > 1,
    )
    const lost = Number(/written again, (\d+) lines lost/.exec(said()[1] ?? '')?.[1])
    await s.end()
    const text = readFileSync(log, 'utf8')
    const other = s.log().split('\n').length
    // Nothing but the lost lines is missing, and what came after is whole.
    expect(lost).toBeGreaterThan(0)
    expect(
      text
        .slice(-4000)
        .match(/"number-(\d+)-"/g)
        ?.at(-1),
    ).toBe(`"number-${sent - 1}-"`)
    expect(Math.abs(text.split('\n').length + lost - other)).toBeLessThanOrEqual(2)
  } finally {
    execFileSync('umount', [disk])
  }
})
