import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { cable } from '../../base/frame.ts'
import { keptLog } from '../../base/log.ts'
import { seeded, uuid4 } from '../../base/random.ts'
import { unwrap } from '../../base/result.ts'
import { localReplica } from '../../ovsdb/client/local.ts'
import { createServer } from '../../ovsdb/server/index.ts'
import { type OpenVSwitch, openVSwitch } from '../../schema/index.ts'
import { Switch } from '../switch.ts'
import { Configuration } from './configuration.ts'

test('ports come and go as the database says, and it learns what became of them', () => {
  const clock = new VirtualClock()
  const random = seeded(3)
  const { log, lines } = keptLog()
  const server = createServer({ clock, log, random })
  const database = unwrap(server.addDatabase(openVSwitch))
  const ovs = localReplica<OpenVSwitch>(database, openVSwitch, { clock })
  const sw = new Switch({ clock, log, random })
  const configuration = new Configuration(sw, localReplica<OpenVSwitch>(database, openVSwitch, { clock }))
  const [outside, inside] = cable(clock)
  const got: Uint8Array[] = []
  outside.onFrame = (f) => got.push(f)

  const ids = new Map<string, string>()
  const id = (name: string): string => {
    const known = ids.get(name)
    if (known) return known
    const made = uuid4(random)
    ids.set(name, made)
    return made
  }
  const port = (name: string, iface: object) => [
    { op: 'insert' as const, table: 'Port', uuid: id(`port ${name}`), row: { name, interfaces: [id(`if ${name}`)] } },
    { op: 'insert' as const, table: 'Interface', uuid: id(`if ${name}`), row: { name, ...iface } },
  ]
  const transact = (...operations: Parameters<typeof ovs.transact>[0][number][]) => {
    let outcome: unknown
    ovs.transact(operations, (o) => {
      outcome = o
    })
    clock.settle()
    expect(outcome).toMatchObject({ ok: true })
  }
  transact(
    { op: 'insert', table: 'Open_vSwitch', uuid: id('root'), row: { bridges: [id('br')], next_cfg: 7 } },
    {
      op: 'insert',
      table: 'Bridge',
      uuid: id('br'),
      row: { name: 'br-int', ports: ['br-int', 'vm1', 'bad'].map((n) => id(`port ${n}`)).sort(), fail_mode: 'secure' },
    },
    ...port('br-int', { type: 'internal' }),
    ...port('vm1', { ofport_request: 5 }),
    ...port('bad', { type: 'geneve' }),
  )
  const iface = (name: string) => [...ovs.table('Interface').values()].find((i) => i.name === name)
  expect(iface('br-int')).toMatchObject({ ofport: 65534, link_state: 'up', error: undefined })
  expect(iface('vm1')).toMatchObject({ ofport: -1, error: 'could not open network device vm1 (No such device)' })
  expect(iface('bad')).toMatchObject({ ofport: -1, error: "bad: geneve type requires valid 'remote_ip' argument" })
  expect([...ovs.table('Open_vSwitch').values()][0]).toMatchObject({ cur_cfg: 7, ovs_version: '4.0.0' })
  expect(lines.filter((l) => l.level === 'warn').map((l) => `${l.module} ${l.message}`)).toEqual([
    expect.stringContaining('could not open network device vm1 (No such device)'),
    "netdev_vport bad: geneve type requires valid 'remote_ip' argument",
    'netdev bad: could not set configuration (Invalid argument)',
  ])

  // the device comes later
  sw.attachPort('vm1', inside)
  clock.settle()
  expect(iface('vm1')).toMatchObject({ ofport: 5, link_state: 'up', error: undefined })
  outside.send(new Uint8Array(60))
  clock.advance(6000)
  expect(iface('vm1')?.statistics.get('rx_packets')).toBe(1)

  // a standalone bridge switches by itself
  transact(
    { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['bridges', 'insert', [id('ex')]]] },
    { op: 'insert', table: 'Bridge', uuid: id('ex'), row: { name: 'br-ex', ports: [id('port br-ex')] } },
    ...port('br-ex', { type: 'internal' }),
  )
  expect(sw.bridge('br-ex')?.flowCount()).toBe(1)
  expect(sw.bridge('br-int')?.flowCount()).toBe(0)

  transact({
    op: 'update',
    table: 'Bridge',
    where: [['name', '==', 'br-int']],
    row: { ports: [id('port br-int')] },
  })
  expect(sw.bridge('br-int')?.portByName('vm1')).toBeUndefined()
  transact({ op: 'update', table: 'Open_vSwitch', where: [], row: { bridges: [id('ex')] } })
  expect([...sw.bridges.keys()]).toEqual(['br-ex'])
  configuration.close()
  sw.close()
})
