// The switch: packets a second from a port of one chassis to a port of another through a Geneve tunnel,
// with and without connection tracking; what a first packet costs; what a change of flows costs.
import { VirtualClock } from '../src/base/clock.ts'
import { MemoryUnderlay } from '../src/base/datagram.ts'
import type { FramePort } from '../src/base/frame.ts'
import { silent } from '../src/base/log.ts'
import { seeded } from '../src/base/random.ts'
import { parseFlow } from '../src/openflow/text/flow.ts'
import { craft } from '../src/packet/packet.ts'
import { applyFlowMod } from '../src/vswitch/ofproto/flow-mod.ts'
import { Switch } from '../src/vswitch/switch.ts'
import { tunnelConfig } from '../src/vswitch/tunnels/config.ts'
import { number, table } from './_measure.ts'

/** As many tables as a packet passes on its way through a logical switch. */
const TABLES = 40
const BATCH = 32

class Chassis {
  readonly sw: Switch
  received = 0
  send: (frame: Uint8Array) => void = () => {}

  constructor(clock: VirtualClock, underlay: MemoryUnderlay, own: string, remote: string, tracked: boolean) {
    this.sw = new Switch({ clock, log: silent, random: seeded(1), underlay, tunnelAddress: own })
    const bridge = this.sw.addBridge('br-int')
    const port: FramePort = { send: () => void this.received++, onFrame: undefined }
    this.send = (frame) => port.onFrame?.(frame)
    this.sw.attachPort('vm', port)
    this.sw.addPort(bridge, { name: 'vm', type: '', requested: 1 })
    const tunnel = tunnelConfig(
      't',
      'geneve',
      new Map([
        ['remote_ip', remote],
        ['key', 'flow'],
      ]),
    )
    if ('error' in tunnel) throw new Error(tunnel.error)
    this.sw.addPort(bridge, { name: 't', type: 'geneve', requested: 2, tunnel })
    this.sw.slots.map({ class: 0x102, type: 0x80, length: 4, index: 0 })
    const next = (n: number) => `resubmit(,${n})`
    this.flow(`table=0,priority=100,in_port=1,actions=load:1->OXM_OF_METADATA[],load:1->NXM_NX_REG14[],${next(8)}`)
    this.flow(
      'table=0,priority=100,in_port=2,tun_id=1,actions=move:NXM_NX_TUN_METADATA0[0..15]->NXM_NX_REG15[0..15],resubmit(,60)',
    )
    for (let t = 8; t < 8 + TABLES; t++) {
      this.flow(`table=${t},priority=0,metadata=1,actions=load:${t}->NXM_NX_REG0[0..7],${next(t + 1)}`)
      for (let i = 0; i < 20; i++)
        this.flow(`table=${t},priority=50,metadata=${i + 2},dl_dst=00:00:00:00:00:0${i % 10},actions=drop`)
    }
    if (tracked) {
      this.flow(`table=20,priority=100,ip,metadata=1,actions=ct(table=21,zone=5)`)
      this.flow(`table=30,priority=100,ip,ct_state=+new+trk,metadata=1,actions=ct(commit,zone=5),${next(31)}`)
    }
    this.flow(
      `table=${8 + TABLES},metadata=1,dl_dst=00:00:00:00:00:02,actions=load:2->NXM_NX_REG15[],move:OXM_OF_METADATA[0..23]->NXM_NX_TUN_ID[0..23],move:NXM_NX_REG15[0..15]->NXM_NX_TUN_METADATA0[0..15],output:2`,
    )
    if (tracked) this.flow('table=60,priority=10,ip,actions=ct(table=61,zone=6)')
    this.flow(`table=60,priority=1,reg15=2,actions=output:1`)
    this.flow(`table=61,priority=10,ct_state=+new+trk,ip,actions=ct(commit,zone=6),output:1`)
    this.flow(`table=61,priority=1,actions=output:1`)
  }

  flow(text: string): void {
    const mod = parseFlow(text)
    if (!mod.ok) throw new Error(`${text}: ${mod.error}`)
    const bridge = this.sw.bridge('br-int')
    const done = bridge && applyFlowMod(bridge, this.sw.slots, mod.value)
    if (!done?.ok) throw new Error(`${text}: ${done?.error}`)
  }
}

function frame(size: number, port = 1): Uint8Array {
  return craft({
    eth: { src: 1, dst: 2 },
    ip4: { src: 1, dst: 2 },
    udp: { src: port, dst: 2, payload: new Uint8Array(size - 42) },
  })
}

function forward(tracked: boolean, size: number): number {
  const clock = new VirtualClock()
  const underlay = new MemoryUnderlay(clock)
  const a = new Chassis(clock, underlay, '192.0.2.1', '192.0.2.2', tracked)
  const b = new Chassis(clock, underlay, '192.0.2.2', '192.0.2.1', tracked)
  const f = frame(size)
  let best = 0
  for (let round = 0; round < 4; round++) {
    const before = b.received
    const start = performance.now()
    for (let i = 0; i < 50_000; i += BATCH) {
      for (let k = 0; k < BATCH; k++) a.send(f)
      clock.settle()
    }
    best = Math.max(best, ((b.received - before) / (performance.now() - start)) * 1000)
  }
  return best
}

function first(): number {
  const clock = new VirtualClock()
  const a = new Chassis(clock, new MemoryUnderlay(clock), '192.0.2.1', '192.0.2.2', true)
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round++) {
    const start = performance.now()
    for (let i = 0; i < 200; i++) {
      a.sw.datapath.flushFlows()
      a.send(frame(100, i + 1))
    }
    best = Math.min(best, ((performance.now() - start) * 1000) / 200)
  }
  return best
}

function change(): number {
  const clock = new VirtualClock()
  const a = new Chassis(clock, new MemoryUnderlay(clock), '192.0.2.1', '192.0.2.2', false)
  const start = performance.now()
  const n = 5000
  for (let i = 0; i < n; i++) a.flow(`table=70,priority=5,metadata=${i},dl_dst=00:00:00:00:00:01,actions=output:1`)
  return ((performance.now() - start) * 1000) / n
}

table(
  ['what', ''],
  [
    ['two chassis, 100 byte frames', number(forward(false, 100) / 1000, 'kpps', 0)],
    ['two chassis, 1400 byte frames', number(forward(false, 1400) / 1000, 'kpps', 0)],
    ['the same, tracked on both', number(forward(true, 100) / 1000, 'kpps', 0)],
    ['tracked, 1400 byte frames', number(forward(true, 1400) / 1000, 'kpps', 0)],
    [`first packet through ${TABLES} tables`, number(first(), 'us', 0)],
    ['a flow from its text into a table', number(change(), 'us', 0)],
  ],
)
