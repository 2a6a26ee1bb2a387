/** An option that put_dhcp_opts or put_dhcpv6_opts may name: its code and how its value is written. */
export interface OptionDefinition {
  readonly code: number
  readonly type: string
}

/** Options by name. In a deployment they come from the DHCP_Options and DHCPv6_Options tables. */
export type OptionTable = ReadonlyMap<string, OptionDefinition>

const table = (rows: Readonly<Record<string, readonly [number, string]>>): OptionTable =>
  new Map(Object.entries(rows).map(([name, [code, type]]) => [name, { code, type }]))

/** The rows that ovn-northd 26.03 puts into DHCP_Options. */
export const DHCP_OPTIONS: OptionTable = table({
  offerip: [0, 'ipv4'],
  netmask: [1, 'ipv4'],
  router: [3, 'ipv4'],
  dns_server: [6, 'ipv4'],
  log_server: [7, 'ipv4'],
  lpr_server: [9, 'ipv4'],
  hostname: [12, 'str'],
  domain_name: [15, 'str'],
  swap_server: [16, 'ipv4'],
  ip_forward_enable: [19, 'bool'],
  policy_filter: [21, 'ipv4'],
  default_ttl: [23, 'uint8'],
  mtu: [26, 'uint16'],
  broadcast_address: [28, 'ipv4'],
  router_discovery: [31, 'bool'],
  router_solicitation: [32, 'ipv4'],
  arp_cache_timeout: [35, 'uint32'],
  ethernet_encap: [36, 'bool'],
  tcp_ttl: [37, 'uint8'],
  tcp_keepalive_interval: [38, 'uint32'],
  nis_server: [41, 'ipv4'],
  ntp_server: [42, 'ipv4'],
  netbios_name_server: [44, 'ipv4'],
  netbios_node_type: [46, 'uint8'],
  lease_time: [51, 'uint32'],
  server_id: [54, 'ipv4'],
  T1: [58, 'uint32'],
  T2: [59, 'uint32'],
  tftp_server: [66, 'host_id'],
  bootfile_name: [67, 'str'],
  domain_search_list: [119, 'domains'],
  classless_static_route: [121, 'static_routes'],
  tftp_server_address: [150, 'ipv4'],
  path_prefix: [210, 'str'],
  ms_classless_static_route: [249, 'static_routes'],
  wpad: [252, 'str'],
  next_server: [253, 'ipv4'],
  bootfile_name_alt: [254, 'str'],
})

/** The rows that ovn-northd 26.03 puts into DHCPv6_Options. */
export const DHCPV6_OPTIONS: OptionTable = table({
  server_id: [2, 'mac'],
  ia_addr: [5, 'ipv6'],
  dns_server: [23, 'ipv6'],
  domain_search: [24, 'str'],
  fqdn: [39, 'domain'],
  bootfile_name: [59, 'str'],
  bootfile_name_alt: [254, 'str'],
})

/** What put_nd_ra_opts may name (ovn-sb(5), and what ovn-controller 26.03 takes besides). */
export const ND_RA_OPTIONS: OptionTable = table({
  addr_mode: [0, 'str'],
  slla: [1, 'mac'],
  prefix: [3, 'ipv6'],
  mtu: [5, 'uint32'],
  route_info: [24, 'str'],
  rdnss: [25, 'ipv6'],
  dnssl: [31, 'str'],
  router_preference: [0, 'str'],
})

/** Options of the events of trigger_event. */
export const EVENT_OPTIONS: Readonly<Record<string, OptionTable>> = {
  empty_lb_backends: table({ vip: [1, 'str'], protocol: [2, 'str'], load_balancer: [3, 'str'] }),
}
