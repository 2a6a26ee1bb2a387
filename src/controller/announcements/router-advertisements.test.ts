import { expect, test } from 'vitest'
import { toHex } from '../../base/bytes.ts'
import { advertisement } from './router-advertisements.ts'

// As ovn-controller 26.03 sent it, from the Ethernet header on.
const REAL =
  '3333000000010a0000000001' +
  '86dd60000000' +
  '00703afffe80000000000000080000fffe000001ff020000000000000000000000000001'

test('is the one that ovn-controller sends', () => {
  const frame = advertisement(
    new Map([
      ['ipv6_ra_address_mode', 'slaac'],
      ['ipv6_ra_dnssl', 'example.com'],
      ['ipv6_ra_mtu', '1400'],
      ['ipv6_ra_prefixes', 'fd00::/64'],
      ['ipv6_ra_prf', 'MEDIUM'],
      ['ipv6_ra_rdnss', 'fd00::53'],
      ['ipv6_ra_src_addr', 'fe80::800:ff:fe00:1'],
      ['ipv6_ra_src_eth', '0a:00:00:00:00:01'],
    ]),
  )
  const hex = toHex(frame ?? new Uint8Array())
  expect(hex.slice(0, REAL.length)).toBe(REAL)
  // Type, code, checksum (left to the codec's own tests), hop limit, flags, lifetime, timers; then the options.
  expect(hex.slice(REAL.length, REAL.length + 4)).toBe('8600')
  expect(hex.slice(REAL.length + 8)).toBe(
    'ff00ffff0000000000000000' +
      '01010a0000000001' +
      '0501000000000578' +
      '030440c0ffffffffffffffff00000000fd000000000000000000000000000000' +
      '19030000fffffffffd000000000000000000000000000053' +
      '1f030000ffffffff076578616d706c6503636f6d00000000',
  )
})

test('needs an address and a mode', () => {
  expect(advertisement(new Map([['ipv6_ra_address_mode', 'slaac']]))).toBeUndefined()
})
