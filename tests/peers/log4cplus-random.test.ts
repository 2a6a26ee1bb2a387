import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { below, type Random, seeded } from '../../src/base/random.ts'
import { type Case, events } from '../../src/logging/log4cplus/corpus.ts'
import { type Outcome, ours } from '../../src/logging/log4cplus/corpus-run.ts'
import { buildDriver, theirs } from './log4cplus.ts'

// Files by chance, right and wrong, with the same seed each time; LOG4CPLUS_CASES says how many.
const COUNT = Number(process.env['LOG4CPLUS_CASES'] ?? 200)
const SEED = Number(process.env['LOG4CPLUS_SEED'] ?? 20261124)

const root = mkdtempSync(join(tmpdir(), 'log4cplus-random-'))
afterAll(() => rmSync(root, { recursive: true }))
const driver = buildDriver(root)
if (!driver) console.warn('skipped: g++ or liblog4cplus-dev is not installed')

const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL', 'OFF', 'ALL', 'info', 'Warn']
const LOGGERS = ['ovn-northd', 'ovn-northd.lflow', 'ovn-northd.lflow.cache', 'ovn-controller', 'ovsdb-server', 'x.y']
const WORDS = ['true', 'false', '1', '0', 'TRUE', 'yes', '2', '-1', '', '00']

/** One choice after the other from a seed. */
class Choices {
  constructor(private readonly random: Random) {}

  below(n: number): number {
    return below(this.random, n)
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }

  /** True once in so often. */
  once(n: number): boolean {
    return this.below(n) === 0
  }
}

function time(c: Choices): string {
  const letters = [
    'Y',
    'm',
    'd',
    'H',
    'M',
    'S',
    'q',
    'Q',
    'y',
    'b',
    'B',
    'a',
    'A',
    'j',
    'p',
    'I',
    'U',
    'W',
    'w',
    'e',
    'Z',
    'z',
    '-d',
    '_H',
    '%',
  ]
  return Array.from({ length: 1 + c.below(5) }, () => `${c.of(['', '-', ' ', ':', 'at '])}%${c.of(letters)}`).join('')
}

function conversion(c: Choices): string {
  const width = c.once(2)
    ? ''
    : `${c.of(['', '-', '-', '--'])}${c.of(['', '3', '12', '05'])}${c.of(['', '', '.4', '.-6', '.20', '.0'])}`
  const broken = c.once(40) ? c.of(['k', 'q', '5.y', '.x', '{', '}']) : undefined
  const letter = broken ?? c.of([...'bcdDEFhHilLmMnprtTxX%'])
  const options: Record<string, readonly string[]> = {
    ...{ c: ['{1}', '{2}', '{0}', '{-1}', '{x}', '{', ''], E: ['{WHO}', '{NOBODY}', ''], p: ['', '{1}'] },
    ...{
      X: ['', '{port}', '{chassis}', '{none}', '{}'],
      d: ['', '{}', `{${time(c)}}`],
      D: ['', `{${time(c)}}`, '{%s'],
    },
  }
  // A brace that is not closed takes all that follows.
  const option = c.of(options[letter] ?? [''])
  return `%${width}${letter}${option.endsWith('}') || c.once(10) ? option : ''}`
}

function pattern(c: Choices): string {
  const text = () => c.of(['', ' ', '|', '[', '] ', 'text', '\\n', '#', '='])
  return `${Array.from({ length: 1 + c.below(6) }, () => text() + conversion(c)).join('')}${c.once(8) ? '' : '%n'}`
}

const level = (c: Choices) => (c.once(12) ? c.of(['LOUD', '', 'INHERITED', 'INHERIT']) : c.of(LEVELS))

function layout(c: Choices, name: string): string[] {
  const at = `log4cplus.appender.${name}.layout`
  switch (c.below(8)) {
    case 0:
      return []
    case 1:
      return [`${at}=log4cplus::SimpleLayout`]
    case 2:
    case 3: {
      const all = ['ThreadPrinting', 'CategoryPrefixing', 'ContextPrinting', 'Use_gmtime'].filter(() => c.once(2))
      const date = c.once(2) ? [`${at}.DateFormat=${time(c)}`] : []
      return [`${at}=log4cplus::TTCCLayout`, ...all.map((o) => `${at}.${o}=${c.of(WORDS)}`), ...date]
    }
    default: {
      const kind = c.once(30) ? 'Nope' : 'PatternLayout'
      const depth = c.once(6) ? [`${at}.NDCMaxDepth=${c.of(['0', '1', '2', 'x'])}`] : []
      return [`${at}=log4cplus::${kind}`, ...(c.once(30) ? [] : [`${at}.ConversionPattern=${pattern(c)}`]), ...depth]
    }
  }
}

function filters(c: Choices, name: string): string[] {
  const lines: string[] = []
  let number = 1
  while (c.once(2)) {
    const at = `log4cplus.appender.${name}.filters.${number}`
    const kinds: Record<string, readonly string[]> = {
      LogLevelMatch: [`LogLevelToMatch=${level(c)}`],
      LogLevelRange: [`LogLevelMin=${level(c)}`, `LogLevelMax=${level(c)}`],
      StringMatch: [`StringToMatch=${c.of(['port', 'lsp', '', '1', 'two'])}`],
      NDCMatch: [`NDCToMatch=${c.of(['lsp1', 'hv1 lsp2', ''])}`, `NeutralOnEmpty=${c.of(WORDS)}`],
      MDCMatch: [`MDCKeyToMatch=${c.of(['port', ''])}`, `MDCValueToMatch=${c.of(['lsp1', ''])}`],
      DenyAll: [],
    }
    const kind = c.of(Object.keys(kinds))
    lines.push(`${at}=log4cplus::spi::${c.once(40) ? 'Nope' : kind}Filter`)
    for (const option of kinds[kind] ?? []) if (!c.once(6)) lines.push(`${at}.${option}`)
    if (c.once(2)) lines.push(`${at}.AcceptOnMatch=${c.of(WORDS)}`)
    number += c.once(15) ? 2 : 1
  }
  return lines
}

function appender(c: Choices, name: string): string[] {
  const at = `log4cplus.appender.${name}`
  const path = `File=@DIR@/${name}.log`
  const common = [...layout(c, name), ...filters(c, name)]
  if (c.once(4)) common.push(`${at}.Threshold=${level(c)}`)
  // Names that come again are removed as former ones by log4cplus.
  const dates = ['%d{yyyy-MM-dd}', '%d', '%d{yyyy-MM}', '%d{yyyy-ww}', '%d{yy-DDD-HH}', '%d{yyyy_MMM_dd_HH_mm}']
  const kinds: Record<string, readonly string[]> = {
    Console: [`logToStdErr=${c.of(WORDS)}`],
    File: [path, `Append=${c.of(WORDS)}`],
    RollingFile: [path, `MaxBackupIndex=${c.of(['0', '3', 'x'])}`, `MaxFileSize=${c.of(['1', '300KB', '1MB', 'x'])}`],
    DailyRollingFile: [
      ...[path, `Schedule=${c.of(['MONTHLY', 'WEEKLY', 'DAILY', 'TWICE_DAILY', 'HOURLY', 'MINUTELY', 'no'])}`],
      ...[`RollOnClose=${c.of(WORDS)}`, `MaxBackupIndex=${c.of(['0', '1', '4', 'x'])}`],
      ...(c.once(3) ? [`DatePattern=${c.of(['%Y', '%m-%d', '%H', '%d.%b'])}`] : []),
    ],
    // Where little is kept, log4cplus forgets to remove some of the rest.
    TimeBasedRollingFile: [
      ...[path, `FilenamePattern=@DIR@/${name}-${c.of(dates)}.log`, 'MaxHistory=40000', `RollOnClose=${c.of(WORDS)}`],
    ],
    Null: [],
  }
  const kind = c.of([...Object.keys(kinds), 'File', 'File', 'RollingFile'])
  const options = (kinds[kind] ?? []).filter((o) => o === path || /^FilenameP|^MaxHistory/.test(o) || !c.once(3))
  return [`${at}=log4cplus::${c.once(25) ? 'Nope' : kind}Appender`, ...options.map((o) => `${at}.${o}`), ...common]
}

function configuration(c: Choices): Case {
  const names = ['A', 'B', 'C'].slice(0, 1 + c.below(3))
  const some = () =>
    ['A', 'B', 'C']
      .filter((n) => (names.includes(n) ? !c.once(3) : c.once(8)))
      .map((n) => `, ${n}`)
      .join('')
  const lines = names.flatMap((name) => appender(c, name))
  if (!c.once(8)) lines.push(`log4cplus.rootLogger=${c.once(12) ? level(c) : c.of(LEVELS)}${some()}`)
  for (const logger of LOGGERS) {
    if (c.once(3)) lines.push(`log4cplus.logger.${logger}=${c.once(3) ? 'INHERITED' : level(c)}${some()}`)
    if (c.once(5)) lines.push(`log4cplus.additivity.${logger}=${c.of(WORDS)}`)
  }
  for (let i = c.below(4); i > 0; i--) lines.push(c.of(['# = ', 'nothing', '', '  ', '=', `unknown=${'@{WHO}'}`]))
  for (let i = lines.length - 1; i > 0; i--) {
    const j = c.below(i + 1)
    ;[lines[i], lines[j]] = [lines[j] as string, lines[i] as string]
  }
  const spaced = lines.map((l) => (c.once(6) ? ` ${l.replace('=', ' = ')} ` : l))
  const filled = spaced.map((l) => (c.once(8) ? l.replace(/INFO|%m|log4cplus::|false/, '@{WHO}') : l))
  return {
    text: filled.join(c.once(10) ? '\r\n' : '\n'),
    environment: { WHO: c.of(['INFO', 'false', '%m', 'log4cplus::']) },
    every: c.of([0.3, 7, 40, 900, 4000, 30_000, 90_000]),
  }
}

describe.skipIf(!driver)('the same bytes as log4cplus, by chance', () => {
  it(`${COUNT} files`, { timeout: 600_000 }, () => {
    const c = new Choices(seeded(SEED))
    let refused = 0
    for (let i = 0; i < COUNT; i++) {
      const given = configuration(c)
      const zone = c.of(['UTC', 'Asia/Kolkata', 'America/New_York'])
      const all = events(given)
      let expected: ReturnType<typeof theirs> | undefined
      try {
        expected = theirs(driver ?? '', given, join(root, `${i}-a`), all, zone)
      } catch (e) {
        // It ends with an exception where the root has no level.
        expect(String(e)).toContain('No valid LogLevel found')
      }
      const before = process.env['TZ']
      process.env['TZ'] = zone
      let got: ReturnType<typeof ours> | undefined
      let rootless = false
      try {
        got = ours(given, join(root, `${i}-b`), all)
      } catch (e) {
        expect(String(e)).toMatch(/none of the appenders works|Unrecognized log level|no logger is there/)
        rootless = String(e).includes('rootLogger: Unrecognized')
        refused++
      } finally {
        if (before === undefined) delete process.env['TZ']
        else process.env['TZ'] = before
      }
      const seen = ({ files, out, err }: Outcome) => ({ files, out, err })
      const what = `${zone}\n${given.text}\n${[...(expected?.complaints ?? [])].join('\n')}\n${got?.warnings.join('\n')}`
      if (got && expected) expect(seen(got), what).toEqual(seen(expected))
      // What we refuse, log4cplus does nothing with, or ends at the first logger that asks the root for its level.
      else if (expected && !rootless)
        expect(expected.out + expected.err + Object.values(expected.files).join(''), what).toBe('')
      else expect(got, what).toBeUndefined()
    }
    expect(refused).toBeLessThan(COUNT / 3)
  })
})
