import type { Action } from '../actions/action.ts'
import type { Match } from '../fields/field.ts'
import type { Bucket, GroupType, MeterBand, PortDescription, SelectionMethod } from './message.ts'

/** A request for statistics or descriptions (OFPMP_*), or (OpenFlow 1.0 to 1.2) OFPST_*. */
export interface MultipartRequest {
  readonly type: 'multipart_request'
  readonly xid: number
  /** Bit 0: more parts follow. */
  readonly flags: number
  readonly request: StatsRequest
}

/** One part of an answer; parts with `flags` bit 0 set are followed by more. */
export interface MultipartReply {
  readonly type: 'multipart_reply'
  readonly xid: number
  readonly flags: number
  readonly reply: StatsReply
}

export type Multipart = MultipartRequest | MultipartReply

export const MORE = 1

/** Which flows a request is about. */
export interface FlowFilter {
  readonly match: Match
  /** 0xff: all. */
  readonly table: number
  /** OFPP.NONE: any. */
  readonly outPort: number
  /** 0xffffffff: any. */
  readonly outGroup: number
  readonly cookie: bigint
  readonly cookieMask: bigint
}

export type StatsRequest =
  /** `extended` is NXST_FLOW and NXST_AGGREGATE. */
  | ({ readonly kind: 'flow' | 'aggregate'; readonly extended?: boolean } & FlowFilter)
  | { readonly kind: 'desc' | 'table' | 'group_features' | 'meter_features' | 'table_desc' }
  /** OFPP.NONE: all ports. Bodies absent before 1.5 for port_desc. */
  | { readonly kind: 'port'; readonly port: number }
  | { readonly kind: 'port_desc'; readonly port: number }
  | { readonly kind: 'queue' | 'queue_desc'; readonly port: number /** 0xffffffff: all. */; readonly queue: number }
  | { readonly kind: 'group' | 'group_desc'; readonly group: number }
  | { readonly kind: 'meter' | 'meter_config'; readonly meter: number }
  | { readonly kind: 'flow_monitor'; readonly nicira: boolean; readonly monitors: readonly FlowMonitorRequest[] }
  | { readonly kind: 'ipfix_bridge' | 'ipfix_flow' }
  /** table_features among others: the body whole. */
  | { readonly kind: 'unknown'; readonly statsType: number; readonly body: Uint8Array }

export interface FlowMonitorRequest {
  readonly id: number
  /** NXFMF_* / OFPFMF_* of OpenFlow 1.4: initial 1, add 2, removed 4, modify 8, instructions 16, abbrev 32, own 64. */
  readonly flags: number
  readonly outPort: number
  readonly outGroup: number
  readonly table: number
  /** 1.4: OFPFMC_* 0 add, 1 modify, 2 delete. */
  readonly command: number
  readonly match: Match
}

export interface FlowStats {
  readonly match: Match
  readonly priority: number
  readonly table: number
  readonly cookie: bigint
  readonly durationSec: number
  readonly durationNsec: number
  readonly idleTimeout: number
  readonly hardTimeout: number
  readonly importance: number
  readonly flags: number
  /** Seconds since last use, plus one; 0 where unknown. NXST_FLOW and 1.5. */
  readonly idleAge?: number | undefined
  readonly hardAge?: number | undefined
  /** 2^64 - 1 where unknown. */
  readonly packets: bigint
  readonly bytes: bigint
  readonly actions: readonly Action[]
}

export interface PortStats {
  readonly port: number
  readonly durationSec: number
  readonly durationNsec: number
  readonly rxPackets: bigint
  readonly txPackets: bigint
  readonly rxBytes: bigint
  readonly txBytes: bigint
  readonly rxDropped: bigint
  readonly txDropped: bigint
  readonly rxErrors: bigint
  readonly txErrors: bigint
  readonly rxFrameErrors: bigint
  readonly rxOverErrors: bigint
  readonly rxCrcErrors: bigint
  readonly collisions: bigint
  /** Properties of 1.4 and later that are not the Ethernet one, whole. */
  readonly unknown?: readonly Uint8Array[]
}

export interface TableStats {
  readonly table: number
  readonly name: string
  readonly active: number
  readonly lookups: bigint
  readonly matched: bigint
  readonly maxEntries: number
  /** OpenFlow 1.0: OFPFW_* that may be wild. */
  readonly wildcards: number
}

export interface QueueStats {
  readonly port: number
  readonly queue: number
  readonly txBytes: bigint
  readonly txPackets: bigint
  readonly txErrors: bigint
  readonly durationSec: number
  readonly durationNsec: number
}

export interface GroupStats {
  readonly group: number
  readonly references: number
  readonly packets: bigint
  readonly bytes: bigint
  readonly durationSec: number
  readonly durationNsec: number
  readonly buckets: readonly { readonly packets: bigint; readonly bytes: bigint }[]
}

export interface GroupDescription {
  readonly group: number
  readonly groupType: GroupType
  readonly buckets: readonly Bucket[]
  readonly selection?: SelectionMethod
}

export interface GroupFeatures {
  readonly types: number
  readonly capabilities: number
  readonly maxGroups: readonly [number, number, number, number]
  readonly actions: readonly [number, number, number, number]
}

export interface MeterStats {
  readonly meter: number
  readonly flows: number
  readonly packets: bigint
  readonly bytes: bigint
  readonly durationSec: number
  readonly durationNsec: number
  readonly bands: readonly { readonly packets: bigint; readonly bytes: bigint }[]
}

export interface MeterConfig {
  readonly meter: number
  readonly flags: number
  readonly bands: readonly MeterBand[]
}

export interface MeterFeatures {
  readonly maxMeters: number
  readonly bandTypes: number
  readonly capabilities: number
  readonly maxBands: number
  readonly maxColor: number
}

export interface SwitchDescription {
  readonly manufacturer: string
  readonly hardware: string
  readonly software: string
  readonly serial: string
  readonly datapath: string
}

/** An entry of a flow monitor's update. */
export type FlowUpdate =
  | {
      readonly event: 'initial' | 'added' | 'deleted' | 'modified'
      readonly reason: number
      readonly priority: number
      readonly idleTimeout: number
      readonly hardTimeout: number
      readonly table: number
      readonly cookie: bigint
      readonly match: Match
      readonly actions: readonly Action[]
    }
  | { readonly event: 'abbrev'; readonly xid: number }
  /** OpenFlow 1.4 and later; before, NXT_FLOW_MONITOR_PAUSED and _RESUMED. */
  | { readonly event: 'paused' }
  | { readonly event: 'resumed' }

export interface AggregateStats {
  readonly packets: bigint
  readonly bytes: bigint
  readonly flows: number
}

export type StatsReply =
  | { readonly kind: 'desc'; readonly description: SwitchDescription }
  | { readonly kind: 'flow'; readonly extended?: boolean; readonly flows: readonly FlowStats[] }
  | ({ readonly kind: 'aggregate'; readonly extended?: boolean } & AggregateStats)
  | { readonly kind: 'table'; readonly tables: readonly TableStats[] }
  | { readonly kind: 'port'; readonly ports: readonly PortStats[] }
  | { readonly kind: 'port_desc'; readonly ports: readonly PortDescription[] }
  | { readonly kind: 'queue'; readonly queues: readonly QueueStats[] }
  | { readonly kind: 'group'; readonly groups: readonly GroupStats[] }
  | { readonly kind: 'group_desc'; readonly groups: readonly GroupDescription[] }
  | ({ readonly kind: 'group_features' } & GroupFeatures)
  | { readonly kind: 'meter'; readonly meters: readonly MeterStats[] }
  | { readonly kind: 'meter_config'; readonly meters: readonly MeterConfig[] }
  | ({ readonly kind: 'meter_features' } & MeterFeatures)
  | { readonly kind: 'flow_monitor'; readonly nicira: boolean; readonly updates: readonly FlowUpdate[] }
  | { readonly kind: 'unknown'; readonly statsType: number; readonly body: Uint8Array }
