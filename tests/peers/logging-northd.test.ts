import { afterAll, beforeAll, expect, test } from 'vitest'
import { Lab, type Maker, sleep, until } from './ovsdb-lab.ts'
import { referenceSchema } from './reference.ts'

// Rows that are wrong, ten of each kind: what the real northd and ours say of them, and how often.

const lab = new Lab()
beforeAll(() => lab.prepare('ovn-northd'))
afterAll(() => lab.close())

type Json = string | number | readonly Json[] | { readonly [key: string]: Json }

function rows(): Json[] {
  const operations: Json[] = []
  const insert = (table: string, row: { readonly [key: string]: Json }): Json => {
    const name = `r${operations.length}`
    operations.push({ op: 'insert', table, row, 'uuid-name': name })
    return ['named-uuid', name]
  }
  const map = (pairs: Readonly<Record<string, string>>): Json => ['map', Object.entries(pairs)]
  const ten = (make: (i: number) => Json[]) => Array.from({ length: 10 }, (_, i) => make(i)).flat()
  const good = { name: 'good', mac: '00:00:00:00:00:01', networks: '10.0.0.1/24' }
  const ports = [
    insert('Logical_Router_Port', good),
    ...ten((i) => [insert('Logical_Router_Port', { name: `p${i}`, mac: 'bad', networks: `10.${i + 1}.0.1/24` })]),
  ]
  const route = (prefix: string, nexthop: string, more: Record<string, Json> = {}) =>
    insert('Logical_Router_Static_Route', { ip_prefix: prefix, nexthop, ...more })
  const static_routes = ten((i) => [
    route(`bad${i}`, '10.0.0.9'),
    route(`1.2.${i}.0/24`, 'bad'),
    route(`1.3.${i}.0/24`, '77.0.0.1'),
    route(`1.4.${i}.0/24`, '10.0.0.9', { output_port: 'nowhere' }),
  ])
  const nat = ten((i) => [
    insert('NAT', { type: 'snat', external_ip: `bad${i}`, logical_ip: '10.0.0.0/24' }),
    insert('NAT', { type: 'snat', external_ip: `9.9.9.${i}`, logical_ip: 'bad' }),
  ])
  const policy = (priority: number, nexthops: string) =>
    insert('Logical_Router_Policy', { priority, match: 'ip4', action: 'reroute', nexthops })
  const policies = ten((i) => [policy(i, 'bad'), policy(i + 10, '66.0.0.1')])
  const load_balancer = ten((i) => [insert('Load_Balancer', { name: `l${i}`, vips: map({ bad: '1.1.1.1:1' }) })])
  const set = (members: Json[]): Json => ['set', members]
  insert('Logical_Router', {
    name: 'R',
    ports: set(ports),
    static_routes: set(static_routes),
    nat: set(nat),
    policies: set(policies),
    load_balancer: set(load_balancer),
    options: map({ chassis: 'c' }),
  })
  const dhcpv4_options = insert('DHCP_Options', { cidr: '10.0.0.0/24', options: map({ router: '10.0.0.1' }) })
  const dhcpv6_options = insert('DHCP_Options', { cidr: 'fd00::/64', options: map({ dns_server: 'fd00::1' }) })
  const switchPorts = ten((i) => [
    insert('Logical_Switch_Port', {
      name: `v${i}`,
      addresses: `00:00:00:00:02:0${i} 10.0.0.2${i} fd00::2${i}`,
      dhcpv4_options,
      dhcpv6_options,
    }),
  ])
  insert('Logical_Switch', { name: 'S', ports: set(switchPorts) })
  insert('NB_Global', { nb_cfg: 1 })
  return operations
}

async function warnings(maker: Maker): Promise<string[]> {
  const at = (name: string) => lab.at(`${name}.${maker}`)
  for (const [name, schema] of [
    ['nb', 'ovn-nb'],
    ['sb', 'ovn-sb'],
  ] as const) {
    await lab.run('26.03', 'ovsdb-tool', 'create', at(`${name}.db`), referenceSchema(schema))
    await lab.start('26.03', 'ovsdb-server', at(`${name}.db`), `--remote=punix:${at(name)}`)
  }
  const transaction = JSON.stringify(['OVN_Northbound', ...rows()])
  const done = await lab.run('26.03', 'ovsdb-client', '-t', '60', 'transact', `unix:${at('nb')}`, transaction)
  expect(done.stdout + done.stderr).not.toContain('error')
  const northd = await lab.start(maker, 'ovn-northd', `--ovnnb-db=unix:${at('nb')}`, `--ovnsb-db=unix:${at('sb')}`)
  // Once it has come to the end of the network it is given time to say things twice.
  const select = JSON.stringify([
    'OVN_Southbound',
    { op: 'select', table: 'SB_Global', where: [], columns: ['nb_cfg'] },
  ])
  const reached = await until(
    () => lab.run('26.03', 'ovsdb-client', '-t', '60', 'transact', `unix:${at('sb')}`, select),
    (o) => o.stdout.includes('"nb_cfg":1}'),
  )
  expect(reached.stdout).toContain('"nb_cfg":1}')
  await sleep(3000)
  await northd.end()
  const lines = northd.log().split('\n')
  return lines
    .filter((l) => /\|WARN\||\|ERR\|/.test(l) && !/\|(socket_util|fatal_signal)[(|]/.test(l))
    .map((l) =>
      l
        .replace(/^[^|]*\|\d+\|/, '')
        .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UUID')
        .replace(/\d+/g, 'N')
        // Which of the ten rows comes first is not the same.
        .replace(/no path for next hop .*/, 'no path for next hop'),
    )
    .sort()
}

test('the same words of the same modules, as often', async () => {
  const [real, ours] = await Promise.all([warnings('26.03'), warnings('ours')])
  expect(ours).toEqual(real)
  expect(real.length).toBeGreaterThan(14)
})
