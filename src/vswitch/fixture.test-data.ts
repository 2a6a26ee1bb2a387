import { VirtualClock } from '../base/clock.ts'
import { cable, type FramePort } from '../base/frame.ts'
import { keptLog } from '../base/log.ts'
import { seeded } from '../base/random.ts'
import type { Action } from '../openflow/actions/action.ts'
import type { OpenFlowChannel } from '../openflow/connection/channel.ts'
import { channelPair } from '../openflow/connection/pair.ts'
import type { FieldMatch } from '../openflow/fields/field.ts'
import { matchOf } from '../openflow/fields/match.ts'
import type { FlowMod, Message } from '../openflow/messages/message.ts'
import type { Bridge } from './ofproto/bridge.ts'
import { Switch, type SwitchOptions } from './switch.ts'

export function flowMod(
  table: number,
  priority: number,
  match: readonly FieldMatch[],
  actions: readonly Action[],
  rest: Partial<FlowMod> = {},
): FlowMod {
  const m = matchOf(...match)
  if (!m) throw new Error('contradictory match')
  return {
    type: 'flow_mod',
    xid: 1,
    command: 'add',
    match: m,
    priority,
    table,
    cookie: 0n,
    cookieMask: 0n,
    idleTimeout: 0,
    hardTimeout: 0,
    importance: 0,
    flags: 0,
    bufferId: 0xffffffff,
    outPort: 0xffff,
    outGroup: 0xffffffff,
    actions,
    ...rest,
  }
}

/** A switch on virtual time with one bridge, a controller's connection, and ports that keep what comes out. */
export class Fixture {
  readonly clock: VirtualClock
  readonly sw: Switch
  readonly bridge: Bridge
  readonly controller: OpenFlowChannel
  readonly messages: Message[] = []
  readonly lines = keptLog()
  readonly ports = new Map<number, { port: FramePort; got: Uint8Array[] }>()

  constructor(ports: number, options: Partial<SwitchOptions> & { clock?: VirtualClock } = {}) {
    this.clock = options.clock ?? new VirtualClock()
    this.sw = new Switch({ log: this.lines.log, random: seeded(7), ...options, clock: this.clock })
    this.bridge = this.sw.addBridge('br0', 0x0a_0000_0000_01)
    this.bridge.failMode = 'secure'
    for (let i = 1; i <= ports; i++) this.addPort(i)
    const [mine, theirs] = channelPair(this.clock)
    this.controller = mine
    mine.onMessage = (m) => this.messages.push(m)
    this.sw.connect('br0', theirs)
  }

  addPort(number: number): void {
    const [outside, inside] = cable(this.clock)
    const got: Uint8Array[] = []
    outside.onFrame = (f) => got.push(f)
    this.sw.attachPort(`p${number}`, inside)
    const p = this.sw.addPort(this.bridge, { name: `p${number}`, type: '', requested: number })
    if ('error' in p) throw new Error(p.error)
    this.ports.set(number, { port: outside, got })
  }

  /** Sends messages to the switch; errors throw. */
  send(...messages: readonly Message[]): void {
    for (const m of messages) this.controller.send(m)
    this.clock.settle()
    const error = this.messages.find((m) => m.type === 'error')
    if (error) throw new Error(JSON.stringify(error, (_k, v) => (typeof v === 'bigint' ? String(v) : v)))
  }

  /** Sends a frame in and returns what came out, by port. */
  inject(port: number, frame: Uint8Array): Record<number, Uint8Array[]> {
    const p = this.ports.get(port)
    if (!p) throw new Error(`no port ${port}`)
    for (const q of this.ports.values()) q.got.length = 0
    p.port.send(frame)
    this.clock.settle()
    const out: Record<number, Uint8Array[]> = {}
    for (const [n, q] of this.ports) if (q.got.length) out[n] = [...q.got]
    return out
  }

  /** The one frame that comes out, and where. */
  through(port: number, frame: Uint8Array): { port: number; frame: Uint8Array } {
    const out = this.inject(port, frame)
    const all = Object.entries(out).flatMap(([n, frames]) => frames.map((f) => ({ port: Number(n), frame: f })))
    const [first] = all
    if (!first || all.length !== 1) throw new Error(`${all.length} frames came out, not one`)
    return first
  }
}
