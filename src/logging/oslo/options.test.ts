import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LogEvent } from '../event.ts'
import { journalFields } from './formatter.ts'
import { journalDatagram } from './journal.ts'
import { parseOsloOptions } from './options.ts'

const parse = (lines: string) => parseOsloOptions(`[DEFAULT]\n${lines}\n`, 'f', 'ovn-northd')

function options(lines: string) {
  const r = parse(lines)
  if (!r.ok) throw new Error(r.error)
  return r.value
}

it.each([
  ['debug=maybe', "f:2: debug is true or false, not 'maybe'"],
  ['debug=', "f:2: debug is true or false, not ''"],
  [
    'log_rotation_type=sometimes',
    "f:2: log_rotation_type: Valid values are [interval, size, none], but found 'sometimes'",
  ],
  ['\nmax_logfile_count=abc', "f:3: max_logfile_count is a whole number of at least 0, not 'abc'"],
  ['log_rotate_interval=0', "f:2: log_rotate_interval is a whole number of at least 1, not '0'"],
  ['log_rotate_interval_type=weekday\nlog_rotate_interval=7', 'f:3: a day of the week is 0 to 6, not 7'],
  ['default_log_levels=a=LOUD', "f:2: Unknown level: 'LOUD'"],
  ['default_log_levels=a', "f:2: Unknown level: ''"],
  ['default_log_levels=a=toString', "f:2: Unknown level: 'toString'"],
  ['rate_limit_except_level=error', "f:2: invalid log level name: 'error'"],
  [
    'logging_default_format_string=%(message',
    "f:2: logging_default_format_string: invalid format '%(message': '%(' names no field",
  ],
  ['log_dir=$nope', "f:2: log_dir: no such option nope to put in place of '$nope'"],
  ['log_dir=$constructor', "f:2: log_dir: no such option constructor to put in place of '$constructor'"],
  ['log_dir=$log_dir', 'f:2: log_dir: value refers to itself'],
  ['debug', "f:2: No ':' or '=' found in assignment: 'debug'"],
  ['[x', "f:2: Invalid section (must end with ]): '[x'"],
  [' debug=1', "f:2: Unexpected continuation line: ' debug=1'"],
  ['a=1\n# c\n  b', "f:4: Unexpected continuation line: '  b'"],
  ['=1', "f:2: Key cannot be empty: '=1'"],
])('refuses %j', (lines, error) => expect(parse(lines)).toEqual({ ok: false, error }))

it('refuses an assignment before a section', () =>
  expect(parseOsloOptions('debug=1', 'f', 'x')).toEqual({
    ok: false,
    error: 'f:1: Section must be started before assignment',
  }))

it('names the facilities there are', () => {
  const r = parse('syslog_log_facility=LOG_NOPE')
  expect(!r.ok && r.error).toMatch(/^f:2: syslog facility must be one of: 'LOG_USER', .*'LOG_LOCAL7'$/)
  expect(options('syslog_log_facility=local3').options.facility).toBe(19)
})

it('warns once of each option it does not know, of older names, and of what has no effect', () => {
  expect(options('log-file=x\nfoo=1\nfoo=2\nconstructor=1\nlogdir=/l\npublish_errors=true').warnings).toEqual([
    "f:2: unknown option 'log-file' ignored: it is written 'log_file'",
    "f:4: unknown option 'foo' ignored",
    "f:5: unknown option 'constructor' ignored",
    "f:6: option 'logdir' is deprecated, use 'log_dir'",
    'f:7: publish_errors has no effect: there is no message bus to publish to',
  ])
})

it('says nothing of a file without faults', () =>
  expect(options('log_file=x\ndebug=1\n[other]\nfoo=1').warnings).toEqual([]))

describe('the journal', () => {
  const event: LogEvent = {
    ...{ time: 0, level: 'warn', component: 'ovn-northd', module: 'lflow', message: 'two\nlines' },
    ...{ fields: { request_id: 'req-1', 'logical port': 'p', '1': 2 }, serial: 1, elapsed: 0 },
  }

  it('gets the fields that oslo.log sends, and the event’s own', () => {
    expect(journalFields(event, 'x', 16)).toEqual([
      ...[
        ['MESSAGE', 'x'],
        ['CODE_FILE', '(unknown file)'],
        ['CODE_LINE', '0'],
        ['CODE_FUNC', '(unknown function)'],
      ],
      ...[
        ['THREAD_NAME', 'MainThread'],
        ['PROCESS_NAME', 'MainProcess'],
        ['LOGGER_NAME', 'ovn-northd.lflow'],
      ],
      ...[
        ['LOGGER_LEVEL', 'WARNING'],
        ['SYSLOG_IDENTIFIER', 'ovn-northd'],
        ['PRIORITY', '4'],
      ],
      ...[
        ['SYSLOG_FACILITY', '16'],
        ['REQUEST_ID', 'req-1'],
        ['OVN_1', '2'],
        ['OVN_logical port', 'p'],
      ],
    ])
  })

  it('gets values of several lines with their length in front', () => {
    const bytes = journalDatagram([
      ...([
        ['MESSAGE', 'two\nlinés'],
        ['OVN_logical port', 'p'],
      ] as const),
      ...([
        ['_NO', 'x'],
        ['9', 'x'],
        ['X'.repeat(65), 'x'],
      ] as const),
    ])
    expect(bytes.toString('latin1')).toBe(
      `MESSAGE\n\x0a\0\0\0\0\0\0\0${Buffer.from('two\nlinés').toString('latin1')}\nOVN_LOGICAL_PORT=p\n`,
    )
  })
})

it('never throws, whatever it is given', () => {
  const key = fc.constantFrom(
    ...['debug', 'log_dir', 'log_file', 'default_log_levels', 'logging_default_format_string', 'rate_limit_burst'],
    ...['max_logfile_size_mb', 'log_rotate_interval_type', '__proto__', '[DEFAULT]', ' x', 'logdir'],
  )
  const value = fc.oneof(fc.string(), fc.constantFrom('$log_dir', '${debug}', '%(message)s', 'a=DEBUG', '"', "'x'"))
  const line = fc.tuple(key, value).map((p) => p.join('='))
  fc.assert(fc.property(fc.array(line), (lines) => void parse(lines.join('\n'))))
})
