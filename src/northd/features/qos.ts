import type { Context } from '../context.ts'
import { lsIn, lsOut } from '../pipeline/stage.ts'

/** Marking and metering of a switch's traffic (ovn-nb(5), QoS). */
export function qos({ graph, nb, flows }: Context): void {
  graph.pair(
    'features/qos',
    10,
    nb.Logical_Switch,
    { members: (row) => row.qos_rules, pick: () => undefined },
    (key, uuid, _picked, out) => {
      const rule = nb.QoS.get(uuid)
      if (!rule) return
      const flow = flows.on(out, key, 'features/qos.ts')
      const stage = rule.direction === 'from-lport' ? lsIn.qos : lsOut.qos
      const rate = rule.bandwidth.get('rate')
      const burst = rule.bandwidth.get('burst')
      const dscp = rule.action.get('dscp')
      const mark = rule.action.get('mark')
      let actions = ''
      if (rate !== undefined) actions += burst === undefined ? `set_meter(${rate}); ` : `set_meter(${rate}, ${burst}); `
      if (dscp !== undefined) actions += `ip.dscp = ${dscp}; `
      if (mark !== undefined) actions += `pkt.mark = ${mark}; `
      if (actions) flow(stage, rule.priority, rule.match, `${actions}next;`, uuid)
    },
  )
}
