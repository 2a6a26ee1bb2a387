import type { Fields, Log } from '../../base/log.ts'
import { OPCODE } from '../../logical/opcodes.ts'
import type { OpenFlowChannel } from '../../openflow/connection/channel.ts'
import type { Message, PacketIn } from '../../openflow/messages/message.ts'
import { PACKET_IN_FORMAT } from '../../openflow/nicira/message.ts'
import type { ControllerState } from '../controller.ts'
import { US } from '../interfaces.ts'
import type { Effect, PacketInEnvironment } from '../packet-in/effect.ts'
import { handlePacketIn } from '../packet-in/handle.ts'
import { datapathOf, inportOf } from '../packet-in/metadata.ts'
import { parseUserdata } from '../packet-in/userdata.ts'
import { Services } from '../services/services.ts'
import { LearnedRows } from './learned-rows.ts'
import { WaitingPackets } from './waiting.ts'

const NAMES = new Map<number, string>(Object.entries(OPCODE).map(([name, code]) => [code, name]))

/** Takes the switch's packet-ins to their handlers, and does what those want done. */
export class PacketIns {
  private readonly learned: LearnedRows
  private readonly waiting: WaitingPackets
  private readonly received = new Map<string, number>()
  private readonly services: Services
  private readonly log: Log
  private readonly environment: PacketInEnvironment

  constructor(private readonly state: ControllerState) {
    this.log = state.options.log.child('pinctrl')
    this.learned = new LearnedRows(state)
    this.services = new Services(state)
    this.waiting = new WaitingPackets(state.options.clock, (m) => state.send({ ...m, xid: state.installer.nextXid() }))
    state.options.sb.onChange((change) => {
      if (!this.waiting.size) return
      for (const { new: row } of change.tables.MAC_Binding?.values() ?? []) {
        const at = row && this.learned.portNamed(row.datapath, row.logical_port)
        if (row && at) this.waiting.resolved(row, at.port, at.datapath)
      }
    })
    this.environment = { dns: (datapath, name) => this.learned.dns(datapath, name) }
  }

  /** How many packets came, by what for; and those that came to nothing, by why. */
  get counters(): ReadonlyMap<string, number> {
    return this.received
  }

  /** Asks the switch for packet-ins with userdata and continuation, whole. */
  connected(channel: OpenFlowChannel): void {
    const { installer } = this.state
    channel.send({ type: 'set_packet_in_format', xid: installer.nextXid(), format: PACKET_IN_FORMAT.NXT_PACKET_IN2 })
    channel.send({ type: 'set_config', xid: installer.nextXid(), flags: 0, missSendLen: 0xffff })
  }

  close(): void {
    this.services.close()
  }

  receive(message: Message): void {
    if (message.type === 'packet_in') this.packetIn(message)
  }

  private packetIn(message: PacketIn): void {
    const userdata = parseUserdata(message.userdata)
    this.count((userdata.ok && NAMES.get(userdata.value.opcode)) || 'unknown')
    for (const effect of handlePacketIn(message, this.environment)) this.apply(effect, message)
  }

  private apply(effect: Effect, message: PacketIn): void {
    switch (effect.type) {
      case 'send':
        this.state.send({ ...effect.message, xid: this.state.installer.nextXid() })
        return
      case 'log':
        this.say(effect, message)
        return
      case 'mac_binding':
      case 'fdb':
      case 'bind_vport':
        this.learned.learn(effect)
        return
      case 'wait':
        this.waiting.add({ ...effect, port: this.learned.learningPort(effect.datapath, effect.port) })
        return
      default:
        if (this.services.apply(effect)) return
        this.count(`unsupported: ${effect.type}`)
        this.log.warn(`${effect.type} is not supported`, { code: 'packet-in-unsupported', ...this.about(message) })
    }
  }

  /** A warning is of what a machine sent: with a code, so that none fills the disk. */
  private say({ module, level, message }: Effect & { type: 'log' }, packet: PacketIn): void {
    const log = this.state.options.log.child(module)
    if (!log.enabled(level)) return
    const about = this.about(packet)
    if (level === 'info' || level === 'dbg') log[level](message, about)
    else log[level](message, { code: 'packet-in-refused', ...about })
  }

  /** Where a packet came in: the logical port, and its datapath. */
  private about(packet: PacketIn): Fields {
    const row = this.learned.port(datapathOf(packet), inportOf(packet))
    return { port: row?.logical_port, datapath: row?.datapath, chassis: this.state.chassis.us.peek(US)?.name }
  }

  private count(what: string): void {
    this.received.set(what, (this.received.get(what) ?? 0) + 1)
  }
}
