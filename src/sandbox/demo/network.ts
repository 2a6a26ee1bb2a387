/** The network of `npm start`: what a cloud would say, as ovn-nbctl commands. */
export const DEMO_NORTHBOUND: readonly string[] = [
  // A private network with two virtual machines and native DHCP.
  'ls-add private',
  '--id=@dhcp create DHCP_Options cidr=10.0.0.0/24 options:server_id=10.0.0.1 options:server_mac="fa:16:3e:96:22:da" ' +
    'options:lease_time=43200 options:mtu=1442 options:router=10.0.0.1 options:dns_server=10.0.0.2 ' +
    '-- lsp-add private vm1 -- lsp-set-addresses vm1 "fa:16:3e:50:47:62 10.0.0.6" ' +
    '-- lsp-set-port-security vm1 "fa:16:3e:50:47:62 10.0.0.6" -- set Logical_Switch_Port vm1 dhcpv4_options=@dhcp ' +
    '-- lsp-add private vm2 -- lsp-set-addresses vm2 "fa:16:3e:50:47:63 10.0.0.7" ' +
    '-- lsp-set-port-security vm2 "fa:16:3e:50:47:63 10.0.0.7" -- set Logical_Switch_Port vm2 dhcpv4_options=@dhcp',
  // A router between it and the public network, VLAN 10 of the physical network `datacentre`.
  'lr-add r1',
  'lrp-add r1 lrp-private fa:16:3e:97:e5:c6 10.0.0.1/24',
  'lsp-add private private-r1 -- lsp-set-type private-r1 router -- lsp-set-addresses private-r1 router ' +
    '-- lsp-set-options private-r1 router-port=lrp-private',
  'ls-add public',
  'lsp-add public provnet -- set Logical_Switch_Port provnet tag=10 -- lsp-set-type provnet localnet ' +
    '-- lsp-set-addresses provnet unknown -- lsp-set-options provnet network_name=datacentre',
  'lrp-add r1 lrp-public fa:16:3e:93:7f:f0 172.16.0.110/24',
  'lsp-add public public-r1 -- lsp-set-type public-r1 router -- lsp-set-addresses public-r1 router ' +
    '-- lsp-set-options public-r1 router-port=lrp-public nat-addresses=router',
  // The gateway port is on gw1, and on gw2 when gw1 is gone.
  'lrp-set-gateway-chassis lrp-public gw1 20',
  'lrp-set-gateway-chassis lrp-public gw2 10',
  // Source NAT for the subnet, a floating IP through the gateway, one on the machine's own chassis.
  'lr-nat-add r1 snat 172.16.0.110 10.0.0.0/24',
  'lr-nat-add r1 dnat_and_snat 172.16.0.120 10.0.0.6',
  'lr-nat-add r1 dnat_and_snat 172.16.0.121 10.0.0.7 vm2 fa:16:3e:aa:bb:cc',
  'lr-route-add r1 0.0.0.0/0 172.16.0.1',
]

export const DEMO = {
  vm1: { mac: 'fa:16:3e:50:47:62', ip: '10.0.0.6', chassis: 'hv1', floating: '172.16.0.120' },
  vm2: {
    mac: 'fa:16:3e:50:47:63',
    ip: '10.0.0.7',
    chassis: 'hv2',
    floating: '172.16.0.121',
    floatingMac: 'fa:16:3e:aa:bb:cc',
  },
  router: { ip: '10.0.0.1', mac: 'fa:16:3e:97:e5:c6', publicIp: '172.16.0.110', publicMac: 'fa:16:3e:93:7f:f0' },
  outside: { mac: '0a:00:00:00:00:64', ip: '172.16.0.100', vlan: 10, gateway: '172.16.0.1', beyond: '198.51.100.1' },
  lease: { time: 43200, mtu: 1442, server: '10.0.0.1', router: '10.0.0.1' },
} as const
