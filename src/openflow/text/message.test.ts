import { expect, test } from 'vitest'
import { OFPP } from '../actions/action.ts'
import { encodeMessage } from '../messages/codec.ts'
import { type FlowMod, GROUP_ANY, type Message, NO_BUFFER } from '../messages/message.ts'
import { parseFlow } from './flow.ts'
import { formatMessage, formatMessageBytes } from './message.ts'

const none = new Uint8Array()

function flow(text: string, command: FlowMod['command'], more: Partial<FlowMod> = {}): FlowMod {
  const parsed = parseFlow(text, command)
  if (!parsed.ok) throw new Error(parsed.error)
  return { ...parsed.value, xid: 6, ...more }
}

// As the real ovs-vswitchd and ovs-ofctl log them.
const MESSAGES: readonly [Message, string][] = [
  [
    { type: 'hello', xid: 1, version: 6, versions: [1, 4, 6] },
    'OFPT_HELLO (OF1.5) (xid=0x1):\n version bitmap: 0x01, 0x04, 0x06',
  ],
  [{ type: 'barrier_request', xid: 7 }, 'OFPT_BARRIER_REQUEST (OF1.5) (xid=0x7):'],
  [{ type: 'echo_request', xid: 0, data: none }, 'OFPT_ECHO_REQUEST (OF1.5) (xid=0x0): 0 bytes of payload'],
  [
    flow('priority=5,ip,nw_dst=10.0.0.1,actions=ct(table=1),resubmit(,3)', 'add'),
    'OFPT_FLOW_MOD (OF1.5) (xid=0x6): ADD priority=5,ip,nw_dst=10.0.0.1 actions=ct(table=1),resubmit(,3)',
  ],
  [flow('ip', 'delete'), 'OFPT_FLOW_MOD (OF1.5) (xid=0x6): DEL table:255 ip actions=drop'],
  [
    flow('table=4,priority=7,ip', 'delete_strict'),
    'OFPT_FLOW_MOD (OF1.5) (xid=0x6): DEL_STRICT table:4 priority=7,ip actions=drop',
  ],
  [
    flow(
      'table=9,priority=0,cookie=1,hard_timeout=4,importance=5,send_flow_rem,check_overlap,reset_counts,actions=drop',
      'add',
    ),
    'OFPT_FLOW_MOD (OF1.5) (xid=0x6): ADD table:9 priority=0 cookie:0x1 hard:4 importance:5 send_flow_rem check_overlap reset_counts actions=drop',
  ],
  [
    { type: 'bundle_control', xid: 9, bundle: 0, control: 'commit_request', flags: 3, properties: none },
    'OFPT_BUNDLE_CONTROL (OF1.5) (xid=0x9):\n bundle_id=0 type=COMMIT_REQUEST flags=atomic ordered',
  ],
  [
    { type: 'bundle_add', xid: 6, bundle: 2, flags: 3, message: flow('priority=6,idle_timeout=5,actions=drop', 'add') },
    'OFPT_BUNDLE_ADD_MESSAGE (OF1.5) (xid=0x6):\n bundle_id=0x2 flags=atomic ordered\nOFPT_FLOW_MOD (OF1.5) (xid=0x6): ADD priority=6 idle:5 actions=drop',
  ],
  [
    {
      ...{ type: 'multipart_request', xid: 6, flags: 0 },
      request: {
        ...{ kind: 'flow', table: 3, outPort: OFPP.NONE, outGroup: GROUP_ANY, cookie: 0n, cookieMask: 0n },
        match: flow('ip', 'delete').match,
      },
    } as Message,
    'OFPST_FLOW request (OF1.5) (xid=0x6): table=3 ip',
  ],
  [
    {
      type: 'packet_in',
      xid: 0,
      format: 'nxt2',
      packet: new Uint8Array(42),
      totalLength: 42,
      bufferId: NO_BUFFER,
      reason: 1,
      table: 3,
      cookie: 5n,
      metadata: [],
      userdata: new Uint8Array([0, 0, 0, 1]),
    },
    'NXT_PACKET_IN2 (OF1.5) (xid=0x0): table_id=3 cookie=0x5 total_len=42  (via action) data_len=42 (unbuffered)\n userdata=00.00.00.01',
  ],
  [
    {
      type: 'meter_mod',
      xid: 1,
      command: 'add',
      flags: 6,
      meter: 3,
      bands: [{ type: 'drop', rate: 5, burst: 6, precedence: 0 }],
    },
    'OFPT_METER_MOD (OF1.5) (xid=0x1): ADD meter=3 pktps burst bands=\ntype=drop rate=5 burst_size=6',
  ],
  [
    { type: 'role_request', xid: 1, role: 2, generation: 4n },
    'OFPT_ROLE_REQUEST (OF1.5) (xid=0x1): role=primary generation_id=4',
  ],
  [
    { type: 'set_config', xid: 1, flags: 0, missSendLen: 128 },
    'OFPT_SET_CONFIG (OF1.5) (xid=0x1): frags=normal miss_send_len=128',
  ],
]

test.each(MESSAGES.map(([message, text]) => [text, message] as const))('%s', (text, message) => {
  expect(formatMessage(message, 6)).toBe(text)
  expect(formatMessageBytes(encodeMessage(message, 6))).toBe(text)
})

test('an error quotes the message at fault', () => {
  const data = encodeMessage(flow('actions=group:77', 'add'), 6)
  expect(formatMessage({ type: 'error', xid: 6, error: 'OFPBAC_BAD_OUT_GROUP', data }, 6)).toBe(
    'OFPT_ERROR (OF1.5) (xid=0x6): OFPBAC_BAD_OUT_GROUP\nOFPT_FLOW_MOD (OF1.5) (xid=0x6): ADD actions=group:77',
  )
})

test('what can not be read is told, whatever the bytes', () => {
  expect(formatMessageBytes(new Uint8Array([6, 200, 0, 8, 0, 0, 0, 1]))).toMatch(/\(OF1\.5\) \(xid=0x1\):/)
  const bytes = encodeMessage(flow('ip,actions=output:1', 'add'), 6)
  for (let length = 0; length < bytes.length; length++) {
    expect(formatMessageBytes(bytes.subarray(0, length))).not.toBe('')
    for (const value of [0, 255]) {
      const changed = bytes.slice()
      changed[length] = value
      expect(formatMessageBytes(changed)).not.toBe('')
    }
  }
})
