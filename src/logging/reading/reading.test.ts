import fc from 'fast-check'
import { expect, it } from 'vitest'
import { logFilter, mergeByTime, recordPrinter, records } from './merge.ts'
import { levelNamed, parseLine } from './record.ts'

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
  ...mergeByTime([records(pieces(NORTHD), 'ovn-northd'), records(pieces(CONTROLLER), 'ovn-controller')]),
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

it('reads what other layouts write', () => {
  const python = parseLine('2026-11-24 08:38:31,793+0000 ERROR [x] went wrong', 'c')
  expect([python?.time, python?.level]).toEqual([Date.UTC(2026, 10, 24, 8, 38, 31, 793), 'err'])
  expect(levelNamed('SYS_NOTICE')).toBe('info')
  expect(levelNamed('constructor')).toBeUndefined()
})

it('prints the component, and no control characters to a terminal', () => {
  const [r] = records(['2026-11-24T08:38:31Z|00001|m|ERR|a\x1b[2Jb\n'], 'c')
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
      const read = [...records(pieces(text), 'c')].map((r) => r.text).join('\n')
      expect(read).toBe(text.endsWith('\n') ? text.slice(0, -1) : text)
    }),
  )
})
