import { OFPP } from '../actions/action.ts'
import {
  type Bucket,
  GROUP_ANY,
  type GroupType,
  METER_FLAG,
  type MeterBand,
  type SelectionMethod,
} from '../messages/message.ts'
import type {
  GroupDescription,
  GroupStats,
  MeterConfig,
  MeterFeatures,
  MeterStats,
  PortStats,
  QueueStats,
} from '../messages/multipart.ts'
import type { TlvMap } from '../nicira/message.ts'
import { formatActions } from './actions-format.ts'
import { formatDuration } from './duration.ts'
import { formatPort } from './names.ts'

// Statistics and descriptions as `ovs-ofctl ofp-print` shows them, seen there.

const UNKNOWN = 0xffff_ffff_ffff_ffffn
/** A counter; all ones: the switch does not count it. */
const count = (n: bigint): string => (n === UNKNOWN ? '?' : String(n))

const known = (s: { readonly durationSec: number }): boolean => s.durationSec !== 0xffff_ffff

export function portStats(ports: readonly PortStats[]): string {
  const blocks = ports.map((p) => {
    const rx = [
      ...[`rx pkts=${count(p.rxPackets)}`, `bytes=${count(p.rxBytes)}`, `drop=${count(p.rxDropped)}`],
      ...[`errs=${count(p.rxErrors)}`, `frame=${count(p.rxFrameErrors)}`, `over=${count(p.rxOverErrors)}`],
      `crc=${count(p.rxCrcErrors)}`,
    ]
    const tx = [
      ...[`tx pkts=${count(p.txPackets)}`, `bytes=${count(p.txBytes)}`, `drop=${count(p.txDropped)}`],
      ...[`errs=${count(p.txErrors)}`, `coll=${count(p.collisions)}`],
    ]
    const indent = ' '.repeat(11)
    const age = known(p) ? `\n${indent}duration=${formatDuration(p)}` : ''
    return `\n  port ${formatPort(p.port).padStart(2)}: ${rx.join(', ')}\n${indent}${tx.join(', ')}${age}`
  })
  return ` ${ports.length} ports${blocks.join('')}`
}

export function queueStats(queues: readonly QueueStats[]): string {
  const lines = queues.map((q) => {
    const age = known(q) ? formatDuration(q) : '?'
    const counts = `bytes=${count(q.txBytes)}, pkts=${count(q.txPackets)}, errors=${count(q.txErrors)}`
    return `\n  port ${formatPort(q.port)} queue ${q.queue}: ${counts}, duration=${age}`
  })
  return ` ${queues.length} queues${lines.join('')}`
}

export function groupStats(groups: readonly GroupStats[]): string {
  return groups
    .map((g) => {
      const age = known(g) ? `duration=${formatDuration(g)},` : ''
      const counts = (c: { readonly packets: bigint; readonly bytes: bigint }) =>
        `packet_count=${c.packets},byte_count=${c.bytes}`
      // Buckets that are not counted are not told.
      const buckets = g.buckets.map((b, i) => (b.packets === UNKNOWN ? '' : `,bucket${i}:${counts(b)}`)).join('')
      return `\n group_id=${g.group},${age}ref_count=${g.references},${counts(g)}${buckets}`
    })
    .join('')
}

/** `,selection_method=...`, or nothing. */
export function selectionText(selection: SelectionMethod | undefined): string {
  if (!selection) return ''
  const param = selection.param ? `,selection_method_param=${selection.param}` : ''
  const fields = selection.fields.length ? `,fields(${selection.fields.map((f) => f.field.name).join(',')})` : ''
  return `,selection_method=${selection.method}${param}${fields}`
}

/** `bucket=...`; versions without an id of buckets do not tell it. */
export function bucketText(b: Bucket, type: GroupType | undefined, withId: boolean): string {
  const parts = [
    withId ? `bucket_id:${b.id}` : '',
    type === 'select' ? `weight:${b.weight}` : '',
    b.watchPort === OFPP.NONE ? '' : `watch_port:${formatPort(b.watchPort)}`,
    b.watchGroup === GROUP_ANY ? '' : `watch_group:${b.watchGroup}`,
    `actions=${formatActions(b.actions)}`,
  ]
  return `bucket=${parts.filter(Boolean).join(',')}`
}

/** @param version of the message: buckets have ids in OpenFlow 1.5, and in Open vSwitch's groups of 1.0 */
export function groupDescriptions(groups: readonly GroupDescription[], version: number): string {
  return groups
    .map((g) => {
      const type = g.groupType === 'fast_failover' ? 'ff' : g.groupType
      const buckets = g.buckets.map((b) => `,${bucketText(b, g.groupType, version === 1 || version >= 6)}`).join('')
      return `\n group_id=${g.group},type=${type}${selectionText(g.selection)}${buckets}`
    })
    .join('')
}

/** `kbps burst `: what a meter counts in, and what it keeps. */
export function meterFlags(flags: number): string {
  const all = [
    [METER_FLAG.KBPS, 'kbps'],
    [METER_FLAG.PKTPS, 'pktps'],
    [METER_FLAG.BURST, 'burst'],
    [METER_FLAG.STATS, 'stats'],
  ] as const
  return all.flatMap(([bit, name]) => (flags & bit ? [`${name} `] : [])).join('')
}

export function meterBands(flags: number, bands: readonly MeterBand[]): string {
  return bands
    .map((b) => {
      const burst = flags & METER_FLAG.BURST ? ` burst_size=${b.burst}` : ''
      const precedence = b.type === 'dscp_remark' ? ` prec_level=${b.precedence}` : ''
      return `\ntype=${b.type} rate=${b.rate}${burst}${precedence}`
    })
    .join('')
}

export function meterConfigs(meters: readonly MeterConfig[]): string {
  return meters.map((m) => `\nmeter=${m.meter} ${meterFlags(m.flags)}bands=${meterBands(m.flags, m.bands)}`).join('\n')
}

export function meterStats(meters: readonly MeterStats[]): string {
  return meters
    .map((m) => {
      const counts = `packet_in_count:${m.packets} byte_in_count:${m.bytes} duration:${formatDuration(m)}`
      const bands = m.bands.map((b, i) => `\n${i}: packet_count:${b.packets} byte_count:${b.bytes}`).join('')
      return `\nmeter:${m.meter} flow_count:${m.flows} ${counts} bands:${bands}`
    })
    .join('\n')
}

export function meterFeatures(m: MeterFeatures): string {
  const bands = [
    [1, 'drop'],
    [2, 'dscp_remark'],
  ] as const
  const types = bands.filter(([bit]) => m.bandTypes & (1 << bit)).map(([, name]) => ` ${name}`)
  return [
    `\nmax_meter:${m.maxMeters} max_bands:${m.maxBands} max_color:${m.maxColor}`,
    `band_types:${types.length ? types.join('') : ' 0'}`,
    `capabilities: ${meterFlags(m.capabilities).trimEnd() || '0'}`,
  ].join('\n')
}

/** Geneve options and the fields that hold them. */
export function tlvTable(maps: readonly TlvMap[]): string {
  const rows = maps.map((m) => {
    const cells = [hex(m.class).padStart(6), hex(m.type).padStart(4), String(m.length).padStart(6)]
    return `\n ${cells.join('  ')}  tun_metadata${m.index}`
  })
  return ` mapping table:\n  class  type  length  match field\n ------  ----  ------  --------------${rows.join('')}`
}

/** C's `%#x`: a zero has no prefix. */
const hex = (n: number): string => (n ? `0x${n.toString(16)}` : '0')
