// northd, ours and the real one, over the same real databases: from nothing, and one added port.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { median, number, ratio, realPrograms, run, table, usage } from './_measure.ts'
import { Rpc } from './_rpc.ts'

const SWITCHES = Number(process.argv.find((a) => a.startsWith('--switches='))?.slice(11) ?? 100)
const PORTS = Number(process.argv.find((a) => a.startsWith('--ports='))?.slice(8) ?? 20)
const ADDS = 30

const bin = realPrograms()
if (!bin) process.exit(0)
const real = bin

const mac = (n: number) =>
  `0a:00:00:${[n >> 16, (n >> 8) & 255, n & 255].map((b) => b.toString(16).padStart(2, '0')).join(':')}`
const named = (id: string) => ['named-uuid', id]
const map = (o: Record<string, string>) => ['map', Object.entries(o)]
const set = (list: unknown[]) => ['set', list]

/** A cloud: a router for each ten switches, DHCP on every port, SNAT and a gateway port on each router. */
function northbound(): unknown[] {
  const ops: unknown[] = []
  const publicPorts: unknown[] = []
  let n = 1
  for (let r = 0; r < Math.ceil(SWITCHES / 10); r++) {
    const lrps: unknown[] = []
    for (let s = r * 10; s < Math.min(SWITCHES, r * 10 + 10); s++) {
      const net = `10.${s >> 8}.${s & 255}`
      ops.push({
        op: 'insert',
        table: 'DHCP_Options',
        'uuid-name': `dhcp${s}`,
        row: {
          cidr: `${net}.0/24`,
          options: map({
            server_id: `${net}.1`,
            server_mac: mac(0x800000 + s),
            lease_time: '43200',
            mtu: '1442',
            router: `${net}.1`,
          }),
        },
      })
      const ports: unknown[] = []
      for (let p = 0; p < PORTS; p++) {
        const address = `${mac(n++)} ${net}.${10 + p}`
        ops.push({
          op: 'insert',
          table: 'Logical_Switch_Port',
          'uuid-name': `lsp${s}x${p}`,
          row: { name: `vm-${s}-${p}`, addresses: address, port_security: address, dhcpv4_options: named(`dhcp${s}`) },
        })
        ports.push(named(`lsp${s}x${p}`))
      }
      ops.push({
        op: 'insert',
        table: 'Logical_Switch_Port',
        'uuid-name': `lspr${s}`,
        row: { name: `ls${s}-r`, type: 'router', addresses: 'router', options: map({ 'router-port': `lrp${s}` }) },
      })
      ports.push(named(`lspr${s}`))
      ops.push({ op: 'insert', table: 'Logical_Switch', row: { name: `ls${s}`, ports: set(ports) } })
      ops.push({
        op: 'insert',
        table: 'Logical_Router_Port',
        'uuid-name': `lrp${s}`,
        row: { name: `lrp${s}`, mac: mac(0x400000 + s), networks: `${net}.1/24` },
      })
      lrps.push(named(`lrp${s}`))
    }
    ops.push({
      op: 'insert',
      table: 'Gateway_Chassis',
      'uuid-name': `gc${r}`,
      row: { name: `pub${r}-gw1`, chassis_name: 'gw1', priority: 20 },
    })
    ops.push({
      op: 'insert',
      table: 'Logical_Router_Port',
      'uuid-name': `pub${r}`,
      row: { name: `pub${r}`, mac: mac(0x600000 + r), networks: `172.16.${r}.1/16`, gateway_chassis: named(`gc${r}`) },
    })
    lrps.push(named(`pub${r}`))
    ops.push({
      op: 'insert',
      table: 'Logical_Switch_Port',
      'uuid-name': `pubr${r}`,
      row: { name: `public-r${r}`, type: 'router', addresses: 'router', options: map({ 'router-port': `pub${r}` }) },
    })
    publicPorts.push(named(`pubr${r}`))
    ops.push({
      op: 'insert',
      table: 'NAT',
      'uuid-name': `nat${r}`,
      row: { type: 'snat', external_ip: `172.16.${r}.1`, logical_ip: `10.0.0.0/8` },
    })
    ops.push({ op: 'insert', table: 'Logical_Router', row: { name: `r${r}`, ports: set(lrps), nat: named(`nat${r}`) } })
  }
  ops.push({
    op: 'insert',
    table: 'Logical_Switch_Port',
    'uuid-name': 'provnet',
    row: {
      name: 'provnet',
      type: 'localnet',
      addresses: 'unknown',
      tag: 10,
      options: map({ network_name: 'datacentre' }),
    },
  })
  ops.push({
    op: 'insert',
    table: 'Logical_Switch',
    row: { name: 'public', ports: set([...publicPorts, named('provnet')]) },
  })
  return ops
}

const started: ChildProcess[] = []
function start(command: string, args: string[], log: string): ChildProcess {
  const fd = openSync(log, 'a')
  const p = spawn(command, args, { stdio: ['ignore', fd, fd] })
  started.push(p)
  return p
}
process.on('exit', () => {
  for (const p of started) p.kill('SIGKILL')
})

async function until(what: string, f: () => boolean, ms = 120_000): Promise<void> {
  const end = Date.now() + ms
  while (!f()) {
    if (Date.now() > end) throw new Error(`timed out: ${what}`)
    await new Promise((r) => setTimeout(r, 5))
  }
}

interface Figures {
  cold: number
  cpu: number
  mib: number
  add: number
  flows: number
}

async function measure(name: string, northd: string): Promise<Figures> {
  const dir = mkdtempSync(join(tmpdir(), `bench-northd-${name}-`))
  for (const db of ['nb', 'sb']) {
    run(join(real, 'ovsdb-tool'), [
      'create',
      `${dir}/${db}.db`,
      run('bash', ['tests/peers/reference-ovn', 'schema', '26.03', `ovn-${db}`]).trim(),
    ])
    start(
      join(real, 'ovsdb-server'),
      [`${dir}/${db}.db`, `--remote=punix:${dir}/${db}.sock`, '-vconsole:off', `--unixctl=${dir}/${db}.ctl`],
      `${dir}/log`,
    )
  }
  await until('database sockets', () => existsSync(`${dir}/nb.sock`) && existsSync(`${dir}/sb.sock`))
  run(join(real, 'ovn-nbctl'), [`--db=unix:${dir}/nb.sock`, 'init'])
  run(join(real, 'ovn-sbctl'), [
    `--db=unix:${dir}/sb.sock`,
    'init',
    '--',
    'chassis-add',
    'gw1',
    'geneve',
    '169.254.0.1',
  ])
  const nb = await Rpc.open(`${dir}/nb.sock`)
  let sbCfg = 0
  nb.onUpdate = (params) => {
    const rows =
      (params as [unknown, Record<string, Record<string, { new?: { sb_cfg?: number } }>>])[1]['NB_Global'] ?? {}
    for (const row of Object.values(rows)) sbCfg = row.new?.sb_cfg ?? sbCfg
  }
  await nb.call('monitor', ['OVN_Northbound', null, { NB_Global: { columns: ['sb_cfg'] } }])
  await nb.call('transact', [
    'OVN_Northbound',
    ...northbound(),
    { op: 'mutate', table: 'NB_Global', where: [], mutations: [['nb_cfg', '+=', 1]] },
  ])
  let begin = performance.now()
  const p = start(
    northd,
    [
      `--ovnnb-db=unix:${dir}/nb.sock`,
      `--ovnsb-db=unix:${dir}/sb.sock`,
      `--unixctl=${dir}/northd.ctl`,
      '-vconsole:off',
      `--log-file=${dir}/northd.log`,
    ],
    `${dir}/log`,
  )
  await until('cold start', () => sbCfg === 1)
  const cold = performance.now() - begin
  const used = usage(p.pid as number)
  const adds: number[] = []
  for (let i = 0; i < ADDS; i++) {
    const s = i % SWITCHES
    begin = performance.now()
    const address = `${mac(0x900000 + i)} 10.${s >> 8}.${s & 255}.${200 + i}`
    await nb.call('transact', [
      'OVN_Northbound',
      {
        op: 'insert',
        table: 'Logical_Switch_Port',
        'uuid-name': 'p',
        row: { name: `added${i}`, addresses: address, port_security: address },
      },
      {
        op: 'mutate',
        table: 'Logical_Switch',
        where: [['name', '==', `ls${s}`]],
        mutations: [['ports', 'insert', named('p')]],
      },
      { op: 'mutate', table: 'NB_Global', where: [], mutations: [['nb_cfg', '+=', 1]] },
    ])
    while (sbCfg < i + 2) await new Promise((r) => setImmediate(r))
    adds.push(performance.now() - begin)
  }
  const flows = Number(
    run(join(real, 'ovsdb-client'), [
      'transact',
      `unix:${dir}/sb.sock`,
      JSON.stringify(['OVN_Southbound', { op: 'select', table: 'Logical_Flow', where: [], columns: ['_uuid'] }]),
    ]).match(/"uuid"/g)?.length ?? 0,
  )
  nb.close()
  for (const child of started.splice(0)) child.kill('SIGKILL')
  rmSync(dir, { recursive: true, force: true })
  return { cold, cpu: used.cpu, mib: used.mib, add: median(adds), flows }
}

const theirs = await measure('real', join(real, 'ovn-northd'))
const ours = await measure('ours', 'bin/ovn-northd')
console.log(
  `${SWITCHES} switches of ${PORTS} ports, ${Math.ceil(SWITCHES / 10)} routers; ${ours.flows} logical flow rows (the real one: ${theirs.flows})`,
)
table(
  ['northd', 'ours', 'real 26.03', 'ours/real'],
  [
    ['from nothing to sb_cfg', number(ours.cold, 'ms', 0), number(theirs.cold, 'ms', 0), ratio(ours.cold, theirs.cold)],
    ['CPU of that', number(ours.cpu, 's', 2), number(theirs.cpu, 's', 2), ratio(ours.cpu, theirs.cpu)],
    ['memory after it', number(ours.mib, 'MiB', 0), number(theirs.mib, 'MiB', 0), ratio(ours.mib, theirs.mib)],
    [
      `one port added, to sb_cfg (median of ${ADDS})`,
      number(ours.add, 'ms'),
      number(theirs.add, 'ms'),
      ratio(ours.add, theirs.add),
    ],
  ],
)
