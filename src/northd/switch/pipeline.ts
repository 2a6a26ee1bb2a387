import type { Context } from '../context.ts'
import * as reg from '../pipeline/registers.ts'
import type { Stage } from '../pipeline/stage.ts'
import { lsIn, lsOut } from '../pipeline/stage.ts'

type Row = readonly [stage: Stage, priority: number, match: string, actions: string]

const COMMIT = `ct_commit { ct_mark.blocked = 0; ct_mark.allow_established = ${reg.ACL_PERSIST_ID}; ct_label.acl_id = reg2[16..31];`
const COMMIT_OBSERVED = `ct_commit { ct_mark.blocked = 0; ct_mark.allow_established = ${reg.ACL_PERSIST_ID}; ct_mark.obs_stage = reg8[19..20]; ct_mark.obs_collector_id = reg8[8..15]; ct_label.obs_point_id = reg9; ct_label.acl_id = reg2[16..31];`
const NO_NF = 'ct_label.nf = 0; ct_label.nf_id = 0;'
const WITH_NF = `ct_label.nf = 1; ct_label.nf_id = ${reg.NETWORK_FUNCTION_ID};`
const UNLABELLED = `${reg.CONNTRACK_COMMIT} == 1 && ${reg.ACL_LABEL} == 0`
const LABELLED = `${reg.CONNTRACK_COMMIT} == 1 && ${reg.ACL_LABEL} == 1`

function stateful(stage: Stage): Row[] {
  return [
    [stage, 110, `${UNLABELLED} && ${reg.NF_ENABLED} == 1`, `${COMMIT} ${WITH_NF} }; next;`],
    [stage, 110, `${LABELLED} && ${reg.NF_ENABLED} == 1`, `${COMMIT_OBSERVED} ${WITH_NF} }; next;`],
    [stage, 100, UNLABELLED, `${COMMIT} ${NO_NF} }; next;`],
    [stage, 100, LABELLED, `${COMMIT_OBSERVED} ${NO_NF} }; next;`],
    [stage, 0, '1', 'next;'],
  ]
}

function networkFunction(pre: Stage, stage: Stage): Row[] {
  return [
    [pre, 1, `${reg.NF_ENABLED} == 1 && ${reg.NF_ORIG_DIR} == 1`, `${reg.NETWORK_FUNCTION_ID} = 0; next;`],
    [pre, 0, '1', 'next;'],
    [stage, 100, `${reg.NF_ENABLED} == 1 && eth.mcast`, 'next;'],
    [stage, 1, `${reg.NF_ENABLED} == 1`, 'drop;'],
    [stage, 0, '1', 'next;'],
  ]
}

const NEIGHBOUR_TRAFFIC = 'nd || nd_rs || nd_ra || mldv1 || mldv2'

function preLoadBalancer(stage: Stage, serviceMonitor: string): Row[] {
  return [
    [stage, 110, NEIGHBOUR_TRAFFIC, 'next;'],
    [stage, 110, serviceMonitor, 'next;'],
    [stage, 110, 'eth.mcast', 'next;'],
    [stage, 110, `${reg.ACL_STATELESS} == 1`, 'next;'],
    [stage, 0, '1', 'next;'],
  ]
}

/** What every logical switch has, whatever is configured on it (ovn-northd(8), Logical Switch Datapaths). */
const ALWAYS: readonly Row[] = [
  [lsIn.check_port_sec, 105, `${reg.PKT_TOO_BIG} && ${reg.FROM_TUNNEL}`, 'drop;'],
  [lsIn.check_port_sec, 100, 'eth.src[40]', 'drop;'],
  [lsIn.check_port_sec, 50, '1', `${reg.PORT_SEC_DROP} = check_in_port_sec(); next;`],
  [lsIn.apply_port_sec, 50, `${reg.PORT_SEC_DROP} == 1`, 'drop;'],
  [lsIn.apply_port_sec, 0, '1', 'next;'],
  [lsIn.mirror, 0, '1', 'next;'],
  [lsIn.lookup_fdb, 0, '1', 'next;'],
  [lsIn.put_fdb, 0, '1', 'next;'],
  [lsIn.pre_acl, 110, 'eth.dst == $svc_monitor_mac', 'next;'],
  [lsIn.pre_acl, 0, '1', 'next;'],
  // The missing blank is part of the text that the reference writes.
  [lsIn.pre_lb, 110, `${reg.PKT_TOO_BIG.replace(') || (', ') ||(')} && ${reg.FROM_TUNNEL}`, 'next;'],
  ...preLoadBalancer(lsIn.pre_lb, 'eth.dst == $svc_monitor_mac'),
  [lsIn.pre_stateful, 115, `${reg.CONNTRACK_NAT} == 1 && ip.is_frag`, `${reg.IP_FRAG} = 1; ct_lb_mark;`],
  [lsIn.pre_stateful, 110, `${reg.CONNTRACK_NAT} == 1`, 'ct_lb_mark;'],
  [lsIn.pre_stateful, 100, `${reg.CONNTRACK_DEFRAG} == 1`, 'ct_next;'],
  [lsIn.pre_stateful, 0, '1', 'next;'],
  [lsIn.acl_sample, 0, '1', 'next;'],
  [lsIn.qos, 0, '1', 'next;'],
  [lsIn.ct_extract, 0, '1', 'next;'],
  [lsIn.lb_aff_check, 0, '1', 'next;'],
  [lsIn.lb, 0, '1', 'next;'],
  [lsIn.lb_aff_learn, 0, '1', 'next;'],
  [lsIn.pre_hairpin, 0, '1', 'next;'],
  [lsIn.nat_hairpin, 0, '1', 'next;'],
  [lsIn.hairpin, 0, '1', 'next;'],
  [lsIn.acl_after_lb_sample, 0, '1', 'next;'],
  ...networkFunction(lsIn.pre_network_function, lsIn.network_function),
  ...stateful(lsIn.stateful),
  [lsIn.arp_rsp, 0, '1', 'next;'],
  [lsIn.dhcp_options, 0, '1', 'next;'],
  [lsIn.dhcp_response, 0, '1', 'next;'],
  [lsIn.dns_lookup, 0, '1', 'next;'],
  [lsIn.dns_response, 0, '1', 'next;'],
  [lsIn.external_port, 0, '1', 'next;'],
  [lsIn.l2_lkup, 100, `${reg.NF_EGRESS_LOOPBACK} == 1`, 'output;'],
  [lsIn.l2_lkup, 72, 'eth.mcast && (nd_na || nd_rs || nd_ra)', 'outport = "_MC_flood"; output;'],
  [lsIn.l2_lkup, 71, 'eth.mcast && arp', 'outport = "_MC_flood"; output;'],
  [lsIn.l2_lkup, 70, 'eth.mcast', 'outport = "_MC_flood_l2"; output;'],
  [lsIn.l2_lkup, 0, '1', 'outport = get_fdb(eth.dst); next;'],
  [lsIn.l2_unknown, 0, '1', 'output;'],

  [lsOut.lookup_fdb, 0, '1', 'next;'],
  [lsOut.put_fdb, 0, '1', 'next;'],
  [lsOut.pre_acl, 110, 'eth.src == $svc_monitor_mac', 'next;'],
  [lsOut.pre_acl, 0, '1', 'next;'],
  ...preLoadBalancer(lsOut.pre_lb, 'eth.src == $svc_monitor_mac'),
  [lsOut.pre_stateful, 110, `${reg.CONNTRACK_NAT} == 1`, 'ct_lb_mark;'],
  [lsOut.pre_stateful, 100, `${reg.CONNTRACK_DEFRAG} == 1`, 'ct_next;'],
  [lsOut.pre_stateful, 0, '1', 'next;'],
  [lsOut.acl_sample, 0, '1', 'next;'],
  [lsOut.mirror, 0, '1', 'next;'],
  [lsOut.qos, 0, '1', 'next;'],
  ...networkFunction(lsOut.pre_network_function, lsOut.network_function),
  ...stateful(lsOut.stateful),
  [lsOut.check_port_sec, 100, 'eth.mcast', `${reg.PORT_SEC_DROP} = 0; next;`],
  [lsOut.check_port_sec, 0, '1', `${reg.PORT_SEC_DROP} = check_out_port_sec(); next;`],
  [lsOut.apply_port_sec, 50, `${reg.PORT_SEC_DROP} == 1`, 'drop;'],
  [lsOut.apply_port_sec, 0, '1', 'output;'],
]

export function switchPipeline({ graph, topology, flows, meters }: Context): void {
  graph.rule('switch/pipeline', 10, topology.switches, (ls, out) => {
    const flow = flows.on(out, ls.uuid, 'switch/pipeline.ts')
    for (const [stage, priority, match, actions] of ALWAYS) flow(stage, priority, match, actions)
    if (!ls.vlanPassthru) flow(lsIn.check_port_sec, 100, 'vlan.present', 'drop;')
    flow(lsIn.l2_lkup, 110, 'eth.dst == $svc_monitor_mac && (tcp || icmp || icmp6)', 'handle_svc_check(inport);', {
      meter: meters.of(ls.copp, 'svc-monitor'),
    })
    if (ls.config.get('broadcast-arps-to-all-routers') === 'false')
      flow(lsIn.l2_lkup, 72, 'eth.mcast && (arp.op == 1 || nd_ns)', 'outport = "_MC_flood_l2"; output;')
    const unknown = topology.unknownPorts.get(ls.uuid).length > 0
    flow(lsIn.l2_unknown, 50, 'outport == "none"', unknown ? 'outport = "_MC_unknown"; output;' : 'drop;')
  })
}
