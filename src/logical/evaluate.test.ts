import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Field } from '../openflow/fields/field.ts'
import { F } from '../openflow/fields/table.ts'
import { evaluate, FlowState, matchesLowered, parseMatch } from './index.ts'
import { lowerExpression } from './lower-match.ts'
import type { Expression } from './match.ts'
import type { MatchEnv } from './normalise.ts'

const env: MatchEnv = {
  lookupPort: (name) => (({ a: 1, b: 2, c: 3 }) as Record<string, number>)[name],
  isChassisResident: (name) => name === 'a',
}

// A small universe: few fields, few values, so that a random packet is often on an edge.
const atom = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('reg0[0..2]', 'reg1[0..2]', 'reg5[1..3]', 'tcp.src[0..2]', 'ip4.src[0..2]', 'flags[28..30]'),
      fc.constantFrom('==', '!=', '<', '<=', '>', '>='),
      fc.nat(7),
    )
    .map(([f, r, v]) => `${f} ${r} ${v}`),
  fc
    .tuple(
      fc.constantFrom('reg0[0..2]', 'reg5[0..2]', 'udp.dst[0..2]'),
      fc.uniqueArray(fc.nat(7), { minLength: 1, maxLength: 4 }),
    )
    .map(([f, vs]) => `${f} == {${vs.join(', ')}}`),
  fc
    .tuple(fc.constantFrom('reg0[0..2]', 'ip4.dst[0..2]'), fc.nat(7), fc.nat(7))
    .map(([f, v, m]) => `${f} == ${v}/${m}`),
  fc.tuple(fc.nat(4), fc.constantFrom('<', '<='), fc.nat(7)).map(([lo, r, hi]) => `${lo} ${r} reg1[0..2] ${r} ${hi}`),
  fc.constantFrom(
    'reg0[0]',
    'ip.is_frag',
    'ip.later_frag',
    'ip.first_frag',
    'eth.mcast',
    'ct.new',
    'ct.est',
    'vlan.present',
  ),
  fc.constantFrom('0', '1', 'is_chassis_resident("a")', 'is_chassis_resident("b")'),
)
// Nominal things cannot be negated.
const positive = fc.constantFrom(
  'ip4',
  'ip6',
  'ip',
  'tcp',
  'udp',
  'arp',
  'inport == "a"',
  'inport == {"a", "b", "x"}',
  'nd_ns',
  'icmp',
)

const { expression } = fc.letrec<{ expression: string; negatable: string }>((tie) => ({
  negatable: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'n' },
    atom,
    fc.array(tie('negatable'), { minLength: 2, maxLength: 3 }).map((x) => `(${x.join(' && ')})`),
    fc.array(tie('negatable'), { minLength: 2, maxLength: 3 }).map((x) => `(${x.join(' || ')})`),
    tie('negatable').map((x) => `!(${x})`),
  ),
  expression: fc.oneof(
    { maxDepth: 4, depthIdentifier: 'e' },
    atom,
    positive,
    tie('negatable'),
    fc.array(tie('expression'), { minLength: 2, maxLength: 3 }).map((x) => `(${x.join(' && ')})`),
    fc.array(tie('expression'), { minLength: 2, maxLength: 3 }).map((x) => `(${x.join(' || ')})`),
  ),
}))

const small = (field: Field, values: readonly number[]) =>
  fc.constantFrom(...values).map((v) => [field, BigInt(v)] as const)
const bits = [0, 1, 2, 3, 4, 5, 6, 7]
const packet = fc
  .tuple(
    small(F.reg0, bits),
    small(F.reg1, bits),
    small(F.reg5, [0, 1, 2, 4, 6, 8, 10, 12, 14]),
    small(
      F.reg10,
      bits.map((b) => b * 0x10000000),
    ),
    small(F.reg14, [0, 1, 2, 3]),
    small(F.eth_type, [0x800, 0x86dd, 0x806]),
    small(F.nw_proto, [1, 6, 17, 58]),
    small(F.tcp_src, bits),
    small(F.udp_dst, bits),
    small(F.ip_src, bits),
    small(F.ip_dst, bits),
    small(F.ip_frag, [0, 1, 3]),
    small(F.eth_dst, [0, 0x010000000000]),
    small(F.ct_state, [0, 0x20, 0x21, 0x22]),
    small(F.vlan_tci, [0, 0x1000]),
    small(F.icmpv6_type, [135, 136]),
  )
  .chain((fields) => small(F.nw_ttl, [64, 255]).map((ttl) => new FlowState([...fields, ttl])))

test('the tree and the flows made of it agree about every packet', () => {
  let matched = 0
  let conjunctions = 0
  fc.assert(
    fc.property(expression, fc.array(packet, { minLength: 12, maxLength: 12 }), (text, packets) => {
      const parsed = parseMatch(text)
      if (!parsed.ok) throw new Error(`${text}: ${parsed.error}`)
      const lowered = lowerExpression(parsed.value.expression, env)
      conjunctions += lowered.conjunctions
      for (const p of packets) {
        const truth = evaluate(parsed.value.expression, p, env)
        if (truth) matched++
        expect(matchesLowered(lowered, p), text).toBe(truth)
      }
    }),
    { numRuns: 1500 },
  )
  expect(matched).toBeGreaterThan(1000)
  expect(conjunctions).toBeGreaterThan(50)
})

test('!x is true exactly where x with its prerequisites unchanged is false', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('reg0[0..2] == 3', 'reg1[0..2] < 5', 'eth.mcast', 'ct.trk', 'vlan.present'),
      packet,
      (text, p) => {
        const value = (t: string) => {
          const r = parseMatch(t)
          if (!r.ok) throw new Error(r.error)
          return evaluate(r.value.expression, p, env)
        }
        expect(value(`!(${text})`)).toBe(!value(text))
      },
    ),
  )
})

test('no alternative of a dimension contains another', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(15), fc.nat(15)), { minLength: 1, maxLength: 12 }), (pairs) => {
      const text = `reg0[0..3] == {${pairs.map(([v, m]) => `${v}/${m}`).join(', ')}}`
      const r = parseMatch(text)
      if (!r.ok) throw new Error(r.error)
      const flows = lowerExpression(r.value.expression as Expression, env).flows
      const terms = flows.map((f) => f.match[0] ?? { value: 0n, mask: 0n })
      terms.forEach((a, i) => {
        terms.forEach((b, j) => {
          if (i !== j) expect((a.mask & b.mask) === b.mask && (a.value & b.mask) === b.value).toBe(false)
        })
      })
    }),
  )
})
