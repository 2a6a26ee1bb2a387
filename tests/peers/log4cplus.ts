import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type LogEvent, loggerName } from '../../src/logging/event.ts'
import { type Case, START } from '../../src/logging/log4cplus/corpus.ts'
import { contents, environmentOf, type Outcome, prepare } from '../../src/logging/log4cplus/corpus-run.ts'
import { levelName } from '../../src/logging/log4cplus/levels.ts'
import { mappedContext, nestedContext } from '../../src/logging/log4cplus/pattern.ts'

/** Compiles the driver; undefined, where the compiler or the library is missing. */
export function buildDriver(dir: string): string | undefined {
  if (!existsSync('/usr/include/log4cplus/logger.h')) return undefined
  const to = join(dir, 'log4cplus-driver')
  const source = join(import.meta.dirname, 'log4cplus-driver.cc')
  const r = spawnSync('g++', ['-O1', '-rdynamic', '-o', to, source, '-llog4cplus'], {
    encoding: 'utf8',
    timeout: 120_000,
  })
  if (r.error) return undefined
  if (r.status !== 0) throw new Error(r.stderr)
  return to
}

/** An event as the driver reads it. */
function line(event: LogEvent): string {
  const fields = [
    ...[String(Math.round(event.time * 1000)), loggerName(event), levelName(event.level), nestedContext(event.fields)],
    ...['4242', '4242', '', '-1', '', event.message],
    ...mappedContext(event.fields).map(([k, v]) => `${k}=${v}`),
  ]
  const escaped = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n')
  return `${fields.map(escaped).join('\t')}\n`
}

/** As `theirs`, but without waiting, so that a server of the test can answer. Ends with its standard output. */
export function logged(driver: string, given: Case, dir: string, events: readonly LogEvent[]): Promise<string> {
  const path = prepare(given, dir)
  const child = spawn(driver, [path], { env: { TZ: 'UTC', LOG4CPLUS_START: String(START * 1000) }, timeout: 120_000 })
  let said = ''
  child.stdout.on('data', (d) => (said += d))
  child.stderr.resume()
  child.stdin.end(events.map(line).join(''))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => resolve(said))
  })
}

/** What the real log4cplus makes of a case. */
export function theirs(
  driver: string,
  given: Case,
  dir: string,
  events: readonly LogEvent[],
  zone = 'UTC',
): Outcome & { readonly complaints: readonly string[] } {
  const path = prepare(given, dir)
  const r = spawnSync(driver, [path], {
    ...{ input: events.map(line).join(''), encoding: 'utf8', timeout: 60_000, maxBuffer: 1 << 26 },
    env: { PATH: process.env['PATH'], ...environmentOf(given), TZ: zone, LOG4CPLUS_START: String(START * 1000) },
  })
  const [said = '', err] = r.stderr.split(/^configured\n/m, 2)
  if (r.status !== 0 || err === undefined) throw new Error(r.stderr || `ended by ${r.signal}`)
  return { files: contents(dir), out: r.stdout, err, complaints: said.split('\n').filter((l) => l !== '') }
}
