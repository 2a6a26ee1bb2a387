import type { Context } from '../context.ts'
import { lsIn } from '../pipeline/stage.ts'
import { arpReply } from '../switch/port.ts'

/** Traffic for one address over several ports (ovn-nb(5), Forwarding_Group). */
export function forwardingGroups({ graph, nb, flows }: Context): void {
  graph.pair(
    'features/forwarding-group',
    10,
    nb.Logical_Switch,
    { members: (row) => row.forwarding_groups, pick: () => undefined },
    (key, uuid, _picked, out) => {
      const group = nb.Forwarding_Group.get(uuid)
      if (!group?.child_port.length) return
      const flow = flows.on(out, key, 'features/forwarding-group.ts')
      flow(lsIn.arp_rsp, 50, `arp.tpa == ${group.vip} && arp.op == 1`, arpReply(group.vmac, group.vip), uuid)
      const ports = group.child_port.map((p) => JSON.stringify(p)).join(',')
      const liveness = group.liveness ? 'liveness="true",' : ''
      flow(lsIn.l2_lkup, 50, `eth.dst == ${group.vmac}`, `fwd_group(${liveness}childports=${ports});`, uuid)
    },
  )
}
