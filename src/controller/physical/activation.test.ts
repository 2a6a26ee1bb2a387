import { expect, test } from 'vitest'
import { formatActions } from '../../openflow/text/actions-format.ts'
import { formatPriorityMatch } from '../../openflow/text/flow.ts'
import { activationFlows } from './activation.ts'
import { parseLportAddresses } from './addresses.ts'

test('a port being moved here waits for its guest, by the flows of ovn-controller 26.03', () => {
  const addresses = parseLportAddresses('fa:16:3e:50:47:70 10.3.0.6 fd03::6')
  const flows = activationFlows(
    {
      ...{ at: 'vif', uuid: '10a1fdf2-0000-4000-8000-000000000000', name: 'mig', type: '', key: 1, datapath: 'dp' },
      ...{ datapathKey: 6, zones: { port: 0x15, dnat: 0x14, snat: 0x16 }, elsewhere: [], parent: undefined },
      ...{ ofport: 8, tag: undefined, encapId: 0 },
    },
    ['rarp', 'garp', 'na'],
    addresses ? [addresses] : [],
  )
  const passing =
    'set_field:0x15/0xffff->reg13,set_field:0x14->reg11,set_field:0x16->reg12,set_field:0x6->metadata,' +
    'set_field:0x1->reg14,set_field:0/0xffff0000->reg13,controller(userdata=00.00.00.1a.00.00.00.00),resubmit(,8)'
  const na = (ip: string) =>
    `0 priority=1010,icmp6,in_port=8,ipv6_src=${ip},icmp_type=136,icmp_code=0,nd_target=${ip},nd_tll=fa:16:3e:50:47:70 ${passing}`
  expect(
    flows.map((f) => `${f.table} ${formatPriorityMatch(f.priority, f.match)} ${formatActions(f.actions)}`).sort(),
  ).toEqual(
    [
      '0 priority=1000,in_port=8 drop',
      `0 priority=1010,arp,in_port=8,dl_src=fa:16:3e:50:47:70,arp_spa=10.3.0.6,arp_tpa=10.3.0.6,arp_sha=fa:16:3e:50:47:70 ${passing}`,
      na('fd03::6'),
      na('fe80::f816:3eff:fe50:4770'),
      `0 priority=1010,rarp,in_port=8 ${passing}`,
      '65 priority=1000,reg15=0x1,metadata=0x6 drop',
    ].sort(),
  )
})
