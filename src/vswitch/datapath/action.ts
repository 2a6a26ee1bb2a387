import type { Frozen } from './frozen.ts'

/** What a tunnel port needs to know to encapsulate a packet. Addresses are texts. */
export interface TunnelInfo {
  readonly id: bigint
  /** Empty: whichever the underlay chooses. */
  readonly src: string
  readonly dst: string
  readonly tos: number
  readonly ttl: number
  readonly port: number
  readonly df: boolean
  readonly csum: boolean
  readonly key: boolean
  readonly oam: boolean
  readonly gbpId: number
  readonly gbpFlags: number
  readonly options: readonly TunnelOption[]
}

/** A Geneve option (RFC 8926 §3.5); `data` is a multiple of 4 bytes. */
export interface TunnelOption {
  readonly class: number
  readonly type: number
  readonly data: Uint8Array
}

/** Source or destination translation of a connection to be committed, or of one that exists. */
export interface DpNat {
  readonly kind: 'src' | 'dst' | undefined
  readonly min: bigint | undefined
  readonly max: bigint | undefined
  readonly family: 4 | 6
  readonly minPort: number
  readonly maxPort: number
  readonly random: boolean
  readonly hash: boolean
  readonly persistent: boolean
}

/** Groups of key words that one `set` action changes, as the datapath's text names them. */
export type SetGroup =
  | 'eth'
  | 'ipv4'
  | 'ipv6'
  | 'arp'
  | 'tcp'
  | 'udp'
  | 'sctp'
  | 'icmp'
  | 'icmpv6'
  | 'nd'
  | 'nd_ext'
  | 'mpls'
  | 'skb_mark'
  | 'skb_priority'

/** Writes the masked words of the key, and the bytes of the frame that they stand for. */
export interface SetAction {
  readonly type: 'set'
  readonly group: SetGroup
  readonly words: readonly number[]
  readonly values: readonly number[]
  readonly masks: readonly number[]
}

export interface CtAction {
  readonly type: 'ct'
  readonly commit: boolean
  readonly force: boolean
  readonly zone: number
  readonly mark: { readonly value: number; readonly mask: number } | undefined
  readonly label: { readonly value: bigint; readonly mask: bigint } | undefined
  readonly helper: string | undefined
  readonly nat: DpNat | undefined
}

/** A packet for the controllers of the frozen state's bridge. */
export interface UserspaceAction {
  readonly type: 'userspace'
  readonly reason: number
  readonly controllerId: number
  readonly maxLen: number
  readonly cookie: bigint
  readonly table: number
  readonly userdata: Uint8Array | undefined
  readonly meter: number | undefined
  /** Where the pipeline stood; with `pause`, where it goes on when the controller says so. */
  readonly frozen: Frozen
  readonly pause: boolean
  readonly recircId: number
  /** Not sent: the controller could not see it anyway (no controllers). */
  readonly dontSend: boolean
}

/** Why a packet was dropped, as counted (`coverage/show`, `drop_action_*`). */
export type DropReason =
  | 'of_pipeline'
  | 'bridge_not_found'
  | 'recursion_too_deep'
  | 'too_many_resubmit'
  | 'stack_too_deep'
  | 'no_recirculation_context'
  | 'recirculation_conflict'
  | 'too_many_mpls_labels'
  | 'invalid_tunnel_metadata'
  | 'unsupported_packet_type'
  | 'congestion'
  | 'forwarding_disabled'

/** What the translation of a flow becomes: the short program that the fast path runs for each packet. */
export type DpAction =
  | { readonly type: 'output'; readonly port: number }
  | { readonly type: 'tunnel'; readonly info: TunnelInfo }
  | SetAction
  | { readonly type: 'push_vlan'; readonly tpid: number; readonly tci: number }
  | { readonly type: 'pop_vlan' }
  | { readonly type: 'push_mpls'; readonly label: number; readonly ethertype: number }
  | { readonly type: 'pop_mpls'; readonly ethertype: number }
  | CtAction
  | { readonly type: 'ct_clear' }
  | { readonly type: 'recirc'; readonly id: number }
  | { readonly type: 'hash'; readonly basis: number; readonly algorithm: 'l4' | 'sym_l4' }
  | UserspaceAction
  | { readonly type: 'clone'; readonly actions: readonly DpAction[] }
  | {
      readonly type: 'check_pkt_len'
      readonly size: number
      readonly greater: readonly DpAction[]
      readonly lessEqual: readonly DpAction[]
    }
  | { readonly type: 'meter'; readonly id: number }
  | { readonly type: 'trunc'; readonly maxLen: number }
  | { readonly type: 'sample'; readonly probability: number; readonly actions: readonly DpAction[] }
  /** For a protocol of the switch's own. */
  | { readonly type: 'slow'; readonly protocol: 'bfd'; readonly bridge: string; readonly port: number }
  | { readonly type: 'drop'; readonly reason: DropReason }
