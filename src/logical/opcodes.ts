/**
 * First number in the `userdata` of a packet that a logical flow sends to its controller: what the
 * controller is to do with it. Four bytes, followed by four of zero.
 */
export const OPCODE = {
  arp: 0,
  put_arp: 1,
  put_dhcp_opts: 2,
  nd_na: 3,
  put_nd: 4,
  put_dhcpv6_opts: 5,
  dns_lookup: 6,
  log: 7,
  put_nd_ra_opts: 8,
  nd_ns: 9,
  icmp: 10,
  tcp_reset: 11,
  nd_na_router: 12,
  put_icmp4_frag_mtu: 13,
  icmp4_error: 14,
  event: 15,
  igmp: 16,
  bind_vport: 17,
  handle_svc_check: 18,
  dhcp6_server: 19,
  icmp6_error: 20,
  put_icmp6_frag_mtu: 21,
  reject: 22,
  bfd_msg: 23,
  sctp_abort: 24,
  put_fdb: 25,
  activation_strategy: 26,
  split_buf_action: 27,
  dhcp_relay_req_chk: 28,
  dhcp_relay_resp_chk: 29,
} as const

export type Opcode = (typeof OPCODE)[keyof typeof OPCODE]

/** Verdicts and severities as the log action's userdata has them. */
export const LOG_VERDICT = { allow: 0, drop: 1, reject: 2, pass: 3 } as const
export const LOG_SEVERITY = { alert: 1, warning: 4, notice: 5, info: 6, debug: 7 } as const

/** Field that only the controller knows, set by a `note` action that begins so: `ovn` and a zero. */
export const NOTE_MAGIC = 0x6f766e00
export const NOTE_FIELD = { 'icmp4.frag_mtu': 0, 'icmp6.frag_mtu': 1 } as const
