import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromHex, toHex } from '../../base/bytes.ts'
import { formatFlow } from '../text/flow.ts'
import { decodeMessage, encodeMessage, encodeParts } from './codec.ts'

// A conversation of ovn-controller 26.03 with ovs-vswitchd, and of ovs-ofctl in OpenFlow 1.0, 1.3, 1.4 and
// 1.5: `> hex` is to the switch, `< hex` from it.
const file = (name: string) => gunzipSync(readFileSync(new URL(`../../../tests/captures/${name}`, import.meta.url)))

interface Captured {
  readonly bytes: Uint8Array
  readonly toSwitch: boolean
}

const captured: Captured[] = file('openflow-26.03.txt.gz')
  .toString()
  .split('\n')
  .map((line) => ({ bytes: fromHex(line.slice(2)) as Uint8Array, toSwitch: line.startsWith('>') }))

describe('a captured conversation', () => {
  test('decodes, and encodes to the same bytes', () => {
    const wrong: string[] = []
    const types = new Set<string>()
    let flowModTableId = false
    for (const { bytes } of captured) {
      const d = decodeMessage(bytes, { flowModTableId })
      if (!d.ok) {
        wrong.push(`${JSON.stringify(d.error)}: ${toHex(bytes)}`)
        continue
      }
      const { version, message } = d.value
      types.add(message.type)
      expect(message.type).not.toBe('experimenter')
      if (message.type === 'flow_mod_table_id') flowModTableId = message.enabled
      else if (message.type === 'hello') flowModTableId = false
      const again = toHex(encodeMessage(message, { version, flowModTableId }))
      if (again !== toHex(bytes)) wrong.push(`${message.type}: ${toHex(bytes)}\n${again}`)
    }
    expect(wrong).toEqual([])
    expect([...types].sort()).toMatchSnapshot()
  })

  test('prints its flows as ovs-ofctl does', () => {
    const real = file('openflow-26.03-flows.txt.gz').toString().split('\n')
    for (const [heading, version] of [
      ['# 10', 1],
      ['# 15', 6],
    ] as const) {
      const ours: string[] = []
      for (const { bytes, toSwitch } of captured) {
        if (toSwitch || bytes[0] !== version) continue
        const d = decodeMessage(bytes)
        const m = d.ok ? d.value.message : undefined
        if (m?.type !== 'multipart_reply' || m.reply.kind !== 'flow') continue
        ours.push(...m.reply.flows.map((f) => formatFlow(f)))
      }
      const from = real.indexOf(heading) + 1
      expect(ours).toEqual(real.slice(from, from + ours.length))
      expect(ours.length).toBeGreaterThan(900)
    }
  })
})

describe('hostile input', () => {
  test('cut or changed messages give an error or a message, never an exception', () => {
    fc.assert(
      fc.property(
        fc.nat(captured.length - 1),
        fc.nat(),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
        (index, cut, changes) => {
          const original = (captured[index] as Captured).bytes
          const length = cut % 3 === 0 ? Math.max(8, cut % original.length) : original.length
          const bytes = original.slice(0, Math.min(length, 2000))
          for (const [at, value] of changes) bytes[at % bytes.length] = value
          bytes[2] = bytes.length >> 8
          bytes[3] = bytes.length & 255
          const d = decodeMessage(bytes)
          if (d.ok)
            for (const part of encodeParts(d.value.message, d.value.version)) expect(part.length).toBeGreaterThan(7)
        },
      ),
      { numRuns: 3000 },
    )
  })

  test('any bytes give an error or a message', () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 4, 5, 6), fc.nat(40), fc.uint8Array({ maxLength: 200 }), (version, type, body) => {
        const bytes = new Uint8Array(8 + body.length)
        bytes.set([version, type, bytes.length >> 8, bytes.length & 255])
        bytes.set(body, 8)
        decodeMessage(bytes)
      }),
      { numRuns: 3000 },
    )
  })
})
