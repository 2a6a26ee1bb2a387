import { afterAll, beforeAll, expect, it } from 'vitest'
import { keptLog, type LogLine } from '../src/base/log.ts'
import { jsonLayout } from '../src/logging/config/plain.ts'
import { logFilter, records } from '../src/logging/reading/merge.ts'
import { Sandbox } from '../src/sandbox/index.ts'

// What a line is about is in its fields, so that `ovn logs -p PORT` and `-u UUID` find it.
const { log, lines } = keptLog()
let net: Sandbox
/** The Port_Binding of vm1. */
let row: string | undefined

beforeAll(async () => {
  net = await Sandbox.start({ chassis: ['hv1', 'hv2'], log })
  await net.nbctl(
    'ls-add private -- lsp-add private vm1 -- lsp-set-addresses vm1 "02:00:00:00:00:01 10.0.0.1"',
    'lr-add edge -- lrp-add edge edge-private 02:00:00:00:00:fe 10.0.0.254/24 -- lrp-add edge broken 02:00:00:00:00:fd 10.1.0.254/24',
    'set Logical_Router_Port broken mac=nonsense',
    'lr-route-add edge 192.0.2.0/24 10.9.9.9',
    [
      ...['--id=@d', 'create', 'DHCP_Options', 'cidr=10.0.0.0/24', 'options:server_id=10.0.0.254'],
      ...['options:server_mac="02:00:00:00:00:fe"', 'options:lease_time=3600'],
      ...['--', 'set', 'Logical_Switch_Port', 'vm1', 'dhcpv4_options=@d'],
    ],
    'lsp-add private leaf -- lsp-set-type leaf l2gateway -- lsp-set-options leaf l2gateway-chassis=hv1',
  )
  row = bindingOf('vm1')._uuid
  net.sbServer.transactionLog.set('OVN_Southbound', 'Port_Binding', true)
  const vm1 = await net.plug('vm1', { chassis: 'hv1', mac: '02:00:00:00:00:01' })
  await vm1.dhcp()
  // To where a DHCP server listens, and no DHCP.
  vm1.host.udp(68).send(0xffffffff, 67, new Uint8Array(8))
  await net.advance(100)
  await net.unplug('vm1')
  await net.until('vm1 is down', () => !net.isUp('vm1'))
})
afterAll(() => net?.stop())

function bindingOf(port: string) {
  const found = [...net.sb.table('Port_Binding').values()].find((p) => p.logical_port === port)
  if (!found) throw new Error(`no Port_Binding of ${port}`)
  return found
}

function northboundUuid(
  table: 'Logical_Router' | 'Logical_Router_Port' | 'Logical_Router_Static_Route',
  name?: string,
) {
  for (const r of net.nb.table(table).values())
    if (name === undefined || ('name' in r && r.name === name)) return r._uuid
  throw new Error(`no ${table} ${name}`)
}

/** The fields of the first line that begins like this. */
function about(text: string): LogLine['fields'] {
  const line = lines.find((l) => l.message.startsWith(text))
  if (!line) throw new Error(`no line: ${text}\n${lines.map((l) => l.message).join('\n')}`)
  return line.fields
}

/** The messages that `ovn logs` shows of this log as lines of JSON, for one word of `-p` or `-u`. */
function found(word: string): string[] {
  const text = lines.map(({ fields, ...l }, i) =>
    jsonLayout({ ...l, fields, component: 'ovn', time: i, serial: i, elapsed: i }),
  )
  const passes = logFilter({ about: [word] })
  return [...records([`${text.join('\n')}\n`], 'ovn', 0)].filter(passes).map((r) => r.message)
}

it.each([
  'Claiming lport vm1 for this chassis.',
  'vm1: Claiming 02:00:00:00:00:01 10.0.0.1',
  'Setting lport vm1 up in Southbound',
  'Releasing lport vm1 from this chassis (sb_readonly=0)',
])('controller: %s', (text) =>
  expect(about(text)).toEqual({ port: 'vm1', chassis: 'hv1', datapath: bindingOf('vm1').datapath, row }),
)

it('controller: a packet is of the port and datapath where it came in', () =>
  expect(about('DHCPOFFER')).toEqual({ port: 'vm1', chassis: 'hv1', datapath: bindingOf('vm1').datapath }))

it('controller: a packet that makes no sense has a code, too', () =>
  expect(about('DHCP magic cookie not present')).toEqual({
    code: 'packet-in-refused',
    port: 'vm1',
    chassis: 'hv1',
    datapath: bindingOf('vm1').datapath,
  }))

it('controller: a port that cannot be', () =>
  expect(about("l2gateway port 'leaf' has no network name.")).toEqual({
    code: 'network-name-missing',
    port: 'leaf',
    datapath: bindingOf('leaf').datapath,
    row: bindingOf('leaf')._uuid,
  }))

it('northd: rows that are wrong, by their northbound uuids', () => {
  const datapath = northboundUuid('Logical_Router')
  expect(about("bad 'mac' nonsense")).toEqual({
    code: 'bad-mac',
    port: 'broken',
    datapath,
    row: northboundUuid('Logical_Router_Port', 'broken'),
  })
  expect(about('No path for static route')).toEqual({
    code: 'no-path',
    datapath,
    row: northboundUuid('Logical_Router_Static_Route'),
  })
})

it('switch: interfaces', () =>
  expect(about('bridge br-int: added interface tap-vm1')).toEqual({ bridge: 'br-int', interface: 'tap-vm1' }))

it('ovsdb-server: rows of a table that is watched, with their transaction', () =>
  expect(about('table:Port_Binding,op:updated')).toEqual({
    database: 'OVN_Southbound',
    table: 'Port_Binding',
    row,
    transaction: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f-]{27}$/),
  }))

it('ovn logs finds by port and by uuid what the text does not say', () => {
  const ofPort = found('vm1')
  expect(ofPort.some((m) => m.startsWith('DHCPOFFER'))).toBe(true)
  expect(ofPort.some((m) => m.includes('leaf'))).toBe(false)
  const ofRow = found(row ?? '')
  expect(ofRow).toContain('Claiming lport vm1 for this chassis.')
  expect(ofRow).toContain('Releasing lport vm1 from this chassis (sb_readonly=0)')
})
