import { fatal } from './error.ts'
import type { GlobalOption } from './program.ts'
import { parseDataFormat, parseTableFormat, type TableStyle } from './table.ts'

const none = (name: string, short?: string): GlobalOption => ({ name, value: 'none', ...(short ? { short } : {}) })
const required = (name: string, short?: string): GlobalOption => ({
  name,
  value: 'required',
  ...(short ? { short } : {}),
})
const optional = (name: string, short?: string): GlobalOption => ({
  name,
  value: 'optional',
  ...(short ? { short } : {}),
})

export const TABLE_OPTIONS: readonly GlobalOption[] = [
  required('format', 'f'),
  required('data', 'd'),
  none('no-headings'),
  none('pretty'),
  none('bare'),
  required('max-column-width'),
]

export const SSL_OPTIONS: readonly GlobalOption[] = [
  required('private-key', 'p'),
  required('certificate', 'c'),
  required('ca-cert', 'C'),
  required('bootstrap-ca-cert'),
  required('ssl-protocols'),
  required('ssl-ciphers'),
  required('ssl-ciphersuites'),
  required('ssl-server-name'),
]

export const LOG_OPTIONS: readonly GlobalOption[] = [
  optional('verbose', 'v'),
  optional('log-file'),
  required('syslog-method'),
  required('syslog-target'),
]

export const DAEMON_OPTIONS: readonly GlobalOption[] = [
  none('detach'),
  none('no-chdir'),
  optional('pidfile'),
  none('overwrite-pidfile'),
  none('monitor'),
  none('no-self-confinement'),
  required('user'),
]

/** The options that the ctl tools share. */
export const COMMON_OPTIONS: readonly GlobalOption[] = [
  required('db'),
  none('no-syslog'),
  none('no-wait'),
  none('dry-run'),
  none('oneline'),
  required('timeout', 't'),
  none('help', 'h'),
  none('version', 'V'),
  none('commands'),
  none('options'),
  ...TABLE_OPTIONS,
  ...SSL_OPTIONS,
  ...LOG_OPTIONS,
]

export const { none: flag, required: withValue, optional: maybeValue } = { none, required, optional }

/** The style of tables under the options given. */
export function styleOf(base: TableStyle, options: ReadonlyMap<string, string>): TableStyle {
  const bare = options.has('bare')
  const format = options.get('format')
  const data = options.get('data')
  return {
    format: bare ? 'list' : format === undefined ? base.format : parseTableFormat(format),
    data: bare ? 'bare' : data === undefined ? base.data : parseDataFormat(data),
    headings: !bare && !options.has('no-headings'),
    pretty: options.has('pretty'),
    ...(options.has('max-column-width') ? { maxColumnWidth: Number(options.get('max-column-width')) || 0 } : {}),
  }
}

/** Checks the options that every tool has. */
export function checkCommon(options: ReadonlyMap<string, string>): void {
  const timeout = options.get('timeout')
  if (timeout !== undefined && !/^\d+$/.test(timeout)) fatal(`value ${timeout} on -t or --timeout is invalid`)
  const format = options.get('format')
  if (format !== undefined) parseTableFormat(format)
  const data = options.get('data')
  if (data !== undefined) parseDataFormat(data)
}
