import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parse, Writer } from '../base/bytes.ts'
import { nameIn, readZone } from './zone-name.ts'

/** A file as zic writes it: an empty first block, then one whose times have 64 bits. */
function file(
  changes: readonly number[],
  kinds: readonly number[],
  names: readonly string[],
  rule: string,
): Uint8Array {
  const letters = `${names.join('\0')}\0`
  const head = (w: Writer, counts: readonly number[]) => {
    w.bytes(Buffer.from('TZif2')).zeros(15)
    for (const c of counts) w.u32(c)
  }
  const w = new Writer()
  head(w, [0, 0, 0, 0, 1, 1])
  w.zeros(7)
  head(w, [0, 0, 0, changes.length, names.length, letters.length])
  for (const c of changes) w.u64(BigInt.asUintN(64, BigInt(c)))
  for (const k of kinds) w.u8(k)
  let at = 0
  for (const name of names) {
    w.zeros(5).u8(at)
    at += name.length + 1
  }
  w.bytes(Buffer.from(`${letters}\n${rule}\n`))
  return w.done()
}

const berlin = file([-1000, 5000, 9000], [1, 2, 1], ['LMT', 'CET', 'CEST'], 'CET-1CEST,M3.5.0,M10.5.0/3')

it.each([
  [-2000, 53, 'LMT'],
  [-1000, 60, 'CET'],
  [4999, 60, 'CET'],
  [5000, 120, 'CEST'],
  [9000, 60, 'CET'],
  [4_000_000_000, 120, 'CEST'],
])('at %i, %i minutes east: %s', (seconds, offset, name) => {
  const zone = parse(berlin, readZone)
  expect(zone.ok && nameIn(zone.value, seconds, offset)).toBe(name)
})

it.each([
  ['EST5EDT,M3.2.0,M11.1.0', -300, 'EST'],
  ['EST5EDT,M3.2.0,M11.1.0', -240, 'EDT'],
  ['IST-5:30', 330, 'IST'],
  ['<+0330>-3:30', 210, '+0330'],
  ['<-03>3<-02>,M3.5.0/-2,M10.5.0/-1', -120, '-02'],
  ['?', 0, undefined],
])('by the rule %s, %i: %s', (rule, offset, name) => {
  const zone = parse(file([], [], ['X'], rule), readZone)
  expect(zone.ok && nameIn(zone.value, 0, offset)).toBe(name)
})

it('never throws, whatever the file has', () => {
  const cut = fc.tuple(fc.nat(berlin.length), fc.nat(berlin.length), fc.nat(255)).map(([length, at, byte]) => {
    const bytes = berlin.slice(0, length)
    if (at < length) bytes[at] = byte
    return bytes
  })
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), cut), fc.integer(), (bytes, seconds) => {
      const zone = parse(bytes, readZone)
      if (zone.ok) nameIn(zone.value, seconds, 0)
    }),
    { numRuns: 1000 },
  )
})
