import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromHex, toHex } from '../../base/bytes.ts'
import { decodeMessage, encodeMessage } from '../../openflow/messages/codec.ts'
import type { PacketIn } from '../../openflow/messages/message.ts'
import type { Effect, PacketInEnvironment } from './effect.ts'
import { handlePacketIn } from './handle.ts'

// Packet-ins that a real switch sent, each with what ovn-controller 26.03 sent back (or "-").
const pairs = gunzipSync(readFileSync(new URL('../../../tests/captures/packet-in-26.03.txt.gz', import.meta.url)))
  .toString()
  .split('\n')
  .map((line) => line.split(' ').map((hex) => fromHex(hex)) as [Uint8Array, Uint8Array | undefined])

const RECORDS: Readonly<Record<string, { readonly datapath: number; readonly value: string; readonly owned?: true }>> =
  {
    'vm1.ovn.org': { datapath: 1, value: '10.0.0.6 fd00::6' },
    'own.ovn.org': { datapath: 4, value: '10.2.0.6' },
    '7.0.2.10.in-addr.arpa': { datapath: 4, value: 'vm5.ovn.org' },
    'dual.ovn.org': { datapath: 4, value: '10.2.0.6 10.2.0.7 fd02::6' },
    'owned.ovn.org': { datapath: 4, value: '10.2.0.6', owned: true },
  }

const env: PacketInEnvironment = {
  dns(datapath, name) {
    const r = RECORDS[name]
    return r && r.datapath === datapath ? { value: r.value, owned: r.owned ?? false } : undefined
  },
}

function packetIn(bytes: Uint8Array): PacketIn {
  const d = decodeMessage(bytes)
  if (!d.ok || d.value.message.type !== 'packet_in') throw new Error('no packet-in')
  return d.value.message
}

function sent(effects: readonly Effect[], xid: number): string | undefined {
  for (const e of effects) if (e.type === 'send') return toHex(encodeMessage({ ...e.message, xid }, 6))
  return undefined
}

describe('packet-ins', () => {
  test.each(pairs.map(([bytes, reply], i) => [i, bytes, reply] as const))(
    'captured packet-in %i is answered as ovn-controller answered it',
    (_i, bytes, reply) => {
      const m = packetIn(bytes)
      const effects = handlePacketIn(m, env)
      if (!reply) {
        expect(effects.filter((e) => e.type === 'send')).toEqual([])
        return
      }
      const xid = new DataView(reply.buffer, reply.byteOffset).getUint32(4)
      expect(sent(effects, xid)).toBe(toHex(reply))
    },
  )

  test('what is learned and logged', () => {
    const lines: unknown[] = []
    for (const [bytes] of pairs) {
      for (const e of handlePacketIn(packetIn(bytes), env)) {
        if (e.type === 'send' || e.type === 'wait') continue
        const { ...shown } = e
        if ('packet' in shown) shown.packet = new Uint8Array()
        lines.push(shown)
      }
    }
    expect(lines).toMatchSnapshot()
  })

  test('no packet and no userdata make a handler throw', () => {
    fc.assert(
      fc.property(
        fc.nat(pairs.length - 1),
        fc.nat(29),
        fc.uint8Array({ maxLength: 80 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }),
        fc.option(fc.nat(), { nil: undefined }),
        (i, opcode, random, changes, cut) => {
          const pair = pairs[i]
          if (!pair) return
          const m = packetIn(pair[0])
          const mutate = (bytes: Uint8Array) => {
            const out = bytes.slice(0, cut === undefined ? bytes.length : cut % (bytes.length + 1))
            for (const [at, v] of changes) if (out.length) out[at % out.length] = v
            return out
          }
          handlePacketIn({ ...m, packet: mutate(m.packet), userdata: mutate(m.userdata ?? random) }, env)
          handlePacketIn({ ...m, userdata: Uint8Array.of(0, 0, 0, opcode, 0, 0, 0, 0, ...random) }, env)
        },
      ),
      { numRuns: 2000 },
    )
  })
})
