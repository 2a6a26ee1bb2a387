import { LEVELS, type Level } from '../../base/log.ts'
import { type LogRecord, RecordReader } from './record.ts'

/** The records of one file, read piece by piece. */
export function* records(pieces: Iterable<string>, component: string, now: number): Generator<LogRecord> {
  const reader = new RecordReader(component, now)
  for (const piece of pieces) yield* reader.push(piece)
  yield* reader.end()
}

/** Merges by time; of the same time, the source named first comes first, and none is put in another order in itself. */
export function* mergeByTime(sources: readonly Iterable<LogRecord>[]): Generator<LogRecord> {
  const heads = sources.map((s) => s[Symbol.iterator]())
  const next = heads.map((h) => h.next())
  for (;;) {
    let first = -1
    let least = Number.POSITIVE_INFINITY
    for (const [i, n] of next.entries()) {
      if (n.done || n.value.time >= least) continue
      least = n.value.time
      first = i
    }
    const head = next[first]
    if (!head || head.done) return
    yield head.value
    next[first] = (heads[first] as Iterator<LogRecord>).next()
  }
}

/** What is to be seen; what is left out lets everything through. */
export interface LogFilter {
  /** The least severe level. */
  readonly level?: Level
  readonly components?: readonly string[]
  readonly modules?: readonly string[]
  /** Words that a record must have among its fields or, as a whole word, in its text: ports, uuids. All of them. */
  readonly about?: readonly string[]
  readonly since?: number
  readonly until?: number
}

export function logFilter(filter: LogFilter): (record: LogRecord) => boolean {
  const depth = filter.level === undefined ? undefined : LEVELS.indexOf(filter.level)
  const plain = (name: string) => name.toLowerCase().replaceAll('-', '_')
  const modules = filter.modules?.map(plain)
  const about = filter.about?.map((word) => ({ word, test: wholeWord(word) }))
  return (r) =>
    (depth === undefined || (r.level !== undefined && LEVELS.indexOf(r.level) <= depth)) &&
    (!filter.components?.length || filter.components.some((c) => r.component === c || r.component.endsWith(`/${c}`))) &&
    (!modules?.length || modules.includes(plain(r.module))) &&
    (filter.since === undefined || r.time >= filter.since) &&
    (filter.until === undefined || r.time <= filter.until) &&
    (about ?? []).every((a) => Object.values(r.fields).includes(a.word) || a.test.test(r.text))
}

/** Port `lp1` is not found in `lp10` or `lp1-x`: names have dots, dashes, colons and slashes. */
function wholeWord(word: string): RegExp {
  return new RegExp(`(?<![\\w./:-])${word.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}(?![\\w/-]|[.:]\\w)`)
}

const COLOURS: Readonly<Record<Level, string>> = { emer: '1;31', err: '31', warn: '33', info: '', dbg: '2' }
const COMPONENT_COLOURS = ['36', '35', '32', '34', '96', '95', '92', '94']

/** Prints a record behind its component's name, of `width` columns, in colour or not. */
export function recordPrinter(components: readonly string[], colour: boolean): (record: LogRecord) => string {
  const known = [...components]
  let width = Math.max(0, ...known.map((c) => c.length))
  const paint = (text: string, code: string) => (colour && code ? `\x1b[${code}m${text}\x1b[0m` : text)
  return (r) => {
    // A file may hold what several programs said: a syslog daemon's does.
    if (!known.includes(r.component) && known.length < 1000) known.push(r.component)
    width = Math.max(width, Math.min(r.component.length, 40))
    const at = Math.max(0, known.indexOf(r.component))
    const name = paint(r.component.padEnd(width), COMPONENT_COLOURS[at % COMPONENT_COLOURS.length] ?? '')
    // Control characters of a hostile message would steer the terminal.
    const text = colour ? r.text.replace(/[^\P{Cc}\n\t]/gu, '?') : r.text
    return text
      .split('\n')
      .map((line) => `${name} ${paint(line, r.level ? COLOURS[r.level] : '')}\n`)
      .join('')
  }
}
