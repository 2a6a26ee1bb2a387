import { OFPP } from '../../openflow/actions/action.ts'
import type { ErrorName } from '../../openflow/messages/errors.ts'
import type { PacketIn, PacketOut, Resume } from '../../openflow/messages/message.ts'
import * as K from '../classifier/key.ts'
import type { UserspaceAction } from '../datapath/action.ts'
import type { Translation } from '../datapath/datapath.ts'
import { FROZEN_FROM, type Frozen, freezeWords } from '../datapath/frozen.ts'
import { Packet } from '../datapath/packet.ts'
import { resume, translateActions } from '../pipeline/translate.ts'
import type { Switch } from '../switch.ts'
import type { Bridge } from './bridge.ts'
import { checkActions } from './flow-mod.ts'
import { applyMetadata, metadataOf } from './metadata.ts'

/** Bytes of an Ethernet header: less is no frame. */
const HEADER = 14

/** A packet as a controller gets it. */
export function packetInOf(sw: Switch, packet: Packet, action: UserspaceAction, format: PacketIn['format']): PacketIn {
  const key = packet.key.slice()
  key.set(action.frozen.words, FROZEN_FROM)
  key[K.IN_PORT] = action.frozen.inPort
  if (!action.frozen.conntracked) {
    key.fill(0, K.CT_STATE, K.CT_LABEL + 4)
    key.fill(0, K.CT_NW_SRC, K.CT_NW_PROTO + 1)
    key[K.CT_TP_SRC] = 0
    key[K.CT_TP_DST] = 0
  }
  const whole = packet.frame
  const limit = action.pause ? 0xffff : action.maxLen
  packet.owned = false
  return {
    type: 'packet_in',
    xid: 0,
    format,
    packet: whole.length > limit ? whole.subarray(0, limit) : whole,
    totalLength: whole.length,
    bufferId: 0xffffffff,
    reason: action.reason,
    table: action.table,
    cookie: action.cookie,
    metadata: metadataOf(key, sw.slots),
    ...(action.userdata ? { userdata: action.userdata } : {}),
    ...(action.pause ? { continuation: { state: action.frozen, bytes: sw.paused.bytes(action.frozen) } } : {}),
  }
}

/** Sends a packet through actions, as a controller asks. */
export function packetOut(sw: Switch, bridge: Bridge, m: PacketOut): ErrorName | undefined {
  const bad = checkActions(bridge, sw.slots, m.actions, undefined)
  if (bad) return bad
  if (m.packet.length < HEADER) return m.bufferId === 0xffffffff ? undefined : 'OFPBRC_BUFFER_UNKNOWN'
  const packet = new Packet()
  packet.receive(m.packet, 0)
  applyMetadata(packet.key, sw.slots, m.metadata)
  const inPort = packet.key[K.IN_PORT] as number
  if (inPort >= OFPP.MAX && inPort !== OFPP.LOCAL && inPort !== OFPP.NONE && inPort !== OFPP.CONTROLLER)
    return 'OFPBRC_BAD_PORT'
  const t = translateActions(sw, bridge, packet.key, m.actions, { live: true })
  packet.key[K.IN_PORT] = bridge.ports.get(inPort)?.datapath?.number ?? 0
  run(sw, packet, t)
  return undefined
}

/** Goes on with a paused packet. */
export function resumePacket(sw: Switch, m: Resume): ErrorName | undefined {
  const frozen = (m.continuation.state as Frozen | undefined) ?? sw.paused.get(m.continuation.bytes)
  const bridge = frozen && sw.bridge(frozen.bridge)
  if (!frozen || !bridge) return 'NXR_STALE'
  if (m.packet.length < HEADER) return 'OFPBRC_BAD_LEN'
  const packet = new Packet()
  packet.receive(m.packet, 0)
  applyMetadata(packet.key, sw.slots, m.metadata)
  const inPort = packet.key[K.IN_PORT] as number
  // the registers and the like are as the controller left them
  const words = freezeWords(packet.key)
  words[K.ACTSET_OUTPUT - FROZEN_FROM] = frozen.words[K.ACTSET_OUTPUT - FROZEN_FROM] as number
  const state: Frozen = { ...frozen, words, inPort }
  packet.key[K.IN_PORT] = frozen.ingress
  run(sw, packet, resume(sw, bridge, state, packet.key, { live: true }))
  return undefined
}

function run(sw: Switch, packet: Packet, t: Translation): void {
  const now = sw.clock.monotonic()
  for (const e of t.effects) e.credit(1, packet.frame.length, now)
  // the datapath carries neither registers nor what was only for the pipeline
  packet.key.fill(0, K.METADATA_HIGH, K.TUN_ID_HIGH)
  sw.datapath.execute(packet, t.actions)
}
