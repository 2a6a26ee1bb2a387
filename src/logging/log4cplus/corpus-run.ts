import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Appender, LogEvent } from '../event.ts'
import { Log4cplusBackend } from './backend.ts'
import { parseLog4cplus } from './config.ts'
import { type Case, HOST, PID, START } from './corpus.ts'

/** What became of a case: long files by their length and a digest. */
export interface Outcome {
  readonly files: Readonly<Record<string, string>>
  readonly out: string
  readonly err: string
}

/** Writes the properties and the files that are there before; returns the path of the properties. */
export function prepare(given: Case, dir: string): string {
  mkdirSync(dir, { recursive: true })
  const text = (t: string) => t.replaceAll('@DIR@', dir).replaceAll('@{', '${')
  for (const [name, content] of Object.entries(given.before ?? {})) writeFileSync(join(dir, name), text(content))
  const path = `${dir}.properties`
  writeFileSync(path, text(given.text))
  return path
}

export function environmentOf(given: Case): Record<string, string> {
  return Object.fromEntries(Object.entries(given.environment ?? {}).map(([k, v]) => [k, v.replaceAll('@{', '${')]))
}

/** The files in a folder and those below it. */
export function contents(dir: string): Record<string, string> {
  const names = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((e) => e.isFile())
  const paths = names.map((e) => join(e.parentPath ?? e.path, e.name)).sort()
  return Object.fromEntries(
    paths.map((p) => [p.slice(dir.length + 1), short(readFileSync(p, 'utf8').replaceAll(dir, '@DIR@'))]),
  )
}

const short = (text: string) =>
  text.length < 1500 ? text : `${text.length} ${createHash('sha256').update(text).digest('hex').slice(0, 16)}`

/** What our own backend makes of a case. */
export function ours(given: Case, dir: string, events: readonly LogEvent[]): Outcome & { warnings: readonly string[] } {
  const path = prepare(given, dir)
  const environment = environmentOf(given)
  const config = parseLog4cplus(readFileSync(path, 'utf8'), path, {
    ...{ hostname: HOST, pid: PID, environment: (name) => environment[name] },
    include(name) {
      try {
        return readFileSync(name, 'utf8')
      } catch {
        return undefined
      }
    },
  })
  if (!config.ok) throw new Error(config.error)
  const streams: Record<1 | 2, string> = { 1: '', 2: '' }
  const console = (fd: 1 | 2): Appender => ({
    ...{ reopen() {}, flush() {}, close() {} },
    append(line) {
      streams[fd] += line
    },
  })
  const warnings = [...config.value.warnings]
  let time = START
  const backend = new Log4cplusBackend(config.value, {
    ...{ component: 'ovn-northd', hostname: HOST, pid: PID, now: () => time, resolve: (p) => p, console },
    onTrouble: (message) => warnings.push(message),
  })
  for (const e of events) {
    time = e.time
    if (backend.enabled(e.level, e.component, e.module)) backend.write(e)
  }
  backend.close()
  return { files: contents(dir), out: streams[1], err: streams[2], warnings }
}
