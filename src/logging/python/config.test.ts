import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseIni } from '../config/ini.ts'
import { parsePythonConfig } from './config.ts'
import { CORPUS } from './corpus.ts'
import { parseLiteral } from './literal.ts'
import { compileStyle } from './style.ts'

const GOOD = CORPUS['a file'] as string
const HANDLER = "args=('@DIR@/x.log',)"

it.each([
  ['a class that is none', ['class=FileHandler', 'class=os.system'], "logging.conf:16: no handler class 'os.system'"],
  [
    'a call',
    [HANDLER, "args=(__import__('os').system('true'),)"],
    "logging.conf:17: args: '__import__(...)' would have to be run, which only texts, numbers and constants are not",
  ],
  ['no tuple', [HANDLER, "args=('x')"], 'logging.conf:17: args is no tuple: a single argument needs a comma behind it'],
  ['too many', [HANDLER, 'args=(1,2,3,4,5,6)'], 'logging.conf:17: FileHandler takes 5 arguments, not 6'],
  [
    'an unknown constant',
    [HANDLER, 'args=(os.environ,)'],
    "logging.conf:17: 'os.environ' is no constant that may stand here",
  ],
  ['a level', ['level=DEBUG', 'level=LOUD'], "logging.conf:12: Unknown level: 'LOUD'"],
  ['a handler that is missing', ['handlers=f', 'handlers=g'], "logging.conf:13: no handler 'g'"],
  ['a section that is missing', ['[handler_f]', '[handler_g]'], 'logging.conf:6: there is no section [handler_f]'],
  [
    'a format',
    ['%(message)s', '%(message)'],
    "logging.conf:21: invalid format '%(asctime)s %(name)s %(levelname)s %(message)': '%(' names no field",
  ],
  ['a mode', [HANDLER, "args=('x','r')"], "logging.conf:17: mode is 'a' or 'w', not \"r\""],
  ['a value of itself', [HANDLER, 'args=%(args)s'], 'logging.conf:17: value refers to itself'],
] as const)('refuses %s with file, line and reason', (_, [from, to], error) => {
  expect(GOOD).toContain(from)
  expect(parsePythonConfig(GOOD.replace(from, to), 'logging.conf', 1)).toEqual({ ok: false, error })
})

it('refuses a memory handler that fills itself', () => {
  const text = (CORPUS['memory that fills'] as string).replace('target=f', 'target=m')
  const r = parsePythonConfig(text, 'c', 1)
  expect(r.ok ? '' : r.error).toMatch(/^c:\d+: target leads back to the handler itself$/)
})

it('takes values that double at each step for what they are', () => {
  const steps = Array.from({ length: 9 }, (_, i) => `k${i + 1}=${`%(k${i})s`.repeat(30)}`)
  const ini = parseIni(`[s]\nk0=${'x'.repeat(100)}\n${steps.join('\n')}`, 'c')
  expect(ini.ok && ini.value.get('s', 'k9').ok).toBe(false)
})

it('never throws, whatever it is given', () => {
  const pieces = fc.constantFrom(
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    ',',
    ':',
    "'",
    '"',
    '\\',
    '+',
    '*',
    '**',
    '-',
    '1',
    'x.y',
    '%(a)s',
    '\n',
    '=',
  )
  const text = fc.array(fc.oneof(pieces, fc.string({ maxLength: 4 }))).map((p) => p.join(''))
  fc.assert(fc.property(text, (t) => void parseLiteral(t)))
  fc.assert(fc.property(text, (t) => void parseIni(t, 'f')))
  fc.assert(
    fc.property(text, fc.constantFrom('%', '{', '$'), (t, s) => {
      const style = compileStyle(t, s)
      if (style.ok) style.value.fill((n) => (n.length % 2 ? n : 7))
    }),
  )
  const cut = fc.tuple(fc.constantFrom(...Object.values(CORPUS)), fc.nat(), fc.nat(8), text)
  fc.assert(
    fc.property(cut, ([whole, at, length, between]) => {
      const from = at % whole.length
      parsePythonConfig(whole.slice(0, from) + between + whole.slice(from + length), 'f', 1)
    }),
    { numRuns: 500 },
  )
  parseLiteral('('.repeat(100_000))
  parseLiteral('-'.repeat(100_000))
})
