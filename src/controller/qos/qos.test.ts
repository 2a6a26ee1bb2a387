import { expect, test } from 'vitest'
import { datapathRow, makeWorld, portRow, uuidOf } from '../fixture.test-data.ts'

const RATES = new Map([
  ['burst', '0'],
  ['max-rate', '2000000'],
  ['min-rate', '0'],
])

test('a localnet port with a rate has a queue where its network is, as long as it has one', () => {
  const w = makeWorld()
  w.clock.settle()
  w.ovs(
    { op: 'insert', table: 'Interface', uuid: uuidOf('eth-if'), row: { name: 'eth2' } },
    { op: 'insert', table: 'Port', uuid: uuidOf('eth'), row: { name: 'eth2', interfaces: [uuidOf('eth-if')] } },
    { op: 'insert', table: 'Bridge', uuid: uuidOf('br-ex'), row: { name: 'br-ex', ports: [uuidOf('eth')] } },
    { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['bridges', 'insert', [uuidOf('br-ex')]]] },
  )
  const options = (rate: string) =>
    new Map([
      ['network_name', 'physnet'],
      ['qdisc_queue_id', '2'],
      ['qos_max_rate', rate],
      ['qos_physical_network', 'physnet'],
    ])
  w.sb(
    datapathRow('sw0', 1),
    portRow('vm1', 'sw0', 1),
    portRow('ln', 'sw0', 2, { type: 'localnet', options: options('2000000') }),
  )
  expect(w.localRows('QoS')).toHaveLength(0)
  w.plug('tap1', { 'iface-id': 'vm1' })
  const [qos] = w.localRows('QoS')
  const [queue] = w.localRows('Queue')
  expect(qos).toMatchObject({ type: 'linux-htb', queues: new Map([[2, queue?._uuid]]) })
  expect(qos?.['other_config']).toEqual(new Map([['max-rate', '34359738360']]))
  expect(queue?.['external_ids']).toEqual(new Map([['ovn_port', 'ln']]))
  expect(queue?.['other_config']).toEqual(RATES)
  expect(w.localRows('Port').find((p) => p['name'] === 'eth2')?.['qos']).toBe(qos?._uuid)
  const where = [['logical_port', '==', 'ln']] as const
  w.sb({ op: 'update', table: 'Port_Binding', where, row: { options: options('3000000') } })
  expect(w.localRows('Queue')[0]?._uuid).toBe(queue?._uuid)
  expect(w.localRows('Queue')[0]?.['other_config']).toEqual(new Map([...RATES, ['max-rate', '3000000']]))
  w.sb({ op: 'update', table: 'Port_Binding', where, row: { options: new Map([['network_name', 'physnet']]) } })
  expect(w.localRows('QoS')).toHaveLength(0)
  expect(w.localRows('Queue')).toHaveLength(0)
})
