import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type OptionSpec, optionsHelp, parseOptions } from './_options.ts'

const SPECS: readonly OptionSpec[] = [
  { name: 'ovnnb-db', argument: 'DATABASE', help: 'connect to it', group: 'Options' },
  { name: 'pidfile', argument: 'FILE', optional: true, help: 'create pidfile', group: 'Daemon options' },
  { name: 'detach', help: 'run in background', group: 'Daemon options' },
  { name: 'verbose', short: 'v', argument: 'SPEC', optional: true, help: 'set levels', group: 'Logging options' },
  { name: 'private-key', short: 'p', argument: 'FILE', help: 'key', group: 'PKI' },
  { name: 'help', short: 'h', help: 'this', group: 'Options' },
  { name: 'records-of-ours', help: '', group: 'Options', own: true, hidden: true },
  { name: 'logger', help: '', group: 'Options', own: true, hidden: true },
  { name: 'record', argument: 'DIR', optional: true, help: '', group: 'Options', hidden: true },
  { name: 'replay', argument: 'DIR', optional: true, help: '', group: 'Options', hidden: true },
]

it.each([
  [['--ovnnb-db=unix:x', 'a', '--det', 'b'], 'ovnnb-db=unix:x detach | a b'],
  [['--ovnnb-db', 'unix:x', '--pidfile', 'a'], 'ovnnb-db=unix:x pidfile | a'],
  [['-vconsole:off', '-v', '-hpk', '--', '--detach'], 'verbose=console:off verbose help private-key=k | --detach'],
  [['--log'], 'logger | '],
  [['--rec=x'], 'record=x | '],
  [['-p', 'key', '-'], 'private-key=key | -'],
])('parses %j', (argv, want) => {
  const r = parseOptions(argv, SPECS)
  expect(
    r.ok &&
      `${r.value.given.map((g) => (g.value === undefined ? g.name : `${g.name}=${g.value}`)).join(' ')} | ${r.value.rest.join(' ')}`,
  ).toBe(want)
})

it.each([
  [['--foo'], "unrecognized option '--foo'"],
  [['-x'], "invalid option -- 'x'"],
  [['--ovnnb-db'], "option '--ovnnb-db' requires an argument"],
  [['-p'], "option requires an argument -- 'p'"],
  [['--detach=1'], "option '--detach' doesn't allow an argument"],
  [['--re'], "option '--re' is ambiguous; possibilities: '--record' '--replay'"],
])('refuses %j as getopt_long does', (argv, why) => {
  expect(parseOptions(argv, SPECS)).toEqual({ ok: false, error: why })
})

it('goes on without what is wrong, where that is wanted', () => {
  const wrong: string[] = []
  const r = parseOptions(['--foo', '-xh', '--detach=1', 'a', '--ovnnb-db'], SPECS, {
    forgive: (e) => void wrong.push(e),
  })
  expect(r.ok && [r.value.given.map((g) => g.name), r.value.rest]).toEqual([['help'], ['a']])
  expect(wrong).toEqual([
    "unrecognized option '--foo'",
    "invalid option -- 'x'",
    "option '--detach' doesn't allow an argument",
    "option '--ovnnb-db' requires an argument",
  ])
})

it('ends at the first word, where options come first', () => {
  const r = parseOptions(['--detach', 'set', '--foo', '-h'], SPECS, { inOrder: true })
  expect(r.ok && [r.value.given.map((g) => g.name), r.value.rest]).toEqual([['detach'], ['set', '--foo', '-h']])
})

it('never throws', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.string(),
          fc.string().map((s) => `--${s}`),
          fc.string().map((s) => `-${s}`),
        ),
      ),
      (argv) => void parseOptions(argv, SPECS),
    ),
  )
})

it('prints the help by group', () => {
  expect(optionsHelp(SPECS, { pidfile: '/run/x.pid' })).toBe(
    'Options:\n  --ovnnb-db=DATABASE     connect to it\n  -h, --help              this\n\nDaemon options:\n  --pidfile[=FILE]        create pidfile\n                          (default: /run/x.pid)\n' +
      '  --detach                run in background\n\nLogging options:\n  -v, --verbose[=SPEC]    set levels\n\nPKI:\n  -p, --private-key=FILE  key\n',
  )
})
