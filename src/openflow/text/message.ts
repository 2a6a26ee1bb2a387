import { OFPP } from '../actions/action.ts'
import { decodeMessage } from '../messages/codec.ts'
import type { WireContext } from '../messages/context.ts'
import {
  BUCKET,
  type FlowMod,
  type FlowRemoved,
  GROUP_ALL,
  GROUP_ANY,
  type GroupMod,
  METER_ALL,
  type Message,
  type MeterMod,
  NO_BUFFER,
  type PacketIn,
  type PacketOut,
} from '../messages/message.ts'
import { MORE, type StatsReply, type StatsRequest } from '../messages/multipart.ts'
import { formatActions } from './actions-format.ts'
import { formatDuration } from './duration.ts'
import { FLAGS, formatFlow, formatPriorityMatch } from './flow.ts'
import { formatMatch } from './match.ts'
import { formatPort } from './names.ts'
import { featuresReply, portDescription, portDescriptions } from './ports.ts'
import {
  bucketText,
  groupDescriptions,
  groupStats,
  meterBands,
  meterConfigs,
  meterFeatures,
  meterFlags,
  meterStats,
  portStats,
  queueStats,
  selectionText,
  tlvTable,
} from './statistics.ts'

// OpenFlow messages as `ovs-ofctl ofp-print` shows them, seen there. Of what is not spelled out here the
// first line alone is told: name, version and transaction.

/** Messages whose names in the real programs do not follow from ours. */
const NAMES: Readonly<Partial<Record<Message['type'], string>>> = {
  bundle_add: 'OFPT_BUNDLE_ADD_MESSAGE',
  set_async: 'OFPT_SET_ASYNC',
  flow_monitor_cancel: 'OFPT_FLOW_MONITOR_CANCEL',
  unknown: 'OFPT_UNKNOWN',
  experimenter: 'OFPT_EXPERIMENTER',
}

/** Those of Open vSwitch alone. */
const NICIRA: ReadonlySet<Message['type']> = new Set([
  ...(['set_flow_format', 'flow_mod_table_id', 'set_packet_in_format', 'set_controller_id', 'flow_age'] as const),
  ...(['tlv_table_request', 'tlv_table_reply', 'tlv_table_mod', 'ct_flush_zone', 'ct_flush', 'resume'] as const),
  ...(['flow_monitor_paused', 'flow_monitor_resumed'] as const),
])

const COMMANDS = { add: 'ADD', modify: 'MOD', modify_strict: 'MOD_STRICT', delete: 'DEL', delete_strict: 'DEL_STRICT' }
const PACKET_IN_REASONS = ['no_match', 'action', 'invalid_ttl', 'action_set', 'group', 'packet_out']
const REMOVED_REASONS = ['idle', 'hard', 'delete', 'group_delete', 'meter_delete', 'eviction']
const PORT_REASONS = { add: 'ADD', delete: 'DEL', modify: 'MOD' }
const TLV_COMMANDS = { add: 'ADD', delete: 'DEL', clear: 'CLEAR' }
const ROLES = ['nochange', 'equal', 'primary', 'secondary']
const PACKET_IN_FORMATS = ['openflow10', 'nxt_packet_in', 'nxt_packet_in2']

/** A message as it is on the wire; what can not be read is told by its error. */
export function formatMessageBytes(bytes: Uint8Array, context: Partial<WireContext> = {}): string {
  const decoded = decodeMessage(bytes, context)
  if (decoded.ok) return formatMessage(decoded.value.message, decoded.value.version)
  if (bytes.length < 8) return bytes.length ? 'message too short' : 'OpenFlow message is empty'
  const xid = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4)
  return `${heading(`OFPT_${bytes[1]}`, bytes[0] as number, xid)} ***decode error: ${decoded.error}***`
}

/** A message in the version that it goes over the wire in. */
export function formatMessage(message: Message, version: number): string {
  const body = bodyOf(message, version)
  return `${heading(nameOf(message, version), version, message.xid)}${body}`.trimEnd()
}

function heading(name: string, version: number, xid: number): string {
  return `${name}${version === 1 ? '' : ` (OF1.${version - 1})`} (xid=0x${xid.toString(16)}):`
}

function nameOf(m: Message, version: number): string {
  switch (m.type) {
    case 'multipart_request':
      return `${statsName(m.request, version)} request`
    case 'multipart_reply':
      return `${statsName(m.reply, version)} reply`
    case 'packet_in':
      return m.format === 'standard' ? 'OFPT_PACKET_IN' : m.format === 'nxt' ? 'NXT_PACKET_IN' : 'NXT_PACKET_IN2'
    case 'group_mod':
      return `${version === 1 ? 'NXT' : 'OFPT'}_GROUP_MOD`
    case 'role_request':
    case 'role_reply':
      return `${m.nicira ? 'NXT' : 'OFPT'}_${m.type.toUpperCase()}`
    default:
      return NAMES[m.type] ?? `${NICIRA.has(m.type) ? 'NXT' : 'OFPT'}_${m.type.toUpperCase()}`
  }
}

/** Kinds of statistics that the codec hands on whole (OpenFlow 1.5 §7.3.5). */
const STATS_TYPES: ReadonlyMap<number, string> = new Map([
  [12, 'TABLE_FEATURES'],
  [14, 'TABLE_DESC'],
  [15, 'QUEUE_DESC'],
  [17, 'BUNDLE_FEATURES'],
])

function statsName(stats: StatsRequest | StatsReply, version: number): string {
  const kind = stats.kind === 'unknown' ? (STATS_TYPES.get(stats.statsType) ?? stats.kind) : stats.kind
  // OpenFlow 1.0 knows no groups but for Open vSwitch's own.
  const extended = ('extended' in stats && stats.extended) || (version === 1 && stats.kind.startsWith('group'))
  return `${extended ? 'NXST' : 'OFPST'}_${kind.toUpperCase()}`
}

/** What comes behind the colon, with the blank or the line's end before it. */
function bodyOf(m: Message, version: number): string {
  switch (m.type) {
    case 'hello':
      return `\n version bitmap: ${versionList(m.versions ?? upTo(m.version))}`
    case 'error':
      return ` ${m.error}\n${formatMessageBytes(m.data)}`
    case 'echo_request':
    case 'echo_reply':
      return ` ${m.data.length} bytes of payload`
    case 'flow_mod':
      return ` ${flowMod(m)}`
    case 'flow_removed':
      return ` ${flowRemoved(m)}`
    case 'packet_in':
      return ` ${packetIn(m)}`
    case 'packet_out':
      return ` ${packetOut(m)}`
    case 'set_config':
    case 'get_config_reply':
      return ` frags=${['normal', 'drop', 'reassemble'][m.flags & 3] ?? m.flags} miss_send_len=${m.missSendLen}`
    case 'role_request':
    case 'role_reply':
      return ` role=${ROLES[m.role] ?? m.role}${m.nicira ? '' : ` generation_id=${m.generation}`}`
    case 'group_mod':
      return `\n ${groupMod(m)}`
    case 'meter_mod':
      return ` ${meterMod(m)}`
    case 'bundle_control':
      return `\n bundle_id=${hexadecimal(m.bundle)} type=${m.control.toUpperCase()} flags=${bundleFlags(m.flags)}`
    case 'bundle_add':
      return `\n bundle_id=${hexadecimal(m.bundle)} flags=${bundleFlags(m.flags)}\n${formatMessage(m.message, version)}`
    case 'set_flow_format':
      return ` format=${['openflow10', '', 'nxm'][m.format] ?? m.format}`
    case 'set_packet_in_format':
      return ` format=${PACKET_IN_FORMATS[m.format] ?? m.format}`
    case 'set_controller_id':
      return ` id=${m.id}`
    case 'flow_mod_table_id':
      return m.enabled ? ' enable' : ' disable'
    case 'ct_flush_zone':
      return ` zone_id=${m.zone}`
    case 'queue_get_config_request':
      return ` port=${formatPort(m.port)}`
    case 'port_status':
      return ` ${PORT_REASONS[m.reason]}: ${portDescription(m.port)}`
    case 'features_reply':
      return featuresReply(m)
    case 'tlv_table_reply': {
      const used = m.maps.reduce((sum, map) => sum + map.length, 0)
      return `\n max option space=${m.maxSpace} max fields=${m.maxFields}\n allocated option space=${used}\n\n${tlvTable(m.maps)}`
    }
    case 'tlv_table_mod':
      return `\n ${TLV_COMMANDS[m.command]}${m.command === 'clear' ? '' : tlvTable(m.maps)}`
    case 'multipart_request':
      return statsRequest(m.request)
    case 'multipart_reply':
      return `${m.flags & MORE ? ' flags=[more]' : ''}${statsReply(m.reply, version)}`
    default:
      return ''
  }
}

/** C's `%#x`: a zero has no prefix. */
const hexadecimal = (n: number): string => (n ? `0x${n.toString(16)}` : '0')

const upTo = (version: number): number[] => Array.from({ length: version }, (_, i) => i + 1)

/** `0x01, 0x04`. */
export function versionList(versions: readonly number[]): string {
  return versions.map((v) => `0x${v.toString(16).padStart(2, '0')}`).join(', ')
}

function bundleFlags(flags: number): string {
  const names = [flags & 1 ? 'atomic' : '', flags & 2 ? 'ordered' : ''].filter(Boolean)
  return names.join(' ') || String(flags)
}

function flowMod(m: FlowMod): string {
  const parts: string[] = [COMMANDS[m.command]]
  if (m.table !== 0) parts.push(`table:${m.table}`)
  const match = formatPriorityMatch(m.priority, m.match)
  if (match) parts.push(match)
  if (m.cookie || m.cookieMask)
    parts.push(`cookie:0x${m.cookie.toString(16)}${m.cookieMask ? `/0x${m.cookieMask.toString(16)}` : ''}`)
  if (m.idleTimeout) parts.push(`idle:${m.idleTimeout}`)
  if (m.hardTimeout) parts.push(`hard:${m.hardTimeout}`)
  if (m.importance) parts.push(`importance:${m.importance}`)
  if (m.bufferId !== NO_BUFFER) parts.push(`buf:0x${m.bufferId.toString(16)}`)
  if (m.outPort !== OFPP.NONE && m.outPort !== 0) parts.push(`out_port:${formatPort(m.outPort)}`)
  for (const [bit, name] of FLAGS) if (m.flags & bit) parts.push(name)
  parts.push(`actions=${formatActions(m.actions)}`)
  return parts.join(' ')
}

function flowRemoved(m: FlowRemoved): string {
  const match = formatPriorityMatch(m.priority, m.match)
  const cookie = m.cookie ? ` cookie:0x${m.cookie.toString(16)}` : ''
  const hard = m.hardTimeout ? ` hard${m.hardTimeout}` : ''
  const reason = REMOVED_REASONS[m.reason] ?? m.reason
  return `${match} reason=${reason} table_id=${m.table}${cookie} duration${formatDuration(m)} idle${m.idleTimeout}${hard} pkts${m.packets} bytes${m.bytes}`
}

/** All but the packet itself. */
function packetIn(m: PacketIn): string {
  const table = m.table ? `table_id=${m.table} ` : ''
  const reason = PACKET_IN_REASONS[m.reason] ?? m.reason
  const buffer = m.bufferId === NO_BUFFER ? '(unbuffered)' : `buffer=0x${m.bufferId.toString(16).padStart(8, '0')}`
  const odd = m.totalLength !== m.packet.length && m.bufferId === NO_BUFFER ? ' (***total_len != data_len***)' : ''
  const userdata = m.userdata?.length
    ? `\n userdata=${[...m.userdata].map((b) => b.toString(16).padStart(2, '0')).join('.')}`
    : ''
  return `${table}cookie=0x${m.cookie.toString(16)} total_len=${m.totalLength} ${formatMatch(m.metadata)} (via ${reason}) data_len=${m.packet.length} ${buffer}${odd}${userdata}`
}

function packetOut(m: PacketOut): string {
  const from = formatMatch(m.metadata)
  const data = m.bufferId === NO_BUFFER ? `data_len=${m.packet.length}` : `buffer=0x${m.bufferId.toString(16)}`
  return `${from}${from ? ' ' : ''}actions=${formatActions(m.actions)} ${data}`
}

const GROUP_COMMANDS = {
  ...{ add: 'ADD', modify: 'MOD', delete: 'DEL', add_or_modify: 'ADD_OR_MOD' },
  ...{ insert_bucket: 'INSERT_BUCKET', remove_bucket: 'REMOVE_BUCKET' },
}

function groupMod(m: GroupMod): string {
  const parts = [`group_id=${m.group}`]
  const { command, commandBucket, groupType, selection } = m
  if (command === 'insert_bucket' || command === 'remove_bucket')
    parts.unshift(`command_bucket_id:${BUCKET_PLACES.get(commandBucket) ?? commandBucket}`)
  else parts.push(`type=${groupType === 'fast_failover' ? 'ff' : groupType}`)
  const buckets = m.buckets.map((b) => `,${bucketText(b, groupType, true)}`).join('')
  return `${GROUP_COMMANDS[command]} ${parts.join(',')}${selectionText(selection)}${buckets}`
}

const BUCKET_PLACES: ReadonlyMap<number, string> = new Map([
  [BUCKET.FIRST, 'first'],
  [BUCKET.LAST, 'last'],
  [BUCKET.ALL, 'all'],
])

function meterMod(m: MeterMod): string {
  const command = { add: 'ADD', modify: 'MOD', delete: 'DEL' }[m.command]
  return `${command} meter=${m.meter === METER_ALL ? 'all' : m.meter} ${meterFlags(m.flags)}bands=${meterBands(m.flags, m.bands)}`
}

function statsRequest(r: StatsRequest): string {
  switch (r.kind) {
    case 'flow':
    case 'aggregate': {
      const parts: string[] = []
      if (r.table !== 0xff) parts.push(`table=${r.table}`)
      if (r.outPort !== OFPP.NONE) parts.push(`out_port=${formatPort(r.outPort)}`)
      const match = formatMatch(r.match)
      if (match) parts.push(match)
      return parts.map((p) => ` ${p}`).join('')
    }
    case 'port':
      return ` port_no=${formatPort(r.port)}`
    case 'port_desc':
      return ` port=${formatPort(r.port)}`
    case 'queue':
      return ` port=${formatPort(r.port)} queue=${r.queue === 0xffff_ffff ? 'ALL' : r.queue}`
    case 'queue_desc':
      return ` port=${formatPort(r.port)}`
    case 'group':
    case 'group_desc':
      return ` group_id=${r.group === GROUP_ALL || r.group === GROUP_ANY ? 'ALL' : r.group}`
    case 'meter':
    case 'meter_config':
      return ` meter=${r.meter === METER_ALL ? 'all' : r.meter}`
    default:
      return ''
  }
}

function statsReply(r: StatsReply, version: number): string {
  switch (r.kind) {
    case 'flow':
      return r.flows.map((flow) => `\n ${formatFlow(flow)}`).join('')
    case 'aggregate':
      return ` packet_count=${r.packets} byte_count=${r.bytes} flow_count=${r.flows}`
    case 'desc':
      return [
        `\nManufacturer: ${r.description.manufacturer}`,
        `Hardware: ${r.description.hardware}`,
        `Software: ${r.description.software}`,
        `Serial Num: ${r.description.serial}`,
        `DP Description: ${r.description.datapath}`,
      ].join('\n')
    case 'port_desc':
      return portDescriptions(r.ports)
    case 'port':
      return portStats(r.ports)
    case 'queue':
      return queueStats(r.queues)
    case 'group':
      return groupStats(r.groups)
    case 'group_desc':
      return groupDescriptions(r.groups, version)
    case 'meter':
      return meterStats(r.meters)
    case 'meter_config':
      return meterConfigs(r.meters)
    case 'meter_features':
      return meterFeatures(r)
    default:
      return ''
  }
}
