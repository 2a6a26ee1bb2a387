import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { gunzipSync } from 'node:zlib'
import { type OptionSpec, optionsHelp, parseOptions } from '../daemons/_options.ts'
import { SystemClock } from '../io/clock.ts'
import { errorText } from '../io/errors.ts'
import { type LogFilter, logFilter, mergeByTime, recordPrinter, records } from '../logging/reading/merge.ts'
import { componentsOf } from '../logging/reading/names.ts'
import { type LogRecord, levelNamed, RecordReader } from '../logging/reading/record.ts'

const FILTERS = 'Filters (those given more than once: any of them; ports and uuids: all of them)'
const OPTIONS: readonly OptionSpec[] = [
  {
    name: 'level',
    short: 'l',
    argument: 'LEVEL',
    help: 'this level and worse: emer, err, warn, info, dbg',
    group: FILTERS,
  },
  { name: 'component', short: 'c', argument: 'NAME', help: 'of this component: ovn-northd ...', group: FILTERS },
  { name: 'module', short: 'm', argument: 'NAME', help: 'of this module: binding ...', group: FILTERS },
  { name: 'port', short: 'p', argument: 'NAME', help: 'about this port', group: FILTERS },
  { name: 'uuid', short: 'u', argument: 'UUID', help: 'about this row', group: FILTERS },
  {
    name: 'since',
    argument: 'TIME',
    help: 'not before this time (2026-11-24T17:20:00Z;\nlocal time without Z)',
    group: FILTERS,
  },
  { name: 'until', argument: 'TIME', help: 'not after this time', group: FILTERS },
  { name: 'follow', short: 'f', help: 'go on with what is added, over rotations', group: 'Output' },
  { name: 'color', argument: 'WHEN', help: 'always, never or auto (default)', group: 'Output' },
  { name: 'help', short: 'h', help: 'this text', group: 'Others' },
  { name: 'version', short: 'V', help: 'the version', group: 'Others' },
]

/** How often a followed file is looked at, milliseconds. */
const POLL = 250
const PIECE = 1 << 16

function fail(message: string): never {
  process.stderr.write(`ovn-logs: ${message}\n`)
  process.exit(1)
}

/** A file that is read on from where it was left, by pieces, and by its new name after a rotation. */
class Source {
  private fd: number
  private position = 0
  private decoder = new StringDecoder('utf8')
  readonly reader: RecordReader

  constructor(
    readonly path: string,
    readonly component: string,
    now: number,
  ) {
    this.reader = new RecordReader(component, now)
    this.fd = openSync(path, 'r')
  }

  *pieces(): Generator<string> {
    try {
      yield* this.rest()
    } catch (e) {
      throw new Error(`${this.path}: ${errorText(e)}`)
    }
  }

  private *rest(): Generator<string> {
    if (this.path.endsWith('.gz')) {
      yield gunzipSync(readFileSync(this.path)).toString('utf8')
      return
    }
    const buffer = Buffer.alloc(PIECE)
    for (;;) {
      const n = readSync(this.fd, buffer, 0, PIECE, this.position)
      if (n === 0) return
      this.position += n
      yield this.decoder.write(buffer.subarray(0, n))
    }
  }

  /** What was added since; a record is complete when nothing follows it for one look. */
  added(): LogRecord[] {
    const out: LogRecord[] = []
    let some = false
    if (this.path.endsWith('.gz')) return out
    if (fstatSync(this.fd).size < this.position) this.position = 0
    const drain = () => {
      for (const piece of this.pieces()) {
        some = true
        out.push(...this.reader.push(piece))
      }
    }
    drain()
    if (this.replaced()) drain()
    if (!some) out.push(...this.reader.end())
    return out
  }

  /** Whether the name is another file's by now, which is then open instead. */
  private replaced(): boolean {
    try {
      const now = statSync(this.path)
      const open = fstatSync(this.fd)
      if (now.ino === open.ino && now.dev === open.dev) return false
      const fd = openSync(this.path, 'r')
      closeSync(this.fd)
      this.fd = fd
      this.position = 0
      this.decoder = new StringDecoder('utf8')
      return true
    } catch {
      // Between the rename and the new file there is none.
      return false
    }
  }
}

function timeOption(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined
  const time = Date.parse(text)
  return Number.isNaN(time) ? fail(`--${name}: ${text} is no time as 2026-11-24T17:20:00Z`) : time
}

function main(): void {
  const parsed = parseOptions(process.argv.slice(2), OPTIONS)
  if (!parsed.ok) fail(parsed.error)
  const options = parsed.value
  if (options.has('help') || options.has('version')) {
    const help = `ovn-logs: merge log files by time, filter and follow them\nusage: ovn-logs [OPTIONS] FILE...\n\n${optionsHelp(OPTIONS)}`
    process.stdout.write(options.has('help') ? help : 'ovn-logs 26.03.1\n')
    return
  }
  if (!options.rest.length) fail('no file given (use --help for help)')
  const level = options.value('level')
  const floor = level === undefined ? undefined : (levelNamed(level) ?? fail(`--level: ${level} is no level`))
  const since = timeOption(options.value('since'), 'since')
  const until = timeOption(options.value('until'), 'until')
  const filter: LogFilter = {
    components: options.values('component'),
    modules: options.values('module'),
    about: [...options.values('port'), ...options.values('uuid')],
    ...(floor === undefined ? {} : { level: floor }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  }
  const when = options.value('color') ?? 'auto'
  if (!['always', 'never', 'auto'].includes(when)) fail('--color takes "always", "never" or "auto"')
  const colour = when === 'always' || (when === 'auto' && process.stdout.isTTY === true && !process.env['NO_COLOR'])
  const now = new SystemClock().now()
  const components = componentsOf(options.rest)
  const sources = options.rest.map((path, i) => {
    try {
      return new Source(path, components[i] ?? '', now)
    } catch (e) {
      return fail(`${path}: ${errorText(e)}`)
    }
  })
  const passes = logFilter(filter)
  const print = recordPrinter([...new Set(sources.map((s) => s.component))], colour)
  const show = (all: Iterable<LogRecord>) => {
    for (const r of all) if (passes(r)) process.stdout.write(print(r))
  }
  // Whoever reads may have seen enough.
  process.stdout.on('error', () => process.exit(0))
  try {
    show(
      mergeByTime(
        sources.map((s) =>
          options.has('follow') ? s.reader.pushAll(s.pieces()) : records(s.pieces(), s.component, now),
        ),
      ),
    )
  } catch (e) {
    fail(errorText(e))
  }
  if (options.has('follow')) follow(sources, show)
}

function follow(sources: readonly Source[], show: (records: Iterable<LogRecord>) => void): void {
  const clock = new SystemClock()
  const look = () => {
    show(mergeByTime(sources.map((s) => s.added())))
    clock.after(POLL, look)
  }
  clock.after(POLL, look)
}

main()
