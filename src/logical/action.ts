import type { Integer } from './lexer.ts'
import type { FieldRef } from './match.ts'

export type Pipeline = 'ingress' | 'egress'
/** Tables of each pipeline in OVN 26.03. */
export const PIPELINE_LENGTH: Readonly<Record<Pipeline, number>> = { ingress: 34, egress: 16 }

export type NatZone = 'dnat' | 'snat'

/** Actions without parameters. */
export type PlainVerb =
  | 'output'
  | 'dec_ttl'
  | 'ct_clear'
  | 'igmp'
  | 'handle_dhcpv6_reply'
  | 'handle_bfd_msg'
  | 'ct_snat_to_vip'
  | 'mac_cache_use'
  | 'flood_remote'

/** Actions with a block of their own. */
export type NestedVerb =
  | 'clone'
  | 'arp'
  | 'icmp4'
  | 'icmp4_error'
  | 'icmp6'
  | 'icmp6_error'
  | 'tcp_reset'
  | 'sctp_abort'
  | 'nd_na'
  | 'nd_na_router'
  | 'nd_ns'
  | 'reject'

/** `R = verb();`: a resubmit that leaves its answer in a register. */
export type ResultVerb =
  | 'chk_lb_hairpin'
  | 'chk_lb_hairpin_reply'
  | 'check_in_port_sec'
  | 'check_out_port_sec'
  | 'chk_ecmp_nh_mac'
  | 'chk_ecmp_nh'
  | 'chk_lb_aff'
  | 'ct_nw_dst'
  | 'ct_ip6_dst'
  | 'ct_tp_dst'
  | 'ct_proto'
  | 'ct_state_save'
  | 'dns_lookup'

export type NatVerb = 'ct_dnat' | 'ct_snat' | 'ct_dnat_in_czone' | 'ct_snat_in_czone'
export type LbVerb = 'ct_lb' | 'ct_lb_mark' | 'ct_lb_mark_local'
export type OptionsVerb = 'put_dhcp_opts' | 'put_dhcpv6_opts' | 'put_nd_ra_opts'

export interface Address {
  readonly family: 4 | 6
  readonly value: bigint
}

export interface Backend {
  /** Logical port, in ct_lb_mark_local. */
  readonly lport?: string
  readonly address: Address
  /** 0: none. */
  readonly port: number
}

export type OptionValue = Integer | { readonly string: string }

/** One `name = value` of put_dhcp_opts and its like. */
export interface OptionSetting {
  readonly name: string
  readonly code: number
  /** The option's type in the DHCP_Options or DHCPv6_Options table. */
  readonly type: string
  readonly values: readonly OptionValue[]
}

export type Severity = 'alert' | 'warning' | 'notice' | 'info' | 'debug'
export type Verdict = 'allow' | 'drop' | 'reject' | 'pass'

/** One action of ovn-sb(5), Logical_Flow.actions. `drop;` is the empty list. */
export type LogicalAction =
  | { readonly type: PlainVerb }
  | { readonly type: 'next'; readonly pipeline: Pipeline; readonly table: number }
  | { readonly type: 'load'; readonly dst: FieldRef; readonly value: Integer | { readonly string: string } }
  | { readonly type: 'move'; readonly dst: FieldRef; readonly src: FieldRef }
  | { readonly type: 'exchange'; readonly a: FieldRef; readonly b: FieldRef }
  | { readonly type: 'push' | 'pop'; readonly field: FieldRef }
  | { readonly type: 'ct_next'; readonly zone: NatZone }
  | { readonly type: 'ct_commit'; readonly actions: readonly LogicalAction[] }
  | { readonly type: 'ct_commit_to_zone'; readonly zone: NatZone }
  | { readonly type: 'ct_commit_nat'; readonly zone: NatZone }
  | {
      readonly type: NatVerb
      readonly address?: Address
      readonly ports?: { readonly min: number; readonly max: number }
    }
  | {
      readonly type: LbVerb
      readonly backends: readonly Backend[]
      readonly hashFields?: string
      readonly flag?: 'skip_snat' | 'force_snat'
    }
  | {
      readonly type: 'select'
      readonly dst: FieldRef
      readonly values: readonly { readonly id: number; readonly weight: number }[]
      readonly hashFields?: string
    }
  | { readonly type: NestedVerb; readonly actions: readonly LogicalAction[] }
  | { readonly type: ResultVerb; readonly dst: FieldRef }
  | { readonly type: 'get_arp' | 'get_nd'; readonly port: FieldRef; readonly ip: FieldRef }
  | { readonly type: 'put_arp' | 'put_nd'; readonly port: FieldRef; readonly ip: FieldRef; readonly mac: FieldRef }
  | {
      readonly type: 'lookup_arp' | 'lookup_nd'
      readonly dst: FieldRef
      readonly port: FieldRef
      readonly ip: FieldRef
      readonly mac: FieldRef
    }
  | {
      readonly type: 'lookup_arp_ip' | 'lookup_nd_ip'
      readonly dst: FieldRef
      readonly port: FieldRef
      readonly ip: FieldRef
    }
  | { readonly type: 'get_fdb' | 'get_remote_fdb'; readonly dst: FieldRef; readonly mac: FieldRef }
  | { readonly type: 'put_fdb'; readonly port: FieldRef; readonly mac: FieldRef }
  | { readonly type: 'lookup_fdb'; readonly dst: FieldRef; readonly port: FieldRef; readonly mac: FieldRef }
  | { readonly type: OptionsVerb; readonly dst: FieldRef; readonly options: readonly OptionSetting[] }
  | { readonly type: 'set_queue'; readonly queue: number }
  | {
      readonly type: 'log'
      readonly name?: string
      readonly verdict: Verdict
      readonly severity: Severity
      readonly meter?: string
    }
  /** kbit/s and kbit. */
  | { readonly type: 'set_meter'; readonly rate: bigint; readonly burst: bigint }
  | { readonly type: 'icmp4.frag_mtu' | 'icmp6.frag_mtu'; readonly mtu: number }
  | { readonly type: 'check_pkt_larger'; readonly dst: FieldRef; readonly length: number }
  | { readonly type: 'trigger_event'; readonly event: string; readonly options: readonly OptionSetting[] }
  | { readonly type: 'bind_vport'; readonly vport: string; readonly parent: FieldRef }
  | { readonly type: 'handle_svc_check'; readonly port: FieldRef }
  | { readonly type: 'fwd_group'; readonly liveness: boolean; readonly ports: readonly string[] }
  | { readonly type: 'commit_ecmp_nh'; readonly ipv6: boolean; readonly proto: 'tcp' | 'udp' | 'sctp' }
  | {
      readonly type: 'commit_lb_aff'
      readonly vip: Address
      readonly vipPort: number
      readonly backend: Address
      readonly backendPort: number
      readonly proto: 'tcp' | 'udp' | 'sctp'
      /** Seconds. */
      readonly timeout: number
    }
  | {
      readonly type: 'sample'
      readonly probability: number
      readonly collectorSet: number
      readonly domain: number
      readonly point: number | 'cookie' | FieldRef
    }
  | {
      readonly type: 'dhcp_relay_req_chk' | 'dhcp_relay_resp_chk'
      readonly dst: FieldRef
      readonly relay: number
      readonly server: number
    }
  | { readonly type: 'mirror'; readonly port: string }

export type ActionType = LogicalAction['type']
