import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseIpv4 } from '../../address/ipv4.ts'
import { parseIpv6 } from '../../address/ipv6.ts'
import { craft } from '../../packet/packet.ts'
import { damage, packetSpecs } from '../../packet/samples.test-data.ts'
import { formatKey } from '../ofproto/flow-text.ts'
import { extract, newLayers } from './extract.ts'
import * as K from './key.ts'
import { Slots } from './slots.ts'

const flow = (frame: Uint8Array): string => {
  const key = K.newKey()
  extract(frame, key, newLayers())
  return formatKey(key, new Slots(), false)
}
const eth = { src: 1, dst: 2 }
const ip4 = { src: parseIpv4('10.0.0.1') as number, dst: parseIpv4('10.0.0.2') as number }
const ip6 = { src: parseIpv6('fe80::1') as bigint, dst: parseIpv6('fe80::2') as bigint }

test.each<[string, Uint8Array, string]>([
  [
    'TCP',
    craft({
      eth,
      ip4: { ...ip4, tos: 0x29 },
      tcp: {
        src: 5,
        dst: 80,
        seq: 0,
        ack: 0,
        flags: 0x12,
        window: 0,
        urgent: 0,
        options: new Uint8Array(0),
        payload: new Uint8Array(0),
      },
    }),
    'tcp,in_port=0,vlan_tci=0x0000,dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_tos=40,nw_ecn=1,nw_ttl=64,nw_frag=no,tp_src=5,tp_dst=80,tcp_flags=syn|ack',
  ],
  [
    'a tag',
    craft({
      eth: { ...eth, tags: [{ tpid: 0x8100, pcp: 3, dei: false, vid: 7 }] },
      ip6,
      udp: { src: 1, dst: 2, payload: new Uint8Array(0) },
    }),
    'udp6,in_port=0,dl_vlan=7,dl_vlan_pcp=3,dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02,ipv6_src=fe80::1,ipv6_dst=fe80::2,ipv6_label=0x00000,nw_tos=0,nw_ecn=0,nw_ttl=64,nw_frag=no,tp_src=1,tp_dst=2',
  ],
  [
    'a later fragment has no ports',
    craft({ eth, ip4: { ...ip4, df: false, offset: 64, protocol: 17, payload: new Uint8Array(20) } }),
    'udp,in_port=0,vlan_tci=0x0000,dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_tos=0,nw_ecn=0,nw_ttl=64,nw_frag=later',
  ],
])('%s', (_name, frame, text) => {
  expect(flow(frame)).toBe(text)
})

test('what is cut short or damaged never harms', () => {
  fc.assert(
    fc.property(packetSpecs, fc.array(damage, { maxLength: 8 }), (spec, damages) => {
      const frame = craft(spec)
      for (let n = 14; n < Math.min(frame.length, 90); n++) flow(frame.subarray(0, n))
      for (const d of damages) {
        const broken = d(frame)
        if (broken.length >= 14) flow(broken)
      }
    }),
    { numRuns: 60 },
  )
  fc.assert(fc.property(fc.uint8Array({ minLength: 14, maxLength: 120 }), (bytes) => void flow(bytes)))
})
