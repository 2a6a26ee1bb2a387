import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Fields, Level } from '../../base/log.ts'
import type { Appender, Backend, LogEvent } from '../event.ts'
import { PythonBackend } from '../python/backend.ts'
import { parsePythonConfig } from '../python/config.ts'
import { osloBackend } from './backend.ts'
import { CORPUS, PYTHON_FILE, recordOf } from './corpus.ts'
import { parseOsloOptions } from './options.ts'

/** A Python that has oslo.log; Debian's is not always the first on the path. */
const python = ['python3', '/usr/bin/python3'].find((p) => spawnSync(p, ['-c', 'import oslo_log']).status === 0)

const root = mkdtempSync(join(tmpdir(), 'oslo-'))
afterAll(() => rmSync(root, { recursive: true }))
// oslo.log names a program after its file.
const PROGRAM = 'ovn-northd'
copyFileSync(join(import.meta.dirname, 'corpus.py'), join(root, PROGRAM))

const START = Date.UTC(2026, 10, 22, 21, 29, 58, 0)
const PID = 4242

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

const EVENTS = events()

interface Outcome {
  readonly files: Readonly<Record<string, string>>
  readonly out: string
  readonly err: string
}

const contents = (dir: string) =>
  Object.fromEntries(readdirSync(dir).map((name) => [name, readFileSync(join(dir, name), 'utf8')]))

function ours(text: string, dir: string, between?: (i: number) => void): Outcome {
  const parsed = parseOsloOptions(text, 'oslo.conf', PROGRAM)
  if (!parsed.ok) throw new Error(parsed.error)
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
    const config = parsePythonConfig(readFileSync(options.configFile, 'utf8'), options.configFile, PID)
    if (!config.ok) throw new Error(config.error)
    backend = new PythonBackend(config.value, context)
  }
  for (const [i, event] of EVENTS.entries()) {
    between?.(i)
    if (backend.enabled(event.level, event.component, event.module)) backend.write(event)
  }
  backend.close()
  return { files: contents(dir), out: streams[1], err: streams[2] }
}

interface Case {
  readonly text: string
  readonly dir: string
  readonly events?: readonly unknown[]
}

/** What oslo.log makes of the same files and events. */
function theirs(zone: string, cases: readonly Case[]): Outcome[] {
  const input = cases.map(({ text, dir, events: given }) => {
    writeFileSync(`${dir}.conf`, text)
    return { file: `${dir}.conf`, dir, events: given ?? EVENTS.map((e) => recordOf(e, PID)), start: START / 1000 }
  })
  const r = spawnSync(python ?? '', [join(root, PROGRAM)], {
    ...{ input: JSON.stringify(input), encoding: 'utf8', maxBuffer: 1 << 28, env: { ...process.env, TZ: zone } },
  })
  if (r.status !== 0) throw new Error(r.stderr)
  const outcomes = JSON.parse(r.stdout) as (Outcome & { error?: string })[]
  return outcomes.map((o) => {
    if (o.error !== undefined) return o
    const files = Object.entries(o.files).map(([n, b]) => [n, Buffer.from(b, 'base64').toString()])
    // What Python says of the options' older names goes to its standard error.
    return { ...o, files: Object.fromEntries(files), err: o.err.replace(/^Deprecated: Option .*\n/gm, '') }
  })
}

let places = 0

/** A case's folder and file, beside it the file of log_config_append. */
function place(text: string, ...path: string[]): Case {
  const dir = join(root, ...path)
  mkdirSync(dir, { recursive: true })
  writeFileSync(`${dir}.python`, PYTHON_FILE.replaceAll('@DIR@', dir))
  // oslo.log reads such a file again only when its time is another one.
  places++
  utimesSync(`${dir}.python`, places, places)
  return { text: text.replaceAll('@DIR@', dir).replaceAll('@LONG@', 'x'.repeat(40_000)), dir }
}

// UPDATE_GOLDENS=1 writes anew what machines without oslo.log compare with.
const golden = join(import.meta.dirname, 'corpus.expected.json')

const digest = (outcome: Outcome | undefined) =>
  createHash('sha256')
    .update(JSON.stringify([Object.entries(outcome?.files ?? {}).sort(), outcome?.out, outcome?.err]))
    .digest('hex')

const digests: Record<string, string> = {}

describe.each(['UTC', 'America/New_York'])('the same bytes as oslo.log, %s', (zone) => {
  const cases = Object.entries(CORPUS).map(([name, text], i) => {
    const at = (side: string) => place(text, zone.replace('/', '-'), String(i), side)
    return { name: `${zone}: ${name}`, a: at('a'), b: at('b') }
  })
  const recorded: Readonly<Record<string, string>> = JSON.parse(readFileSync(golden, 'utf8'))
  const expected =
    python &&
    theirs(
      zone,
      cases.map((c) => c.a),
    )
  it.each(cases.map((c, i) => [c.name, c, i] as const))('%s', (name, c, i) => {
    const before = process.env['TZ']
    process.env['TZ'] = zone
    try {
      const got = ours(c.b.text, c.b.dir)
      digests[name] = digest(got)
      if (expected) expect(got).toEqual(expected[i])
      if (!process.env['UPDATE_GOLDENS']) expect(digests[name]).toBe(recorded[name])
    } finally {
      if (before === undefined) delete process.env['TZ']
      else process.env['TZ'] = before
    }
  })
})

afterAll(() => {
  if (python && process.env['UPDATE_GOLDENS']) writeFileSync(golden, `${JSON.stringify(digests, undefined, 1)}\n`)
})

describe.skipIf(python === undefined)("a file that is moved (needs Debian's python3-oslo.log)", () => {
  it('finds its file anew when it was moved away', () => {
    const text = '[DEFAULT]\nlog_file=@DIR@/x.log\n'
    const [a, b] = [place(text, 'moved', 'a'), place(text, 'moved', 'b')]
    const given: unknown[] = EVENTS.map((e) => recordOf(e, PID))
    given.splice(9, 0, { rename: [join(a.dir, 'x.log'), join(a.dir, 'x.log.1')] })
    const [expected] = theirs('UTC', [{ ...a, events: given }])
    const got = ours(b.text, b.dir, (i) => {
      if (i === 9) renameSync(join(b.dir, 'x.log'), join(b.dir, 'x.log.1'))
    })
    expect(Object.keys(got.files)).toEqual(['x.log', 'x.log.1'])
    expect(Object.values(got.files).join('').length).toBe(Object.values(expected?.files ?? {}).join('').length)
  })
})
