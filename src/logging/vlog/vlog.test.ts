import fc from 'fast-check'
import { expect, it } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import type { Appender } from '../event.ts'
import { Logging } from '../hub.ts'
import { VlogBackend } from './backend.ts'
import { vlogCommands } from './commands.ts'
import { parseSpec } from './levels.ts'

function setup() {
  const lines: string[] = []
  const appender = (name: string): Appender => ({
    append: (line) => lines.push(`${name}: ${line}`),
    reopen: () => lines.push(`${name} reopened`),
    flush() {},
    close: () => lines.push(`${name} closed`),
  })
  const clock = new VirtualClock(Date.UTC(2026, 10, 24, 8, 38, 31, 793))
  const vlog = new VlogBackend({
    modules: ['ovsdb_server', 'jsonrpc'],
    hostname: 'host',
    pid: 42,
    appenders: { console: appender('console'), file: appender('file') },
  })
  const logging = new Logging('ovsdb-server', clock, [vlog])
  vlog.onChange = () => logging.changed()
  return { lines, clock, vlog, logging, log: logging.log('ovsdb_server') }
}

it('writes the real daemon’s lines', () => {
  const s = setup()
  s.log.info('ovsdb-server (Open vSwitch) 4.0.0')
  s.log.dbg(() => 'not on')
  expect(s.lines).toEqual([
    'console: 2026-11-24T08:38:31Z|00001|ovsdb_server|INFO|ovsdb-server (Open vSwitch) 4.0.0',
    'file: 2026-11-24T08:38:31.793Z|00001|ovsdb_server|INFO|ovsdb-server (Open vSwitch) 4.0.0',
  ])
})

it('changes levels, patterns and facility as told', () => {
  const s = setup()
  expect(s.vlog.set('OVSDB_server:console:off').ok).toBe(true)
  expect(s.vlog.set('PATTERN:file:%-6p|%06N|%c|%A|%P|%B|%D{%H:%M:%S.#}|%m%%').ok).toBe(true)
  expect(s.vlog.set('file,dbg').ok).toBe(true)
  expect(s.vlog.set('FACILITY:local0').ok).toBe(true)
  s.log.dbg('one')
  s.logging.log('jsonrpc').dbg('two')
  expect(s.lines).toEqual([
    'file: DBG   |000001|ovsdb_server|ovsdb-server|42|135|08:38:31.7|one%',
    'file: DBG   |000002|jsonrpc|ovsdb-server|42|135|08:38:31.7|two%',
  ])
  expect(s.vlog.list().split('\n')[3]).toBe('ovsdb_server       OFF       INFO        DBG')
})

it.each([
  ['bogus:file:dbg', 'no destination, level, or module "bogus"'],
  ['file console', 'cannot specify multiple destinations'],
  ['info dbg', 'cannot specify multiple levels'],
  ['FACILITY:nowhere', 'invalid facility'],
  ['PATTERN:nowhere:%m', 'unknown destination "nowhere"'],
  ['PATTERN', 'missing destination'],
])('refuses %s and changes nothing', (spec, why) => {
  const s = setup()
  const before = s.vlog.list()
  const r = s.vlog.set(spec)
  expect(r).toEqual({ ok: false, error: why })
  expect(s.vlog.list()).toBe(before)
})

it('never throws on a specification', () => {
  fc.assert(fc.property(fc.string(), (text) => void parseSpec(text, () => undefined)))
})

it('answers the control commands', () => {
  const s = setup()
  const run = (name: string, ...args: string[]) => {
    let out = ''
    vlogCommands(s.vlog, s.logging)
      .find((c) => c.name === name)
      ?.run(args, { ok: (t) => (out = t), error: (t) => (out = `error: ${t}`) })
    return out
  }
  expect(run('vlog/set', 'nonsense')).toBe('error: no destination, level, or module "nonsense"')
  expect(run('vlog/list-pattern')).toContain(
    'CONSOLE  none                              %D{%Y-%m-%dT%H:%M:%SZ}|%05N|%c%T|%p|%m\n',
  )
  run('vlog/reopen')
  expect(s.lines).toEqual(['console reopened', 'file reopened'])
  expect(run('vlog/disable-rate-limit', 'jsonrpc', 'nosuch')).toBe('error: unknown module')
  expect(run('vlog/disable-rate-limit', 'ANY')).toBe('')
  for (let i = 0; i < 10; i++) s.log.warn('again', { code: 'again' })
  expect(s.lines.filter((l) => l.startsWith('file: 20'))).toHaveLength(10)
  expect(run('vlog/enable-rate-limit')).toBe('')
  run('vlog/close')
  run('vlog/close')
  expect(run('vlog/reopen')).toBe('')
  expect(s.lines.slice(-3)).toEqual(['file closed', 'console reopened', 'file reopened'])
  s.vlog.attach('file', undefined)
  expect(run('vlog/reopen')).toBe('error: Logging to file not configured')
  let reopened = 0
  const other = { enabled: () => true, write() {}, reopen: () => void reopened++, flush() {}, close() {} }
  s.logging.use([s.vlog, other])
  expect(run('vlog/reopen')).toBe('')
  expect(reopened).toBe(1)
})
