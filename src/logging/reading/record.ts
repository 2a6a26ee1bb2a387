import type { Level } from '../../base/log.ts'
import { stampOf } from './stamp.ts'

/** One message as it stands in a log file, with the lines that continue it. */
export interface LogRecord {
  /** Milliseconds since 1970; that of the record before it where a line has none. */
  readonly time: number
  readonly level: Level | undefined
  readonly component: string
  readonly module: string
  readonly message: string
  /** What a JSON line says besides; empty otherwise. */
  readonly fields: Readonly<Record<string, string>>
  /** As written, without the last line's end. */
  readonly text: string
}

const LEVEL_NAMES: Readonly<Record<string, Level>> = {
  EMER: 'emer',
  EMERG: 'emer',
  ALERT: 'emer',
  CRIT: 'emer',
  CRITICAL: 'emer',
  FATAL: 'emer',
  ERR: 'err',
  ERROR: 'err',
  WARN: 'warn',
  WARNING: 'warn',
  NOTICE: 'info',
  INFO: 'info',
  DBG: 'dbg',
  DEBUG: 'dbg',
  TRACE: 'dbg',
}

/** A level by any of its usual names, SYS_ERR and the like among them. */
export function levelNamed(name: string): Level | undefined {
  const upper = name.toUpperCase().replace(/^SYS_/, '')
  return Object.hasOwn(LEVEL_NAMES, upper) ? LEVEL_NAMES[upper] : undefined
}

/** The layout of Open vSwitch's files behind the time: |serial|module(thread)|LEVEL|message */
const VLOG = /^\|\d+\|([^|(]*)(?:\([^|]*\))?\|([A-Z]+)\|(.*)$/s

/** The same as a syslog daemon puts it down: ` host program[pid]: ovs|serial|module(thread)|LEVEL|message` */
const SYSLOG_VLOG = /^ (?:\S+ )?([\w.-]+)(?:\[\d+\])?: ovs\|\d+\|([^|(]*)(?:\([^|]*\))?\|([A-Z]+)\|(.*)$/s

/** A logger's name as other layouts print it: `ovn-northd.lflow`. */
const LOGGER = /(?<![\w./-])(ov[ns](?:db)?-[a-z]+(?:-[a-z]+)*)(?:\.([A-Za-z][\w-]*(?:\.[\w-]+)*))?(?![\w/])/

/** One line; undefined when it begins no message: then it goes on with the one before. `now` is for times without a year. */
export function parseLine(line: string, component: string, now: number): LogRecord | undefined {
  if (line.startsWith('{')) return parseJsonLine(line, component, now)
  const at = stampOf(line, now)
  if (!at) return undefined
  const rest = line.slice(at.length)
  const base = { time: at.time, component, fields: {}, text: line }
  const vlog = VLOG.exec(rest)
  if (vlog) return { ...base, module: vlog[1] ?? '', level: levelNamed(vlog[2] ?? ''), message: vlog[3] ?? '' }
  const syslog = SYSLOG_VLOG.exec(rest)
  if (syslog) {
    const [, program, module, level, message] = syslog
    const named = { component: program ?? '', module: module ?? '', message: message ?? '' }
    return { ...base, ...named, level: levelNamed(level ?? '') }
  }
  // What a layout puts before the message is at the line's head, the level before the time, too.
  const head = `${line.slice(0, 12)} ${rest.slice(0, 100)}`
  const word = head.match(/\b[A-Z][A-Z_]{2,}\b/g)?.find((w) => levelNamed(w))
  const logger = LOGGER.exec(rest.slice(0, 100))
  const named = { component: logger?.[1] ?? component, module: logger?.[2] ?? '', message: rest.trim() }
  return { ...base, ...named, level: word === undefined ? undefined : levelNamed(word) }
}

/** A line of a layout without the time: it begins with its level. */
function parseLevelled(line: string, component: string): Omit<LogRecord, 'time'> | undefined {
  const m = /^\[?([A-Z]{3,8})\]?(?=[\s:|-])/.exec(line)
  const level = m?.[1] === undefined ? undefined : levelNamed(m[1])
  if (!m || level === undefined) return undefined
  const rest = line.slice(m[0].length)
  const logger = LOGGER.exec(rest.slice(0, 100))
  const named = { component: logger?.[1] ?? component, module: logger?.[2] ?? '' }
  return { ...named, level, message: rest.replace(/^[\s:|-]+/, ''), fields: {}, text: line }
}

const KNOWN = new Set([
  ...['time', 'timestamp', '@timestamp', 'asctime', 'created', 'msecs', 'relative_created'],
  ...['level', 'levelname', 'severity', 'component', 'module', 'name', 'logger', 'message', 'msg', 'fields'],
])

/** pino's and bunyan's numbers. */
function numberedLevel(level: number): Level {
  if (level >= 60) return 'emer'
  if (level >= 50) return 'err'
  if (level >= 40) return 'warn'
  return level >= 30 ? 'info' : 'dbg'
}

/** A line of JSON: ours, oslo.log's, pino's, or what a container's runtime makes of a line. */
function parseJsonLine(line: string, component: string, now: number): LogRecord | undefined {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const o = new Map<string, unknown>(Object.entries(value))
  const text = (...names: string[]) => {
    for (const n of names) if (typeof o.get(n) === 'string') return o.get(n) as string
    return undefined
  }
  const inner = o.get('log')
  if (typeof inner === 'string' && o.has('stream')) {
    const record = parseLine(inner.trimEnd(), component, now)
    if (record) return { ...record, text: line }
  }
  const time = jsonTime(o, now)
  if (time === undefined) return undefined
  const fields: Record<string, string> = Object.create(null) as Record<string, string>
  const put = (members: Iterable<readonly [string, unknown]>) => {
    for (const [k, v] of members) fields[k] = typeof v === 'string' ? v : (JSON.stringify(v) ?? '')
  }
  const nested = o.get('fields')
  if (typeof nested === 'object' && nested !== null) put(Object.entries(nested))
  put([...o].filter(([k]) => !KNOWN.has(k)))
  const level = o.get('level')
  const logger = LOGGER.exec(text('name', 'logger') ?? '')
  return {
    time,
    level: typeof level === 'number' ? numberedLevel(level) : levelNamed(text('level', 'levelname', 'severity') ?? ''),
    component: text('component') ?? logger?.[1] ?? component,
    module: logger?.[2] ?? text('module') ?? '',
    message: text('message', 'msg') ?? '',
    fields,
    text: line,
  }
}

/** Texts as in other logs, milliseconds, or seconds with a fraction (Python's `created`). */
function jsonTime(o: ReadonlyMap<string, unknown>, now: number): number | undefined {
  const created = o.get('created')
  if (typeof created === 'number' && Number.isFinite(created)) return created * 1000
  const when = o.get('time') ?? o.get('timestamp') ?? o.get('@timestamp') ?? o.get('asctime')
  const time = typeof when === 'number' ? when : typeof when === 'string' ? stampOf(when, now)?.time : undefined
  if (time === undefined || !Number.isFinite(time)) return undefined
  const ms = o.get('msecs')
  return typeof ms === 'number' && o.has('asctime') && time % 1000 === 0 ? time + (ms % 1000) : time
}

/** Puts lines together to records: what does not begin one belongs to the one before it. */
export class RecordReader {
  private rest = ''
  private open: LogRecord | undefined
  private time = 0
  /** Some line had a time: then those without go on with the one before. */
  private timed = false
  /** Characters of lines that continue the open record. */
  private extra: string[] = []

  constructor(
    private readonly component: string,
    /** Milliseconds since 1970: for times without a year. */
    private readonly now: number,
  ) {}

  /** Takes a piece of the file; the last record stays open until another begins, or `end`. */
  push(text: string): LogRecord[] {
    const lines = (this.rest + text).split('\n')
    this.rest = lines.pop() ?? ''
    const out: LogRecord[] = []
    for (const line of lines) this.line(line, out)
    return out
  }

  /** Takes several; the last record stays open. */
  *pushAll(pieces: Iterable<string>): Generator<LogRecord> {
    for (const piece of pieces) yield* this.push(piece)
  }

  /** The record that is open. */
  end(): LogRecord[] {
    const out: LogRecord[] = []
    if (this.rest) this.line(this.rest, out)
    this.rest = ''
    this.finish(out)
    return out
  }

  private line(line: string, out: LogRecord[]): void {
    let record = parseLine(line, this.component, this.now)
    if (record) this.timed = true
    else if (!this.timed) {
      const levelled = parseLevelled(line, this.component)
      record = levelled && { ...levelled, time: this.time }
    }
    if (record) {
      this.finish(out)
      this.open = record
      this.time = record.time
    } else if (this.open) this.extra.push(line)
    else {
      const { time, component } = this
      out.push({ time, component, level: undefined, module: '', message: line, fields: {}, text: line })
    }
  }

  private finish(out: LogRecord[]): void {
    if (this.open)
      out.push(this.extra.length ? { ...this.open, text: [this.open.text, ...this.extra].join('\n') } : this.open)
    this.open = undefined
    this.extra = []
  }
}
