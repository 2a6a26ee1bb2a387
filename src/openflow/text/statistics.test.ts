import { expect, it } from 'vitest'
import { OFPP } from '../actions/action.ts'
import type { Message } from '../messages/message.ts'
import type { StatsReply } from '../messages/multipart.ts'
import { formatDuration } from './duration.ts'
import { formatMessage } from './message.ts'

const reply = (r: StatsReply): Message => ({ type: 'multipart_reply', xid: 2, flags: 0, reply: r })
const UNKNOWN = 0xffff_ffff_ffff_ffffn
const age = { durationSec: 870, durationNsec: 389_000_000 }
const port = {
  ...{ port: 1, mac: 0xaa0000000001, name: 'eth0', config: 0x21, state: 4, current: 0x820, advertised: 0 },
  ...{ supported: 1, peer: 0, currentSpeed: 1_000_000, maxSpeed: 999 },
}

// As ovs-ofctl 4.0 prints them.
const TEXTS: readonly (readonly [Message, string])[] = [
  [
    { type: 'port_status', xid: 1, reason: 'modify', port },
    `OFPT_PORT_STATUS (OF1.5) (xid=0x1): MOD: 1(eth0): addr:aa:00:00:00:00:01
     config:     PORT_DOWN NO_FWD
     state:      LIVE
     current:    1GB-FD COPPER
     supported:  10MB-HD
     speed: 1000 Mbps now, 0 Mbps max`,
  ],
  [
    {
      type: 'features_reply',
      xid: 1,
      datapathId: 0x1234n,
      buffers: 256,
      tables: 254,
      auxiliary: 3,
      capabilities: 0x4f,
    },
    `OFPT_FEATURES_REPLY (OF1.5) (xid=0x1): dpid:0000000000001234
n_tables:254, n_buffers:256, auxiliary_id:3
capabilities: FLOW_STATS TABLE_STATS PORT_STATS GROUP_STATS QUEUE_STATS`,
  ],
  [
    { type: 'tlv_table_mod', xid: 0x13, command: 'add', maps: [{ class: 0x102, type: 0x80, length: 4, index: 0 }] },
    `NXT_TLV_TABLE_MOD (OF1.5) (xid=0x13):
 ADD mapping table:
  class  type  length  match field
 ------  ----  ------  --------------
  0x102  0x80       4  tun_metadata0`,
  ],
  [
    reply({
      kind: 'meter',
      meters: [{ meter: 1, flows: 0, packets: 0n, bytes: 0n, ...age, bands: [{ packets: 0n, bytes: 0n }] }],
    }),
    `OFPST_METER reply (OF1.5) (xid=0x2):
meter:1 flow_count:0 packet_in_count:0 byte_in_count:0 duration:870.389s bands:
0: packet_count:0 byte_count:0`,
  ],
  [
    reply({
      kind: 'queue',
      queues: [
        {
          port: OFPP.LOCAL,
          queue: 0,
          txBytes: UNKNOWN,
          txPackets: 3n,
          txErrors: UNKNOWN,
          ...age,
          durationSec: 0xffffffff,
        },
      ],
    }),
    `OFPST_QUEUE reply (OF1.5) (xid=0x2): 1 queues
  port LOCAL queue 0: bytes=?, pkts=3, errors=?, duration=?`,
  ],
  [
    reply({
      kind: 'group',
      groups: [
        {
          group: 2,
          references: 1,
          packets: 0n,
          bytes: 0n,
          ...age,
          buckets: [
            { packets: 4n, bytes: 5n },
            { packets: UNKNOWN, bytes: 0n },
          ],
        },
      ],
    }),
    `OFPST_GROUP reply (OF1.5) (xid=0x2):
 group_id=2,duration=870.389s,ref_count=1,packet_count=0,byte_count=0,bucket0:packet_count=4,byte_count=5`,
  ],
]

it.each(TEXTS)('prints %o', (message, text) => {
  expect(formatMessage(message, 6)).toBe(text)
})

it.each([
  [0, '5s'],
  [560_000_000, '5.560s'],
  [1, '5.000000001s'],
  [47_145_840, '5.04714584s'],
])('prints %d nanoseconds behind 5 seconds as %s', (durationNsec, text) => {
  expect(formatDuration({ durationSec: 5, durationNsec })).toBe(text)
})
