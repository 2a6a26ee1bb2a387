import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toHex } from '../../base/bytes.ts'
import { OFPP } from '../actions/action.ts'
import { arbitraryActions } from '../actions/arbitrary.test-data.ts'
import { arbitraryMatch } from '../fields/arbitrary.test-data.ts'
import { equalMatch, fieldMatch } from '../fields/match.ts'
import { F } from '../fields/table.ts'
import { formatActions } from '../text/actions-format.ts'
import { parseActions } from '../text/actions-parse.ts'
import { parseMatch } from '../text/flow.ts'
import { formatMatch } from '../text/match.ts'
import { decodeMessage, encodeMessage, encodeParts } from './codec.ts'
import { errorNumber, errorOf } from './errors.ts'
import { type FlowMod, GROUP_ANY, type Message, NO_BUFFER, type Version } from './message.ts'

const flowMod = (match: FlowMod['match'], actions: FlowMod['actions']): FlowMod => ({
  type: 'flow_mod',
  xid: 1,
  command: 'add',
  match,
  priority: 100,
  table: 3,
  cookie: 5n,
  cookieMask: 0n,
  idleTimeout: 0,
  hardTimeout: 0,
  importance: 0,
  flags: 0,
  bufferId: NO_BUFFER,
  outPort: OFPP.NONE,
  outGroup: GROUP_ANY,
  actions,
})

function decoded(bytes: Uint8Array, flowModTableId = true): Message {
  const d = decodeMessage(bytes, { flowModTableId })
  if (!d.ok) throw new Error(`${JSON.stringify(d.error)}: ${toHex(bytes)}`)
  return d.value.message
}

describe('any flow', () => {
  test.each([1, 4, 5, 6])('has the same match after OpenFlow version %i', (version) => {
    fc.assert(
      fc.property(arbitraryMatch, (match) => {
        const m = decoded(encodeMessage(flowMod(match, []), { version, flowModTableId: true }))
        expect(m.type).toBe('flow_mod')
        if (m.type === 'flow_mod') {
          expect(formatMatch(m.match)).toBe(formatMatch(match))
          expect(equalMatch(m.match, match)).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })

  test.each([1, 4, 6])('encodes the same once decoded, in version %i', (version) => {
    fc.assert(
      fc.property(arbitraryMatch, arbitraryActions, (match, actions) => {
        const ctx = { version, flowModTableId: true }
        const bytes = encodeMessage(flowMod(match, actions), ctx)
        expect(toHex(encodeMessage(decoded(bytes), ctx))).toBe(toHex(bytes))
      }),
      { numRuns: 500 },
    )
  })

  test('is the same after 1.5, and after being printed and parsed', () => {
    fc.assert(
      fc.property(arbitraryMatch, arbitraryActions, (match, actions) => {
        const m = decoded(encodeMessage(flowMod(match, actions), 6))
        if (m.type !== 'flow_mod') throw new Error('no flow mod')
        expect(m.actions).toEqual(actions)
        const again = parseActions(formatActions(actions))
        expect(again).toEqual({ ok: true, value: actions })
        const matched = parseMatch(formatMatch(match))
        expect(matched.ok && equalMatch(matched.value, match)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})

const CASES: readonly Message[] = [
  {
    type: 'packet_in',
    xid: 1,
    format: 'nxt',
    packet: Uint8Array.of(1, 2, 3),
    totalLength: 3,
    bufferId: NO_BUFFER,
    reason: 1,
    table: 3,
    cookie: 4n,
    metadata: [fieldMatch(F.in_port, 2), fieldMatch(F.reg0, 5)],
  },
  {
    type: 'flow_removed',
    xid: 1,
    match: [fieldMatch(F.in_port, OFPP.LOCAL)],
    cookie: 5n,
    priority: 6,
    reason: 2,
    table: 7,
    durationSec: 8,
    durationNsec: 9,
    idleTimeout: 10,
    hardTimeout: 11,
    packets: 12n,
    bytes: 13n,
  },
  { type: 'port_mod', xid: 1, port: 3, mac: 0x10203040506, config: 1, mask: 1, advertise: 0x2800 },
  { type: 'table_mod', xid: 1, table: 3, config: 4, properties: new Uint8Array() },
  {
    type: 'group_mod',
    xid: 1,
    command: 'add',
    groupType: 'select',
    group: 5,
    commandBucket: 0xffffffff,
    buckets: [
      { id: 0, weight: 100, watchPort: OFPP.NONE, watchGroup: GROUP_ANY, actions: [{ type: 'output', port: 3 }] },
      { id: 1, weight: 50, watchPort: 4, watchGroup: 7, actions: [] },
    ],
    selection: { method: 'hash', param: 7n, fields: [fieldMatch(F.ip_src, 0xffffffff)] },
  },
  {
    type: 'meter_mod',
    xid: 1,
    command: 'modify',
    flags: 13,
    meter: 5,
    bands: [
      { type: 'drop', rate: 100, burst: 10, precedence: 0 },
      { type: 'dscp_remark', rate: 100, burst: 10, precedence: 2 },
    ],
  },
  { type: 'role_request', xid: 1, role: 2, generation: 5n },
  { type: 'role_reply', xid: 1, role: 3, generation: 0n, nicira: true },
  { type: 'role_status', xid: 1, role: 2, reason: 1, generation: 9n },
  {
    type: 'set_async',
    xid: 1,
    format: 'standard',
    masks: { packet_in: { primary: 3, secondary: 0 }, flow_removed: { primary: 1, secondary: 1 } },
  },
  {
    type: 'resume',
    xid: 1,
    packet: Uint8Array.of(1, 2, 3, 4),
    reason: 1,
    table: 4,
    cookie: 5n,
    metadata: [fieldMatch(F.reg0, 5), fieldMatch(F.metadata, 1)],
    userdata: Uint8Array.of(5),
    continuation: { bytes: Uint8Array.of(0x80, 0, 0, 4, 0, 0, 0, 0) },
  },
  { type: 'set_controller_id', xid: 1, id: 5 },
  { type: 'flow_monitor_cancel', xid: 1, id: 5 },
  { type: 'experimenter', xid: 1, vendor: 0x1234, subtype: 5, body: Uint8Array.of(1, 2, 3, 4) },
  { type: 'unknown', xid: 1, messageType: 32, body: Uint8Array.of(1, 2, 3, 4) },
  {
    type: 'multipart_reply',
    xid: 1,
    flags: 0,
    reply: {
      kind: 'flow_monitor',
      nicira: false,
      updates: [
        {
          event: 'added',
          reason: 0,
          priority: 5,
          idleTimeout: 1,
          hardTimeout: 2,
          table: 3,
          cookie: 4n,
          match: [fieldMatch(F.in_port, 3)],
          actions: [{ type: 'output', port: 4 }],
        },
        { event: 'abbrev', xid: 77 },
        { event: 'paused' },
        { event: 'resumed' },
      ],
    },
  },
]

test.each(CASES.map((m) => [m.type, m] as const))('%s comes back as it was', (_type, m) => {
  expect(decoded(encodeMessage(m, 6))).toEqual(m)
})

test('long replies are cut into parts that say so', () => {
  const flow = {
    ...{ match: [], priority: 1, table: 0, cookie: 0n, durationSec: 0, durationNsec: 0, idleTimeout: 0 },
    ...{ hardTimeout: 0, importance: 0, flags: 0, packets: 0n, bytes: 0n },
  }
  const flows = Array.from({ length: 3000 }, (_, i) => ({
    ...flow,
    actions: [{ type: 'output' as const, port: 1 + (i % 60000) }],
  }))
  const parts = encodeParts({ type: 'multipart_reply', xid: 9, flags: 0, reply: { kind: 'flow', flows } }, 6)
  expect(parts.length).toBeGreaterThan(1)
  const seen = parts.flatMap((p, i) => {
    const m = decoded(p)
    if (m.type !== 'multipart_reply' || m.reply.kind !== 'flow') throw new Error('no flows')
    expect(m.flags).toBe(i < parts.length - 1 ? 1 : 0)
    return m.reply.flows
  })
  expect(seen.length).toBe(3000)
})

test('errors have the numbers of their version', () => {
  expect(errorNumber('OFPBRC_BAD_LEN', 1)).toEqual({ vendor: 0, type: 1, code: 6 })
  expect(errorNumber('NXR_STALE', 1).vendor).toBe(0x2320)
  for (const version of [1, 4, 5, 6] as Version[]) {
    for (const name of ['OFPBRC_BAD_TYPE', 'OFPBMC_BAD_PREREQ', 'OFPFMFC_OVERLAP', 'NXR_STALE'] as const) {
      const d = decodeMessage(encodeMessage({ type: 'error', xid: 1, error: name, data: Uint8Array.of(1) }, version))
      expect(d.ok && d.value.message).toEqual({ type: 'error', xid: 1, error: name, data: Uint8Array.of(1) })
    }
  }
  expect(errorOf({ vendor: 9, type: 9, code: 9 }, 6)).toEqual({ vendor: 9, type: 9, code: 9 })
})

describe('what OpenFlow forbids', () => {
  // A flow mod of 1.5: header, fixed part, match, instructions.
  const fixed =
    '00000000000000000000000000000000' +
    '0000' +
    '0000' +
    '0000' +
    '8000' +
    'ffffffff' +
    'ffffffffffffffff' +
    '00000000'
  const build = (match: string, rest = '') => {
    const body = `${fixed}${match}${rest}`
    const length = (8 + body.length / 2).toString(16).padStart(4, '0')
    const hex = `060e${length}00000001${body}`
    return Uint8Array.from(hex.match(/../g) ?? [], (h) => Number.parseInt(h, 16))
  }
  test.each([
    ['a field nobody knows', build('00010008' + '80007e00'), 'OFPBMC_BAD_FIELD'],
    ['a field of the wrong length', build('0001000a' + '80000a04' + '0800' + '000000000000'), 'OFPBMC_BAD_LEN'],
    ['a field twice', build('00010010' + '80000a020800' + '80000a020800'), 'OFPBMC_DUP_FIELD'],
    ['a missing prerequisite', build('0001000c' + '8000160401020304' + '00000000'), 'OFPBMC_BAD_PREREQ'],
    ['bits outside the mask', build('0001000c' + '80000d04' + '1005' + '1000' + '00000000'), 'OFPBMC_BAD_WILDCARDS'],
    ['a mask where there is none', build('0001000c' + '80000b04' + '0800' + 'ff00' + '00000000'), 'OFPBMC_BAD_MASK'],
    ['a match of OpenFlow 1.1', build('00000004' + '00000000'), 'OFPBMC_BAD_TYPE'],
    ['an unknown instruction', build('00010004' + '00000000', '0009000800000000'), 'OFPBIC_UNKNOWN_INST'],
    ['an instruction twice', build('00010004' + '00000000', '00050008000000000005000800000000'), 'OFPBIC_DUP_INST'],
    ['an action cut short', build('00010004' + '00000000', '000400100000000000000010' + '00000000'), 'OFPBAC_BAD_LEN'],
    ['an unknown action', build('00010004' + '00000000', '0004001000000000' + '0063000800000000'), 'OFPBAC_BAD_TYPE'],
  ])('%s', (_what, bytes, error) => {
    expect(decodeMessage(bytes)).toEqual({ ok: false, error })
  })

  test('a version that is not spoken', () => {
    expect(decodeMessage(Uint8Array.of(2, 5, 0, 8, 0, 0, 0, 1))).toEqual({ ok: false, error: 'OFPBRC_BAD_VERSION' })
    expect(decodeMessage(Uint8Array.of(6, 99, 0, 8, 0, 0, 0, 1))).toEqual({ ok: false, error: 'OFPBRC_BAD_TYPE' })
  })
})
