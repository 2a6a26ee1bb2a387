// Logging the same events by files of oslo.log's options, here and in oslo.log itself: for tests.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Fields, Level } from '../../base/log.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { Appender, Backend, LogEvent } from '../event.ts'
import { PythonBackend } from '../python/backend.ts'
import { parsePythonConfig } from '../python/config.ts'
import { osloBackend } from './backend.ts'
import { osloClasses } from './classes.ts'
import { PYTHON_FILE, recordOf } from './corpus.ts'
import { parseOsloOptions } from './options.ts'

/** A Python that has this module; Debian's is not always the first on the path. */
export function pythonWith(module: string): string | undefined {
  return ['python3', '/usr/bin/python3'].find((p) => spawnSync(p, ['-c', `import ${module}`]).status === 0)
}

// oslo.log names a program after its file.
const PROGRAM = 'ovn-northd'

const START = Date.UTC(2026, 10, 22, 21, 29, 58, 0)
export const PID = 4242

/** Events over nine days: dense at first, then hours and days apart; all levels, several loggers, some fields. */
function events(): LogEvent[] {
  const levels: Level[] = ['info', 'dbg', 'warn', 'info', 'err', 'dbg', 'info', 'emer']
  const loggers = [
    ['ovn-northd', ''],
    ['ovn-northd', 'lflow'],
    ['ovn-controller', 'binding'],
    ['ovsdb-server', ''],
    ['ovs-vswitchd', 'bridge'],
  ] as const
  const texts = [
    'listening on port 6641',
    'lsp "é" \\ it\'s \u{1f600}',
    'two\nlines',
    'x'.repeat(90),
    '100% {done} $now',
    '',
  ]
  const fields: (Fields | undefined)[] = [
    undefined,
    { chassis: 'hv1', count: 3, up: true },
    { request_id: 'req-1', user_identity: 'u p', instance: '[i] ' },
    { instance_uuid: '0b1c' },
    { request_id: 'req-2', global_request_id: 'req-g' },
    { resource: 'r "1" ' },
    {},
  ]
  return Array.from({ length: 60 }, (_, i) => {
    const step = i < 20 ? i * 700 : i < 40 ? (i - 19) * 1_500_000 : (i - 35) * 13_000_000
    const [component, module] = loggers[i % loggers.length] as (typeof loggers)[number]
    return {
      ...{ time: START + step + ((i * 137) % 1000), level: levels[i % levels.length] as Level, component, module },
      ...{ message: `${i} ${texts[i % texts.length]}`, fields: fields[i % fields.length], serial: i + 1 },
      elapsed: i * 250,
    }
  }).sort((a, b) => a.time - b.time)
}

export const EVENTS: readonly LogEvent[] = events()

export interface Outcome {
  readonly files: Readonly<Record<string, string>>
  readonly out: string
  readonly err: string
}

const contents = (dir: string) =>
  Object.fromEntries(readdirSync(dir).map((name) => [name, readFileSync(join(dir, name), 'utf8')]))

/** What we make of them; `between` is called before each event. */
export function ours(text: string, dir: string, between?: (i: number) => void): Result<Outcome> {
  const parsed = parseOsloOptions(text, 'oslo.conf', PROGRAM)
  if (!parsed.ok) return parsed
  const { options } = parsed.value
  const streams: Record<1 | 2, string> = { 1: '', 2: '' }
  const console = (fd: 1 | 2): Appender => ({
    ...{ reopen() {}, flush() {}, close() {} },
    append(line) {
      streams[fd] += `${line}\n`
    },
  })
  const fail = (message: string) => {
    throw new Error(message)
  }
  const context = {
    component: PROGRAM,
    now: () => START,
    resolve: (p: string) => p,
    onTrouble: fail,
    console,
    hostname: 'host',
    pid: PID,
  }
  let backend: Backend
  if (options.configFile === undefined) backend = osloBackend(options, context)
  else {
    const config = parsePythonConfig(
      readFileSync(options.configFile, 'utf8'),
      options.configFile,
      PID,
      osloClasses(context, options),
    )
    if (!config.ok) return config
    backend = new PythonBackend(config.value, context)
  }
  for (const [i, event] of EVENTS.entries()) {
    between?.(i)
    if (backend.enabled(event.level, event.component, event.module)) backend.write(event)
  }
  backend.close()
  return ok({ files: contents(dir), out: streams[1], err: streams[2] })
}

export interface Case {
  readonly text: string
  readonly dir: string
  readonly events?: readonly unknown[]
}

/** What oslo.log makes of the same files and events. */
export function theirs(python: string, root: string, zone: string, cases: readonly Case[]): Result<Outcome>[] {
  copyFileSync(join(import.meta.dirname, 'corpus.py'), join(root, PROGRAM))
  const input = cases.map(({ text, dir, events: given }) => {
    writeFileSync(`${dir}.conf`, text)
    return { file: `${dir}.conf`, dir, events: given ?? EVENTS.map((e) => recordOf(e, PID)), start: START / 1000 }
  })
  const r = spawnSync(python, [join(root, PROGRAM)], {
    ...{ input: JSON.stringify(input), encoding: 'utf8', maxBuffer: 1 << 28, env: { ...process.env, TZ: zone } },
  })
  if (r.status !== 0) throw new Error(r.stderr)
  const outcomes = JSON.parse(r.stdout) as (Outcome & { error?: string })[]
  return outcomes.map((o) => {
    if (o.error !== undefined) return err(o.error)
    const files = Object.entries(o.files).map(([n, b]) => [n, Buffer.from(b, 'base64').toString()])
    // What Python says of the options' older names goes to its standard error.
    return ok({ files: Object.fromEntries(files), out: o.out, err: o.err.replace(/^Deprecated: Option .*\n/gm, '') })
  })
}

let places = 0

/** A case's folder and file, beside it the file of log_config_append. */
export function place(text: string, dir: string): Case {
  mkdirSync(dir, { recursive: true })
  writeFileSync(`${dir}.python`, PYTHON_FILE.replaceAll('@DIR@', dir))
  // oslo.log reads such a file again only when its time is another one.
  places++
  utimesSync(`${dir}.python`, places, places)
  return { text: text.replaceAll('@DIR@', dir).replaceAll('@LONG@', 'x'.repeat(40_000)), dir }
}
