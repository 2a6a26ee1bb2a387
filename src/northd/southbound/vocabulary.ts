import type { Context } from '../context.ts'

/** The DHCPv4 options that flows may name: name, code, type (RFC 2132 and IANA's registry). */
const DHCP: readonly (readonly [name: string, code: number, type: string])[] = [
  ['T1', 58, 'uint32'],
  ['T2', 59, 'uint32'],
  ['arp_cache_timeout', 35, 'uint32'],
  ['bootfile_name', 67, 'str'],
  ['bootfile_name_alt', 254, 'str'],
  ['broadcast_address', 28, 'ipv4'],
  ['classless_static_route', 121, 'static_routes'],
  ['default_ttl', 23, 'uint8'],
  ['dns_server', 6, 'ipv4'],
  ['domain_name', 15, 'str'],
  ['domain_search_list', 119, 'domains'],
  ['ethernet_encap', 36, 'bool'],
  ['hostname', 12, 'str'],
  ['ip_forward_enable', 19, 'bool'],
  ['lease_time', 51, 'uint32'],
  ['log_server', 7, 'ipv4'],
  ['lpr_server', 9, 'ipv4'],
  ['ms_classless_static_route', 249, 'static_routes'],
  ['mtu', 26, 'uint16'],
  ['netbios_name_server', 44, 'ipv4'],
  ['netbios_node_type', 46, 'uint8'],
  ['netmask', 1, 'ipv4'],
  ['next_server', 253, 'ipv4'],
  ['nis_server', 41, 'ipv4'],
  ['ntp_server', 42, 'ipv4'],
  ['offerip', 0, 'ipv4'],
  ['path_prefix', 210, 'str'],
  ['policy_filter', 21, 'ipv4'],
  ['router', 3, 'ipv4'],
  ['router_discovery', 31, 'bool'],
  ['router_solicitation', 32, 'ipv4'],
  ['server_id', 54, 'ipv4'],
  ['swap_server', 16, 'ipv4'],
  ['tcp_keepalive_interval', 38, 'uint32'],
  ['tcp_ttl', 37, 'uint8'],
  ['tftp_server', 66, 'host_id'],
  ['tftp_server_address', 150, 'ipv4'],
  ['wpad', 252, 'str'],
]

const DHCPV6: readonly (readonly [name: string, code: number, type: string])[] = [
  ['bootfile_name', 59, 'str'],
  ['bootfile_name_alt', 254, 'str'],
  ['dns_server', 23, 'ipv6'],
  ['domain_search', 24, 'str'],
  ['fqdn', 39, 'domain'],
  ['ia_addr', 5, 'ipv6'],
  ['server_id', 2, 'mac'],
]

/** What a chassis's controller may write (ovn-architecture(7), Role-Based Access Controls). */
const PERMISSIONS: Readonly<Record<string, readonly [authorization: string, insertDelete: boolean, update: string[]]>> =
  {
    BFD: ['chassis_name', false, ['status']],
    Chassis: [
      'name',
      true,
      ['encaps', 'external_ids', 'nb_cfg', 'other_config', 'transport_zones', 'vtep_logical_switches'],
    ],
    Chassis_Private: ['name', true, ['chassis', 'external_ids', 'nb_cfg', 'nb_cfg_timestamp']],
    Controller_Event: ['', true, ['chassis', 'event_info', 'event_type', 'seq_num']],
    Encap: ['chassis_name', true, ['ip', 'options', 'type']],
    FDB: ['', true, ['dp_key', 'mac', 'port_key', 'timestamp']],
    IGMP_Group: ['chassis_name', true, ['address', 'chassis', 'datapath', 'ports', 'protocol']],
    Learned_Route: ['', true, ['datapath', 'external_ids', 'ip_prefix', 'logical_port', 'nexthop']],
    MAC_Binding: ['', true, ['datapath', 'ip', 'logical_port', 'mac', 'timestamp']],
    Port_Binding: [
      '',
      false,
      ['additional_chassis', 'additional_encap', 'chassis', 'encap', 'options', 'up', 'virtual_parent'],
    ],
    Service_Monitor: ['chassis_name', false, ['status']],
  }

/** Rows that are the same in every deployment. */
export function vocabulary({ graph, outputs }: Context): void {
  graph.once('southbound/vocabulary', 10, (out) => {
    for (const [name, code, type] of DHCP) out.emit(outputs.DHCP_Options, name, { name, code, type })
    for (const [name, code, type] of DHCPV6) out.emit(outputs.DHCPv6_Options, name, { name, code, type })
    const permissions = new Map<string, string>()
    for (const [table, [authorization, insertDelete, update]] of Object.entries(PERMISSIONS)) {
      out.emit(outputs.RBAC_Permission, table, {
        table,
        authorization: [authorization],
        insert_delete: insertDelete,
        update,
      })
      permissions.set(table, table)
    }
    out.emit(outputs.RBAC_Role, 'ovn-controller', { name: 'ovn-controller', permissions })
  })
}
