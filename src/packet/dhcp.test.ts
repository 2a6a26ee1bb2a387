import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toHex } from '../base/bytes.ts'
import { unwrap } from '../base/result.ts'
import { dhcp, dhcpOptions, dhcpType, emitDhcp, option8, parseDhcp, printDhcp } from './dhcp.ts'
import {
  DHCP_OPTIONS,
  DHCP6_OPTIONS,
  decodeStaticRoutes,
  duidLinkLayer,
  encodeDomains,
  encodeStaticRoutes,
} from './dhcp-options.ts'

const base = { op: 2, xid: 0x1234, chaddr: 0xfa163e000001 }

describe('messages', () => {
  test('a value above 255 bytes goes out in parts and comes back whole (RFC 3396)', () => {
    const data = Uint8Array.from({ length: 600 }, (_, i) => i & 0xff)
    const d = unwrap(parseDhcp(emitDhcp(dhcp({ ...base, options: [option8(53, 2), { code: 119, data }] }))))
    expect(d.options.map((o) => [o.code, o.data.length])).toEqual([
      [53, 1],
      [119, 255],
      [119, 255],
      [119, 90],
    ])
    expect(toHex(dhcpOptions(d).get(119) ?? new Uint8Array(0))).toBe(toHex(data))
  })

  test('options in the file and sname fields count when option 52 says so', () => {
    const d = dhcp({
      ...base,
      options: [option8(52, 3)],
      file: Uint8Array.of(53, 1, 5, 255),
      sname: Uint8Array.of(12, 2, 0x76, 0x6d, 255),
    })
    expect([...dhcpOptions(unwrap(parseDhcp(emitDhcp(d)))).keys()]).toEqual([52, 53, 12])
    expect(dhcpType(d)).toBeUndefined()
  })

  test('is printed', () => {
    expect(printDhcp(dhcp({ ...base, yiaddr: 0x0a000004, options: [option8(53, 5)] }))).toBe(
      'BOOTP/DHCP, Reply, xid 0x1234, Your-IP 10.0.0.4, fa:16:3e:00:00:01, DHCP-Message ACK',
    )
  })
})

describe('values', () => {
  test('classless routes: the example of RFC 3442 and any other', () => {
    const routes = [
      { network: 0, length: 0, router: 0x0a000001 },
      { network: 0x0a1b8100, length: 25, router: 0x0a000002 },
    ]
    expect(toHex(encodeStaticRoutes(routes))).toBe('000a000001190a1b81000a000002')
    const route = fc.record({ network: fc.nat(0xffffffff), length: fc.nat(32), router: fc.nat(0xffffffff) })
    fc.assert(
      fc.property(fc.array(route), fc.uint8Array(), (list, noise) => {
        const masked = decodeStaticRoutes(encodeStaticRoutes(list))
        expect(masked?.length).toBe(list.length)
        expect(decodeStaticRoutes(encodeStaticRoutes(masked ?? []))).toEqual(masked)
        decodeStaticRoutes(noise)
      }),
    )
  })

  test('a search list points back into itself (RFC 3397)', () => {
    expect(toHex(encodeDomains(['ovn.org', 'abc.ovn.org']))).toBe('036f766e036f72670003616263c000')
  })

  test('a DUID of a MAC address', () => {
    expect(toHex(duidLinkLayer(0xfa163e000001))).toBe('00030001fa163e000001')
  })

  test('names and codes are unique', () => {
    for (const table of [DHCP_OPTIONS, DHCP6_OPTIONS]) {
      expect(new Set(table.map((o) => o.name)).size).toBe(table.length)
      expect(new Set(table.map((o) => o.code)).size).toBe(table.length)
    }
  })
})
