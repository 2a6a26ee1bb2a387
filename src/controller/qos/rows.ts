import { type Random, uuid4 } from '../../base/random.ts'
import type { Operation } from '../../ovsdb/client/operation.ts'
import type { Replica } from '../../ovsdb/client/replica.ts'
import type { Bridge, OpenVSwitch, Port, QoS } from '../../schema/open-vswitch.ts'
import { sameMap } from '../rows/map-changes.ts'
import type { DesiredQueue } from './desired.ts'

/** No limit of its own: the queues have theirs. The most that linux-htb can say, in bit/s. */
const NO_LIMIT = '34359738360'
/** external_ids key of QoS rows that are ours. */
const OURS = 'ovn_qos'

/** The ports of a bridge by which its network is reached: those with a device, or marked as such. */
export function egressPorts(ovs: Replica<OpenVSwitch>, bridge: Bridge): Port[] {
  const all = bridge.ports.flatMap((uuid) => ovs.table('Port').get(uuid) ?? [])
  return all.filter((port) =>
    port.interfaces.some((uuid) => {
      const i = ovs.table('Interface').get(uuid)
      return i !== undefined && (i.type === '' || i.external_ids.get('ovn-egress-iface') === 'true')
    }),
  )
}

/** Operations that give a port its queues, or take its QoS away when there are none. */
export function queueOperations(
  ovs: Replica<OpenVSwitch>,
  port: Port,
  wanted: readonly DesiredQueue[],
  random: Random,
): Operation[] {
  const qos = port.qos === undefined ? undefined : ovs.table('QoS').get(port.qos)
  const ours = qos?.external_ids.has(OURS) ? qos : undefined
  // What the operator has put there stays.
  if (qos && !ours) return []
  if (!wanted.length) return ours ? remove(port, ours) : []
  const out: Operation[] = []
  const queues = new Map<number, string>()
  for (const q of [...wanted].sort((a, b) => a.id - b.id)) {
    const present = ours?.queues.get(q.id)
    const row = present === undefined ? undefined : ovs.table('Queue').get(present)
    const config = new Map([
      ['burst', q.burst],
      ['max-rate', q.maxRate],
      ['min-rate', q.minRate],
    ])
    const ids = new Map([['ovn_port', q.port]])
    if (row) {
      queues.set(q.id, row._uuid)
      if (!sameMap(row.other_config, config) || !sameMap(row.external_ids, ids)) {
        const where = [['_uuid', '==', row._uuid]] as const
        out.push({ op: 'update', table: 'Queue', where, row: { other_config: config, external_ids: ids } })
      }
      continue
    }
    const uuid = uuid4(random)
    queues.set(q.id, uuid)
    out.push({ op: 'insert', table: 'Queue', uuid, row: { other_config: config, external_ids: ids } })
  }
  if (!ours) {
    const uuid = uuid4(random)
    const row = {
      type: 'linux-htb',
      other_config: new Map([['max-rate', NO_LIMIT]]),
      external_ids: new Map([[OURS, 'true']]),
      queues,
    }
    out.push({ op: 'insert', table: 'QoS', uuid, row })
    out.push({ op: 'update', table: 'Port', where: [['_uuid', '==', port._uuid]], row: { qos: uuid } })
    return out
  }
  const gone = [...ours.queues].filter(([id, uuid]) => queues.get(id) !== uuid)
  if (gone.length || queues.size !== ours.queues.size) {
    out.push({ op: 'update', table: 'QoS', where: [['_uuid', '==', ours._uuid]], row: { queues } })
    for (const [, uuid] of gone) out.push({ op: 'delete', table: 'Queue', where: [['_uuid', '==', uuid]] })
  }
  return out
}

function remove(port: Port, qos: QoS): Operation[] {
  return [
    { op: 'update', table: 'Port', where: [['_uuid', '==', port._uuid]], row: { qos: undefined } },
    { op: 'delete', table: 'QoS', where: [['_uuid', '==', qos._uuid]] },
    ...[...qos.queues.values()].map(
      (uuid): Operation => ({ op: 'delete', table: 'Queue', where: [['_uuid', '==', uuid]] }),
    ),
  ]
}
