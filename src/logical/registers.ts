import type { Subfield } from '../openflow/fields/field.ts'
import { F } from '../openflow/fields/table.ts'

/**
 * Where the logical network keeps its things in OpenFlow registers: every register and bit that
 * OVN uses, under one name. The numbers are those of the flows that ovn-controller 26.03 installs.
 */

const bits = (field: Subfield['field'], offset: number, n: number): Subfield => ({ field, offset, bits: n })

/** The datapath's tunnel key. */
export const LOG_DATAPATH = F.metadata
/** `flags`: see FLAG. */
export const LOG_FLAGS = F.reg10
/** Connection tracking zone of a router's destination translation. */
export const LOG_DNAT_ZONE = bits(F.reg11, 0, 16)
/** Connection tracking zone of a router's source translation. */
export const LOG_SNAT_ZONE = bits(F.reg12, 0, 16)
/** Connection tracking zone of a switch's port. */
export const LOG_CT_ZONE = bits(F.reg13, 0, 16)
/** Which of a chassis' tunnel endpoints to send from. */
export const LOG_ENCAP_ID = bits(F.reg13, 16, 16)
export const LOG_INPORT = F.reg14
export const LOG_OUTPORT = F.reg15
/** `remote_outport`: where flood_remote leaves the port it stands for. */
export const LOG_REMOTE_OUTPORT = F.reg1

/** Bits of `flags` (reg10). Those that a logical flow can name are symbols `flags.*`. */
export const FLAG = {
  /** May leave by the port it came in. */
  loopback: 0,
  /** Came from a hardware gateway (VTEP). */
  from_ramp: 1,
  force_snat_for_dnat: 2,
  force_snat_for_lb: 3,
  /** Must not leave the chassis. */
  local_only: 4,
  /** Came from a container's port. */
  nested_container: 5,
  /** Answer of lookup_arp, lookup_nd, lookup_arp_ip, lookup_nd_ip. */
  lookup_mac: 6,
  /** Answer of chk_lb_hairpin and chk_lb_hairpin_reply. */
  lookup_lb_hairpin: 7,
  /** Answer of lookup_fdb. */
  lookup_fdb: 8,
  skip_snat_for_lb: 9,
  /** Came from a localport. */
  localport: 10,
  use_snat_zone: 11,
  /** Answer of check_in_port_sec and check_out_port_sec. */
  check_port_sec: 12,
  /** Answer of chk_ecmp_nh and chk_ecmp_nh_mac. */
  lookup_ecmp_nh: 13,
  /** Answer of chk_lb_aff. */
  use_lb_aff_session: 14,
  /** Came from a localnet port. */
  localnet: 15,
  /** Came from a tunnel. */
  tunnel_rx: 16,
  icmp_snat: 17,
  override_local_only: 18,
  /** Made by the controller. */
  from_ctrl: 19,
  unsnat_new: 20,
  unsnat_not_tracked: 21,
  igmp_loopback: 22,
  pkt_sampled: 23,
} as const

export type FlagName = keyof typeof FLAG

/** `flags.network_id`: which network of a router port the packet's next hop is in. */
export const NETWORK_ID = { offset: 28, bits: 4 } as const

export function flagBit(name: FlagName): Subfield {
  return bits(LOG_FLAGS, FLAG[name], 1)
}

/** Bits of `ct_mark`. */
export const CT_MARK = {
  blocked: [0, 0],
  natted: [1, 1],
  skip_snat: [2, 2],
  force_snat: [3, 3],
  obs_stage: [4, 5],
  allow_established: [6, 6],
  obs_collector_id: [16, 23],
  ecmp_reply_port: [16, 31],
} as const

/** Bits of `ct_label`. */
export const CT_LABEL = {
  nf: [7, 7],
  tun_if: [8, 8],
  nf_id: [17, 24],
  ecmp_reply_eth: [32, 79],
  acl_id: [80, 95],
  tun_if_id: [80, 95],
  label: [96, 127],
  obs_point_id: [96, 127],
  obs_unused: [0, 95],
} as const

/** Bits of `ct_state` (ovs-fields(7), ct_state). */
export const CT_STATE = { new: 0, est: 1, rel: 2, rpl: 3, inv: 4, trk: 5, snat: 6, dnat: 7 } as const

/** The OpenFlow tables of ovn-controller 26.03 that lowered actions name. */
export const TABLE = {
  LOG_INGRESS: 8,
  /** Of `output` in the ingress pipeline. */
  OUTPUT_LARGE_PKT_DETECT: 42,
  REMOTE_OUTPUT: 44,
  LOG_EGRESS: 48,
  /** Of `output` in the egress pipeline. */
  SAVE_INPORT: 64,
  LOG_TO_PHY: 65,
  MAC_BINDING: 66,
  MAC_LOOKUP: 67,
  CHK_LB_HAIRPIN: 68,
  CHK_LB_HAIRPIN_REPLY: 69,
  CT_SNAT_HAIRPIN: 70,
  GET_FDB: 71,
  LOOKUP_FDB: 72,
  CHK_IN_PORT_SEC: 73,
  CHK_IN_PORT_SEC_ND: 74,
  CHK_OUT_PORT_SEC: 75,
  ECMP_NH_MAC: 76,
  ECMP_NH: 77,
  CHK_LB_AFFINITY: 78,
  MAC_CACHE_USE: 79,
  CT_ORIG_NW_DST_LOAD: 81,
  CT_ORIG_IP6_DST_LOAD: 82,
  CT_ORIG_TP_DST_LOAD: 83,
  FLOOD_REMOTE_CHASSIS: 84,
  CT_STATE_SAVE: 85,
  CT_ORIG_PROTO_LOAD: 86,
  GET_REMOTE_FDB: 87,
} as const
