import type { LoggingContext } from '../context.ts'
import { type Layout, type LogEvent, loggerName } from '../event.ts'
import { levelNumber, recordAttribute, recordOptions } from '../python/formatter.ts'
import { type Attribute, Float, text } from '../python/number-format.ts'
import type { Lookup } from '../python/style.ts'
import type { OsloOptions } from './options.ts'

type FormatContext = Pick<LoggingContext, 'component' | 'hostname' | 'pid'>

const COLORS = { emer: '01;31', err: '01;31', warn: '01;33', info: '00;36', dbg: '00;32' } as const

const RESET = '\x1b[00m'

/**
 * The layout of oslo_log.formatters.ContextFormatter: an event that has a field `request_id` is written by
 * the format for events with a context. With `color`, %(color)s is the level's, and a line ends without one.
 */
export function contextLayout(options: OsloOptions, context: FormatContext, color: boolean): Layout {
  const record = recordOptions(options.dateFormat, context.pid)
  const attribute = (name: string, event: LogEvent): Attribute | undefined => {
    const value = recordAttribute(name, event, record)
    if (name === 'color') return color ? `\x1b[${COLORS[event.level]}m` : ''
    if (value !== undefined) return value
    // The product that a program is registered as.
    if (name === 'project') return context.component
    const uuid = name === 'instance' ? event.fields?.['instance_uuid'] : undefined
    return uuid === undefined
      ? undefined
      : options.instanceFormat?.fill((n) => (n === 'uuid' ? String(uuid) : undefined))
  }
  return (event) => {
    const format = event.fields?.['request_id'] ? options.contextFormat : options.defaultFormat
    const lookup: Lookup = (name) => attribute(name, event) ?? (name === 'error_summary' ? format?.summary : undefined)
    const suffix = event.level === 'dbg' ? options.debugSuffix : undefined
    // An empty format is the message, but not in front of a suffix.
    let line = format?.fill(lookup) ?? (suffix ? '' : event.message)
    if (suffix) line += ` ${suffix.fill(lookup)}`
    return color ? line + RESET : line
  }
}

/** json.dumps() of a text: all but ASCII is escaped. */
function quote(value: string): string {
  return JSON.stringify(value).replace(/[\x7f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function json(value: string | number | boolean | Float): string {
  if (typeof value === 'string') return quote(value)
  if (value instanceof Float) return text(value)
  return typeof value === 'number' && !Number.isFinite(value) ? 'null' : String(value)
}

/** The layout of oslo_log.formatters.JSONFormatter; an event's fields are its `extra`. */
export function jsonLayout(options: OsloOptions, context: FormatContext): Layout {
  const record = recordOptions(options.dateFormat, context.pid)
  return (event) => {
    const a = (name: string) => json(recordAttribute(name, event, record) ?? '')
    const message = quote(event.message)
    const extra = Object.entries(event.fields ?? {}).flatMap(([key, value]) =>
      value === undefined ? [] : [`${quote(key)}: ${json(value)}`],
    )
    const members = [
      ...[`"message": ${message}`, `"asctime": ${a('asctime')}`, `"name": ${a('name')}`, `"msg": ${message}`],
      ...['"args": []', `"levelname": ${a('levelname')}`, `"levelno": ${a('levelno')}`],
      ...[`"pathname": ${a('pathname')}`, `"filename": ${a('filename')}`, `"module": ${a('module')}`],
      ...[`"lineno": ${a('lineno')}`, `"funcname": ${a('funcName')}`, `"created": ${a('created')}`],
      ...[`"msecs": ${a('msecs')}`, `"relative_created": ${a('relativeCreated')}`, `"thread": ${a('thread')}`],
      ...[`"thread_name": ${a('threadName')}`, `"process_name": ${a('processName')}`, `"process": ${a('process')}`],
      ...['"traceback": null', `"hostname": ${quote(context.hostname)}`, '"error_summary": ""', '"context": {}'],
      `"extra": {${extra.join(', ')}}`,
    ]
    return `{${members.join(', ')}}`
  }
}

/** Lines for a terminal: what was coloured ends. */
export function reset(layout: Layout): Layout {
  return (event) => layout(event) + RESET
}

const NO_DATES = recordOptions(undefined, 0)

/** Fields of systemd.journal-fields(7) and those that oslo.log adds. */
export function journalFields(event: LogEvent, message: string, facility: number): [string, string][] {
  const record = NO_DATES
  const a = (name: string) => text(recordAttribute(name, event, record) ?? '')
  const request = event.fields?.['request_id']
  const own = Object.entries(event.fields ?? {}).flatMap(([key, value]): [string, string][] =>
    value === undefined || key === 'request_id' ? [] : [[`OVN_${key}`, String(value)]],
  )
  return [
    ['MESSAGE', message],
    ['CODE_FILE', a('pathname')],
    ['CODE_LINE', a('lineno')],
    ['CODE_FUNC', a('funcName')],
    ['THREAD_NAME', a('threadName')],
    ['PROCESS_NAME', a('processName')],
    ['LOGGER_NAME', loggerName(event)],
    ['LOGGER_LEVEL', a('levelname')],
    ['SYSLOG_IDENTIFIER', event.component],
    ['PRIORITY', String(severity(event))],
    ['SYSLOG_FACILITY', String(facility)],
    ...(request === undefined ? [] : ([['REQUEST_ID', String(request)]] as [string, string][])),
    ...own,
  ]
}

/** Severity of syslog by Python's levels (RFC 5424 §6.2.1). */
export function severity(event: LogEvent): number {
  const number = levelNumber(event.level)
  return number >= 50 ? 2 : number >= 40 ? 3 : number >= 30 ? 4 : number >= 20 ? 6 : 7
}
