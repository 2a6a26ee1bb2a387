import fc from 'fast-check'
import { expect, it } from 'vitest'
import { formatIpv4, ipv4Mask, ipv4MaskLength, parseIpv4 } from './ipv4.ts'
import { formatIpv6, ipv6Mask, ipv6MaskLength, linkLocal, parseIpv6, solicitedNode } from './ipv6.ts'
import { eui64, formatMac, isMulticastMac, parseMac } from './mac.ts'
import { contains, formatAddress, formatNetwork, parsePrefix } from './prefix.ts'

const mac = fc.integer({ min: 0, max: 0xffff_ffff_ffff })
const v4 = fc.nat(0xffff_ffff)
const word = fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 0xffffn }))
const v6 = fc.array(word, { minLength: 8, maxLength: 8 }).map((w) => w.reduce((v, x) => (v << 16n) | x, 0n))

it('reads what it prints', () => {
  fc.assert(fc.property(mac, (m) => void expect(parseMac(formatMac(m))).toBe(m)))
  fc.assert(fc.property(v4, (a) => void expect(parseIpv4(formatIpv4(a))).toBe(a)))
  fc.assert(fc.property(v6, (a) => void expect(parseIpv6(formatIpv6(a))).toBe(a)))
})

it('never throws on any text', () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f:./]{0,50}$/))
  fc.assert(
    fc.property(text, (t) => {
      for (const f of [parseMac, parseIpv4, parseIpv6, parsePrefix]) f(t)
    }),
  )
})

it.each([
  ['::', 0n],
  ['::1', 1n],
  ['fe80::f816:3eff:fe50:4762', 0xfe80_0000_0000_0000_f816_3eff_fe50_4762n],
  ['::ffff:10.0.0.1', 0xffff_0a00_0001n],
  ['2001:db8:0:1:1:1:1:1', 0x2001_0db8_0000_0001_0001_0001_0001_0001n],
  ['2001:0:0:1::1', 0x2001_0000_0000_0001_0000_0000_0000_0001n],
])('IPv6 %s', (text, value) => {
  expect(parseIpv6(text)).toBe(value)
  expect(formatIpv6(value)).toBe(text)
})

it.each(['', ':', ':::', '1::2::3', '12345::', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '::1.2.3', '1.2.3.4', 'g::'])(
  'no IPv6: %s',
  (t) => {
    expect(parseIpv6(t)).toBeUndefined()
  },
)

it.each(['', '1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', '1.2.3.4 ', '-1.2.3.4'])('no IPv4: %s', (t) => {
  expect(parseIpv4(t)).toBeUndefined()
})

it('takes masks and prefixes apart', () => {
  for (let n = 0; n <= 32; n++) expect(ipv4MaskLength(ipv4Mask(n))).toBe(n)
  for (let n = 0; n <= 128; n++) expect(ipv6MaskLength(ipv6Mask(n))).toBe(n)
  expect(ipv4MaskLength(0xff00ff00)).toBeUndefined()
  expect(ipv6MaskLength(1n)).toBeUndefined()
  const p = parsePrefix('10.0.0.5/255.255.255.0')
  expect(p && [formatAddress(p), formatNetwork(p), contains(p, 0x0a000063), contains(p, 0x0a000163)]).toEqual([
    '10.0.0.5',
    '10.0.0.0/24',
    true,
    false,
  ])
  const q = parsePrefix('fd00::5/64')
  expect(q && [formatAddress(q), formatNetwork(q)]).toEqual(['fd00::5', 'fd00::/64'])
  expect(parsePrefix('10.0.0.1/33')).toBeUndefined()
  expect(parsePrefix('10.0.0.1/255.0.255.0')).toBeUndefined()
})

it('derives addresses from a MAC address', () => {
  const m = parseMac('fa:16:3e:50:47:62') ?? 0
  expect(formatIpv6(linkLocal(m))).toBe('fe80::f816:3eff:fe50:4762')
  expect(formatIpv6(solicitedNode(linkLocal(m)))).toBe('ff02::1:ff50:4762')
  expect(eui64(m)).toBe(0xf816_3eff_fe50_4762n)
  expect([isMulticastMac(m), isMulticastMac(parseMac('01:00:5e:00:00:01') ?? 0)]).toEqual([false, true])
})
