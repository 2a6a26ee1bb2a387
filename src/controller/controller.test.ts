import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { exact } from '../openflow/fields/match.ts'
import { F } from '../openflow/fields/table.ts'
import { INTERNAL_VERSION } from '../schema/internal-version.ts'
import { datapathRow, flowRow, makeWorld, portRow, uuidOf } from './fixture.test-data.ts'
import { OFTABLE } from './tables.ts'

type World = ReturnType<typeof makeWorld>

const messages = (w: World) => w.lines.map((l) => `${l.module}|${l.level}|${l.message}`)
const port = (w: World, name: string) => w.rows('Port_Binding').find((p) => p['logical_port'] === name)
const us = (w: World) => w.rows('Chassis').find((c) => c['name'] === 'hv1')?._uuid
const flowsOf = (w: World, table: number) => [...w.sw.flows.values()].filter((f) => f.table === table)

function network(w: World): void {
  w.sb(
    datapathRow('sw0', 1),
    portRow('vm1', 'sw0', 1, { mac: ['0a:00:00:00:00:01 10.0.0.1'] }),
    portRow('vm2', 'sw0', 2, { mac: ['0a:00:00:00:00:02 10.0.0.2'] }),
    flowRow('sw0', 'ingress', 0, 50, 'inport == "vm1"', 'next;'),
    flowRow('sw0', 'ingress', 0, 51, 'inport == "vm2"', 'next;'),
    flowRow('sw0', 'ingress', 32, 50, 'eth.dst == 0a:00:00:00:00:02', 'outport = "vm2"; output;'),
  )
}

const mapOf = (row: Readonly<Record<string, unknown>> | undefined, column: string) =>
  (row?.[column] ?? new Map()) as Map<string, string>

describe('a chassis', () => {
  test('registers itself, as its local database describes it', () => {
    const w = makeWorld()
    w.clock.settle()
    const [chassis] = w.rows('Chassis')
    const [encap] = w.rows('Encap')
    const [own] = w.rows('Chassis_Private')
    expect(chassis).toMatchObject({ name: 'hv1', hostname: 'host1', encaps: [encap?._uuid] })
    expect(encap).toMatchObject({ type: 'geneve', ip: '192.0.2.1', chassis_name: 'hv1' })
    expect(encap?.['options']).toEqual(new Map([['csum', 'true']]))
    expect(own).toMatchObject({ name: 'hv1', chassis: chassis?._uuid })
    expect(mapOf(chassis, 'other_config').get('ovn-bridge-mappings')).toBe('physnet:br-ex')
  })

  test('makes its integration bridge', () => {
    const w = makeWorld()
    w.clock.settle()
    expect(w.localRows('Bridge')[0]).toMatchObject({ name: 'br-int', fail_mode: 'secure' })
  })

  test('follows what the operator changes', () => {
    const w = makeWorld()
    w.clock.settle()
    w.ovs({
      op: 'mutate',
      table: 'Open_vSwitch',
      where: [],
      mutations: [
        ['external_ids', 'delete', ['ovn-encap-ip']],
        ['external_ids', 'insert', new Map([['ovn-encap-ip', '192.0.2.9']])],
      ],
    })
    expect(w.rows('Encap')).toHaveLength(1)
    expect(w.rows('Encap')[0]).toMatchObject({ ip: '192.0.2.9' })
  })

  test('has tunnels to the others, and none when they are gone', () => {
    const w = makeWorld()
    w.clock.settle()
    const encap = { type: 'geneve', ip: '192.0.2.2', chassis_name: 'hv2', options: new Map([['csum', 'true']]) }
    w.sb(
      { op: 'insert', table: 'Encap', uuid: uuidOf('encap2'), row: encap },
      { op: 'insert', table: 'Chassis', uuid: uuidOf('hv2'), row: { name: 'hv2', encaps: [uuidOf('encap2')] } },
    )
    const tunnel = w.localRows('Interface').find((i) => i['name'] === 'ovn-hv2-0')
    expect(tunnel).toMatchObject({ type: 'geneve' })
    expect(tunnel?.['options']).toEqual(
      new Map([
        ['csum', 'true'],
        ['key', 'flow'],
        ['local_ip', '192.0.2.1'],
        ['remote_ip', '192.0.2.2'],
      ]),
    )
    expect(flowsOf(w, 0).map((f) => exact(f.match, F.in_port))).toContain(BigInt(tunnel?.['ofport'] as number))
    w.sb({ op: 'delete', table: 'Chassis', where: [['name', '==', 'hv2']] })
    expect(w.localRows('Interface').some((i) => i['name'] === 'ovn-hv2-0')).toBe(false)
  })
})

describe('a port', () => {
  test('is claimed when an interface stands for it, and up when the switch has its flows', () => {
    const w = makeWorld()
    w.clock.settle()
    network(w)
    expect(port(w, 'vm1')?.['chassis']).toBeUndefined()
    w.plug('tap1', { 'iface-id': 'vm1' })
    expect(port(w, 'vm1')).toMatchObject({ chassis: us(w), up: true })
    expect(messages(w)).toEqual(
      expect.arrayContaining([
        'binding|info|Claiming lport vm1 for this chassis.',
        'binding|info|vm1: Claiming 0a:00:00:00:00:01 10.0.0.1',
        'binding|info|Setting lport vm1 up in Southbound',
        'binding|info|Setting lport vm1 ovn-installed in OVS',
      ]),
    )
    const iface = w.localRows('Interface').find((i) => i['name'] === 'tap1')
    expect(mapOf(iface, 'external_ids').get('ovn-installed')).toBe('true')
    // The switch's flows about the port of another chassis are not needed here.
    expect(flowsOf(w, OFTABLE.LOG_INGRESS).map((f) => exact(f.match, F.reg14))).toEqual([1n])
    expect(flowsOf(w, OFTABLE.LOG_INGRESS + 32)).toHaveLength(1)
  })

  test('is released when its interface goes', () => {
    const w = makeWorld()
    w.clock.settle()
    network(w)
    w.plug('tap1', { 'iface-id': 'vm1' })
    w.unplug('tap1')
    expect(port(w, 'vm1')).toMatchObject({ up: false })
    expect(port(w, 'vm1')?.['chassis']).toBeUndefined()
    expect(messages(w)).toContain('binding|info|Releasing lport vm1 from this chassis (sb_readonly=0)')
    expect(flowsOf(w, OFTABLE.LOG_INGRESS)).toHaveLength(0)
  })

  test('is not claimed when the operator asked for another chassis', () => {
    const w = makeWorld()
    w.clock.settle()
    w.sb(datapathRow('sw0', 1), portRow('vm1', 'sw0', 1, { options: new Map([['requested-chassis', 'hv2']]) }))
    w.plug('tap1', { 'iface-id': 'vm1' })
    expect(port(w, 'vm1')?.['chassis']).toBeUndefined()
  })

  test('keeps its zone over a restart, and its flows are left alone', () => {
    const w = makeWorld()
    w.clock.settle()
    network(w)
    w.plug('tap1', { 'iface-id': 'vm1' })
    const zones = () => [...mapOf(w.localRows('Bridge')[0], 'external_ids')].filter(([k]) => k.startsWith('ct-zone-'))
    const before = zones()
    expect(before.map(([k]) => k)).toEqual(['ct-zone-sw0_dnat', 'ct-zone-sw0_snat', 'ct-zone-vm1'])
    const flows = w.sw.flows.size
    w.restart()
    expect(zones()).toEqual(before)
    expect(w.sw.flows.size).toBe(flows)
    expect(w.sw.modifications).toBe(0)
    expect(port(w, 'vm1')).toMatchObject({ chassis: us(w), up: true })
  })
})

describe('the switch', () => {
  test('gets back what it lost, and loses what is not ours', () => {
    const w = makeWorld()
    w.clock.settle()
    network(w)
    w.plug('tap1', { 'iface-id': 'vm1' })
    const all = new Map(w.sw.flows)
    const [first] = w.sw.flows.keys()
    w.sw.flows.delete(first as string)
    const [, second] = w.sw.flows
    const stray = { ...(second?.[1] as typeof w.sw.flows extends Map<string, infer V> ? V : never), priority: 7 }
    w.sw.flows.set('stray', stray)
    w.sw.channel?.close(new Error('gone'))
    w.clock.advance(3000)
    w.sw.flows.delete('stray')
    expect([...w.sw.flows.keys()].sort()).toEqual([...all.keys()].sort())
    expect(w.sw.modifications).toBe(2)
  })

  test('is asked before a configuration is reported as reached', () => {
    const w = makeWorld()
    w.clock.settle()
    w.sb({ op: 'insert', table: 'SB_Global', row: { nb_cfg: 7 } })
    expect(w.rows('Chassis_Private')[0]).toMatchObject({ nb_cfg: 7 })
    expect(mapOf(w.localRows('Bridge')[0], 'external_ids').get('ovn-nb-cfg')).toBe('7')
  })

  test('does not follow a northd of another release where it is told not to', () => {
    const w = makeWorld()
    w.clock.settle()
    network(w)
    const count = () => w.sw.flows.size
    const version = (text: string) => {
      const options = new Map([['northd_internal_version', text]])
      w.sb({ op: 'update', table: 'SB_Global', where: [], row: { options } })
    }
    w.sb({ op: 'insert', table: 'SB_Global', row: {} })
    version('1.2.3')
    w.ovs({
      ...({ op: 'mutate', table: 'Open_vSwitch', where: [] } as const),
      mutations: [['external_ids', 'insert', new Map([['ovn-match-northd-version', 'true']])]],
    })
    const before = count()
    w.plug('tap1', { 'iface-id': 'vm1' })
    expect([count(), w.rows('Port_Binding').some((p) => p['chassis'] !== undefined)]).toEqual([before, false])
    version(INTERNAL_VERSION)
    w.clock.settle()
    expect(count()).toBeGreaterThan(before)
    expect(w.rows('Port_Binding').some((p) => p['chassis'] !== undefined)).toBe(true)
    expect(messages(w)).toContain(
      `main|warn|controller version - ${INTERNAL_VERSION} mismatch with northd version - 1.2.3`,
    )
  })

  test('may send anything', () => {
    const w = makeWorld()
    w.clock.settle()
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        fc.uint8Array({ maxLength: 80 }),
        fc.integer({ min: 0, max: 30 }),
        (body, packet, opcode) => {
          const userdata = Uint8Array.from([0, 0, 0, opcode, 0, 0, 0, 0, ...body])
          w.sw.channel?.send({
            type: 'packet_in',
            xid: 0,
            format: 'nxt2',
            packet,
            totalLength: packet.length,
            bufferId: 0xffffffff,
            reason: 1,
            table: 8,
            cookie: 0n,
            metadata: [],
            userdata,
            continuation: {},
          })
          w.clock.settle()
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('logical flows', () => {
  test('that cannot be read disturb no other', () => {
    const w = makeWorld()
    w.clock.settle()
    network(w)
    w.plug('tap1', { 'iface-id': 'vm1' })
    w.sb(
      flowRow('sw0', 'ingress', 1, 1, 'ip4.src == ', 'next;'),
      flowRow('sw0', 'ingress', 1, 2, 'ip4', 'frobnicate;'),
      flowRow('sw0', 'ingress', 1, 3, 'ip4', 'next;'),
    )
    expect(flowsOf(w, OFTABLE.LOG_INGRESS + 1)).toHaveLength(1)
    expect(messages(w).filter((m) => m.startsWith('lflow|warn|error parsing'))).toHaveLength(2)
  })

  test('with alternatives of two fields share conjunctions', () => {
    const w = makeWorld()
    w.clock.settle()
    network(w)
    w.plug('tap1', { 'iface-id': 'vm1' })
    w.sb(
      flowRow('sw0', 'ingress', 1, 9, 'ip4.src == {1.1.1.1, 2.2.2.2} && ip4.dst == {3.3.3.3, 4.4.4.4}', 'next;'),
      flowRow('sw0', 'ingress', 1, 9, 'ip4.src == {1.1.1.1, 5.5.5.5} && ip4.dst == {6.6.6.6, 7.7.7.7}', 'drop;'),
    )
    const flows = flowsOf(w, OFTABLE.LOG_INGRESS + 1)
    const shared = flows.find((f) => exact(f.match, F.ip_src) === 0x01010101n)
    expect(shared?.actions).toHaveLength(2)
    expect(shared?.cookie).toBe(0n)
    expect(flows.filter((f) => exact(f.match, F.conj_id) !== undefined)).toHaveLength(2)
  })
})

describe('flooding', () => {
  test('goes to patch ports, also to those that lead nowhere, but not to switch ports without a place', () => {
    const w = makeWorld()
    w.clock.settle()
    network(w)
    w.plug('tap1', { 'iface-id': 'vm1' })
    w.sb(portRow('sw0-r', 'sw0', 9, { type: 'patch', options: new Map([['peer', 'gone']]) }), {
      op: 'insert',
      table: 'Multicast_Group',
      row: {
        name: '_MC_flood',
        datapath: uuidOf('sw0'),
        tunnel_key: 32768,
        ports: ['pb-vm1', 'pb-vm2', 'pb-sw0-r'].map(uuidOf),
      },
    })
    w.clock.settle()
    const to = (table: number, priority: number) =>
      flowsOf(w, table)
        .filter((f) => f.priority === priority && exact(f.match, F.reg15) === 32768n)
        .map((f) => f.actions.filter((a) => a.type === 'resubmit').length)
    expect(to(OFTABLE.REMOTE_OUTPUT, 100)).toEqual([2])
    expect(to(OFTABLE.REMOTE_OUTPUT, 120)).toEqual([2])
    expect(to(OFTABLE.LOCAL_OUTPUT, 100)).toEqual([1])
    expect(flowsOf(w, OFTABLE.LOG_TO_PHY).some((f) => exact(f.match, F.reg15) === 9n)).toBe(false)
  })
})

describe('incremental', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('plug' as const), n: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ do: fc.constant('unplug' as const), n: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ do: fc.constant('peer' as const), n: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ do: fc.constant('flow' as const), n: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ do: fc.constant('set' as const), n: fc.integer({ min: 0, max: 4 }) }),
    fc.record({ do: fc.constant('chassis' as const), n: fc.integer({ min: 0, max: 1 }) }),
  )

  test('equals recomputed, and the switch has it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const w = makeWorld()
        w.clock.settle()
        w.sb(
          datapathRow('sw1', 1),
          datapathRow('sw2', 2),
          datapathRow('r', 3, 'logical-router'),
          ...[1, 2, 3, 4].map((n) =>
            portRow(`vm${n}`, `sw${1 + (n % 2)}`, n, { mac: [`0a:00:00:00:00:0${n} 10.0.0.${n}`] }),
          ),
          portRow('sw1-r', 'sw1', 9, { type: 'patch', options: new Map([['peer', 'r-sw1']]) }),
          portRow('r-sw1', 'r', 1, { type: 'patch', options: new Map([['peer', 'sw1-r']]) }),
          { op: 'insert', table: 'Address_Set', row: { name: 'as', addresses: ['1.0.0.1'] } },
          flowRow('sw1', 'ingress', 1, 1, 'ip4.src == $as', 'next;'),
        )
        const plugged = new Set<number>()
        for (const s of steps) {
          if (s.do === 'plug' && !plugged.has(s.n)) {
            plugged.add(s.n)
            w.plug(`tap${s.n}`, { 'iface-id': `vm${s.n}` })
          } else if (s.do === 'unplug' && plugged.delete(s.n)) w.unplug(`tap${s.n}`)
          else if (s.do === 'peer') {
            const options = new Map(s.n % 2 ? [['peer', 'r-sw1']] : [])
            w.sb({ op: 'update', table: 'Port_Binding', where: [['logical_port', '==', 'sw1-r']], row: { options } })
          } else if (s.do === 'flow') {
            const match = `ip4.src == {1.1.1.${s.n}, 2.2.2.2} && tcp.dst == {${s.n}, 80}`
            if (!w.rows('Logical_Flow').some((f) => f['match'] === match))
              w.sb(flowRow('sw1', 'ingress', 2, 1, match, 'next;'))
          } else if (s.do === 'set') {
            const addresses = Array.from({ length: s.n }, (_, i) => `1.0.0.${i + 1}`)
            w.sb({ op: 'update', table: 'Address_Set', where: [], row: { addresses } })
          } else if (s.do === 'chassis') {
            w.sb({ op: 'delete', table: 'Chassis', where: [['name', '==', 'hv2']] })
            if (s.n) {
              const row = { type: 'geneve', ip: '192.0.2.2', chassis_name: 'hv2' }
              w.sb(
                { op: 'insert', table: 'Encap', uuid: uuidOf('encap2'), row },
                {
                  op: 'insert',
                  table: 'Chassis',
                  uuid: uuidOf('hv2'),
                  row: { name: 'hv2', encaps: [uuidOf('encap2')] },
                },
                {
                  op: 'update',
                  table: 'Port_Binding',
                  where: [['logical_port', '==', 'vm4']],
                  row: { chassis: uuidOf('hv2') },
                },
              )
            }
          }
        }
        w.clock.advance(5000)
        const { graph, state } = w.controller
        const before = graph.snapshot()
        graph.recompute()
        expect(graph.snapshot()).toEqual(before)
        expect([...w.sw.flows.keys()].sort()).toEqual([...state.flows.contents.keys()].sort())
      }),
      { numRuns: 40 },
    )
  })
})
