import { readdirSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keptLog } from '../../src/base/log.ts'
import { err } from '../../src/base/result.ts'
import { Controller, LOCAL_REQUESTS, SOUTHBOUND_REQUESTS } from '../../src/controller/index.ts'
import { SystemClock } from '../../src/io/clock.ts'
import { systemRandom } from '../../src/io/random.ts'
import { dial, parseActive } from '../../src/io/socket.ts'
import { openChannel } from '../../src/openflow/connection/stream-channel.ts'
import { type Dial, RemoteReplica } from '../../src/ovsdb/client/remote.ts'
import { openVSwitch } from '../../src/schema/open-vswitch.ts'
import { southbound } from '../../src/schema/southbound.ts'
import { ControllerLab, words } from './controller-lab.ts'

let lab: ControllerLab
let controller: Controller | undefined
let close = () => {}

/** A flow's text without what each controller numbers for itself: zones, groups, conjunctions. */
function anonymous(line: string): string {
  let l = line.trim()
  l = l.replace(/conjunction\((\d{3,})(?=,)/g, (all, id) => (id === '100' ? all : 'conjunction(N'))
  l = l.replace(/conj_id=(\d+)/, (all, id) => (id === '100' ? all : 'conj_id=N'))
  l = l.replace(/set_field:0x[0-9a-f]+->reg1([12])/g, 'set_field:Z->reg1$1')
  l = l.replace(/set_field:0x[0-9a-f]+\/0xffff->reg13/g, 'set_field:Z->reg13').replace(/group:\d+/g, 'group:G')
  // Copies to several tunnels are made in any order.
  l = l.replace(/(output:\d+,)+output:\d+/g, (all) => all.split(',').sort().join(','))
  const conjunctions = /actions=(conjunction\(.*\))$/.exec(l)?.[1]
  return conjunctions
    ? l.replace(
        conjunctions,
        conjunctions
          .split(/(?<=\)),/)
          .sort()
          .join(','),
      )
    : l
}

/** Neighbours besides those of the test come and go as the controllers announce themselves. */
const learned = (line: string): boolean => /table=(66|67|79),/.test(line) && !/0a:00:00:00:(99|0d):/.test(line)

const flows = (): string[] =>
  lab
    .run('ovs-ofctl', ['-O', 'OpenFlow15', '--no-stats', '--no-names', 'dump-flows', `unix:${lab.dir}/br-int.mgmt`])
    .split('\n')
    .filter((l) => l.includes('actions=') && !learned(l))
    .map(anonymous)
    .sort()

const table = (kind: string, name: string, columns: string): string =>
  (kind === 'sb' ? lab.sbctl : lab.vsctl).call(lab, '--bare', `--columns=${columns}`, 'list', name)

beforeAll(async () => {
  lab = new ControllerLab()
  await lab.up(['vm1', 'pv1', 'pv3', 'lp1'])
  lab.sbctl('chassis-add', 'gw1', 'geneve', '127.0.0.2')
  lab.sbctl('chassis-add', 'hv2', 'geneve', '127.0.0.3')
  lab.sbctl('set', 'chassis', 'hv2', 'other_config:ovn-chassis-mac-mappings="datacentre:aa:bb:cc:dd:ee:02"')
  const network = readFileSync(fileURLToPath(new URL('./controller-network.nbctl', import.meta.url)), 'utf8')
  for (const line of network.split('\n')) if (line && !line.startsWith('#')) lab.nbctl(...words(line))
  const group = lab.nbctl('--bare', '--columns=_uuid', 'find', 'ha_chassis_group', 'name=hg').trim()
  lab.nbctl('set', 'logical_switch_port', 'ext1', `ha_chassis_group=${group}`)
  lab.vsctl('set', 'open', '.', 'external_ids:ovn-chassis-mac-mappings="datacentre:aa:bb:cc:dd:ee:01"')
  lab.sync()
  lab.sbctl('lsp-bind', 'vm2', 'hv2')
  lab.sbctl('lsp-bind', 'pv2', 'hv2')
  const key = lab.sbctl('--bare', '--columns=tunnel_key', 'find', 'datapath_binding', 'external_ids:name=prov').trim()
  lab.sbctl('create', 'fdb', `dp_key=${key}`, 'mac="0a:00:00:00:0f:01"', 'port_key=2')
  const r1 = lab.sbctl('--bare', '--columns=_uuid', 'find', 'datapath_binding', 'external_ids:name=r1').trim()
  for (const [ip, mac] of [
    ['172.16.0.100', '0a:00:00:00:99:01'],
    ['fd00::99', '0a:00:00:00:99:99'],
  ]) {
    lab.sbctl('create', 'mac_binding', `datapath=${r1}`, 'logical_port=r1-public', `ip="${ip}"`, `mac="${mac}"`)
  }
  lab.sync()
  lab.sync()
})

afterAll(async () => {
  close()
  await lab?.down()
})

function ours(): void {
  const clock = new SystemClock()
  const { log } = keptLog()
  const dialStream: Dial = (text, done) => {
    const endpoint = parseActive(text)
    if (endpoint) return dial(endpoint, done)
    done(err('bad connection method'))
    return () => undefined
  }
  const common = { dial: dialStream, clock, log }
  const ovs = new RemoteReplica({
    ...common,
    schema: openVSwitch,
    tables: LOCAL_REQUESTS,
    remotes: [`unix:${lab.dir}/db.sock`],
  })
  const sb = new RemoteReplica({
    ...common,
    schema: southbound,
    tables: SOUTHBOUND_REQUESTS,
    remotes: [`unix:${lab.dir}/sb.sock`],
  })
  controller = new Controller({
    sb,
    ovs,
    clock,
    log,
    random: systemRandom,
    hostname: hostname(),
    openflow: (bridge, done) =>
      void dialStream(`unix:${lab.dir}/${bridge}.mgmt`, (stream) => {
        if (!stream.ok) done(undefined)
        else openChannel(stream.value, { clock, versions: [6] }, (r) => done(r.ok ? r.value : undefined))
      }),
  })
  controller.start()
  close = () => {
    controller?.close()
    ovs.close()
    sb.close()
  }
}

const RUNNING = {
  Port: 'name,external_ids,interfaces',
  Bridge: 'name,fail_mode,ports,other_config',
  Flow_Table: 'prefixes',
} as const

test('its flows, ports and rows are those of the real one', async () => {
  const realFlows = flows()
  expect(realFlows.length).toBeGreaterThan(1000)
  const local = () => Object.entries(RUNNING).map(([name, columns]) => table('ovs', name, columns))
  const rows = () => [
    table('sb', 'Chassis', 'name,hostname,encaps,other_config,transport_zones'),
    table('sb', 'Encap', 'type,ip,options,chassis_name'),
    table('sb', 'Port_Binding', 'logical_port,chassis,additional_chassis,encap,up'),
  ]
  const realLocal = local()
  const realRows = rows()

  const socket = readdirSync(lab.dir).find((f) => /^ovn-controller\..*\.ctl$/.test(f))
  lab.run('ovn-appctl', ['-t', `${lab.dir}/${socket}`, 'exit', '--restart'])
  ours()
  await lab.until('flows', () => controller?.state.installer.state === 'running' && controller.complete())
  // Not lab.sync(): that would hold up this process, in which the controller is.
  const sync = lab.start('ovn-nbctl', [`--db=unix:${lab.dir}/nb.sock`, '--timeout=90', '--wait=hv', 'sync'])
  expect(await new Promise((resolve) => sync.once('exit', resolve))).toBe(0)
  expect(flows()).toEqual(realFlows)
  expect(rows()).toEqual(realRows)
  expect(local()).toEqual(realLocal)
})

test('after a restart the switch gets back what it lost meanwhile', async () => {
  const before = flows()
  lab.run('ovs-ofctl', ['-O', 'OpenFlow15', 'del-flows', `unix:${lab.dir}/br-int.mgmt`, 'table=46'])
  expect(flows().length).toBeLessThan(before.length)
  close()
  ours()
  await lab.until('all flows back', () => flows().length === before.length)
  expect(flows()).toEqual(before)
})
