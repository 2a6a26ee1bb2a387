import { describe, expect, test } from 'vitest'
import { parseIpv4 } from '../address/ipv4.ts'
import type { Action } from '../openflow/actions/action.ts'
import { fieldMatch } from '../openflow/fields/match.ts'
import { F } from '../openflow/fields/table.ts'
import { craft, decodeFrame } from '../packet/packet.ts'
import { printFrame } from '../packet/print.ts'
import { switchCommands } from './commands.ts'
import { Fixture, flowMod } from './fixture.test-data.ts'

const ip = (t: string) => parseIpv4(t) as number
const MAC_A = 0x0200_0000_000a
const MAC_B = 0x0200_0000_000b

const udp = (over: { src?: string; dst?: string; sport?: number; dport?: number } = {}) =>
  craft({
    eth: { src: MAC_A, dst: MAC_B },
    ip4: { src: ip(over.src ?? '10.0.0.1'), dst: ip(over.dst ?? '10.0.0.2') },
    udp: { src: over.sport ?? 1000, dst: over.dport ?? 2000, payload: new Uint8Array(10) },
  })

const out = (port: number): Action => ({ type: 'output', port, maxLen: 0 })

describe('one bridge', () => {
  test('forwards by port, rewrites with right checksums, and caches', () => {
    const f = new Fixture(2)
    f.send(
      flowMod(
        0,
        100,
        [fieldMatch(F.in_port, 1), fieldMatch(F.eth_type, 0x800)],
        [
          { type: 'set_field', field: F.eth_src, value: 0x0a0b0c0d0e0fn, mask: F.eth_src.ones },
          { type: 'set_field', field: F.ip_dst, value: BigInt(ip('192.0.2.9')), mask: F.ip_dst.ones },
          { type: 'dec_ttl', controllers: [0] },
          { type: 'resubmit', port: 0xfff8, table: 5 },
        ],
      ),
      flowMod(5, 0, [], [out(2)]),
    )
    for (let i = 0; i < 3; i++) {
      const r = f.through(1, udp())
      expect(r.port).toBe(2)
      expect(printFrame(r.frame)).toMatchInlineSnapshot(`"IP 10.0.0.1.1000 > 192.0.2.9.2000: UDP, length 10"`)
      expect(decodeFrame(r.frame).ok).toBe(true)
    }
    expect(f.sw.datapath.cache.size).toBe(1)
    expect(f.sw.datapath.cache.hits).toBe(2)
    // a change of a table it visited is seen at once
    f.send(flowMod(5, 1, [], []))
    expect(f.inject(1, udp())).toEqual({})
  })

  test('keeps a flow for each packet that differs where it is told to', () => {
    const f = new Fixture(2)
    f.send(flowMod(0, 1, [], [out(2)]))
    const flows = () => {
      for (const sport of [1, 2, 3]) f.through(1, udp({ sport }))
      return f.sw.datapath.cache.size
    }
    expect(flows()).toBe(1)
    const say = (name: string) => {
      const found = switchCommands(f.sw).find((c) => c.name === `upcall/${name}-megaflows`)
      found?.run([], { ok: () => {}, error: () => {} })
    }
    say('disable')
    expect(flows()).toBe(3)
    say('enable')
    expect(flows()).toBe(1)
  })

  test('tracks connections: new, established, and translated both ways', () => {
    const f = new Fixture(2)
    const ct = (table: number | undefined, rest: object = {}): Action => ({
      type: 'ct',
      commit: false,
      force: false,
      zone: 7,
      alg: 0,
      exec: [],
      nat: {},
      ...(table === undefined ? {} : { table }),
      ...rest,
    })
    const snat = {
      kind: 'src',
      addresses: { family: 4, min: BigInt(ip('203.0.113.1')), max: BigInt(ip('203.0.113.1')) },
    }
    const state = (on: number) => fieldMatch(F.ct_state, on, on)
    f.send(
      flowMod(0, 1, [fieldMatch(F.eth_type, 0x800)], [ct(1)]),
      flowMod(
        1,
        10,
        [fieldMatch(F.in_port, 1), state(0x21)],
        [
          ct(undefined, {
            commit: true,
            nat: snat,
            exec: [{ type: 'set_field', field: F.ct_mark, value: 5n, mask: F.ct_mark.ones }],
          }),
          out(2),
        ],
      ),
      flowMod(1, 10, [fieldMatch(F.in_port, 1), state(0x22)], [out(2)]),
      flowMod(1, 10, [fieldMatch(F.in_port, 2), state(0x2a), fieldMatch(F.ct_mark, 5)], [out(1)]),
    )
    const first = f.through(1, udp())
    expect(printFrame(first.frame)).toMatchInlineSnapshot(`"IP 203.0.113.1.1000 > 10.0.0.2.2000: UDP, length 10"`)
    const answer = craft({
      eth: { src: MAC_B, dst: MAC_A },
      ip4: { src: ip('10.0.0.2'), dst: ip('203.0.113.1') },
      udp: { src: 2000, dst: 1000, payload: new Uint8Array(3) },
    })
    const back = f.through(2, answer)
    expect(back.port).toBe(1)
    expect(printFrame(back.frame)).toMatchInlineSnapshot(`"IP 10.0.0.2.2000 > 10.0.0.1.1000: UDP, length 3"`)
    // another from outside is not let in
    expect(f.inject(2, udp({ src: '10.0.0.2', dst: '203.0.113.1', dport: 999 }))).toEqual({})
    const next = f.through(1, udp())
    expect(printFrame(next.frame)).toMatchInlineSnapshot(`"IP 203.0.113.1.1000 > 10.0.0.2.2000: UDP, length 10"`)
  })
})
