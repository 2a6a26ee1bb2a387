import { describe, expect, test } from 'vitest'
import { parseIpv4 } from '../address/ipv4.ts'
import { toHex } from '../base/bytes.ts'
import { VirtualClock } from '../base/clock.ts'
import { MemoryUnderlay } from '../base/datagram.ts'
import { parseFlow } from '../openflow/text/flow.ts'
import { parseGeneve, printGeneve } from '../packet/geneve.ts'
import { craft } from '../packet/packet.ts'
import { printFrame } from '../packet/print.ts'
import { switchCommands } from './commands.ts'
import { Fixture } from './fixture.test-data.ts'
import { tunnelConfig } from './tunnels/config.ts'

const A = '192.0.2.1'
const B = '192.0.2.2'
const udp = craft({
  eth: { src: 1, dst: 2 },
  ip4: { src: parseIpv4('10.0.0.1') as number, dst: parseIpv4('10.0.0.2') as number },
  udp: { src: 1, dst: 2, payload: new Uint8Array(4) },
})

/** Two switches on one underlay, each with a port 1 and a tunnel to the other as port 10. */
class Pair {
  readonly clock = new VirtualClock()
  readonly underlay = new MemoryUnderlay(this.clock)
  readonly a: Fixture
  readonly b: Fixture
  readonly seen: string[] = []

  constructor(type: 'geneve' | 'vxlan', options: Record<string, string> = { key: 'flow' }) {
    this.a = new Fixture(1, { clock: this.clock, underlay: this.underlay, tunnelAddress: A })
    this.b = new Fixture(1, { clock: this.clock, underlay: this.underlay, tunnelAddress: B })
    for (const [f, remote] of [
      [this.a, B],
      [this.b, A],
    ] as const) {
      const tunnel = tunnelConfig('t', type, new Map(Object.entries({ remote_ip: remote, ...options })))
      if ('error' in tunnel) throw new Error(tunnel.error)
      f.sw.addPort(f.bridge, { name: 't', type, requested: 10, tunnel })
      f.send({
        type: 'tlv_table_mod',
        xid: 1,
        command: 'add',
        maps: [{ class: 0x102, type: 0x80, length: 4, index: 0 }],
      })
    }
    this.underlay.onTransit = (_from, _to, _port, payload) => {
      if (type === 'geneve') {
        const g = parseGeneve(payload)
        if (g.ok) this.seen.push(`${printGeneve(g.value)}: ${printFrame(g.value.payload)}`)
      } else this.seen.push(toHex(payload.subarray(0, 8)))
    }
  }

  flow(f: Fixture, line: string): void {
    const p = parseFlow(line)
    if (!p.ok) throw new Error(p.error)
    f.send(p.value)
  }
}

describe('tunnels', () => {
  test('Geneve carries key and options, which the other side matches', () => {
    const p = new Pair('geneve')
    p.flow(p.a, 'in_port=1,actions=set_field:0x1234->tun_id,set_field:0x10002->tun_metadata0,output:10')
    p.flow(p.b, 'in_port=10,tun_id=0x1234,tun_src=192.0.2.1,tun_metadata0=0x10002,actions=output:1')
    p.flow(p.b, 'in_port=10,priority=1,actions=drop')
    p.a.inject(1, udp)
    expect(p.seen).toEqual([
      'Geneve, Flags [C], vni 0x1234, ovn ingress 1 egress 2: IP 10.0.0.1.1 > 10.0.0.2.2: UDP, length 4',
    ])
    expect(p.b.ports.get(1)?.got.map((f) => toHex(f))).toEqual([toHex(udp)])
    const p10 = p.b.bridge.ports.get(10)
    p.a.sw.datapath.flushStatistics()
    p.b.sw.datapath.flushStatistics()
    expect([p10?.rxPackets, p.a.bridge.ports.get(10)?.txPackets]).toEqual([1, 1])
  })

  test('remote address and key by flow', () => {
    const p = new Pair('geneve', { key: 'flow', remote_ip: 'flow' })
    p.flow(p.a, `in_port=1,actions=set_field:${B}->tun_dst,set_field:7->tun_id,output:10`)
    p.flow(p.b, 'in_port=10,tun_id=7,actions=output:1')
    p.a.inject(1, udp)
    expect(p.b.ports.get(1)?.got.length).toBe(1)
  })

  test('VXLAN, with a group policy when asked for', () => {
    const p = new Pair('vxlan', { key: '5', exts: 'gbp' })
    p.flow(p.a, 'in_port=1,actions=set_field:9->tun_gbp_id,output:10')
    p.flow(p.b, 'in_port=10,tun_gbp_id=9,actions=output:1')
    p.a.inject(1, udp)
    expect(p.seen).toEqual(['8800000900000500'])
    expect(p.b.ports.get(1)?.got.length).toBe(1)
  })

  test('what comes from elsewhere, with another key, or is no tunnel packet, is dropped', () => {
    const p = new Pair('geneve', { key: '5' })
    p.flow(p.b, 'actions=output:1')
    const socket = p.underlay.bind('192.0.2.9', 1)
    const send = (bytes: number[]) => socket.send(B, 6081, Uint8Array.from(bytes))
    send([])
    send([0, 0, 0x65])
    send([63, 0, 0x65, 0x58, 0, 0, 5, 0, ...new Array<number>(20).fill(0)])
    send([0, 0, 0x65, 0x58, 0, 0, 5, 0, ...udp])
    p.clock.settle()
    expect(p.b.ports.get(1)?.got.length).toBe(0)
  })
})

describe('BFD', () => {
  test('comes up, notices a cut, and comes back', () => {
    const p = new Pair('geneve')
    const changes: string[] = []
    for (const f of [p.a, p.b]) {
      const port = f.bridge.ports.get(10)
      if (!port) throw new Error('no port')
      f.sw.bfd.onStatus = (q) => {
        if (f === p.a) changes.push(f.sw.bfd.status(q)?.state ?? 'gone')
      }
      f.sw.bfd.configure(
        port,
        new Map([
          ['enable', 'true'],
          ['min_tx', '100'],
          ['min_rx', '100'],
        ]),
      )
    }
    const port = p.a.bridge.ports.get(10)
    const status = () => (port ? p.a.sw.bfd.status(port) : undefined)
    p.clock.advance(3000)
    expect(status()).toEqual({
      state: 'up',
      forwarding: true,
      diagnostic: 'No Diagnostic',
      remoteState: 'up',
      remoteDiagnostic: 'No Diagnostic',
      flapCount: 1,
    })
    p.underlay.setCut(B, true)
    // three missed intervals
    p.clock.advance(320)
    expect(status()).toMatchObject({ state: 'down', forwarding: false, diagnostic: 'Control Detection Time Expired' })
    expect(port?.live).toBe(false)
    p.underlay.setCut(B, false)
    p.clock.advance(4000)
    expect(status()).toMatchObject({ state: 'up', forwarding: true, flapCount: 3 })
    expect(p.seen.some((s) => s.includes('BFDv1'))).toBe(true)
    const show = switchCommands(p.a.sw).find((c) => c.name === 'bfd/show')
    let text = ''
    show?.run(['t'], { ok: (t) => void (text = t), error: () => {} })
    expect(text).toContain('  Local Session State: up\n')
  })
})
