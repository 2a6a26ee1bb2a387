import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { Logging } from '../hub.ts'
import { loadLogging } from './load.ts'

const dir = mkdtempSync(join(tmpdir(), 'names-'))
afterAll(() => rmSync(dir, { recursive: true }))

const OWN = `import { appendFileSync } from 'node:fs'
export class My {
  static [Symbol.for('ovn-ts.BaseLogger')] = true
  enabled(level, logger) {
    if (logger === 'ovn-northd.lflow' || logger.startsWith('ovn-northd.lflow.')) return true
    return level === 'err' || (level === 'info' && !/^ovn-northd(\\.|$)/.test(logger))
  }
  write(e) { appendFileSync('${join(dir, 'own.log')}', e.logger + ' ' + e.message + '\\n') }
  flush() {} reopen() {} close() {}
}\n`

/** The same wish in each dialect: ovn-northd from ERROR on, its lflow from DEBUG, all else from INFO. */
const FILES: Readonly<Record<string, readonly [top: string, file: string]>> = {
  python: [
    'logger_class=ConfigLogger\nlogging_conf=python.conf',
    `[loggers]\nkeys=root,n,l\n[handlers]\nkeys=f\n[formatters]\nkeys=p\n[logger_root]\nlevel=INFO\nhandlers=f
[logger_n]\nqualname=ovn-northd\nlevel=ERROR\nhandlers=\n[logger_l]\nqualname=ovn-northd.lflow\nlevel=DEBUG\nhandlers=
[handler_f]\nclass=FileHandler\nargs=('${dir}/python.log',)\nformatter=p\n[formatter_p]\nformat=%(name)s %(message)s\n`,
  ],
  oslo: [
    'logger_class=OsloLogger\nlogging_conf=oslo.conf',
    `[DEFAULT]\nlog_file=${dir}/oslo.log\nlogging_default_format_string=%(name)s %(message)s
logging_debug_format_suffix=\ndefault_log_levels=ovn-northd=ERROR,ovn-northd.lflow=DEBUG\n`,
  ],
  properties: [
    'log_property_file=properties.conf',
    `log4cplus.rootLogger=INFO, F\nlog4cplus.logger.ovn-northd=ERROR\nlog4cplus.logger.ovn-northd.lflow=DEBUG
log4cplus.appender.F=log4cplus::FileAppender\nlog4cplus.appender.F.File=${dir}/properties.log
log4cplus.appender.F.Append=true\nlog4cplus.appender.F.layout=log4cplus::PatternLayout\nlog4cplus.appender.F.layout.ConversionPattern=%c %m%n\n`,
  ],
  own: ['logger_class=./own.conf.mjs#My', OWN],
}

it.each(Object.keys(FILES))('one file configures all components by their names: %s', async (name) => {
  const [top, file] = FILES[name] as (typeof FILES)[string]
  writeFileSync(join(dir, `${name}.ini`), `[DEFAULT]\n${top}\n`)
  writeFileSync(join(dir, `${name}.conf${name === 'own' ? '.mjs' : ''}`), file)
  for (const component of ['ovn-northd', 'ovn-controller', 'ovsdb-server', 'ovs-vswitchd']) {
    const loaded = await loadLogging(`${name}.ini`, {
      ...{ component, hostname: 'h', pid: 42, now: () => 0, resolve: (p: string) => resolve(dir, p) },
      onTrouble: (message: string) => {
        throw new Error(message)
      },
    })
    if (!loaded.ok) throw new Error(loaded.error)
    expect(loaded.value.warnings).toEqual([])
    const hub = new Logging(component, new VirtualClock(), [loaded.value.backend])
    for (const module of ['', 'lflow', 'lflow.cache', 'binding'])
      for (const level of ['err', 'info', 'dbg'] as const) hub.log(module)[level](level)
    hub.close()
  }
  expect(
    readFileSync(join(dir, `${name}.log`), 'utf8')
      .trimEnd()
      .split('\n'),
  ).toEqual([
    'ovn-northd err',
    ...['ovn-northd.lflow err', 'ovn-northd.lflow info', 'ovn-northd.lflow dbg'],
    ...['ovn-northd.lflow.cache err', 'ovn-northd.lflow.cache info', 'ovn-northd.lflow.cache dbg'],
    'ovn-northd.binding err',
    ...['ovn-controller', 'ovsdb-server', 'ovs-vswitchd'].flatMap((component) =>
      ['', '.lflow', '.lflow.cache', '.binding'].flatMap((m) => [`${component}${m} err`, `${component}${m} info`]),
    ),
  ])
})
