import { describe, expect, test } from 'vitest'
import { fromHex, Reader, toHex, Writer } from '../base/bytes.ts'
import { unwrap } from '../base/result.ts'
import { DnsType, dnsQuery, emitDns, parseDns, printDns, readDnsName, reverseName4, writeDnsName } from './dns.ts'

const bytes = (hex: string) => fromHex(hex) ?? new Uint8Array(0)

describe('dns', () => {
  test('a query on the wire', () => {
    expect(toHex(emitDns(dnsQuery(1, 'vm1.ovn.org', DnsType.a)))).toBe(
      '00010100000100000000000003766d31036f766e036f72670000010001',
    )
  })

  test('names within data are read through pointers and written out', () => {
    const message = bytes(`0002 8180 0001 0001 0000 0000
      0131 0130 0130 0231 30 07 696e2d61646472 04 61727061 00 000c 0001
      c00c 000c 0001 0000003c 0006 03 766d31 c01d`)
    const d = unwrap(parseDns(message))
    expect(d.questions[0]?.name).toBe('1.0.0.10.in-addr.arpa')
    expect(printDns(d)).toBe(`2 1/0/0 PTR vm1.arpa.`)
    expect(unwrap(parseDns(emitDns(d)))).toEqual(d)
  })

  test.each([
    ['a pointer to itself', 'c000'],
    ['a pointer forward', 'c005 00 00 00 00'],
    ['two pointers in a ring', '0161 c003 c000'],
    ['a label type of old', '41 00'],
    ['no end', '0161'],
  ])('%s is refused', (_what, hex) => {
    expect(() => readDnsName(new Reader(bytes(hex)), 0)).toThrow()
  })

  test('a name of more than 255 bytes is refused, dots in a label survive', () => {
    const long = new Writer()
    for (let i = 0; i < 5; i++) long.u8(63).zeros(63)
    expect(() => readDnsName(new Reader(long.u8(0).done()), 0)).toThrow('longer than 255')
    const odd = bytes('03 61 2e 5c 02 00 41 00')
    const name = readDnsName(new Reader(odd), 0)
    expect(name).toBe('a\\.\\\\.\\000A')
    const w = new Writer()
    writeDnsName(w, name)
    expect(toHex(w.done())).toBe(toHex(odd))
  })

  test('a message that claims more than it can hold is refused before memory is taken', () => {
    expect(parseDns(bytes('0001 0100 ffff ffff ffff ffff')).ok).toBe(false)
  })

  test('reverse names', () => {
    expect(reverseName4(0x0a000004)).toBe('4.0.0.10.in-addr.arpa')
  })
})
