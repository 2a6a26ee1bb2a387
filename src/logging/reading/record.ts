import type { Level } from '../../base/log.ts'

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

// ISO 8601 with a T or a blank, the fraction behind a point or (Python) a comma.
const STAMP = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?/

/** The time at the head of a line and how long its text is; without a zone it is this machine's. */
function stamp(line: string): { readonly time: number; readonly length: number } | undefined {
  const m = STAMP.exec(line)
  if (!m) return undefined
  const zone = m[4] === undefined || m[4] === 'Z' ? (m[4] ?? '') : `${m[4].slice(0, 3)}:${m[4].slice(-2)}`
  const seconds = Date.parse(`${m[1]}T${m[2]}${zone}`)
  if (Number.isNaN(seconds)) return undefined
  return { time: seconds + (m[3] ? Number(`0.${m[3]}`) * 1000 : 0), length: m[0].length }
}

/** One line; undefined when it begins no message: then it goes on with the one before. */
export function parseLine(line: string, component: string): LogRecord | undefined {
  if (line.startsWith('{')) return parseJsonLine(line, component)
  const at = stamp(line)
  if (!at) return undefined
  const rest = line.slice(at.length)
  const base = { time: at.time, component, fields: {}, text: line }
  // The layout of Open vSwitch's files: |serial|module(thread)|LEVEL|message
  const vlog = /^\|\d+\|([^|(]*)(?:\([^|]*\))?\|([A-Z]+)\|(.*)$/s.exec(rest)
  if (vlog) return { ...base, module: vlog[1] ?? '', level: levelNamed(vlog[2] ?? ''), message: vlog[3] ?? '' }
  const word = rest.match(/\b[A-Z][A-Z_]{2,}\b/g)?.find((w) => levelNamed(w))
  return { ...base, module: '', level: word === undefined ? undefined : levelNamed(word), message: rest.trim() }
}

const KNOWN = new Set(['time', 'timestamp', 'level', 'component', 'module', 'message', 'msg'])

function parseJsonLine(line: string, component: string): LogRecord | undefined {
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
  const when = o.get('time') ?? o.get('timestamp')
  const time = typeof when === 'number' ? when : typeof when === 'string' ? stamp(when)?.time : undefined
  if (time === undefined || !Number.isFinite(time)) return undefined
  const fields: Record<string, string> = Object.create(null) as Record<string, string>
  const put = (members: Iterable<readonly [string, unknown]>) => {
    for (const [k, v] of members) fields[k] = typeof v === 'string' ? v : (JSON.stringify(v) ?? '')
  }
  const nested = o.get('fields')
  if (typeof nested === 'object' && nested !== null) put(Object.entries(nested))
  put([...o].filter(([k]) => !KNOWN.has(k) && k !== 'fields'))
  return {
    time,
    level: levelNamed(text('level') ?? ''),
    component: text('component') ?? component,
    module: text('module') ?? '',
    message: text('message', 'msg') ?? '',
    fields,
    text: line,
  }
}

/** Puts lines together to records: what does not begin one belongs to the one before it. */
export class RecordReader {
  private rest = ''
  private open: LogRecord | undefined
  private time = 0
  /** Characters of lines that continue the open record. */
  private extra: string[] = []

  constructor(private readonly component: string) {}

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
    const record = parseLine(line, this.component)
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
