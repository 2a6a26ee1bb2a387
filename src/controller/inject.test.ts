import fc from 'fast-check'
import { expect, it } from 'vitest'
import { NO_SETS } from '../logical/index.ts'
import { formatActions } from '../openflow/text/actions-format.ts'
import { decodeFrame } from '../packet/index.ts'
import { injection } from './inject.ts'

const inject = (text: string) => injection(text, NO_SETS, (port) => (port === 'p1' ? 2 : undefined))

function packet(text: string): Uint8Array {
  const made = inject(`inport == "p1" && ${text}`)
  if (!made.ok) throw new Error(made.error)
  return made.value.packet
}

// Lengths and checksums that the real ovn-controller 26.03 was seen to send for these.
it.each([
  [
    'eth.src==02:00:00:00:00:01 && eth.dst==02:00:00:00:00:02 && ip4 && ip.ttl==64 && ip4.src==10.0.0.1 && ip4.dst==10.0.0.2 && udp && udp.src==53 && udp.dst==4369',
    106,
    [40, 0xf611],
  ],
  ['eth.type==0x1234', 14, undefined],
  ['eth.mcast', 14, undefined],
  ['arp && arp.op==1 && arp.tpa==10.0.0.2', 42, undefined],
  ['rarp', 42, undefined],
  ['icmp4.type==8', 106, [36, 0x13fc]],
  ['ip4 && icmp4', 106, [36, 0x1bfc]],
  ['icmp4.type==3 && icmp4.code==1', 42, [36, 0xfcfe]],
  ['ip4 && tcp.flags==2 && tcp.dst==80', 54, [50, 0xaf93]],
  ['ip4 && tcp.flags==0x10', 118, [50, 0xcb91]],
  ['ip4 && tcp.flags==0x18', 118, [50, 0xcb89]],
  ['ip4 && tcp.flags==0x11', 54, [50, 0xafd4]],
  ['reg0==5 && ip4', 34, undefined],
  ['igmp', 42, undefined],
  ['vlan.vid==5 && ip4 && udp.dst==5 && ip.dscp==3', 110, undefined],
  ['ip6.src==fe80::1 && udp.dst==9', 126, [60, 0x1cd0]],
  ['ip6 && nd_ns', 78, [56, 0x78ad]],
  ['nd_na && nd.tll==02:00:00:00:00:09', 86, undefined],
  ['icmp6.type==1', 62, [56, 0xfebd]],
  ['icmp6 && icmp6.type==128', 126, [56, 0x9b79]],
] as const)('makes a packet of %s', (text, length, checksum) => {
  const frame = packet(text)
  expect(frame.length).toBe(length)
  if (checksum) expect(new DataView(frame.buffer, frame.byteOffset).getUint16(checksum[0])).toBe(checksum[1])
  const decoded = decodeFrame(frame)
  expect(decoded.ok && decoded.value.malformed).toBeUndefined()
})

it('sends it from the port, through the first table', () => {
  const made = inject('inport == "p1" && ip4.dst == 10.0.0.2')
  expect(made.ok && [formatActions(made.value.actions), made.value.metadata[0]?.value]).toEqual(['resubmit(,0)', 2n])
})

it.each([
  ['ip4', 'ingress port not found on hypervisor.'],
  ['inport=="p3" && ip4', 'ingress port not found on hypervisor.'],
  ['foo', "Syntax error at `foo' expecting field name."],
  ['inport=="p1" && ', 'Syntax error at end of input expecting constant.'],
  ['inport=="p1" && inport=="p2"', 'Constraints are contradictory.'],
  ['inport=="p1" && ip4 && ip6', 'Constraints are contradictory.'],
  [
    'inport=="p1" && ip4.src=={1.2.3.4,1.2.3.5}',
    'Constraints are ambiguous: inport == "p1" && (ip4.src == 0x1020304 || ip4.src == 0x1020305) && eth.type == 0x800.',
  ],
])('refuses %s as the real one', (text, error) => {
  expect(inject(text)).toEqual({ ok: false, error })
})

it('never throws, whatever the microflow', () => {
  const word = fc.constantFrom(
    'inport == "p1"',
    'ip4',
    'ip6',
    'udp.dst',
    '==',
    '5',
    '&&',
    '||',
    '(',
    ')',
    'eth.type',
    '0xffff',
    'ip.frag',
    '!',
  )
  fc.assert(fc.property(fc.array(word, { maxLength: 12 }), (words) => void inject(words.join(' '))))
})
