import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatWhy, why } from '../reactive/index.ts'
import { NorthdWorld } from './_world.ts'

const map = (o: Record<string, string>) => new Map(Object.entries(o))

/** A small network: two switches, a router between them with a gateway port, NAT and a route. */
function network(world: NorthdWorld) {
  const inside = world.insert('Logical_Switch', { name: 'in' })
  const outside = world.insert('Logical_Switch', { name: 'out' })
  const router = world.insert('Logical_Router', { name: 'r' })
  const vm = world.insert('Logical_Switch_Port', { name: 'vm', addresses: ['0a:00:00:00:00:01 10.0.0.2'] }, [
    'Logical_Switch',
    inside,
    'ports',
  ])
  const join = (ls: string, name: string, mac: string, network: string) => {
    const port = world.insert('Logical_Router_Port', { name: `r-${name}`, mac, networks: [network] }, [
      'Logical_Router',
      router,
      'ports',
    ])
    world.insert(
      'Logical_Switch_Port',
      { name: `${name}-r`, type: 'router', addresses: ['router'], options: map({ 'router-port': `r-${name}` }) },
      ['Logical_Switch', ls, 'ports'],
    )
    return port
  }
  const inner = join(inside, 'in', '0a:00:00:00:01:01', '10.0.0.1/24')
  const outer = join(outside, 'out', '0a:00:00:00:01:02', '172.16.0.1/24')
  world.insert(
    'Logical_Switch_Port',
    { name: 'ln', type: 'localnet', addresses: ['unknown'], options: map({ network_name: 'phys' }) },
    ['Logical_Switch', outside, 'ports'],
  )
  world.insert('Gateway_Chassis', { name: 'r-out-gw', chassis_name: 'gw', priority: 1 }, [
    'Logical_Router_Port',
    outer,
    'gateway_chassis',
  ])
  world.clock.settle()
  return { inside, outside, router, vm, inner, outer }
}

describe('northd', () => {
  it('turns a switch and its port into datapath, port, group and flows', () => {
    const world = new NorthdWorld()
    const { vm } = network(world)
    const ports = [...world.southbound.rows('Port_Binding')].map(
      (r) => (r as unknown as { logical_port: string }).logical_port,
    )
    expect(ports.sort()).toEqual(['cr-r-out', 'in-r', 'ln', 'out-r', 'r-in', 'r-out', 'vm'])
    expect(world.flows()).toContain('in ls_in_l2_lkup 50 eth.dst == 0a:00:00:00:00:01 => outport = "vm"; output;')
    expect(world.flows()).toContain(
      'out ls_in_l2_lkup 50 eth.dst == 0a:00:00:00:01:02 && is_chassis_resident("cr-r-out") => outport = "out-r"; output;',
    )
    expect(world.northd.graph.relation('switch port')?.peek(vm)).toMatchObject({
      name: 'vm',
      switch: expect.any(String),
    })
    expect(world.kept.lines.filter((l) => l.level === 'err')).toEqual([])
  })

  it('writes only what a change asks for', () => {
    const world = new NorthdWorld()
    const { inside } = network(world)
    const before = world.contents()
    world.insert('Logical_Switch_Port', { name: 'vm2', addresses: ['0a:00:00:00:00:02 10.0.0.3'] }, [
      'Logical_Switch',
      inside,
      'ports',
    ])
    world.clock.settle()
    const after = world.contents()
    const gone = [...before.keys()].filter((k) => !after.has(k))
    const made = [...after.keys()].filter((k) => !before.has(k))
    const changed = [...after.keys()].filter((k) => before.has(k) && before.get(k) !== after.get(k))
    expect(gone).toEqual([])
    expect(made.map((k) => k.split(' ')[0]).sort()).toEqual([...Array(5).fill('Logical_Flow'), 'Port_Binding'])
    expect(changed.map((k) => k.split(' ')[0]).sort()).toEqual(['Multicast_Group', 'Multicast_Group'])
  })

  it('tells why a flow is there', () => {
    const world = new NorthdWorld()
    network(world)
    const flows = world.northd.rules.context.flows.perDatapath
    const [key] = [...flows.contents].find(([, f]) => f.flow.match === 'eth.dst == 0a:00:00:00:00:01') ?? []
    const text = formatWhy(why(flows, key ?? ''))
    expect(text).toMatch(/by switch\/port\(/)
    expect(text).toMatch(/read switch key/)
  })

  it('keeps rows and keys over a restart', () => {
    const world = new NorthdWorld()
    const { inside } = network(world)
    world.remove(world.insert('Logical_Switch_Port', { name: 'gone' }, ['Logical_Switch', inside, 'ports']), [
      'Logical_Switch',
      inside,
      'ports',
    ])
    world.clock.settle()
    const before = world.contents()
    world.northd.close()
    world.northd = world.start()
    world.clock.settle()
    expect(world.contents()).toEqual(before)
  })

  it('leaves the southbound to the one that holds the lock', () => {
    const world = new NorthdWorld()
    world.northd.pause()
    const inside = world.insert('Logical_Switch', { name: 'in' })
    world.clock.settle()
    expect(world.northd.status).toBe('paused')
    expect([...world.southbound.rows('Datapath_Binding')]).toEqual([])
    world.northd.resume()
    world.clock.settle()
    expect(world.northd.status).toBe('active')
    expect([...world.southbound.rows('Datapath_Binding')]).toMatchObject([{ nb_uuid: inside }])
  })

  it('acknowledges configurations', () => {
    const world = new NorthdWorld()
    world.insert('Logical_Switch', { name: 'in' })
    world.update('NB_Global', world.global, { nb_cfg: 7 })
    world.clock.settle()
    expect(world.northbound.row('NB_Global', world.global)).toMatchObject({ sb_cfg: 7, hv_cfg: 7 })
    expect([...world.southbound.rows('SB_Global')]).toMatchObject([{ nb_cfg: 7 }])
  })

  it('puts back what somebody else changed in the southbound', () => {
    const world = new NorthdWorld()
    network(world)
    const before = world.flows()
    world.southbound.transact([
      { op: 'delete', table: 'Logical_Flow', where: [['priority', '==', 50]] },
      { op: 'update', table: 'Port_Binding', where: [['logical_port', '==', 'vm']], row: { type: 'vtep' } },
    ])
    world.clock.settle()
    expect(world.flows()).toEqual(before)
    const vm = [...world.southbound.rows('Port_Binding')].find(
      (r) => (r as unknown as { logical_port: string }).logical_port === 'vm',
    )
    expect(vm).toMatchObject({ type: '' })
  })
})

// What a random operator does, on a few names so that they collide and meet again.
const small = fc.nat(3)
type Step =
  | { readonly do: 'switch' | 'router'; readonly n: number }
  | { readonly do: 'port'; readonly s: number; readonly n: number; readonly type: string; readonly unknown: boolean }
  | { readonly do: 'join'; readonly r: number; readonly s: number; readonly gateway: boolean }
  | { readonly do: 'nat'; readonly r: number; readonly n: number; readonly type: string; readonly local: boolean }
  | { readonly do: 'route'; readonly r: number; readonly n: number; readonly hop: number }
  | { readonly do: 'acl'; readonly s: number; readonly n: number; readonly action: string }
  | { readonly do: 'lb'; readonly s: number; readonly r: number; readonly n: number }
  | { readonly do: 'toggle'; readonly n: number }
  | { readonly do: 'bind'; readonly n: number }
  | { readonly do: 'remove'; readonly n: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('switch' as const, 'router' as const), n: small }),
  fc.record({
    do: fc.constant('port' as const),
    s: small,
    n: fc.nat(6),
    type: fc.constantFrom('', '', 'localnet', 'localport', 'external', 'virtual', 'vtep'),
    unknown: fc.boolean(),
  }),
  fc.record({ do: fc.constant('join' as const), r: small, s: small, gateway: fc.boolean() }),
  fc.record({
    do: fc.constant('nat' as const),
    r: small,
    n: fc.nat(6),
    type: fc.constantFrom('snat', 'dnat', 'dnat_and_snat'),
    local: fc.boolean(),
  }),
  fc.record({ do: fc.constant('route' as const), r: small, n: small, hop: small }),
  fc.record({
    do: fc.constant('acl' as const),
    s: small,
    n: small,
    action: fc.constantFrom('allow', 'allow-related', 'allow-stateless', 'drop', 'reject', 'pass'),
  }),
  fc.record({ do: fc.constant('lb' as const), s: small, r: small, n: small }),
  fc.record({ do: fc.constant('toggle' as const), n: fc.nat(30) }),
  fc.record({ do: fc.constant('bind' as const), n: fc.nat(6) }),
  fc.record({ do: fc.constant('remove' as const), n: fc.nat(30) }),
)

class Operator {
  private readonly known = new Map<string, string>()
  private readonly removable: { readonly name: string; readonly run: () => void }[] = []
  private readonly ports: string[] = []

  constructor(private readonly world: NorthdWorld) {}

  private made(name: string, uuid: string, remove: () => void): void {
    this.known.set(name, uuid)
    this.removable.push({
      name,
      run: () => {
        remove()
        this.known.delete(name)
      },
    })
  }

  private node(kind: 'Logical_Switch' | 'Logical_Router', n: number): string {
    const name = `${kind === 'Logical_Switch' ? 's' : 'r'}${n}`
    const known = this.known.get(name)
    if (known !== undefined) return known
    const uuid = this.world.insert(kind, { name })
    this.made(name, uuid, () => this.world.nb({ op: 'delete', table: kind, where: [['_uuid', '==', uuid]] }))
    return uuid
  }

  private child(
    name: string,
    table: Parameters<NorthdWorld['insert']>[0],
    row: Parameters<NorthdWorld['insert']>[1],
    into: [string, string, string],
  ): string | undefined {
    if (this.known.has(name)) return undefined
    const uuid = this.world.insert(table, row, into)
    this.made(name, uuid, () => this.world.remove(uuid, into))
    return uuid
  }

  run(s: Step): void {
    const { world } = this
    if (s.do === 'switch') this.node('Logical_Switch', s.n)
    else if (s.do === 'router') this.node('Logical_Router', s.n)
    else if (s.do === 'port') {
      const ls = this.node('Logical_Switch', s.s)
      const addresses = [
        `0a:00:00:00:00:0${s.n} 10.${s.s}.0.1${s.n} fd0${s.s}::${s.n}`,
        ...(s.unknown ? ['unknown'] : []),
      ]
      const options = map({ network_name: 'p', 'virtual-ip': `10.${s.s}.0.99`, 'virtual-parents': 'p1,p2' })
      const uuid = this.child(`p${s.n}`, 'Logical_Switch_Port', { name: `p${s.n}`, type: s.type, addresses, options }, [
        'Logical_Switch',
        ls,
        'ports',
      ])
      if (uuid) this.ports.push(uuid)
    } else if (s.do === 'join') {
      const lr = this.node('Logical_Router', s.r)
      const ls = this.node('Logical_Switch', s.s)
      const name = `${s.r}${s.s}`
      const port = this.child(
        `lrp${name}`,
        'Logical_Router_Port',
        {
          name: `lrp${name}`,
          mac: `0a:00:00:00:01:${name}`,
          networks: [`10.${s.s}.0.${s.r + 1}/24`, `fd0${s.s}::f${s.r}/64`],
        },
        ['Logical_Router', lr, 'ports'],
      )
      this.child(
        `lsp${name}`,
        'Logical_Switch_Port',
        {
          name: `lsp${name}`,
          type: 'router',
          addresses: ['router'],
          options: map({ 'router-port': `lrp${name}`, 'nat-addresses': 'router' }),
        },
        ['Logical_Switch', ls, 'ports'],
      )
      if (port && s.gateway)
        world.insert('Gateway_Chassis', { name: `gc${name}`, chassis_name: 'gw', priority: 1 }, [
          'Logical_Router_Port',
          port,
          'gateway_chassis',
        ])
    } else if (s.do === 'nat') {
      const lr = this.node('Logical_Router', s.r)
      this.child(
        `nat${s.r}${s.n}`,
        'NAT',
        {
          type: s.type,
          external_ip: `10.1.0.2${s.n}`,
          logical_ip: s.type === 'snat' ? `10.${s.n}.0.0/24` : `10.0.0.1${s.n}`,
          ...(s.local ? { logical_port: `p${s.n}`, external_mac: `0a:00:00:00:02:0${s.n}` } : {}),
        },
        ['Logical_Router', lr, 'nat'],
      )
    } else if (s.do === 'route') {
      const lr = this.node('Logical_Router', s.r)
      this.child(
        `route${s.r}${s.n}${s.hop}`,
        'Logical_Router_Static_Route',
        { ip_prefix: `192.168.${s.n}.0/24`, nexthop: `10.${s.hop}.0.99` },
        ['Logical_Router', lr, 'static_routes'],
      )
    } else if (s.do === 'acl') {
      const ls = this.node('Logical_Switch', s.s)
      this.child(
        `acl${s.s}${s.n}`,
        'ACL',
        {
          priority: s.n,
          direction: s.n % 2 ? 'to-lport' : 'from-lport',
          match: 'ip4',
          action: s.action,
          tier: s.n % 3,
        },
        ['Logical_Switch', ls, 'acls'],
      )
    } else if (s.do === 'lb') {
      const ls = this.node('Logical_Switch', s.s)
      const lr = this.node('Logical_Router', s.r)
      const name = `lb${s.n}`
      let lb = this.known.get(name)
      if (lb === undefined) {
        const uuid = world.insert('Load_Balancer', {
          name,
          vips: map({ [`10.1.0.5${s.n}:80`]: '10.0.0.11:80,10.0.0.12:80' }),
        })
        lb = uuid
        this.made(name, uuid, () => world.nb({ op: 'delete', table: 'Load_Balancer', where: [['_uuid', '==', uuid]] }))
      }
      for (const [table, uuid] of [
        ['Logical_Switch', ls],
        ['Logical_Router', lr],
      ] as const)
        world.nb({
          op: 'mutate',
          table,
          where: [['_uuid', '==', uuid]],
          mutations: [['load_balancer', 'insert', [lb]]],
        })
    } else if (s.do === 'toggle') {
      const uuid = this.ports[s.n % Math.max(1, this.ports.length)]
      if (uuid)
        world.update('Logical_Switch_Port', uuid, {
          enabled: s.n % 2 === 0,
          port_security: s.n % 3 ? [] : ['0a:00:00:00:00:01'],
        })
    } else if (s.do === 'bind') {
      world.southbound.transact([
        { op: 'insert', table: 'Encap', row: { type: 'geneve', ip: '1.1.1.1', chassis_name: 'c' }, uuid: world.uuid() },
      ])
      world.southbound.transact([
        { op: 'update', table: 'Port_Binding', where: [['logical_port', '==', `p${s.n}`]], row: { up: true } },
      ])
    } else if (s.do === 'remove') {
      const [entry] = this.removable.splice(s.n % Math.max(1, this.removable.length), 1)
      entry?.run()
    }
  }
}

describe('northd under random operators', () => {
  it('comes incrementally to what a recomputation comes to, and the southbound says the same', {
    timeout: 120_000,
  }, () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), fc.nat(1000), (steps, seed) => {
        const world = new NorthdWorld(seed)
        const operator = new Operator(world)
        for (const s of steps) {
          operator.run(s)
          world.clock.settle()
        }
        expect(world.kept.lines.filter((l) => l.level === 'err')).toEqual([])
        const { graph } = world.northd
        const before = graph.snapshot()
        const contents = world.contents()
        graph.recompute()
        const after = graph.snapshot()
        for (const [name, rows] of before) expect(after.get(name), name).toEqual(rows)
        world.clock.settle()
        expect(world.contents()).toEqual(contents)
      }),
      { numRuns: 40 },
    )
  })
})
