import type { Action } from '../actions/action.ts'
import type { Match } from '../fields/field.ts'
import type { NiciraMessage } from '../nicira/message.ts'
import type { OpenFlowError } from './errors.ts'
import type { Multipart } from './multipart.ts'

/** Version numbers in the header: 1 is OpenFlow 1.0, 4 is 1.3, 6 is 1.5. */
export type Version = 1 | 2 | 3 | 4 | 5 | 6

export const OF10 = 1
export const OF11 = 2
export const OF12 = 3
export const OF13 = 4
export const OF14 = 5
export const OF15 = 6

/** No buffer: the packet is whole in the message. */
export const NO_BUFFER = 0xffffffff

export interface Hello {
  readonly type: 'hello'
  readonly xid: number
  /** The version in the header of the message: the highest the sender speaks, if it sends no bitmap. */
  readonly version: number
  /** The version bitmap element: all versions the sender speaks; absent before 1.3.1. */
  readonly versions?: readonly number[]
}

export interface ErrorMessage {
  readonly type: 'error'
  readonly xid: number
  readonly error: OpenFlowError
  /** At least 64 bytes of the message at fault. */
  readonly data: Uint8Array
}

export interface Echo {
  readonly type: 'echo_request' | 'echo_reply'
  readonly xid: number
  readonly data: Uint8Array
}

/** A request that is its header alone. */
export interface Bare {
  readonly type: 'features_request' | 'get_config_request' | 'barrier_request' | 'barrier_reply' | 'get_async_request'
  readonly xid: number
}

export interface FeaturesReply {
  readonly type: 'features_reply'
  readonly xid: number
  readonly datapathId: bigint
  readonly buffers: number
  readonly tables: number
  readonly auxiliary: number
  /** OFPC_* bits as on the wire of 1.3 and later. */
  readonly capabilities: number
  /** OpenFlow 1.0: supported OFPAT_* bits. */
  readonly actions?: number
  /** OpenFlow 1.0 to 1.2 only. */
  readonly ports?: readonly PortDescription[]
}

export interface SwitchConfig {
  readonly type: 'get_config_reply' | 'set_config'
  readonly xid: number
  readonly flags: number
  readonly missSendLen: number
}

/** OFPR_*: why a packet came to the controller. */
export const REASON = {
  NO_MATCH: 0,
  ACTION: 1,
  INVALID_TTL: 2,
  ACTION_SET: 3,
  GROUP: 4,
  PACKET_OUT: 5,
} as const

/** A packet sent to the controller, in whichever of the three formats. */
export interface PacketIn {
  readonly type: 'packet_in'
  readonly xid: number
  /** 'standard' is OFPT_PACKET_IN, 'nxt' NXT_PACKET_IN, 'nxt2' NXT_PACKET_IN2 (with userdata and continuation). */
  readonly format: 'standard' | 'nxt' | 'nxt2'
  readonly packet: Uint8Array
  /** Length of the frame as received, where `packet` is only its beginning. */
  readonly totalLength: number
  readonly bufferId: number
  readonly reason: number
  readonly table: number
  readonly cookie: bigint
  /** Pipeline fields: in_port, tun_*, registers, metadata, ct_*... */
  readonly metadata: Match
  readonly userdata?: Uint8Array
  /** Opaque to the controller: goes back as it came in NXT_RESUME. */
  readonly continuation?: Continuation
}

/**
 * Frozen pipeline state. `bytes` is what it is on the wire (the properties inside NXPINT_CONTINUATION);
 * in one process the switch may leave them out and keep `state`, an object of its own.
 */
export interface Continuation {
  readonly bytes?: Uint8Array
  readonly state?: unknown
}

/** NXT_RESUME: goes on with a paused packet, as changed by the controller. */
export interface Resume {
  readonly type: 'resume'
  readonly xid: number
  readonly packet: Uint8Array
  readonly reason: number
  readonly table: number
  readonly cookie: bigint
  readonly metadata: Match
  readonly userdata?: Uint8Array
  readonly continuation: Continuation
}

export interface PacketOut {
  readonly type: 'packet_out'
  readonly xid: number
  readonly bufferId: number
  /** in_port at least, and (1.5) other pipeline fields. */
  readonly metadata: Match
  readonly actions: readonly Action[]
  readonly packet: Uint8Array
}

export type FlowModCommand = 'add' | 'modify' | 'modify_strict' | 'delete' | 'delete_strict'

/** OFPFF_* flags of a flow. */
export const FLOW_FLAG = {
  SEND_FLOW_REM: 1,
  CHECK_OVERLAP: 2,
  RESET_COUNTS: 4,
  NO_PACKET_COUNTS: 8,
  NO_BYTE_COUNTS: 16,
} as const

export interface FlowMod {
  readonly type: 'flow_mod'
  readonly xid: number
  readonly command: FlowModCommand
  readonly match: Match
  readonly priority: number
  /** 0xff: all tables (delete), or the switch's choice. */
  readonly table: number
  readonly cookie: bigint
  readonly cookieMask: bigint
  readonly idleTimeout: number
  readonly hardTimeout: number
  readonly importance: number
  readonly flags: number
  readonly bufferId: number
  /** Filters of deletes: OFPP.NONE and 0xffffffff for none. */
  readonly outPort: number
  readonly outGroup: number
  readonly actions: readonly Action[]
}

export interface FlowRemoved {
  readonly type: 'flow_removed'
  readonly xid: number
  readonly match: Match
  readonly cookie: bigint
  readonly priority: number
  /** OFPRR_*: 0 idle, 1 hard, 2 delete, 3 group, 4 meter, 5 eviction. */
  readonly reason: number
  readonly table: number
  readonly durationSec: number
  readonly durationNsec: number
  readonly idleTimeout: number
  readonly hardTimeout: number
  readonly packets: bigint
  readonly bytes: bigint
}

export interface PortDescription {
  readonly port: number
  /** A number of 48 bits. */
  readonly mac: number
  readonly name: string
  readonly config: number
  readonly state: number
  /** OFPPF_* bit sets as in 1.1 and later. */
  readonly current: number
  readonly advertised: number
  readonly supported: number
  readonly peer: number
  /** kbps */
  readonly currentSpeed: number
  readonly maxSpeed: number
  /** Properties of 1.4 and later that are not known here, whole. */
  readonly unknown?: readonly Uint8Array[]
}

export interface PortStatus {
  readonly type: 'port_status'
  readonly xid: number
  readonly reason: 'add' | 'delete' | 'modify'
  readonly port: PortDescription
}

export interface PortMod {
  readonly type: 'port_mod'
  readonly xid: number
  readonly port: number
  readonly mac: number
  readonly config: number
  readonly mask: number
  readonly advertise: number
}

export interface TableMod {
  readonly type: 'table_mod'
  readonly xid: number
  readonly table: number
  readonly config: number
  /** Properties of 1.4 and later, whole. */
  readonly properties: Uint8Array
}

export type GroupType = 'all' | 'select' | 'indirect' | 'fast_failover'
export type GroupCommand = 'add' | 'modify' | 'delete' | 'insert_bucket' | 'remove_bucket' | 'add_or_modify'

export interface Bucket {
  /** OpenFlow 1.5's number of the bucket; assigned in order by older versions. */
  readonly id: number
  readonly weight: number
  /** OFPP.NONE: none. */
  readonly watchPort: number
  /** 0xffffffff: none. */
  readonly watchGroup: number
  readonly actions: readonly Action[]
}

/** Every group; also "no group" as a filter. */
export const GROUP_ALL = 0xfffffffc
export const GROUP_ANY = 0xffffffff

/** Positions of insert_bucket and remove_bucket. */
export const BUCKET = { FIRST: 0xfffffffd, LAST: 0xfffffffe, ALL: 0xffffffff } as const

/** How a select group chooses (Netronome's property, ovs-ofctl(8) `selection_method`). */
export interface SelectionMethod {
  readonly method: string
  readonly param: bigint
  /** `mask` tells the bits hashed of each field. */
  readonly fields: Match
}

export interface GroupMod {
  readonly type: 'group_mod'
  readonly xid: number
  readonly command: GroupCommand
  readonly groupType: GroupType
  readonly group: number
  /** Where to insert or what to remove; BUCKET.ALL otherwise. */
  readonly commandBucket: number
  readonly buckets: readonly Bucket[]
  readonly selection?: SelectionMethod
}

export interface MeterBand {
  readonly type: 'drop' | 'dscp_remark'
  readonly rate: number
  readonly burst: number
  /** dscp_remark */
  readonly precedence: number
}

/** OFPMF_* */
export const METER_FLAG = { KBPS: 1, PKTPS: 2, BURST: 4, STATS: 8 } as const
export const METER_ALL = 0xffffffff

export interface MeterMod {
  readonly type: 'meter_mod'
  readonly xid: number
  readonly command: 'add' | 'modify' | 'delete'
  readonly flags: number
  readonly meter: number
  readonly bands: readonly MeterBand[]
}

/** OFPCR_ROLE_*: 0 no change, 1 equal (NXT: other), 2 primary, 3 secondary. */
export interface Role {
  readonly type: 'role_request' | 'role_reply'
  readonly xid: number
  readonly role: number
  readonly generation: bigint
  /** Sent as NXT_ROLE_REQUEST, whose numbers are one less. */
  readonly nicira?: boolean
}

export interface RoleStatus {
  readonly type: 'role_status'
  readonly xid: number
  readonly role: number
  readonly reason: number
  readonly generation: bigint
}

/** Which asynchronous messages a controller gets: a bit set of reasons by role. */
export interface AsyncConfig {
  readonly type: 'set_async' | 'get_async_reply'
  readonly xid: number
  /** 'standard' is OFPT_*_ASYNC, 'nxt' NXT_SET_ASYNC_CONFIG, 'nxt2' NXT_SET_ASYNC_CONFIG2. */
  readonly format: 'standard' | 'nxt' | 'nxt2'
  readonly masks: {
    readonly [kind in AsyncKind]?: {
      readonly primary?: number | undefined
      readonly secondary?: number | undefined
    }
  }
  /** Properties not known here, whole. */
  readonly unknown?: readonly Uint8Array[]
}

export type AsyncKind = 'packet_in' | 'port_status' | 'flow_removed' | 'role_status' | 'table_status' | 'requestforward'

export interface BundleControl {
  readonly type: 'bundle_control'
  readonly xid: number
  readonly bundle: number
  readonly control:
    | 'open_request'
    | 'open_reply'
    | 'close_request'
    | 'close_reply'
    | 'commit_request'
    | 'commit_reply'
    | 'discard_request'
    | 'discard_reply'
  /** 1 atomic, 2 ordered. */
  readonly flags: number
  readonly properties: Uint8Array
}

export interface BundleAdd {
  readonly type: 'bundle_add'
  readonly xid: number
  readonly bundle: number
  readonly flags: number
  readonly message: Message
}

export interface QueueConfigRequest {
  readonly type: 'queue_get_config_request'
  readonly xid: number
  readonly port: number
}

export interface QueueConfigReply {
  readonly type: 'queue_get_config_reply'
  readonly xid: number
  readonly port: number
  readonly queues: readonly {
    readonly port: number
    readonly queue: number /** In thousandths; 0xffff: none. */
    readonly minRate: number
    readonly maxRate: number
  }[]
}

/** A message this codec does not know, kept as it came: the body after the header. */
export interface UnknownMessage {
  readonly type: 'unknown'
  readonly xid: number
  readonly messageType: number
  readonly body: Uint8Array
}

/** One OpenFlow message, independent of the version on the wire. */
export type Message =
  | Hello
  | ErrorMessage
  | Echo
  | Bare
  | FeaturesReply
  | SwitchConfig
  | PacketIn
  | Resume
  | PacketOut
  | FlowMod
  | FlowRemoved
  | PortStatus
  | PortMod
  | TableMod
  | GroupMod
  | MeterMod
  | Role
  | RoleStatus
  | AsyncConfig
  | BundleControl
  | BundleAdd
  | QueueConfigRequest
  | QueueConfigReply
  | Multipart
  | NiciraMessage
  | UnknownMessage

export type MessageType = Message['type']
