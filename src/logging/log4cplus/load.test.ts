import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, expect, it } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { loadLogging } from '../config/load.ts'
import { Logging } from '../hub.ts'

const root = mkdtempSync(join(tmpdir(), 'log4cplus-load-'))
afterAll(() => rmSync(root, { recursive: true }))
let dir = root
let count = 0
beforeEach(() => {
  dir = join(root, String(count++))
  mkdirSync(dir)
})

const START = Date.UTC(2026, 10, 22, 21, 29, 58)
const DAY = 86_400_000
const zone = process.env['TZ']
beforeEach(() => {
  process.env['TZ'] = 'UTC'
})
afterEach(() => {
  if (zone === undefined) delete process.env['TZ']
  else process.env['TZ'] = zone
})

const read = (name: string) => readFileSync(join(dir, name), 'utf8')

/** Logging as a daemon has it, from a file of properties in `dir`. */
async function logging(properties: string) {
  const clock = new VirtualClock(START)
  const said: string[] = []
  writeFileSync(join(dir, 'logging.ini'), '[DEFAULT]\nlog_property_file = log.properties\n')
  const load = (text: string) => {
    writeFileSync(join(dir, 'log.properties'), text)
    return loadLogging('logging.ini', {
      ...{ component: 'ovn-northd', hostname: 'hv1', pid: 7, now: () => clock.now(), onTrouble: (m) => said.push(m) },
      resolve: (path) => join(dir, path),
    })
  }
  const loaded = await load(properties)
  if (!loaded.ok) throw new Error(loaded.error)
  const hub = new Logging('ovn-northd', clock, [loaded.value.backend])
  return { clock, said, load, hub, log: hub.log('lflow'), warnings: loaded.value.warnings }
}

const properties = (kind: string, ...lines: readonly string[]) =>
  [
    'log4cplus.rootLogger=DEBUG, A',
    `log4cplus.appender.A=log4cplus::${kind}`,
    ...lines.map((l) => `log4cplus.appender.A.${l}`),
    '',
  ].join('\n')

it('logs as the file says that log_property_file names', async () => {
  const s = await logging(`include more\n${properties('FileAppender', 'layout=log4cplus::TTCCLayout', 'File=x.log')}`)
  expect(s.warnings).toEqual(['log.properties:1: include more: could not open file'])
  s.log.info('hello', { port: 'lsp1' })
  s.hub.close()
  expect(read('x.log')).toBe('0 [7] INFO ovn-northd.lflow <lsp1> - hello\n')
})

it('does not wait for the end of what has none', async () => {
  const s = await logging(`include ../../../../../../dev/zero\n${properties('NullAppender')}`)
  expect(s.warnings).toHaveLength(1)
  s.hub.close()
})

it('stays as it was when the file is read again and broken', async () => {
  const s = await logging(properties('FileAppender', 'File=x.log', 'Append=true'))
  s.log.info('one')
  expect(await s.load('log4cplus.rootLogger=LOUD, A\n')).toEqual({
    ok: false,
    error: 'log.properties:1: rootLogger: Unrecognized log level: LOUD',
  })
  s.log.info('two')
  s.hub.close()
  expect(read('x.log')).toBe('INFO - one\nINFO - two\n')
})

it('loses no line when a file that rolls at the end is read again', async () => {
  const text = properties('DailyRollingFileAppender', 'File=x.log', 'Schedule=DAILY')
  const s = await logging(text)
  s.log.info('before')
  const again = await s.load(text)
  if (!again.ok) throw new Error(again.error)
  s.hub.use([again.value.backend])
  s.log.info('after')
  s.hub.flush()
  expect(read('x.log.2026-11-22')).toBe('INFO - before\n')
  expect(read('x.log')).toBe('INFO - after\n')
  s.hub.close()
})

it('empties a file that is begun anew once, not each time the configuration is read', async () => {
  writeFileSync(join(dir, 'x.log'), 'of yesterday\n')
  const text = properties('FileAppender', 'File=x.log')
  const s = await logging(text)
  s.log.info('before')
  const again = await s.load(text)
  if (!again.ok) throw new Error(again.error)
  s.hub.use([again.value.backend])
  s.log.info('after')
  s.hub.close()
  expect(read('x.log')).toBe('INFO - before\nINFO - after\n')
})

it('writes to the file of the period from the start, where there is no other', async () => {
  const s = await logging(
    properties('TimeBasedRollingFileAppender', 'FilenamePattern=x-%d{yyyy-MM-dd}.log', 'MaxHistory=2'),
  )
  for (let i = 0; i < 5; i++) {
    s.log.info(`day ${i}`)
    s.hub.flush()
    s.clock.advance(DAY)
  }
  s.hub.close()
  expect(readdirSync(dir).filter((n) => n.startsWith('x'))).toEqual([
    ...['x-2026-11-24.log', 'x-2026-11-25.log', 'x-2026-11-26.log'],
  ])
  expect(read('x-2026-11-24.log')).toBe('INFO - day 2\n')
})

it('makes the folders of the history, and keeps what the documentation says', async () => {
  for (let d = 1; d < 22; d++) writeFileSync(join(dir, `x-2026-11-${String(d).padStart(2, '0')}.log`), '')
  writeFileSync(join(dir, 'x-notes.log'), '')
  const s = await logging(
    properties(
      'TimeBasedRollingFileAppender',
      'File=x.log',
      'FilenamePattern=x-%d.log',
      'MaxHistory=3',
      'CleanHistoryOnStart=true',
    ),
  )
  s.log.info('first')
  // The changes of day come after 23 hours, then after 25.
  s.clock.advance(23 * 3_600_000)
  s.log.info('second')
  s.clock.advance(4 * 3_600_000)
  s.log.info('third')
  s.hub.close()
  expect(readdirSync(dir).filter((n) => n.startsWith('x'))).toEqual([
    ...['x-2026-11-21.log', 'x-2026-11-22.log', 'x-2026-11-23.log', 'x-2026-11-24.log', 'x-notes.log', 'x.log'],
  ])

  const t = await logging(
    properties('TimeBasedRollingFileAppender', 'File=y.log', 'FilenamePattern=%d{MMMM}/y-%d{dd}.log', 'CreateDirs=1'),
  )
  t.log.info('one')
  t.hub.close()
  expect(read('November/y-22.log')).toBe('INFO - one\n')
})

it('says once that a folder is missing, and goes on when it is there', async () => {
  const s = await logging(properties('RollingFileAppender', 'File=later/x.log', 'ReopenDelay=10'))
  s.log.info('lost')
  mkdirSync(join(dir, 'later'))
  s.clock.advance(9000)
  s.log.info('still lost')
  s.clock.advance(1000)
  s.log.info('kept')
  s.hub.close()
  expect(read('later/x.log')).toBe('INFO - kept\n')
  expect(s.said.map((m) => m.replace(dir, ''))).toEqual([
    '/later/x.log: cannot write log: No such file or directory',
    '/later/x.log: log written again, 2 lines lost',
  ])
})

it('opens nothing of a file that is refused', async () => {
  const s = await logging(properties('NullAppender'))
  await s.load(
    `log4cplus.rootLogger=LOUD, A\n${properties('FileAppender', 'File=x.log').split('\n').slice(1).join('\n')}`,
  )
  expect(existsSync(join(dir, 'x.log'))).toBe(false)
  s.hub.close()
})
