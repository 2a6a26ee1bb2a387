/** 0x00002320: Nicira's experimenter id, under which Open vSwitch's extensions go. */
export const NX_VENDOR_ID = 0x00002320

/** NXPIF_*: formats of packet-in. */
export const PACKET_IN_FORMAT = { STANDARD: 0, NXT_PACKET_IN: 1, NXT_PACKET_IN2: 2 } as const

/** A mapping of a Geneve option to a tun_metadata field. */
export interface TlvMap {
  readonly class: number
  readonly type: number
  /** Bytes of the option's value: 4 to 124, a multiple of 4. */
  readonly length: number
  /** Which tun_metadata field. */
  readonly index: number
}

export interface ConnectionTuple {
  readonly source?: bigint
  readonly destination?: bigint
  readonly sourcePort?: number
  readonly destinationPort?: number
  readonly icmpId?: number
  readonly icmpType?: number
  readonly icmpCode?: number
}

/** Messages of Open vSwitch that no OpenFlow version has. */
export type NiciraMessage =
  /** Ask for, and confirm, a format of flows (OpenFlow 1.0). */
  | { readonly type: 'set_flow_format'; readonly xid: number; readonly format: number }
  | { readonly type: 'flow_mod_table_id'; readonly xid: number; readonly enabled: boolean }
  | { readonly type: 'set_packet_in_format'; readonly xid: number; readonly format: number }
  | { readonly type: 'set_controller_id'; readonly xid: number; readonly id: number }
  | { readonly type: 'flow_age'; readonly xid: number }
  | { readonly type: 'tlv_table_request'; readonly xid: number }
  | {
      readonly type: 'tlv_table_reply'
      readonly xid: number
      /** Bytes. */
      readonly maxSpace: number
      readonly maxFields: number
      readonly maps: readonly TlvMap[]
    }
  | {
      readonly type: 'tlv_table_mod'
      readonly xid: number
      readonly command: 'add' | 'delete' | 'clear'
      readonly maps: readonly TlvMap[]
    }
  | { readonly type: 'ct_flush_zone'; readonly xid: number; readonly zone: number }
  | {
      /** NXT_CT_FLUSH: connections by zone, mark, label and tuples. */
      readonly type: 'ct_flush'
      readonly xid: number
      readonly protocol: number
      readonly family: 0 | 4 | 6
      readonly zone?: number
      readonly mark?: { readonly value: number; readonly mask: number }
      readonly label?: { readonly value: bigint; readonly mask: bigint }
      readonly original?: ConnectionTuple
      readonly reply?: ConnectionTuple
    }
  | { readonly type: 'flow_monitor_cancel'; readonly xid: number; readonly id: number }
  | { readonly type: 'flow_monitor_paused' | 'flow_monitor_resumed'; readonly xid: number }
  | {
      /** A message of an experimenter that this codec does not know. */
      readonly type: 'experimenter'
      readonly xid: number
      readonly vendor: number
      readonly subtype: number
      readonly body: Uint8Array
    }
