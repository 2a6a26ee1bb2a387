import { afterAll, beforeAll, expect, test } from 'vitest'
import { seeded } from '../../src/base/random.ts'
import { parseActions, parseMatch } from '../../src/logical/index.ts'
import { ControllerLab } from './controller-lab.ts'
import { lines } from './logical-flow-lines.ts'

// Logical flows with words taken out, put in or exchanged: nearly all are wrong, and the real
// ovn-controller says why.
const COUNT = 3000
const random = seeded(20260301)
const below = (n: number) => random.u32() % n
const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T

const wordsOf = (text: string): string[] =>
  text.match(/"[^"]*"|[a-zA-Z_][\w.]*|0x[0-9a-f]+|[0-9a-fA-F:.]+(\/[0-9a-fA-F:.]+)?|<->|[=!<>]=|&&|\|\||--|\S/g) ?? []
const vocabulary = lines.flatMap((l) => [...wordsOf(l.match), ...wordsOf(l.actions)])

function mutate(text: string): string {
  const words = wordsOf(text)
  for (let n = 1 + below(3); n > 0; n--) {
    const at = below(words.length + 1)
    const other = below(words.length + 1)
    switch (below(4)) {
      case 0:
        words.splice(at, 1)
        break
      case 1:
        words.splice(at, 0, pick(vocabulary))
        break
      case 2:
        words[at] = pick(vocabulary)
        break
      default: {
        const [a, b] = [words[at], words[other]]
        if (a !== undefined && b !== undefined) {
          words[at] = b
          words[other] = a
        }
      }
    }
  }
  return words.join(below(2) ? ' ' : '')
}

const cases = Array.from({ length: COUNT }, (_, i) =>
  i % 3 ? { match: '0', actions: mutate(pick(lines).actions) } : { match: mutate(pick(lines).match), actions: 'drop;' },
)

let lab: ControllerLab
const real = new Map<string, string>()

beforeAll(async () => {
  lab = new ControllerLab()
  await lab.up(['vm1'])
  lab.nbctl('ls-add', 'sw')
  lab.nbctl('lsp-add', 'sw', 'vm1')
  lab.sync()
  lab.pauseNorthd()
  lab.quietRateLimits()
  const datapath = lab.datapath('sw')
  lab.insertFlows(
    cases.map((c, i) => ({
      uuid: `${(0x40000000 + i).toString(16)}-0000-4000-8000-000000000001`,
      datapath,
      pipeline: 'ingress',
      table: 5,
      priority: 1000 + i,
      ...c,
    })),
  )
  // Some flows that parse are refused by the switch, so there is nothing to wait for but silence.
  for (let size = -1, quiet = 0; quiet < 3; ) {
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const now = lab.controllerLog().length
    quiet = now === size ? quiet + 1 : 0
    size = now
  }
  const log = lab.controllerLog()
  for (const [, kind, text, message] of log.matchAll(/\|lflow\|WARN\|error parsing (match|actions) "(.*)": (.*)$/gm)) {
    real.set(`${kind} ${text}`, message ?? '')
  }
})

afterAll(async () => {
  await lab?.down()
})

test('broken logical flows are refused, and for the same reason', () => {
  const different: string[] = []
  for (const c of cases) {
    const isMatch = c.match !== '0'
    const text = isMatch ? c.match : c.actions
    const ours = isMatch ? parseMatch(text) : parseActions(text, { pipeline: 'ingress', table: 5 })
    const theirs = real.get(`${isMatch ? 'match' : 'actions'} ${text}`)
    const mine = ours.ok ? undefined : ours.error
    if (mine !== theirs) different.push(`${text}\n  real: ${theirs}\n  ours: ${mine}`)
  }
  expect(real.size).toBeGreaterThan(COUNT / 2)
  // A number that runs into a word is cut in another place now and then.
  expect(different.length, different.join('\n')).toBeLessThanOrEqual(3)
})
