import { describe, expect, it } from 'vitest'
import type { Operation } from '../../ovsdb/client/operation.ts'
import type { Southbound } from '../../schema/southbound.ts'
import { NorthdWorld } from '../_world.ts'

/** A switch with two ports and a router with two, and what chassis have learned on them. */
function learnedWorld() {
  const world = new NorthdWorld()
  const ls = world.insert('Logical_Switch', { name: 'sw' })
  const lr = world.insert('Logical_Router', { name: 'ro' })
  const ports = Object.fromEntries(
    ['p1', 'p2'].map((name) => [name, world.insert('Logical_Switch_Port', { name }, ['Logical_Switch', ls, 'ports'])]),
  )
  for (const [name, mac, network] of [
    ['r1', '0a:00:00:00:00:01', '1.1.1.1/24'],
    ['r2', '0a:00:00:00:00:02', '2.1.1.1/24'],
  ] as const)
    ports[name] = world.insert('Logical_Router_Port', { name, mac, networks: [network] }, [
      'Logical_Router',
      lr,
      'ports',
    ])
  world.clock.settle()
  const port = (name: string) =>
    ([...world.southbound.rows('Port_Binding')] as unknown as Southbound['Port_Binding'][]).find(
      (r) => r.logical_port === name,
    )
  const learn = (...operations: Operation[]) => {
    const { error, results } = world.southbound.transact(operations)
    expect([error, ...results.filter((r) => 'error' in r)]).toEqual([undefined])
  }
  for (const name of ['r1', 'r2']) {
    const at = port(name)
    if (!at) throw new Error(name)
    learn(
      {
        op: 'insert',
        table: 'MAC_Binding',
        row: { logical_port: name, ip: '1.1.1.9', mac: '0a:0a:0a:0a:0a:0a', datapath: at.datapath },
      },
      {
        op: 'insert',
        table: 'Learned_Route',
        row: { datapath: at.datapath, logical_port: at._uuid, ip_prefix: `${name}/8`, nexthop: '1.1.1.9' },
      },
    )
  }
  for (const name of ['p1', 'p2']) {
    const at = port(name)
    const datapath = at && (world.southbound.row('Datapath_Binding', at.datapath) as unknown as { tunnel_key: number })
    if (!at || !datapath) throw new Error(name)
    learn({ op: 'insert', table: 'FDB', row: { mac: name, dp_key: datapath.tunnel_key, port_key: at.tunnel_key } })
  }
  world.clock.settle()
  const left = () => {
    world.clock.settle()
    const of = (table: string, column: string) =>
      ([...world.southbound.rows(table)] as unknown as Readonly<Record<string, string>>[])
        .map((r) => String(r[column]))
        .sort()
        .join(' ')
    return [of('MAC_Binding', 'logical_port'), of('Learned_Route', 'ip_prefix'), of('FDB', 'mac')]
  }
  const errors = () => world.kept.lines.filter((l) => l.level === 'err')
  return { world, ls, lr, ports, left, learn, errors }
}

// As observed of the real northd.
describe('what was learned', () => {
  it('goes with its port, and what was learned on others stays', () => {
    const { world, ls, lr, ports, left, errors } = learnedWorld()
    expect(left()).toEqual(['r1 r2', 'r1/8 r2/8', 'p1 p2'])
    world.remove(ports['p1'] ?? '', ['Logical_Switch', ls, 'ports'])
    expect(left()).toEqual(['r1 r2', 'r1/8 r2/8', 'p2'])
    world.remove(ports['r1'] ?? '', ['Logical_Router', lr, 'ports'])
    expect(left()).toEqual(['r2', 'r2/8', 'p2'])
    expect(errors()).toEqual([])
  })

  it('goes with its switch or router, which it would hold in place otherwise', () => {
    const { world, ls, lr, left, errors } = learnedWorld()
    world.nb(
      { op: 'delete', table: 'Logical_Router', where: [['_uuid', '==', lr]] },
      { op: 'delete', table: 'Logical_Switch', where: [['_uuid', '==', ls]] },
    )
    expect(left()).toEqual(['', '', ''])
    expect([...world.southbound.rows('Datapath_Binding')]).toEqual([])
    expect(errors()).toEqual([])
  })

  it('goes when its port went while no northd ran', () => {
    const { world, ls, ports, left, learn } = learnedWorld()
    world.northd.close()
    world.remove(ports['p2'] ?? '', ['Logical_Switch', ls, 'ports'])
    learn({ op: 'insert', table: 'FDB', row: { mac: 'x', dp_key: 77, port_key: 7 } })
    expect(left()).toEqual(['r1 r2', 'r1/8 r2/8', 'p1 p2 x'])
    world.northd = world.start()
    expect(left()).toEqual(['r1 r2', 'r1/8 r2/8', 'p1'])
  })
})
