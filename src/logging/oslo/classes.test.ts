import { expect, it } from 'vitest'
import type { LogEvent } from '../event.ts'
import { PythonBackend } from '../python/backend.ts'
import { parsePythonConfig } from '../python/config.ts'
import { osloClasses } from './classes.ts'
import { parseOsloOptions } from './options.ts'

// Files for Python's fileConfig that name oslo.log's classes, as the samples of OpenStack's services do. The lines are
// those of oslo.log 5.0.1.

const event: LogEvent = {
  ...{ time: Date.UTC(2026, 10, 24, 8, 38, 31, 793), level: 'info', component: 'ovn-northd', module: 'lflow' },
  ...{ message: 'hello', fields: { request_id: 'req-1', port: 'lsp1' }, serial: 1, elapsed: 0 },
}

function line(formatter: string, handler = 'StreamHandler', options?: string): string {
  let out = ''
  const context = {
    ...{ component: 'ovn-northd', hostname: 'host', pid: 42, now: () => event.time, resolve: (p: string) => p },
    onTrouble() {},
    console: () => ({ append: (text: string) => (out += text), reopen() {}, flush() {}, close() {} }),
  }
  const given = options === undefined ? undefined : parseOsloOptions(`[DEFAULT]\n${options}\n`, 'o', 'ovn-northd')
  const text = `[loggers]\nkeys=root\n[handlers]\nkeys=h\n[formatters]\nkeys=f\n[logger_root]\nlevel=INFO\nhandlers=h
[handler_h]\nclass=${handler}\nformatter=f\nargs=()\n[formatter_f]\n${formatter}\n`
  const config = parsePythonConfig(text, 'f', 42, osloClasses(context, given?.ok ? given.value.options : undefined))
  if (!config.ok) return config.error
  const backend = new PythonBackend(config.value, context)
  backend.write(event)
  backend.close()
  return out
}

it('ContextFormatter has the formats of the options, and its own format of dates', () => {
  const zone = process.env['TZ']
  process.env['TZ'] = 'UTC'
  try {
    expect(line('class = oslo_log.formatters.ContextFormatter')).toBe(
      '2026-11-24 08:38:31,793.793 42 INFO ovn-northd.lflow [ req-1 ] hello',
    )
    expect(line('class = nova.openstack.common.log.ContextFormatter\nformat = no\ndatefmt = %H:%M')).toBe(
      '08:38.793 42 INFO ovn-northd.lflow [ req-1 ] hello',
    )
    const options = 'logging_context_format_string = %(request_id)s %(port)s %(message)s'
    expect(line('class = oslo_log.formatters.ContextFormatter', undefined, options)).toBe('req-1 lsp1 hello')
  } finally {
    if (zone === undefined) delete process.env['TZ']
    else process.env['TZ'] = zone
  }
})

it('JSONFormatter writes JSON', () => {
  expect(JSON.parse(line('class = oslo_log.formatters.JSONFormatter'))).toMatchObject({
    ...{ message: 'hello', name: 'ovn-northd.lflow', levelname: 'INFO', extra: { port: 'lsp1' } },
  })
})

it('handlers to syslog and the journal are there, other classes are not', () => {
  const formatter = 'format = %(message)s'
  expect(line(formatter, 'oslo_log.handlers.OSSysLogHandler')).toBe('')
  expect(line(formatter, 'oslo_log.handlers.OSJournalHandler')).toBe('')
  expect(line(formatter, 'oslo_log.handlers.ColorHandler')).toMatch(/^f:11: no handler class 'oslo_log/)
  expect(line('class = oslo_log.formatters.FluentFormatter')).toMatch(/^f:15: no formatter class 'oslo_log/)
})
