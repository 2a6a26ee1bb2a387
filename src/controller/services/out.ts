import { FLAG, LOG_FLAGS } from '../../logical/registers.ts'
import { type Action, OFPP } from '../../openflow/actions/action.ts'
import { F } from '../../openflow/fields/table.ts'
import type { PacketOut } from '../../openflow/messages/message.ts'
import { set } from '../flow.ts'
import { packetOut } from '../packet-in/metadata.ts'
import { OFTABLE } from '../tables.ts'

const flag = (bit: number): Action => set(LOG_FLAGS, 1n << BigInt(bit), 1n << BigInt(bit))
const into = (table: number): Action => ({ type: 'resubmit', port: OFPP.CONTROLLER, table })

/** A packet straight to a port of a datapath (or a multicast group's), past both pipelines. */
export function toPort(datapath: number, outport: number, packet: Uint8Array): PacketOut {
  return packetOut(packet, [
    set(F.metadata, datapath),
    set(F.reg15, outport),
    flag(FLAG.tunnel_rx),
    into(OFTABLE.LOCAL_OUTPUT),
  ])
}

/** A packet as if it came in by a port, that must not leave the chassis. */
export function fromPort(datapath: number, inport: number, packet: Uint8Array): PacketOut {
  return packetOut(packet, [
    set(F.metadata, datapath),
    set(F.reg14, inport),
    flag(FLAG.local_only),
    into(OFTABLE.LOG_INGRESS),
  ])
}

/** A multicast report or query that we looked at goes on, to a multicast group. */
export function forward(datapath: number, inport: number, outport: number, packet: Uint8Array): PacketOut {
  return packetOut(packet, [
    set(F.metadata, datapath),
    set(F.reg14, inport),
    set(F.reg15, outport),
    flag(FLAG.igmp_loopback),
    into(OFTABLE.OUTPUT_LARGE_PKT_DETECT),
  ])
}
