import type { Field, Subfield } from '../fields/field.ts'

/**
 * OpenFlow port numbers are the 16-bit ones of OpenFlow 1.0 everywhere in memory, as in
 * Open vSwitch's registers; the codec widens the reserved ones for 1.1 and later.
 */
export const OFPP = {
  MAX: 0xff00,
  UNSET: 0xfff7,
  IN_PORT: 0xfff8,
  TABLE: 0xfff9,
  NORMAL: 0xfffa,
  FLOOD: 0xfffb,
  ALL: 0xfffc,
  CONTROLLER: 0xfffd,
  LOCAL: 0xfffe,
  NONE: 0xffff,
} as const

export interface Nat {
  /** Absent: translate as an earlier commit set up. */
  readonly kind?: 'src' | 'dst'
  /** The range of addresses; `max` equals `min` for one address. */
  readonly addresses?: { readonly family: 4 | 6; readonly min: bigint; readonly max: bigint }
  readonly ports?: { readonly min: number; readonly max: number }
  readonly persistent?: boolean
  readonly hash?: boolean
  readonly random?: boolean
}

export interface LearnSpec {
  /** Where the bits come from: the packet, or the action itself (`bits` wide). */
  readonly source: Subfield | { readonly value: bigint }
  readonly bits: number
  /** What becomes of them in the new flow. */
  readonly target:
    | { readonly kind: 'match'; readonly dst: Subfield }
    | { readonly kind: 'load'; readonly dst: Subfield }
    | { readonly kind: 'output' }
}

export interface Learn {
  readonly type: 'learn'
  readonly idleTimeout: number
  readonly hardTimeout: number
  readonly priority: number
  readonly cookie: bigint
  readonly sendFlowRemoved: boolean
  readonly deleteLearned: boolean
  readonly table: number
  readonly finIdleTimeout: number
  readonly finHardTimeout: number
  readonly specs: readonly LearnSpec[]
  /** 0 is no limit. */
  readonly limit: number
  readonly resultDst?: Subfield
}

export interface Ct {
  readonly type: 'ct'
  readonly commit: boolean
  readonly force: boolean
  readonly zone: number | Subfield
  /** Where the tracked packet goes on; absent: nowhere. */
  readonly table?: number
  /** 0 none, 21 ftp, 69 tftp: the helper's control port. */
  readonly alg: number
  readonly nat?: Nat
  /** Actions on ct_mark and ct_label. */
  readonly exec: readonly Action[]
}

export interface Bundle {
  readonly type: 'bundle'
  readonly fields: HashFields
  readonly basis: number
  readonly algorithm: 'active_backup' | 'hrw'
  readonly members: readonly number[]
  /** With a destination it is `bundle_load`. */
  readonly dst?: Subfield
}

export type HashFields =
  | 'eth_src'
  | 'symmetric_l4'
  | 'symmetric_l3l4'
  | 'symmetric_l3l4+udp'
  | 'nw_src'
  | 'nw_dst'
  | 'symmetric_l3'

export type EncapProperty =
  | { readonly kind: 'nsh-md-type'; readonly mdType: number }
  | { readonly kind: 'nsh-tlv'; readonly class: number; readonly type: number; readonly data: Uint8Array }
  | { readonly kind: 'unknown'; readonly class: number; readonly type: number; readonly data: Uint8Array }

/**
 * One action or instruction, by its name in ovs-actions(7). As in Open vSwitch a flow has one list:
 * actions stand for Apply-Actions, and instructions follow in their fixed order.
 */
export type Action =
  // Output
  | { readonly type: 'output'; readonly port: number; readonly maxLen?: number }
  | { readonly type: 'output_trunc'; readonly port: number; readonly maxLen: number }
  | { readonly type: 'output_reg'; readonly src: Subfield; readonly maxLen: number }
  | {
      readonly type: 'controller'
      readonly maxLen: number
      readonly controllerId: number
      readonly reason: number
      readonly userdata?: Uint8Array
      readonly pause?: boolean
      readonly meterId?: number
    }
  | { readonly type: 'enqueue'; readonly port: number; readonly queue: number }
  | { readonly type: 'group'; readonly group: number }
  | Bundle
  // Fields
  | {
      /**
       * Sets `mask` bits of a field. `style` only keeps which of its spellings it had: `masked` has a
       * mask though all the field's bits are set (`set_field:0x2e/0x3f->ip_dscp`).
       */
      readonly type: 'set_field'
      readonly field: Field
      readonly value: bigint
      readonly mask: bigint
      readonly style?: 'load' | 'mod' | 'masked'
      readonly bytes?: number
    }
  | { readonly type: 'set_tunnel'; readonly id: bigint; readonly wide: boolean }
  | { readonly type: 'mod_tp'; readonly which: 'src' | 'dst'; readonly port: number }
  | { readonly type: 'move'; readonly src: Subfield; readonly dst: Subfield }
  | { readonly type: 'push'; readonly src: Subfield }
  | { readonly type: 'pop'; readonly dst: Subfield }
  | { readonly type: 'mod_vlan_vid'; readonly vid: number; readonly push: boolean }
  | { readonly type: 'mod_vlan_pcp'; readonly pcp: number; readonly push: boolean }
  | { readonly type: 'push_vlan'; readonly ethertype: number }
  | { readonly type: 'pop_vlan' /** 1.0's name for it, in texts. */; readonly strip?: boolean }
  | { readonly type: 'push_mpls'; readonly ethertype: number }
  | { readonly type: 'pop_mpls'; readonly ethertype: number }
  | { readonly type: 'set_mpls_label'; readonly label: number }
  | { readonly type: 'set_mpls_tc'; readonly tc: number }
  | { readonly type: 'set_mpls_ttl'; readonly ttl: number }
  | { readonly type: 'dec_mpls_ttl' }
  | { readonly type: 'dec_nsh_ttl' }
  /**
   * `controllers` get a packet-in when the TTL runs out: [0] is the standard action, an empty list
   * drops in silence. `listed` keeps that controller 0 was named.
   */
  | { readonly type: 'dec_ttl'; readonly controllers: readonly number[]; readonly listed?: boolean }
  | { readonly type: 'delete_field'; readonly field: Field }
  | { readonly type: 'check_pkt_larger'; readonly length: number; readonly dst: Subfield }
  | {
      readonly type: 'encap'
      readonly packetType: number
      readonly hdrSize: number
      readonly properties: readonly EncapProperty[]
    }
  | { readonly type: 'decap'; readonly packetType: number }
  | { readonly type: 'set_queue'; readonly queue: number }
  | { readonly type: 'pop_queue' }
  // Connections and control flow
  | Ct
  | { readonly type: 'ct_clear' }
  | Learn
  | {
      readonly type: 'resubmit'
      /** OFPP.IN_PORT: the packet's own. */
      readonly port: number
      /** Absent: the present one. */
      readonly table?: number
      readonly ct?: boolean
    }
  | { readonly type: 'clone'; readonly actions: readonly Action[] }
  | {
      readonly type: 'conjunction'
      readonly id: number /** From 0. */
      readonly clause: number
      readonly clauses: number
    }
  | { readonly type: 'exit' }
  | { readonly type: 'fin_timeout'; readonly idleTimeout: number; readonly hardTimeout: number }
  | {
      readonly type: 'multipath'
      readonly fields: HashFields
      readonly basis: number
      readonly algorithm: 'modulo_n' | 'hash_threshold' | 'hrw' | 'iter_hash'
      readonly maxLink: number
      readonly arg: number
      readonly dst: Subfield
    }
  | { readonly type: 'note'; readonly data: Uint8Array }
  | {
      readonly type: 'sample'
      readonly probability: number
      readonly collectorSet: number
      readonly domain: number | Subfield
      readonly point: number | Subfield
      readonly samplingPort: number
      readonly direction: 'default' | 'ingress' | 'egress'
    }
  // Instructions
  | { readonly type: 'meter'; readonly meter: number }
  | { readonly type: 'clear_actions' }
  | { readonly type: 'write_actions'; readonly actions: readonly Action[] }
  | { readonly type: 'write_metadata'; readonly value: bigint; readonly mask: bigint }
  | { readonly type: 'goto_table'; readonly table: number }
  // What this codec does not know, kept as it came (the whole action, header included)
  | { readonly type: 'unknown'; readonly bytes: Uint8Array }

export type ActionType = Action['type']
