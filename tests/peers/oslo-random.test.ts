import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { below, type Random, seeded } from '../../src/base/random.ts'
import type { Result } from '../../src/base/result.ts'
import { type Outcome, ours, place, pythonWith, theirs } from '../../src/logging/oslo/corpus-run.ts'

// Files by chance, right and wrong, with the same seed each time; OSLO_CASES says how many.
const COUNT = Number(process.env['OSLO_CASES'] ?? 300)
const SEED = Number(process.env['OSLO_SEED'] ?? 20261124)

const root = mkdtempSync(join(tmpdir(), 'oslo-random-'))
afterAll(() => rmSync(root, { recursive: true }))
const python = pythonWith('oslo_log')
if (!python) console.warn("skipped: Debian's python3-oslo.log is not installed")

/** One choice after the other from a seed. */
class Choices {
  constructor(private readonly random: Random) {}

  of<T>(list: readonly T[]): T {
    return list[below(this.random, list.length)] as T
  }

  /** True once in so often. */
  once(n: number): boolean {
    return below(this.random, n) === 0
  }

  some<T>(most: number, make: () => T): T[] {
    return Array.from({ length: below(this.random, most + 1) }, make)
  }
}

const FIELDS = [
  ...[
    'message',
    'message',
    'name',
    'levelname',
    'levelno',
    'asctime',
    'msecs',
    'process',
    'instance',
    'color',
    'resource',
  ],
  ...['user_identity', 'global_request_id', 'project', 'error_summary', 'created', 'threadName', 'lineno', 'module'],
]

function format(c: Choices): string {
  const field = () => {
    if (c.once(40))
      return c.of([
        '%(',
        '%',
        '%(message)',
        '%(message)q',
        '%s',
        '%%',
        '$',
        '$$',
        '\\$x',
        '$log_rotation_type',
        '${debug}',
      ])
    const flags = c.once(3)
      ? c.of(['-', '0', '+', ' ', '#', '']) + c.of(['', '3', '12', '20']) + c.of(['', '.4', '.0', '.12'])
      : ''
    const name = c.of(FIELDS)
    const letter = /levelno|msecs|process|created|lineno/.test(name) ? c.of([...'sdfxogr']) : c.of([...'sssr'])
    return `%(${name})${flags}${letter}`
  }
  const text = c.some(5, () => c.of(['', ' ', '|', '[x] ', ': ', '"', "'"]) + field()).join('')
  if (c.once(8)) return `"${text}"`
  return c.once(12) ? `${text}\n  ${c.of(['more', '%(message)s', '# no comment', 'a=b'])}` : text
}

const levels = (c: Choices) =>
  c
    .some(4, () => {
      const name = c.of(['ovn-northd', 'ovn-northd.lflow', 'ovn-controller', 'root', 'ovs-vswitchd', 'ovs', ''])
      return `${c.of(['', ' '])}${name}=${c.once(25) ? c.of(['', 'loud', 'debug', ' INFO']) : c.of(['DEBUG', 'INFO', 'WARN', 'WARNING', 'ERROR', 'CRITICAL', 'NOTSET', '15', '30'])}`
    })
    .join(c.once(10) ? ',\n ' : ',')

const yes = (c: Choices) =>
  c.once(30)
    ? c.of(['maybe', '', '2', 't'])
    : c.of(['true', 'false', '1', '0', 'yes', 'no', 'On', 'OFF', 'True', '"true"'])

function option(c: Choices): string {
  const sep = c.of(['=', ' = ', ':', ': '])
  const name = c.of([
    ...[
      'debug',
      'use_json',
      'use_stderr',
      'watch_log_file',
      'default_log_levels',
      'default_log_levels',
      'log_date_format',
    ],
    ...['logging_default_format_string', 'logging_default_format_string', 'logging_context_format_string'],
    ...['logging_debug_format_suffix', 'instance_uuid_format', 'log_rotation_type', 'log_rotation_type', 'log_file'],
    ...[
      'log_rotate_interval',
      'log_rotate_interval_type',
      'max_logfile_count',
      'max_logfile_size_mb',
      'rate',
      'unknown',
    ],
  ])
  switch (name) {
    case 'rate':
      return `rate_limit_interval${sep}${c.of(['0', '1', '3', '1000'])}\nrate_limit_burst${sep}${c.of(['0', '1', '4'])}\nrate_limit_except_level${sep}${c.of(['CRITICAL', 'ERROR', 'INFO', 'DEBUG'])}`
    case 'default_log_levels':
      return name + sep + levels(c)
    case 'logging_default_format_string':
    case 'logging_context_format_string':
    case 'logging_debug_format_suffix':
      return name + sep + format(c)
    case 'instance_uuid_format':
      return name + sep + c.of(['[%(uuid)s] ', '%(uuid)10.3s|', '', 'x'])
    case 'log_date_format':
      return name + sep + c.of(['%H:%M', '%Y-%m-%d', '', '"%j %p"', '%d %b %y, %A', '%%'])
    case 'log_rotation_type':
      return name + sep + c.of(['none', 'size', 'interval', 'INTERVAL', 'interval'])
    case 'log_rotate_interval':
      return name + sep + c.of(['1', '1', '2', '5', ' 3'])
    case 'log_rotate_interval_type':
      return name + sep + c.of(['seconds', 'minutes', 'hours', 'days', 'Days', 'midnight'])
    case 'max_logfile_count':
      return name + sep + c.of(['0', '1', '2', '30', '1'])
    case 'max_logfile_size_mb':
      return name + sep + c.of(['0', '1', '200'])
    case 'log_file':
      return (
        name +
        sep +
        c.of(['@DIR@/x.log', '@DIR@/y.log', 'z.log', '$max_logfile_count.log', '"q.log"', '', '${log_rotation_type}'])
      )
    case 'unknown':
      return c.of([
        'transport_url=rabbit',
        'log-file=x',
        '[other]\ndebug=true\n[DEFAULT]',
        '# debug=1',
        '',
        ';',
        '[DEFAULT]',
        'foo',
      ])
    default:
      return name + sep + yes(c)
  }
}

function file(c: Choices): string {
  const lines = c.some(8, () => option(c))
  // Colours, which release 5.0 always has on a terminal.
  return `[DEFAULT]\nlog_color=true\nlog_dir=@DIR@\n${c.once(3) ? '' : 'log_file=@DIR@/x.log\n'}${lines.join('\n')}\n`
}

/** Of the limit's own message Python makes the milliseconds from a fraction, and loses one now and then. */
function plain(outcome: Result<Outcome> | undefined): unknown {
  if (!outcome?.ok) return outcome?.error
  const { files, out, err } = outcome.value
  return JSON.parse(JSON.stringify([Object.entries(files).sort(), out, err]).replace(/\.\d{3}( \d+ ERROR root)/g, '$1'))
}

/** Where two outcomes begin to differ. */
function difference(got: unknown, wanted: unknown): string {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)]
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  const part = (text: string) => text.slice(Math.max(0, at - 100), at + 60)
  return `\n...${part(a)}\nnot\n...${part(b)}`
}

/** Midnight with more days than one is as in later releases of Python. The limit's message has a place in oslo.log. */
function comparable(text: string): boolean {
  if (/log_rotate_interval_type.*midnight/i.test(text) && /log_rotate_interval *[=:] *[2-9]/.test(text)) return false
  return !/use_json|_format_string|_suffix/.test(text) || !/rate_limit/.test(text)
}

describe.skipIf(!python)('files by chance', () => {
  it('give the same bytes as oslo.log, or are refused', () => {
    const c = new Choices(seeded(SEED))
    const texts = Array.from({ length: COUNT }, () => file(c)).filter(comparable)
    const expected = theirs(
      python ?? '',
      root,
      'UTC',
      texts.map((text, i) => place(text, join(root, String(i), 'a'))),
    )
    let same = 0
    const before = process.env['TZ']
    process.env['TZ'] = 'UTC'
    try {
      for (const [i, text] of texts.entries()) {
        const at = place(text, join(root, String(i), 'b'))
        const [got, wanted] = [ours(at.text, at.dir), expected[i]]
        // A value that cannot be is refused here even where nobody looks at it there.
        if (!got.ok) continue
        // A format that does not suit a value loses the line there.
        if (wanted?.ok && wanted.value.err.includes('--- Logging error ---')) continue
        if (!isDeepStrictEqual(plain(got), plain(wanted))) throw new Error(text + difference(plain(got), plain(wanted)))
        same++
      }
    } finally {
      if (before === undefined) delete process.env['TZ']
      else process.env['TZ'] = before
    }
    expect(same).toBeGreaterThan(COUNT / 2)
  })
})
