import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, it } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { Logging } from '../hub.ts'
import { parseLine } from '../reading/record.ts'
import { loadLogging } from './load.ts'
import { parseParameters } from './parameters.ts'

const dir = mkdtempSync(join(tmpdir(), 'parameters-'))
afterAll(() => rmSync(dir, { recursive: true }))

async function logging(text: string) {
  const clock = new VirtualClock(Date.UTC(2026, 10, 24, 8, 38, 31, 793))
  const said: string[] = []
  const load = (content: string) => {
    writeFileSync(join(dir, 'logging.ini'), content)
    return loadLogging('logging.ini', {
      ...{ component: 'ovn-northd', hostname: 'host', pid: 42, now: () => clock.now(), onTrouble: (m) => said.push(m) },
      resolve: (path) => join(dir, path),
    })
  }
  const loaded = await load(text)
  if (!loaded.ok) throw new Error(loaded.error)
  return { hub: new Logging('ovn-northd', clock, [loaded.value.backend]), warnings: loaded.value.warnings, said, load }
}

const read = (name: string) => readFileSync(join(dir, name), 'utf8')

it('has the defaults of the documentation', () => {
  expect(parseParameters('[DEFAULT]\n', 'f')).toEqual({
    ok: true,
    value: {
      kind: 'plain',
      warnings: [],
      plain: {
        ...{ file: undefined, level: 'info', local: true, categories: new Set(), disabled: false },
        ...{ fileSize: 1048576, filesCount: 10, json: false, syslog: undefined },
      },
    },
  })
})

it.each([
  ['log_level=SYS_DEBUG', 'level', 'dbg'],
  ['log_level = SYS_NOTICE', 'level', 'info'],
  ['log_level=warn', 'level', 'warn'],
  ['log_level=SYS_EMERG', 'level', 'emer'],
  ['log_file=<stdout>', 'file', undefined],
  ['log_file=', 'file', undefined],
  ['log_file=/a/%d.log', 'file', '/a/%d.log'],
  ['log_file_size=2 MiB', 'fileSize', 2097152],
  ['log_file_size=5000', 'fileSize', 5000],
  ['log_files_count=3', 'filesCount', 3],
  ['log_local=0', 'local', false],
  [
    'use_syslog=yes\nsyslog_facility=LOG_LOCAL3',
    'syslog',
    { facility: 19, address: { kind: 'unix', path: '/dev/log' } },
  ],
  [
    'use_syslog=yes\nsyslog_address=tcp:[::1]:601',
    'syslog',
    { facility: 1, address: { kind: 'tcp', host: '::1', port: 601 } },
  ],
  ['log_category=lflow, en-lr_nat', 'categories', new Set(['lflow', 'en_lr_nat'])],
  ['log_category=*', 'categories', new Set()],
])('%s', (line, key, value) => {
  const r = parseParameters(`[DEFAULT]\n${line}\n`, 'f')
  expect(r.ok && r.value.kind === 'plain' && r.value.plain[key as 'level']).toEqual(value)
})

it.each([
  ['log_level=LOUD', "f:2: log_level is a level, not 'LOUD'"],
  ['log_file_size=much', "f:2: log_file_size is a number of bytes, not 'much'"],
  ['use_syslog=perhaps', "f:2: use_syslog is true or false, not 'perhaps'"],
  ['syslog_address=tcp:x', "f:2: syslog_address is a path, HOST:PORT or tcp:HOST:PORT, not 'tcp:x'"],
  ['syslog_facility=toString', "f:2: syslog_facility is a facility of syslog, not 'toString'"],
  ['log_format=xml', "f:2: log_format is json or text, not 'xml'"],
  [
    'logger_class=./my.mjs',
    "f:2: logger_class is ConfigLogger, OsloLogger, or a class of one's own as MODULE#CLASS, not './my.mjs'",
  ],
  ['log_level', "f:2: neither '[section]' nor 'key = value': 'log_level'"],
])('refuses %s', (line, error) => {
  expect(parseParameters(`[DEFAULT]\n${line}\n`, 'f')).toEqual({ ok: false, error })
})

it.each([
  [
    '[loggers]\nkeys=root\n',
    "f:1: no [DEFAULT]; a file for Python's logging is named by logging_conf, with logger_class = ConfigLogger",
  ],
  [
    '# log4cplus\nlog4cplus.rootLogger = INFO\n',
    "f:2: no section before 'log4cplus.rootLogger = INFO'; a file for log4cplus or log4j is named by log_property_file",
  ],
])('a file of a dialect in the place of the one that names it is refused: %j', (text, error) => {
  expect(parseParameters(text, 'f')).toEqual({ ok: false, error })
})

it.each([
  ['logging_conf=c', ['f:2: logging_conf is ignored: logger_class is missing']],
  ['logger_class=OsloLogger', ['f:2: logger_class is ignored: logging_conf is missing']],
  ['logger_class=pysandesh.sandesh_logger.SandeshLogger', []],
  ['logger_class=SandeshLogger\nlogging_conf=c', ['f:3: logging_conf is ignored: logger_class is SandeshLogger']],
])('goes by the plain parameters with %j', (lines, warnings) => {
  const r = parseParameters(`[DEFAULT]\n${lines}\n`, 'f')
  expect(r.ok && [r.value.kind, r.value.warnings]).toEqual(['plain', warnings])
})

it('says which parameters have no effect', () => {
  const s =
    '[DEFAULT]\nlogging_conf=a.conf\nlogger_class=pysandesh.sandesh_logger.SandeshConfigLogger\nlog_file=x\nlog_levle=y\n'
  expect(parseParameters(s, 'f')).toEqual({
    ok: true,
    value: {
      ...{ kind: 'python', file: 'a.conf', at: 'f:2' },
      warnings: ["f:5: unknown parameter 'log_levle' ignored", 'f: logging_conf is set, ignored: log_file'],
    },
  })
})

it.each([
  ['log_property_file=x', { kind: 'properties', file: 'x', at: 'f:2' }],
  ['logging_conf=c\nlogger_class=OsloLogger', { kind: 'oslo', file: 'c', at: 'f:2' }],
  [
    'logging_conf=c\nlogger_class=contrail_oslo_logger.contrail_oslo_logger.ContrailOsloLogger',
    { kind: 'oslo', file: 'c', at: 'f:2' },
  ],
  [
    'logging_conf=c\nlogger_class=some.where.SandeshConfigLogger\nlog_property_file=p',
    { kind: 'python', file: 'c', at: 'f:2' },
  ],
  ['logging_conf=c\nlog_property_file=p', { kind: 'properties', file: 'p', at: 'f:3' }],
  ['logger_class=ConfigLogger\nlog_property_file=p', { kind: 'properties', file: 'p', at: 'f:3' }],
  [
    'logger_class=./my.mjs#My\n[My]\nPort=4317\n[Other]\nx=y',
    { kind: 'own', module: './my.mjs', className: 'My', file: undefined, options: { port: '4317' }, at: 'f:2' },
  ],
  [
    'logger_class=my-package#My\nlogging_conf=c',
    { kind: 'own', module: 'my-package', className: 'My', file: 'c', options: {}, at: 'f:2' },
  ],
])('finds what is named in %s', (lines, named) => {
  const r = parseParameters(`[DEFAULT]\n${lines}\n`, 'f')
  expect(r.ok && r.value).toEqual({ ...named, warnings: r.ok ? r.value.warnings : [] })
})

it('rolls at the size given, and keeps as many files as it is told', async () => {
  const s = await logging('[DEFAULT]\nlog_file=roll.log\nlog_file_size=500\nlog_files_count=3\n')
  for (let i = 0; i < 100; i++) s.hub.log('lflow').info(`message ${i}`)
  s.hub.close()
  const files = readdirSync(dir).filter((n) => n.startsWith('roll'))
  expect(files.sort()).toEqual(['roll.log', 'roll.log.1', 'roll.log.2', 'roll.log.3'])
  for (const f of files) expect(read(f).length).toBeLessThanOrEqual(500)
  const lines = files.sort().reverse().map(read).join('').trimEnd().split('\n')
  expect(lines.at(-1)).toBe('2026-11-24T08:38:31.793Z|00100|lflow|INFO|message 99')
  // No line is missing between the oldest and the last.
  const numbers = lines.map((l) => Number(l.split(' ').at(-1)))
  expect(numbers).toEqual(Array.from({ length: lines.length }, (_, i) => 100 - lines.length + i))
  expect(s.said).toEqual([])
})

it('filters by level and module', async () => {
  const s = await logging('[DEFAULT]\nlog_file=some.log\nlog_level=warn\nlog_category=main\n')
  s.hub.log('main').info('too low')
  s.hub.log('lflow').err('another module')
  s.hub.log('main').warn('this one')
  expect(s.hub.log('lflow').enabled('emer')).toBe(false)
  s.hub.close()
  expect(read('some.log')).toBe('2026-11-24T08:38:31.793Z|00001|main|WARN|this one\n')
})

it.each(['log_disable=yes', 'log_local=no'])('with %s writes no file', async (line) => {
  const s = await logging(`[DEFAULT]\nlog_file=none.log\n${line}\n`)
  s.hub.log('main').emer('nobody hears it')
  s.hub.close()
  expect(readdirSync(dir)).not.toContain('none.log')
  expect(s.hub.log('main').enabled('emer')).toBe(false)
})

it('writes JSON that ovn logs reads', async () => {
  const s = await logging('[DEFAULT]\nlog_file=j.log\nlog_format=json\n')
  s.hub.log('binding').info('Claiming lport "a"', { port: 'a', n: 3 })
  s.hub.close()
  expect(parseLine(read('j.log').trimEnd(), 'x', 0)).toMatchObject({
    ...{ component: 'ovn-northd', module: 'binding', level: 'info', message: 'Claiming lport "a"' },
    fields: { port: 'a', n: '3' },
  })
})

it('takes a file of Python’s, and the old one stays when a new one is broken', async () => {
  const conf = `[loggers]\nkeys=root\n[handlers]\nkeys=f\n[formatters]\nkeys=p\n[logger_root]\nlevel=INFO\nhandlers=f
[handler_f]\nclass=handlers.RotatingFileHandler\nargs=('${dir}/p.log', 'a', 3000000, 10)\nformatter=p
[formatter_p]\nformat=%(name)s %(levelname)s %(message)s %(chassis)s\n`
  const name = join(dir, 'python.conf')
  writeFileSync(name, conf)
  const clock = new VirtualClock()
  const context = {
    component: 'ovn-controller',
    hostname: 'h',
    pid: 1,
    now: () => 0,
    onTrouble() {},
    resolve: (p: string) => p,
  }
  const top = join(dir, 'top.ini')
  writeFileSync(top, `[DEFAULT]\nlogging_conf=${name}\nlogger_class=ConfigLogger\n`)
  const loaded = await loadLogging(top, context)
  if (!loaded.ok) throw new Error(loaded.error)
  const hub = new Logging('ovn-controller', clock, [loaded.value.backend])
  hub.log('binding').info('one', { chassis: 'hv1' })
  writeFileSync(name, conf.replace('INFO', 'SHOUT'))
  expect(await loadLogging(top, context)).toEqual({ ok: false, error: `${name}:8: Unknown level: 'SHOUT'` })
  hub.log('binding').info('two')
  hub.close()
  expect(read('p.log')).toBe('ovn-controller.binding INFO one hv1\novn-controller.binding INFO two \n')
})

it('never throws, whatever it is given', () => {
  const key = fc.constantFrom(
    'log_file',
    'log_level',
    'log_file_size',
    'logger_class',
    'logging_conf',
    'log_category',
    'x',
  )
  const line = fc.tuple(key, fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor'))).map((p) => p.join('='))
  fc.assert(fc.property(fc.array(line), (lines) => void parseParameters(`[DEFAULT]\n${lines.join('\n')}`, 'f')))
})
