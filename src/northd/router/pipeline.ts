import type { Context } from '../context.ts'
import { flag } from '../context.ts'
import * as reg from '../pipeline/registers.ts'
import { lrIn, lrOut, type Stage } from '../pipeline/stage.ts'

type Row = readonly [stage: Stage, priority: number, match: string, actions: string]

/** What every logical router has, whatever is configured on it (ovn-northd(8), Logical Router Datapaths). */
const ALWAYS: readonly Row[] = [
  [lrIn.admission, 110, `${reg.PKT_TOO_BIG} && ${reg.FROM_TUNNEL}`, 'drop;'],
  [lrIn.admission, 100, 'vlan.present || eth.src[40]', 'drop;'],
  [lrIn.admission, 0, '1', 'drop;'],
  [lrIn.lookup_neighbor, 0, '1', `${reg.LOOKUP_NEIGHBOR_RESULT} = 1; next;`],
  [lrIn.learn_neighbor, 95, 'nd_na && nd.tll == 0', 'put_nd(inport, nd.target, eth.src); next;'],
  [lrIn.learn_neighbor, 95, 'nd_ns && (ip6.src == 0 || nd.sll == 0)', 'next;'],
  [lrIn.learn_neighbor, 0, '1', 'drop;'],
  [
    lrIn.ip_input,
    100,
    'ip4.src_mcast ||ip4.src == 255.255.255.255 || ip4.src == 127.0.0.0/8 || ip4.dst == 127.0.0.0/8 || ip4.src == 0.0.0.0/8 || ip4.dst == 0.0.0.0/8',
    'drop;',
  ],
  [lrIn.ip_input, 85, 'arp || nd', 'drop;'],
  [lrIn.ip_input, 84, 'nd_rs || nd_ra', 'next;'],
  [lrIn.ip_input, 83, 'ip6.mcast_rsvd', 'drop;'],
  [lrIn.ip_input, 50, 'eth.bcast', 'drop;'],
  [lrIn.ip_input, 32, 'ip.ttl == {0, 1} && !ip.later_frag && (ip4.mcast || ip6.mcast)', 'drop;'],
  [lrIn.ip_input, 29, 'ip.ttl == {0, 1}', 'drop;'],
  [lrIn.ip_input, 0, '1', 'next;'],
  [lrIn.dhcp_relay_req, 0, '1', 'next;'],
  [lrIn.unsnat, 0, '1', 'next;'],
  [lrIn.post_unsnat, 0, '1', 'next;'],
  [lrIn.defrag, 0, '1', 'next;'],
  [lrIn.ct_extract, 0, '1', 'next;'],
  [lrIn.lb_aff_check, 0, '1', 'next;'],
  [lrIn.dnat, 0, '1', 'next;'],
  [lrIn.lb_aff_learn, 0, '1', 'next;'],
  [lrIn.ecmp_stateful, 0, '1', 'next;'],
  [lrIn.nd_ra_options, 0, '1', 'next;'],
  [lrIn.nd_ra_response, 0, '1', 'next;'],
  [lrIn.ip_routing_pre, 0, '1', `${reg.ROUTE_TABLE_ID} = 0; next;`],
  [lrIn.ip_routing, 10550, 'nd_rs || nd_ra', 'drop;'],
  [lrIn.ip_routing, 0, '1', 'drop;'],
  [lrIn.ip_routing_ecmp, 150, `${reg.ECMP_GROUP_ID} == 0`, 'next;'],
  [lrIn.ip_routing_ecmp, 0, '1', 'drop;'],
  [lrIn.policy, 0, '1', `${reg.ECMP_GROUP_ID} = 0; next;`],
  [lrIn.policy_ecmp, 150, `${reg.ECMP_GROUP_ID} == 0`, 'next;'],
  [lrIn.policy_ecmp, 0, '1', 'drop;'],
  [lrIn.dhcp_relay_resp_chk, 0, '1', 'next;'],
  [lrIn.dhcp_relay_resp, 0, '1', 'next;'],
  [lrIn.arp_resolve, 500, 'ip4.mcast || ip6.mcast', 'next;'],
  [lrIn.arp_resolve, 1, `${reg.NEXTHOP_IS_IPV4} == 0`, 'get_nd(outport, xxreg0); next;'],
  [lrIn.arp_resolve, 1, `${reg.NEXTHOP_IS_IPV4} == 1`, 'get_arp(outport, reg0); next;'],
  [lrIn.arp_resolve, 0, '1', 'drop;'],
  [lrIn.chk_pkt_len, 0, '1', 'next;'],
  [lrIn.larger_pkts, 0, '1', 'next;'],
  [lrIn.gw_redirect, 0, '1', 'next;'],
  [lrIn.network_id, 105, '1', 'flags.network_id = 0; next;'],
  [lrIn.network_id, 0, '1', 'next;'],
  [lrIn.arp_request, 0, '1', 'next;'],
  [lrIn.ecmp_stateful_egr, 0, '1', 'output;'],
  [lrOut.chk_dnat_local, 0, '1', `${reg.DST_NAT_IP_LOCAL} = 0; next;`],
  [lrOut.undnat, 0, '1', 'next;'],
  [lrOut.post_undnat, 0, '1', 'next;'],
  [lrOut.snat, 120, 'nd_ns', 'next;'],
  [lrOut.snat, 0, '1', 'next;'],
  [lrOut.post_snat, 0, '1', 'next;'],
  [lrOut.egr_loop, 0, '1', 'next;'],
  [lrOut.delivery, 0, '1', 'drop;'],
]

export function routerPipeline({ graph, topology, flows, meters }: Context): void {
  graph.rule('router/pipeline', 10, topology.routers, (lr, out) => {
    const flow = flows.on(out, lr.uuid, 'router/pipeline.ts')
    for (const [stage, priority, match, actions] of ALWAYS) flow(stage, priority, match, actions)

    const meter = (protocol: string) => ({ meter: meters.of(lr.copp, protocol) })
    flow(lrIn.learn_neighbor, 90, 'arp', 'put_arp(inport, arp.spa, arp.sha); next;', meter('arp'))
    flow(lrIn.learn_neighbor, 90, 'nd_na', 'put_nd(inport, nd.target, nd.tll); next;', meter('nd-na'))
    flow(lrIn.learn_neighbor, 90, 'nd_ns', 'put_nd(inport, ip6.src, nd.sll); next;', meter('nd-ns'))
    flow(
      lrIn.arp_request,
      100,
      `eth.dst == 00:00:00:00:00:00 && ${reg.NEXTHOP_IS_IPV4} == 1`,
      `arp { eth.dst = ff:ff:ff:ff:ff:ff; arp.spa = ${reg.SRC_IPV4}; arp.tpa = ${reg.NEXT_HOP_IPV4}; arp.op = 1; output; }; next;`,
      meter('arp-resolve'),
    )
    flow(
      lrIn.arp_request,
      100,
      `eth.dst == 00:00:00:00:00:00 && ${reg.NEXTHOP_IS_IPV4} == 0`,
      `nd_ns { nd.target = ${reg.NEXT_HOP_IPV6}; output; }; next;`,
      meter('nd-ns-resolve'),
    )

    const always = flag(lr.options, 'always_learn_from_arp_request', true)
    const lookup = reg.LOOKUP_NEIGHBOR_RESULT
    const known = reg.LOOKUP_NEIGHBOR_IP_RESULT
    flow(
      lrIn.learn_neighbor,
      100,
      always ? `${lookup} == 1` : `${lookup} == 1 || ${known} == 0`,
      'mac_cache_use; next;',
    )
    flow(
      lrIn.lookup_neighbor,
      100,
      'arp.op == 2',
      `${lookup} = lookup_arp(inport, arp.spa, arp.sha); ${always ? '' : `${known} = 1; `}next;`,
    )
    flow(
      lrIn.lookup_neighbor,
      100,
      'nd_na',
      `${lookup} = lookup_nd(inport, nd.target, nd.tll); ${always ? '' : `${known} = 1; `}next;`,
    )
    flow(
      lrIn.lookup_neighbor,
      100,
      'nd_ns',
      `${lookup} = lookup_nd(inport, ip6.src, nd.sll); ${always ? '' : `${known} = lookup_nd_ip(inport, ip6.src); `}next;`,
    )
    if (!always) {
      flow(
        lrIn.lookup_neighbor,
        110,
        'nd_na && ip6.src == fe80::/10 && ip6.dst == ff00::/8',
        `${lookup} = lookup_nd(inport, nd.target, nd.tll); ${known} = lookup_nd_ip(inport, nd.target); next;`,
      )
    }
    const relay = lr.options.get('mcast_relay') === 'true'
    flow(lrIn.ip_input, 82, 'ip4.mcast || ip6.mcast', relay ? 'next;' : 'drop;')
  })
}
