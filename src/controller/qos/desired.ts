import type { Graph } from '../../reactive/graph.ts'
import type { Derived, Relation } from '../../reactive/relation.ts'
import type { Binding } from '../binding/binding.ts'
import type { LocalDatapath } from '../datapaths.ts'
import type { SouthboundInputs } from '../inputs/inputs.ts'
import { S } from '../strata.ts'

/** A queue on the interfaces by which a physical network is reached (ovn-nb(5), options:qos_max_rate and others). */
export interface DesiredQueue {
  readonly network: string
  /** Port_Binding options:qdisc_queue_id, which set_queue names. */
  readonly id: number
  readonly port: string
  /** Queue.other_config: bit/s and bits, as texts. */
  readonly minRate: string
  readonly maxRate: string
  readonly burst: string
}

/** Queues of ports here, by port. */
export function declareQueues(
  graph: Graph,
  parts: {
    readonly sb: SouthboundInputs
    readonly local: Relation<LocalDatapath>
    readonly bindings: Relation<Binding>
  },
): Derived<DesiredQueue> {
  const queues = graph.derived<DesiredQueue>('queues', S.ROWS)
  graph.rule('queues', S.ROWS, parts.sb.Port_Binding, (row, out) => {
    const network = row.options.get('qos_physical_network')
    const id = Number(row.options.get('qdisc_queue_id'))
    if (network === undefined || !(id > 0)) return
    const [min, max, burst] = ['qos_min_rate', 'qos_max_rate', 'qos_burst'].map((k) => row.options.get(k))
    if (min === undefined && max === undefined && burst === undefined) return
    if (row.type === 'localnet') {
      if (!parts.local.has(row.datapath)) return
    } else if (!parts.bindings.get(row.logical_port)?.vif) return
    out.emit(queues, row.logical_port, {
      network,
      id,
      port: row.logical_port,
      minRate: min ?? '0',
      maxRate: max ?? '0',
      burst: burst ?? '0',
    })
  })
  return queues
}
