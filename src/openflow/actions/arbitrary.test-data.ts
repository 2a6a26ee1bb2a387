import fc from 'fast-check'
import { arbitraryValue } from '../fields/arbitrary.test-data.ts'
import type { Subfield } from '../fields/field.ts'
import { F, REGISTERS } from '../fields/table.ts'
import { type Action, OFPP } from './action.ts'

const port = fc.oneof(fc.integer({ min: 1, max: 0xfeff }), fc.constantFrom(OFPP.IN_PORT, OFPP.LOCAL, OFPP.NORMAL))
const table = fc.integer({ min: 0, max: 254 })
const word = fc.integer({ min: 0, max: 0xffffffff })
const half = fc.integer({ min: 0, max: 0xffff })
const bytes = (min: number, max: number) => fc.uint8Array({ minLength: min, maxLength: max })

/** Fields that are always there and may be written. */
const FREE = [
  ...REGISTERS,
  F.metadata,
  F.tun_id,
  F.tun_src,
  F.tun_dst,
  F.pkt_mark,
  F.eth_src,
  F.eth_dst,
  F.xreg1,
  F.xxreg2,
]

const subfield: fc.Arbitrary<Subfield> = fc.tuple(fc.constantFrom(...FREE), fc.nat(), fc.nat()).map(([field, a, b]) => {
  const offset = a % field.bits
  return { field, offset, bits: 1 + (b % (field.bits - offset)) }
})
const bit = subfield.map((s) => ({ ...s, bits: 1 }))
const wordField = fc
  .tuple(fc.constantFrom(...REGISTERS), fc.integer({ min: 0, max: 16 }))
  .map(([field, offset]): Subfield => ({ field, offset, bits: 16 }))

const setField: fc.Arbitrary<Action> = fc.constantFrom(...FREE).chain((field) =>
  fc.tuple(arbitraryValue(field), fc.option(arbitraryValue(field), { nil: field.ones })).map(([value, m]): Action => {
    const mask = m || field.ones
    return { type: 'set_field', field, value: value & mask, mask }
  }),
)

const nat = fc.oneof(
  fc.constant({}),
  fc
    .tuple(fc.constantFrom('src' as const, 'dst' as const), word, word, fc.boolean(), fc.option(fc.tuple(half, half)))
    .map(([kind, a, b, persistent, ports]) => ({
      kind,
      addresses: { family: 4 as const, min: BigInt(Math.min(a, b)), max: BigInt(Math.max(a, b)) },
      ...(ports ? { ports: { min: Math.min(...ports), max: Math.max(...ports) } } : {}),
      ...(persistent ? { persistent } : {}),
    })),
)

const ctMark = fc.tuple(word, word).map(
  ([v, m]): Action => ({
    type: 'set_field',
    field: F.ct_mark,
    value: BigInt(v) & (BigInt(m) || F.ct_mark.ones),
    mask: BigInt(m) || F.ct_mark.ones,
  }),
)

const ct: fc.Arbitrary<Action> = fc
  .tuple(fc.boolean(), fc.oneof(half, wordField), fc.option(table), fc.option(nat), fc.array(ctMark, { maxLength: 2 }))
  .map(([commit, zone, t, n, exec]) => ({
    type: 'ct',
    commit,
    force: false,
    zone,
    ...(t === null ? {} : { table: t }),
    alg: 0,
    ...(n && (commit || !('kind' in n)) ? { nat: n } : {}),
    exec: commit ? exec : [],
  }))

/** Actions that a flow of any match may have. */
const simple: fc.Arbitrary<Action> = fc.oneof(
  port.map((p): Action => ({ type: 'output', port: p })),
  setField,
  fc.tuple(subfield, subfield).map(([src, dst]): Action => {
    const n = Math.min(src.bits, dst.bits)
    return { type: 'move', src: { ...src, bits: n }, dst: { ...dst, bits: n } }
  }),
  subfield.map((src): Action => ({ type: 'push', src })),
  subfield.map((dst): Action => ({ type: 'pop', dst })),
  subfield.map((s): Action => ({ type: 'output_reg', src: { ...s, bits: Math.min(s.bits, 32) }, maxLen: 65535 })),
  fc.tuple(port, fc.option(table)).map(
    ([p, t]): Action => ({
      type: 'resubmit',
      port: t === null && p !== OFPP.IN_PORT ? p : OFPP.IN_PORT,
      ...(t === null && p !== OFPP.IN_PORT ? {} : { table: t ?? 7 }),
    }),
  ),
  fc.tuple(bytes(1, 20), fc.boolean(), fc.option(word), half).map(
    ([userdata, pause, meterId, controllerId]): Action => ({
      type: 'controller',
      maxLen: 65535,
      controllerId,
      reason: 1,
      userdata,
      ...(pause ? { pause } : {}),
      ...(meterId === null ? {} : { meterId }),
    }),
  ),
  fc.integer({ min: 1, max: 1000 }).map((group): Action => ({ type: 'group', group })),
  fc.tuple(half, bit).map(([length, dst]): Action => ({ type: 'check_pkt_larger', length, dst })),
  word.map((queue): Action => ({ type: 'set_queue', queue })),
  fc.constantFrom<Action>({ type: 'pop_queue' }, { type: 'ct_clear' }),
  bytes(6, 6).map((data): Action => ({ type: 'note', data })),
  fc
    .tuple(fc.integer({ min: 14, max: 1000 }), fc.integer({ min: 1, max: 100 }))
    .map(([maxLen, p]): Action => ({ type: 'output_trunc', port: p, maxLen })),
  fc.tuple(half, table, fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), subfield, fc.boolean()).map(
    ([priority, t, cookie, s, deleteLearned]): Action => ({
      type: 'learn',
      idleTimeout: 0,
      hardTimeout: 3,
      priority,
      cookie,
      sendFlowRemoved: false,
      deleteLearned,
      table: t,
      finIdleTimeout: 0,
      finHardTimeout: 0,
      limit: 0,
      specs: [
        { source: s, bits: s.bits, target: { kind: 'match', dst: s } },
        { source: { value: 5n }, bits: 32, target: { kind: 'load', dst: { field: F.reg1, offset: 0, bits: 32 } } },
      ],
    }),
  ),
  ct,
)

/** Lists of actions, some nested. */
export const arbitraryActions: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: simple },
    {
      weight: 1,
      arbitrary: fc
        .array(simple, { minLength: 1, maxLength: 3 })
        .map((actions): Action => ({ type: 'clone', actions })),
    },
  ),
  { maxLength: 6 },
)
