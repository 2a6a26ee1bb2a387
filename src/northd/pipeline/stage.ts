/**
 * The logical pipelines as data: which stages there are, in which order, and what each is called in
 * `Logical_Flow.external_ids:stage-name` (ovn-northd(8), LOGICAL FLOW TABLE STRUCTURE).
 */
export type PipelineName = 'ingress' | 'egress'
export type DatapathKind = 'switch' | 'router'

export interface Stage {
  readonly name: string
  readonly kind: DatapathKind
  readonly pipeline: PipelineName
  /** `Logical_Flow.table_id`. */
  readonly table: number
}

type Names<P extends string, T extends readonly string[]> = {
  readonly [K in T[number]]: Stage & { readonly name: `${P}_${K}` }
}

function stages<P extends string, const T extends readonly string[]>(
  prefix: P,
  kind: DatapathKind,
  pipeline: PipelineName,
  names: T,
): Names<P, T> {
  const entries = names.map((name, table) => [name, { name: `${prefix}_${name}`, kind, pipeline, table }])
  return Object.fromEntries(entries) as Names<P, T>
}

/** Logical switch, ingress. */
export const lsIn = stages('ls_in', 'switch', 'ingress', [
  'check_port_sec',
  'apply_port_sec',
  'mirror',
  'lookup_fdb',
  'put_fdb',
  'pre_acl',
  'pre_lb',
  'pre_stateful',
  'acl_hint',
  'acl_eval',
  'acl_sample',
  'acl_action',
  'qos',
  'ct_extract',
  'lb_aff_check',
  'lb',
  'lb_aff_learn',
  'pre_hairpin',
  'nat_hairpin',
  'hairpin',
  'acl_after_lb_eval',
  'acl_after_lb_sample',
  'acl_after_lb_action',
  'pre_network_function',
  'stateful',
  'network_function',
  'arp_rsp',
  'dhcp_options',
  'dhcp_response',
  'dns_lookup',
  'dns_response',
  'external_port',
  'l2_lkup',
  'l2_unknown',
])

/** Logical switch, egress. */
export const lsOut = stages('ls_out', 'switch', 'egress', [
  'lookup_fdb',
  'put_fdb',
  'pre_acl',
  'pre_lb',
  'pre_stateful',
  'acl_hint',
  'acl_eval',
  'acl_sample',
  'acl_action',
  'mirror',
  'qos',
  'pre_network_function',
  'stateful',
  'network_function',
  'check_port_sec',
  'apply_port_sec',
])

/** Logical router, ingress. */
export const lrIn = stages('lr_in', 'router', 'ingress', [
  'admission',
  'lookup_neighbor',
  'learn_neighbor',
  'ip_input',
  'dhcp_relay_req',
  'unsnat',
  'post_unsnat',
  'defrag',
  'ct_extract',
  'lb_aff_check',
  'dnat',
  'lb_aff_learn',
  'ecmp_stateful',
  'nd_ra_options',
  'nd_ra_response',
  'ip_routing_pre',
  'ip_routing',
  'ip_routing_ecmp',
  'policy',
  'policy_ecmp',
  'dhcp_relay_resp_chk',
  'dhcp_relay_resp',
  'arp_resolve',
  'chk_pkt_len',
  'larger_pkts',
  'gw_redirect',
  'network_id',
  'arp_request',
  'ecmp_stateful_egr',
])

/** Logical router, egress. */
export const lrOut = stages('lr_out', 'router', 'egress', [
  'chk_dnat_local',
  'undnat',
  'post_undnat',
  'snat',
  'post_snat',
  'egr_loop',
  'delivery',
])

export const STAGES: readonly Stage[] = [lsIn, lsOut, lrIn, lrOut].flatMap((group) => Object.values<Stage>(group))
