import fc from 'fast-check'
import { expect, test } from 'vitest'
import { craft, decodeFrame } from '../../packet/packet.ts'
import { badChecksums, damage, packetSpecs } from '../../packet/samples.test-data.ts'
import { extract, newLayers } from '../classifier/extract.ts'
import * as K from '../classifier/key.ts'
import { Packet } from './packet.ts'
import { popVlan, pushVlan, setWord } from './rewrite.ts'

/** Words that actions write, with the bits that their field has. */
const WORDS: readonly (readonly [number, number])[] = [
  [K.DL_DST_HIGH, 0xffff],
  [K.DL_SRC_LOW, 0xffffffff],
  [K.NW_SRC, 0xffffffff],
  [K.NW_DST, 0xffffffff],
  [K.NW_TOS, 0xff],
  [K.NW_TTL, 0xff],
  [K.IPV6_SRC + 1, 0xffffffff],
  [K.IPV6_DST + 3, 0xffffffff],
  [K.IPV6_LABEL, 0xfffff],
  [K.TP_SRC, 0xffff],
  [K.TP_DST, 0xffff],
  [K.ND_TARGET + 2, 0xffffffff],
  [K.ND_RESERVED, 0xffffffff],
  [K.ARP_SHA_HIGH, 0xffff],
  [K.ARP_THA_LOW, 0xffffffff],
]

/** Whether a packet has the field at all: actions on others are not translated. */
function has(p: Packet, at: number): boolean {
  const type = p.key[K.DL_TYPE] as number
  const v4 = type === K.ETH_IPV4
  const v6 = type === K.ETH_IPV6
  const arp = type === K.ETH_ARP && p.layers.l3 >= 0 && p.frame.length >= p.layers.l3 + 28
  const proto = p.key[K.NW_PROTO] as number
  const nd =
    v6 &&
    proto === K.IP_ICMPV6 &&
    (p.key[K.TP_SRC] === 135 || p.key[K.TP_SRC] === 136) &&
    p.layers.end - p.layers.l4 >= 24
  if (at < K.VLAN0) return true
  if (at === K.NW_SRC || at === K.NW_DST) return v4 || arp
  if (at === K.NW_TOS || at === K.NW_TTL) return v4 || v6
  if (at >= K.IPV6_SRC && at <= K.IPV6_LABEL) return v6
  if (at === K.TP_SRC || at === K.TP_DST)
    return p.layers.l4 >= 0 && (proto === K.IP_TCP || proto === K.IP_UDP || proto === K.IP_SCTP)
  if (at >= K.ARP_SHA_HIGH && at <= K.ARP_THA_LOW) return arp || (nd && p.key[at] !== 0)
  return nd
}

test('fields are written with their checksums, and the key stays that of the frame', () => {
  const writes = fc.array(fc.tuple(fc.constantFrom(...WORDS), fc.nat({ max: 0xffffffff })), {
    minLength: 1,
    maxLength: 6,
  })
  fc.assert(
    fc.property(packetSpecs, writes, fc.boolean(), (spec, list, tag) => {
      const frame = craft(spec)
      const original = frame.slice()
      const before = decodeFrame(frame)
      if (!before.ok || badChecksums(before.value)) return
      const p = new Packet()
      p.receive(frame, 1)
      if (tag) pushVlan(p, K.ETH_VLAN, 0x1005)
      for (const [[at, bits], value] of list) if (has(p, at)) setWord(p, at, value & bits, bits)
      if (tag) popVlan(p)
      expect(frame).toEqual(original)
      const after = decodeFrame(p.frame)
      if (!after.ok) throw new Error(after.error)
      expect(badChecksums(after.value)).toBe(false)
      if (p.stale) p.refresh()
      const key = K.newKey()
      extract(p.frame, key, newLayers())
      expect(p.key.slice(K.L2)).toEqual(key.slice(K.L2))
    }),
    { numRuns: 500 },
  )
})

test('damaged frames can be written to as well', () => {
  fc.assert(
    fc.property(packetSpecs, damage, (spec, d) => {
      const frame = d(craft(spec))
      if (frame.length < 14) return
      const p = new Packet()
      p.receive(frame, 1)
      for (const [at, bits] of WORDS) if (has(p, at)) setWord(p, at, bits, bits)
      popVlan(p)
      popVlan(p)
      popVlan(p)
      pushVlan(p, K.ETH_QINQ, 0x1001)
    }),
  )
})
