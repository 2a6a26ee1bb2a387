/** EtherTypes (IANA ieee-802-numbers). */
export const EtherType = {
  ipv4: 0x0800,
  arp: 0x0806,
  rarp: 0x8035,
  vlan: 0x8100,
  ipv6: 0x86dd,
  mpls: 0x8847,
  qinq: 0x88a8,
  lldp: 0x88cc,
  /** Transparent Ethernet Bridging: what a tunnel calls an Ethernet frame. */
  teb: 0x6558,
} as const

/** Protocol numbers of IPv4's protocol and IPv6's next header (IANA protocol-numbers). */
export const IpProto = {
  hopByHop: 0,
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  routing: 43,
  fragment: 44,
  gre: 47,
  esp: 50,
  ah: 51,
  icmp6: 58,
  none: 59,
  destination: 60,
  sctp: 132,
} as const

/** UDP ports of the protocols in this folder. */
export const UdpPort = {
  dns: 53,
  dhcpServer: 67,
  dhcpClient: 68,
  dhcp6Client: 546,
  dhcp6Server: 547,
  /** RFC 5881 §4 */
  bfd: 3784,
  vxlan: 4789,
  geneve: 6081,
} as const
