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

/** The style of tables under the options given: what is given later counts, so that `--bare -f csv` makes CSV. */
export function styleOf(base: TableStyle, options: ReadonlyMap<string, string>): TableStyle {
  let { format, data, headings } = base
  for (const [name, value] of options) {
    if (name === 'format') format = parseTableFormat(value)
    else if (name === 'data') data = parseDataFormat(value)
    else if (name === 'no-headings') headings = false
    else if (name === 'bare') {
      format = 'list'
      data = 'bare'
      headings = false
    }
  }
  const widest = Number.parseInt(options.get('max-column-width') ?? '', 10)
  return {
    ...{ format, data, headings, pretty: options.has('pretty') },
    ...(widest > 0 ? { maxColumnWidth: widest } : {}),
  }
}

/** Checks the options that every tool has. */
export function checkCommon(options: ReadonlyMap<string, string>): void {
  const timeout = options.get('timeout')
  if (timeout !== undefined && !isTimeout(timeout)) fatal(`value ${timeout} on -t or --timeout is invalid`)
  const format = options.get('format')
  if (format !== undefined) parseTableFormat(format)
  const data = options.get('data')
  if (data !== undefined) parseDataFormat(data)
}

/** A positive number of 32 bits. */
const isTimeout = (text: string): boolean => /^\d+$/.test(text) && Number(text) > 0 && Number(text) < 2 ** 32
