import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { loadLogging } from '../config/load.ts'
import { Logging } from '../hub.ts'
import { BaseLogger, type LoggedEvent } from './base-logger.ts'

const dir = mkdtempSync(join(tmpdir(), 'own-'))
afterAll(() => rmSync(dir, { recursive: true }))

// A module of one's own finds BaseLogger in the package; here it is the sources' one. Events come back by the same way.
const shared: { BaseLogger: typeof BaseLogger; got: string[] } = { BaseLogger, got: [] }
Object.assign(globalThis, { ownLoggerTest: shared })
const HEAD = 'const { BaseLogger, got } = globalThis.ownLoggerTest\n'
const GOOD = `${HEAD}export class My extends BaseLogger {
  write(e) { got.push(e.logger + ' ' + e.level + ' ' + e.message + ' ' + JSON.stringify(e.fields)) }
  close() { got.push('closed') }
}\n`

let names = 0

/** Loads a module of this text as --logging-config does; lines behind logger_class come with `more`. */
async function load(text: string, more = '', className = 'My') {
  const name = `logger-${++names}.mjs`
  writeFileSync(join(dir, name), text)
  return configure(`[DEFAULT]\nlogger_class=./${name}#${className}\n${more}`)
}

async function configure(text: string) {
  writeFileSync(join(dir, 'log.ini'), text)
  const said: string[] = []
  let changed = () => {}
  const loaded = await loadLogging('log.ini', {
    ...{ component: 'ovn-northd', hostname: 'h', pid: 42, now: () => 0, resolve: (p: string) => join(dir, p) },
    ...{ onTrouble: (m: string) => said.push(m), onLevels: () => changed() },
  })
  if (!loaded.ok) return { error: loaded.error.replaceAll(dir, 'DIR').replace(/logger-\d+/g, 'logger'), said }
  const hub = new Logging('ovn-northd', new VirtualClock(), [loaded.value.backend])
  changed = () => hub.changed()
  return { hub, said, warnings: loaded.value.warnings }
}

function hubOf(r: Awaited<ReturnType<typeof configure>>): Logging {
  if (!r.hub) throw new Error(r.error)
  return r.hub
}

it('writes by a class of one’s own', async () => {
  shared.got.length = 0
  const hub = hubOf(await load(GOOD))
  hub.log('lflow').info('one', { port: 'a' })
  hub.log('lflow').dbg('too low')
  hub.log().err('two')
  hub.close()
  expect(shared.got).toEqual(['ovn-northd.lflow info one {"port":"a"}', 'ovn-northd err two undefined', 'closed'])
})

it('gives it its section, the other file’s path, and what the program is', async () => {
  shared.got.length = 0
  const r = await load(
    `${HEAD}export class My extends BaseLogger {
      constructor(context) {
        super(context)
        const { component, hostname, pid, conf, options } = context
        got.push(JSON.stringify({ component, hostname, pid, conf, options }), context.resolve('x'))
      }
      write() {}
    }`,
    'logging_conf=my.conf\nlog_file=unused\n[My]\nPort = 4317\nlevel = debug\n[Other]\nx=1\n',
  )
  expect(shared.got).toEqual([
    `{"component":"ovn-northd","hostname":"h","pid":42,"conf":"${dir}/my.conf","options":{"port":"4317","level":"debug"}}`,
    join(dir, 'x'),
  ])
  expect(r.warnings).toEqual(['log.ini: logging_conf is set, ignored: log_file'])
  expect(hubOf(r).log('m').enabled('dbg')).toBe(true)
})

it('takes another level while it runs', async () => {
  const hub = hubOf(
    await load(`${HEAD}export class My extends BaseLogger {
      constructor(context) { super(context); this.level = 'warn' }
      write(e) { if (e.message === 'louder') this.level = 'dbg' }
    }`),
  )
  const log = hub.log('m')
  expect(log.enabled('info')).toBe(false)
  log.warn('louder')
  expect(log.enabled('dbg')).toBe(true)
})

it.each([
  ['no file', undefined, 'log.ini:2: logger_class: ./none.mjs: No such file or directory'],
  ['no export', 'export class Other {}', "./logger.mjs has no export 'My', it exports Other"],
  ['nothing exported', '', "./logger.mjs has no export 'My', it exports nothing"],
  ['no class', 'export const My = 3', 'My of ./logger.mjs is not a class but a number'],
  ['a function', 'export function My() {}', 'My of ./logger.mjs is not a class but a function'],
  ['another class', 'export class My { write() {} }', 'My does not extend BaseLogger of ovn-ts/logging'],
  ['no write', `${HEAD}export class My extends BaseLogger {}`, "My has no method 'write'"],
  [
    'a constructor that throws',
    `${HEAD}export class My extends BaseLogger { constructor(c) { super(c); throw new Error('no port') } write() {} }`,
    'the constructor of My failed: no port',
  ],
  ['a module that throws', 'throw new Error("at once")', './logger.mjs cannot be loaded: at once'],
  [
    'a package that is missing',
    "import 'no-such-package'",
    "./logger.mjs cannot be loaded: Cannot find package 'no-such-package'",
  ],
])('refuses %s', async (_, text, error) => {
  const r = text === undefined ? await configure('[DEFAULT]\nlogger_class=./none.mjs#My\n') : await load(text)
  expect(r.error).toContain(error)
  expect(r.error).toMatch(/^log\.ini:2: logger_class: /)
})

it('refuses a level that is none', async () => {
  const r = await load(GOOD, '[My]\nlevel=loud\n')
  expect(r.error).toBe(
    "log.ini:2: logger_class: the constructor of My failed: level is emer, err, warn, info or dbg, not 'loud'",
  )
})

it('is not hurt by a logger that throws, says so once, and counts', async () => {
  const r = await load(`${HEAD}export class My extends BaseLogger {
    write(e) { if (e.message !== 'good') throw new Error('full') }
    flush() { throw new Error('flush') }
    reopen() { null.x }
    close() { throw new Error('close') }
  }`)
  const hub = hubOf(r)
  for (const m of ['a', 'good', 'b', 'c']) hub.log('m').warn(m)
  hub.reopen()
  expect(r.said).toEqual([expect.stringMatching(/^\.\/logger-\d+\.mjs#My: cannot write log: write failed: full$/)])
  hub.close()
  expect(r.said.slice(1)).toEqual([expect.stringMatching(/#My: 3 events were lost$/)])
})

it('is not hurt by promises that are rejected, nor by enabled', async () => {
  const r = await load(`${HEAD}export class My extends BaseLogger { async write() { throw new Error('later') } }`)
  hubOf(r).log('m').warn('a')
  await new Promise((resolve) => setImmediate(resolve))
  expect(r.said).toEqual([expect.stringMatching(/write failed: later$/)])
  const s = await load(`${HEAD}export class My extends BaseLogger { enabled() { throw 1 } write() {} }`)
  expect(hubOf(s).log('m').enabled('emer')).toBe(false)
  expect(s.said).toHaveLength(1)
})

it('finds a changed file when it is read again', async () => {
  const path = join(dir, 'changing.mjs')
  const ini = '[DEFAULT]\nlogger_class=./changing.mjs#My\n'
  writeFileSync(path, GOOD)
  hubOf(await configure(ini))
  writeFileSync(path, GOOD.replaceAll('My', 'Mine'))
  utimesSync(path, 1, 1)
  expect((await configure(ini)).error).toContain("no export 'My', it exports Mine")
})

it('takes classes that extend the BaseLogger of another copy of the package', async () => {
  const r = await load(`class Base {
    static [Symbol.for('ovn-ts.BaseLogger')] = true
    enabled() { return true }
    flush() {} reopen() {} close() {}
  }
  export class My extends Base { write() {} }`)
  expect(hubOf(r).log('m').enabled('dbg')).toBe(true)
})

it('has a type that classes in TypeScript extend', () => {
  class Kept extends BaseLogger {
    readonly kept: LoggedEvent[] = []
    write(event: LoggedEvent): void {
      this.kept.push(event)
    }
  }
  const context = { component: 'c', hostname: 'h', pid: 1, conf: undefined, options: {} }
  const logger = new Kept({ ...context, resolve: (p) => p, report() {} })
  expect([logger.enabled('info', 'c.m'), logger.enabled('dbg', 'c.m'), logger.level]).toEqual([true, false, 'info'])
})
