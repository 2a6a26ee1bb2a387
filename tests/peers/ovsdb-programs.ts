import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type { Lab, Maker } from './ovsdb-lab.ts'

/** What a program made of a command line. */
export interface Outcome {
  /** Its exit status, or the signal that ended it. */
  readonly end: number | string
  readonly stdout: string
  readonly stderr: string
}

/** Words as a shell splits them: blanks between, quotes of either kind around. */
export function splitWords(line: string): string[] {
  return [...line.matchAll(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g)].map(([word]) =>
    word.replace(
      /'([^']*)'|"([^"]*)"/g,
      (_, single: string | undefined, double: string | undefined) => single ?? double ?? '',
    ),
  )
}

/**
 * Runs a command line in a folder of the lab; `<FILE ` before it is its standard input.
 * It is ended after a minute: nothing here takes so long.
 */
export function runLine(lab: Lab, maker: Maker, program: string, line: string, folder = lab.dir): Promise<Outcome> {
  const [, input, rest] = /^<(\S+) (.*)$/s.exec(line) ?? [undefined, undefined, line]
  const [file = '', ...first] = lab.command(maker, program)
  const stdin = openSync(input === undefined ? '/dev/null' : join(folder, input), 'r')
  const child = spawn(file, [...first, ...splitWords(rest ?? line)], {
    cwd: folder,
    env: { ...process.env, OVS_RUNDIR: folder, OVS_DBDIR: folder, OVS_PKGDATADIR: folder, TZ: 'UTC' },
    stdio: [stdin, 'pipe', 'pipe'],
    timeout: 60_000,
  })
  closeSync(stdin)
  let [stdout, stderr] = ['', '']
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return new Promise((done) => {
    child.on('close', (code, signal) => done({ end: code ?? signal ?? -1, stdout, stderr: withoutTimes(stderr) }))
  })
}

/** Log lines without time and number; those about signals are the C library's affair. */
const withoutTimes = (text: string): string =>
  text.replace(/^[^|\n]*\|\d+\|fatal_signal\|.*\n/gm, '').replace(/^[-0-9T:.]+Z\|\d+\|/gm, '')

/** The same JSON whatever the order of members: that of the real programs is a hash table's. */
export const sortedJson = (text: string): string =>
  JSON.stringify(JSON.parse(text), (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
