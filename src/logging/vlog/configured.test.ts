import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { Logging, loadLogging, VlogBackend, vlogCommands } from '../index.ts'

// What the control socket's commands do to the files of --logging-config, whatever its dialect.

const dir = mkdtempSync(join(tmpdir(), 'vlog-configured-'))
afterAll(() => rmSync(dir, { recursive: true }))

const OWN = `import { appendFileSync } from 'node:fs'
import { BaseLogger } from '${new URL('../own/base-logger.ts', import.meta.url).href}'
export class Mine extends BaseLogger {
  write({ message }) { appendFileSync(this.context.options.file, message + '\\n') }
}
`

/** The file of --logging-config and the one that it names, for messages of level INFO to a path. */
const DIALECTS: Readonly<Record<string, (path: string, other: string) => readonly [string, string]>> = {
  plain: (path) => [`log_file = ${path}`, ''],
  python: (path, other) => [
    `logger_class = ConfigLogger\nlogging_conf = ${other}`,
    `[loggers]\nkeys=root\n[handlers]\nkeys=f\n[formatters]\nkeys=p\n[logger_root]\nlevel=INFO\nhandlers=f
[handler_f]\nclass=FileHandler\nargs=('${path}',)\nformatter=p\n[formatter_p]\nformat=%(message)s\n`,
  ],
  oslo: (path, other) => [
    `logger_class = OsloLogger\nlogging_conf = ${other}`,
    `[DEFAULT]\nlog_file = ${path}\nlogging_default_format_string = %(message)s\nlogging_debug_format_suffix =\nrate_limit_interval=1\nrate_limit_burst=100`,
  ],
  log4cplus: (path, other) => [
    `log_property_file = ${other}`,
    `log4cplus.rootLogger=INFO, F\nlog4cplus.appender.F=log4cplus::RollingFileAppender\nlog4cplus.appender.F.File=${path}\n`,
  ],
  'own logger': (path, other) => [`logger_class = ${other}#Mine\n[Mine]\nfile = ${path}`, OWN],
}

let count = 0

async function setup(dialect: string) {
  const base = join(dir, String(count++))
  const path = `${base}.log`
  const other = dialect === 'own logger' ? `${base}.mjs` : `${base}.other`
  const [config, text] = DIALECTS[dialect]?.(path, other) ?? ['', '']
  writeFileSync(other, text)
  writeFileSync(`${base}.ini`, `[DEFAULT]\n${config}\n`)
  const clock = new VirtualClock()
  const vlog = new VlogBackend({ modules: ['lflow', 'binding'], hostname: 'h', pid: 1, appenders: {} })
  const hub = new Logging('ovn-northd', clock, [vlog])
  vlog.onChange = () => hub.changed()
  const trouble = (message: string) => {
    throw new Error(message)
  }
  /** As at start and on SIGHUP. */
  const configure = async () => {
    const loaded = await loadLogging(`${base}.ini`, {
      ...{ component: 'ovn-northd', hostname: 'h', pid: 1, now: () => clock.now(), resolve: (p: string) => p },
      onTrouble: trouble,
    })
    if (!loaded.ok) throw new Error(loaded.error)
    hub.use([vlog, loaded.value.backend])
  }
  await configure()
  const commands = vlogCommands(vlog, hub)
  const run = (name: string, ...args: string[]) => {
    let answer = ''
    const reply = { ok: (t: string) => (answer = t), error: (t: string) => (answer = `error: ${t}`) }
    commands.find((c) => c.name === name)?.run(args, reply)
    return answer
  }
  const lines = () => {
    hub.flush()
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((l) => /\w+$/.exec(l)?.[0])
  }
  const column = (module: string) => new RegExp(`^${module} +\\w+ +\\w+ +(\\w+)$`, 'm').exec(run('vlog/list'))?.[1]
  return { path, hub, run, lines, column, configure, log: hub.log('lflow'), other: hub.log('binding') }
}

describe.each(Object.keys(DIALECTS))('%s', (dialect) => {
  it('vlog/set reaches the configured file until the configuration is read again', async () => {
    const s = await setup(dialect)
    s.log.dbg('none')
    expect([s.column('lflow'), s.column('binding')]).toEqual(['INFO', 'INFO'])
    s.run('vlog/set', 'lflow:dbg')
    s.log.dbg('a')
    s.other.dbg('none')
    expect([s.column('lflow'), s.column('binding')]).toEqual(['DBG', 'INFO'])
    s.run('vlog/set', 'file:err')
    s.log.warn('none')
    s.other.err('b')
    expect([s.column('lflow'), s.column('binding')]).toEqual(['ERR', 'ERR'])
    s.run('vlog/set', 'lflow:file:off', 'console:dbg', 'syslog:dbg')
    s.log.emer('none')
    s.other.warn('none')
    s.run('vlog/set', 'LFLOW:info')
    s.log.info('c')
    expect(s.lines()).toEqual(['a', 'b', 'c'])
    s.run('vlog/set', 'lflow:off')
    await s.configure()
    s.log.info('d')
    s.log.dbg('none')
    expect(s.column('lflow')).toBe('INFO')
    expect(s.lines()).toEqual(['a', 'b', 'c', 'd'])
    s.hub.close()
  })

  it.skipIf(dialect === 'own logger')('vlog/close leaves the file, vlog/reopen opens it again', async () => {
    const s = await setup(dialect)
    s.log.info('a')
    expect(s.run('vlog/close')).toBe('')
    s.log.info('none')
    renameSync(s.path, `${s.path}.moved`)
    expect(s.run('vlog/reopen')).toBe('')
    s.log.info('b')
    expect(s.lines()).toEqual(['b'])
    expect(readFileSync(`${s.path}.moved`, 'utf8').trim()).toMatch(/\ba$/)
    s.hub.close()
  })
})
