import fc from 'fast-check'
import { expect, it } from 'vitest'
import { logFilter, mergeByTime, recordPrinter, records } from './merge.ts'
import { levelNamed, parseLine } from './record.ts'

const NOW = Date.UTC(2026, 10, 24, 12)

const NORTHD = [
  '2026-11-24T08:38:31.100Z|00001|vlog|INFO|opened log file /var/log/ovn/ovn-northd.log',
  '2026-11-24T08:38:31.300Z|00002|northd(main)|WARN|lp1: something',
  '  and a line that goes on',
  '2026-11-24T08:38:33.000Z|00003|northd|DBG|lp10: something',
  '',
].join('\n')
const CONTROLLER = [
  '2026-11-24T08:38:31.200Z|00001|main|INFO|start',
  '{"time":"2026-11-24T08:38:32.000Z","level":"err","component":"other","module":"binding","message":"m","fields":{"port":"lp1"}}',
].join('\n')

/** In pieces of three characters, as unkind a reader as there is. */
function* pieces(text: string): Generator<string> {
  for (let i = 0; i < text.length; i += 3) yield text.slice(i, i + 3)
}

const all = () => [
  ...mergeByTime([records(pieces(NORTHD), 'ovn-northd', NOW), records(pieces(CONTROLLER), 'ovn-controller', NOW)]),
]

it('merges files by time and keeps continued lines together', () => {
  expect(all().map((r) => [r.component, r.module, r.level, r.message])).toEqual([
    ['ovn-northd', 'vlog', 'info', 'opened log file /var/log/ovn/ovn-northd.log'],
    ['ovn-controller', 'main', 'info', 'start'],
    ['ovn-northd', 'northd', 'warn', 'lp1: something'],
    ['other', 'binding', 'err', 'm'],
    ['ovn-northd', 'northd', 'dbg', 'lp10: something'],
  ])
  expect(all()[2]?.text).toContain('\n  and a line that goes on')
})

it.each([
  [{ level: 'warn' }, ['lp1: something', 'm']],
  [{ components: ['ovn-controller'] }, ['start']],
  [{ modules: ['Binding'] }, ['m']],
  [{ about: ['lp1'] }, ['lp1: something', 'm']],
  [{ since: Date.UTC(2026, 10, 24, 8, 38, 32), until: Date.UTC(2026, 10, 24, 8, 38, 32, 500) }, ['m']],
] as const)('filters by %o', (filter, messages) => {
  expect(
    all()
      .filter(logFilter(filter))
      .map((r) => r.message),
  ).toEqual(messages)
})

const local = (month: number, day: number, ms = 0, year = 2026) =>
  new Date(year, month - 1, day, 8, 38, 31, ms).getTime()
const utc = (ms = 0) => Date.UTC(2026, 10, 24, 8, 38, 31, ms)

it.each([
  // The console and file of Open vSwitch, with a thread's name.
  [
    '2026-11-24T08:38:31Z|00007|rconn(ovn_pinctrl0)|INFO|unix:x: connected',
    utc(),
    'info',
    'c/rconn',
    'unix:x: connected',
  ],
  // Python: asctime, its basic layouts, a level first.
  ['2026-11-24 08:38:31,793 ovn-northd.lflow WARNING gone', local(11, 24, 793), 'warn', 'ovn-northd/lflow', /gone$/],
  ['WARNING:2026-11-24 08:38:31,793:ovn-northd:gone', local(11, 24, 793), 'warn', 'ovn-northd/', /gone$/],
  ['[INFO] 2026/11/24 08:38:31 +0100 x', utc() - 3_600_000, 'info', 'c/', 'x'],
  ['11/24/2026 08:38:31 - ERROR - x', local(11, 24), 'err', 'c/', /x$/],
  // oslo.log
  [
    ...(['2026-11-24 08:38:31.793 4711 ERROR ovs-vswitchd.bridge [-] gone', local(11, 24, 793), 'err'] as const),
    ...(['ovs-vswitchd/bridge', /gone$/] as const),
  ],
  // log4cplus: its common patterns.
  ['11/24/26 08:38:31,793 [7f00] DEBUG ovn-northd.lflow - x', local(11, 24, 793), 'dbg', 'ovn-northd/lflow', /x$/],
  ['FATAL - 24 Nov 2026 08:38:31,793 x', local(11, 24, 793), 'emer', 'c/', 'x'],
  // A child of a module's logger.
  ['2026-11-24T08:38:31Z DEBUG ovn-northd.lflow.cache x', utc(), 'dbg', 'ovn-northd/lflow.cache', /x$/],
  // What a syslog daemon writes, of ours and of others; the year is the last one that can be.
  [
    ...(['Nov 24 08:38:31 host ovsdb-server[42]: ovs|00002|jsonrpc|WARN|unix#0: bad', local(11, 24), 'warn'] as const),
    ...(['ovsdb-server/jsonrpc', 'unix#0: bad'] as const),
  ],
  [
    ...(['2026-11-24T08:38:31.793000+00:00 h ovn-northd: ovs|00002|main|ERR|x', utc(793), 'err'] as const),
    ...(['ovn-northd/main', 'x'] as const),
  ],
  ['Dec 30 08:38:31 host kernel: x', local(12, 30, 0, 2025), undefined, 'c/', /x$/],
  ['<133>1 2026-11-24T08:38:31.793Z vm ovsdb-server 42 vlog - x', utc(793), undefined, 'ovsdb-server/', /x$/],
  // JSON: ours, oslo.log's, pino's, a container's.
  [
    '{"time":"2026-11-24T08:38:31.793Z","level":"WARN","component":"ovn-northd","module":"lflow","message":"m"}',
    ...([utc(793), 'warn', 'ovn-northd/lflow', 'm'] as const),
  ],
  [
    '{"message":"m","asctime":"2026-11-24 08:38:31","name":"ovn-northd.lflow","msecs":793.5,"levelname":"ERROR"}',
    ...([local(11, 24, 793) + 0.5, 'err', 'ovn-northd/lflow', 'm'] as const),
  ],
  [`{"level":40,"time":${utc(793)},"name":"ovs-vswitchd","msg":"m"}`, utc(793), 'warn', 'ovs-vswitchd/', 'm'],
  [
    JSON.stringify({ log: '2026-11-24T08:38:31Z|00007|m|ERR|x\n', stream: 'stderr', time: '2026-11-24T09:00:00Z' }),
    ...([utc(), 'err', 'c/m', 'x'] as const),
  ],
])('reads %s', (line, time, level, name, message) => {
  const r = parseLine(line, 'c', NOW)
  expect([r?.time, r?.level, `${r?.component}/${r?.module}`]).toEqual([time, level, name])
  if (typeof message === 'string') expect(r?.message).toBe(message)
  else expect(r?.message).toMatch(message)
  expect(r?.text).toBe(line)
})

it.each([
  '  at 2026-11-24 08:38:31',
  'Traceback (most recent call last):',
  'Foo 24 08:38:31',
  '2026-13-45T99:99:99Z x',
])('takes %s for the rest of a message', (line) => expect(parseLine(line, 'c', NOW)).toBeUndefined())

it('reads what other layouts write', () => {
  const python = parseLine('2026-11-24 08:38:31,793+0000 ERROR [x] went wrong', 'c', NOW)
  expect([python?.time, python?.level]).toEqual([Date.UTC(2026, 10, 24, 8, 38, 31, 793), 'err'])
  expect(levelNamed('SYS_NOTICE')).toBe('info')
  expect(levelNamed('constructor')).toBeUndefined()
})

it('takes lines without any time by their levels', () => {
  const text = 'WARNING:ovn-northd.lflow:gone\n  more\nplain\nINFO - on\n'
  expect([...records([text], 'c', NOW)].map((r) => [r.level, r.component, r.module, r.text])).toEqual([
    ['warn', 'ovn-northd', 'lflow', 'WARNING:ovn-northd.lflow:gone\n  more\nplain'],
    ['info', 'c', '', 'INFO - on'],
  ])
  const timed = '2026-11-24T08:38:31Z|00001|m|INFO|a\nERROR of the message before\n'
  expect([...records([timed], 'c', NOW)]).toHaveLength(1)
})

it('prints levels in colour to a terminal', () => {
  const printed = (level: string, colour: boolean) =>
    [...records([`2026-11-24T08:38:31Z|00001|m|${level}|a\n`], 'c', NOW)].map(recordPrinter(['c'], colour)).join('')
  const colours = ['EMER', 'ERR', 'WARN'].map((level) => printed(level, true))
  for (const text of colours) expect(text).toContain('\x1b[')
  expect(printed('ERR', false)).not.toContain('\x1b')
})

it('prints the component, and no control characters to a terminal', () => {
  const [r] = records(['2026-11-24T08:38:31Z|00001|m|ERR|a\x1b[2Jb\n'], 'c', NOW)
  if (!r) throw new Error('no record')
  expect(recordPrinter(['c', 'long'], false)(r)).toBe('c    2026-11-24T08:38:31Z|00001|m|ERR|a\x1b[2Jb\n')
  expect(recordPrinter(['c'], true)(r)).toContain('a?[2Jb')
})

it('loses no line of any text, and throws at none', () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom(...NORTHD.split('\n'), '{"time":1}', '{}', '{"time":1e999}', '{"fields":null}'),
  )
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const text = lines.map((l) => l.replaceAll('\n', '')).join('\n')
      const read = [...records(pieces(text), 'c', NOW)].map((r) => r.text).join('\n')
      expect(read).toBe(text.endsWith('\n') ? text.slice(0, -1) : text)
    }),
  )
})
