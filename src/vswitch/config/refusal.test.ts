import { expect, it } from 'vitest'
import { keptLog } from '../../base/log.ts'
import type { OVS } from '../../schema/index.ts'
import { ignoredOptions, sameTunnel, tunnelConfig } from '../tunnels/config.ts'
import { portSpec } from './desired.ts'
import { refusedTwin, sayIgnored, sayRefused } from './refusal.ts'

/** An Interface row as far as it is looked at. */
const row = (name: string, type: string, options: Readonly<Record<string, string>> = {}): OVS.Interface =>
  ({
    ...{ _uuid: 'uuid', name, type, options: new Map(Object.entries(options)), external_ids: new Map() },
    ...{ mac: undefined, ofport_request: undefined, mtu_request: undefined },
  }) as unknown as OVS.Interface

// Observed on ovs-vswitchd 4.0.
const REFUSED: readonly (readonly [OVS.Interface, string, readonly string[]])[] = [
  [
    row('x', 'foo'),
    'could not open network device x (Address family not supported by protocol)',
    [
      'netdev|warn|could not create netdev x of unknown type foo',
      'bridge|warn|could not open network device x (Address family not supported by protocol)',
    ],
  ],
  [
    row('t', 'geneve'),
    "t: geneve type requires valid 'remote_ip' argument",
    [
      "netdev_vport|warn|t: geneve type requires valid 'remote_ip' argument",
      'netdev|warn|t: could not set configuration (Invalid argument)',
    ],
  ],
  [
    row('t', 'vxlan', { remote_ip: 'nonsense' }),
    "t: bad vxlan 'remote_ip'\nt: vxlan type requires valid 'remote_ip' argument",
    [
      "netdev_vport|warn|t: bad vxlan 'remote_ip'\nt: vxlan type requires valid 'remote_ip' argument",
      'netdev|warn|t: could not set configuration (Invalid argument)',
    ],
  ],
  [
    row('p', 'patch', { peer: 'p' }),
    'p: patch peer must not be self',
    [
      'netdev_vport|err|p: patch peer must not be self',
      'netdev|warn|p: could not set configuration (Invalid argument)',
    ],
  ],
]

it.each(REFUSED)('says of %o what the real switch says', (iface, error, said) => {
  const spec = portSpec(iface)
  if (!('error' in spec)) throw new Error('not refused')
  expect(spec.error).toBe(error)
  const { log, lines } = keptLog()
  sayRefused(log, 'br', iface, spec)
  expect(lines.map((l) => `${l.module}|${l.level}|${l.message}`)).toEqual(said)
  expect(lines.every((l) => l.fields?.['code'] !== undefined && l.fields['interface'] === iface.name)).toBe(true)
})

const tunnel = (options: Readonly<Record<string, string>>) => {
  const made = tunnelConfig('t', 'geneve', new Map(Object.entries({ remote_ip: '1.2.3.4', ...options })))
  if ('error' in made) throw new Error(made.error)
  return made
}

it('tells a tunnel that is there already', () => {
  const config = tunnel({})
  expect(sameTunnel(config, tunnel({ key: '0', tos: '3' }))).toBe(true)
  for (const other of [
    { key: '1' },
    { key: 'flow' },
    { remote_ip: '1.2.3.5' },
    { local_ip: '1.1.1.1' },
    { dst_port: '9' },
  ])
    expect(sameTunnel(config, tunnel(other))).toBe(false)
  const { log, lines } = keptLog()
  sayRefused(log, 'br', row('u', 'geneve'), refusedTwin('u', { name: 't', config: tunnel({ key: 'flow' }) }))
  expect(lines.map((l) => `${l.module}|${l.message}`)).toEqual([
    "tunnel|u: attempting to add tunnel port with same config as port 't' (::->1.2.3.4, key=flow, legacy_l2, dp port=6081)",
    'ofproto|br: could not add port u (File exists)',
    'bridge|could not add network device u to ofproto (File exists)',
  ])
})

it('says which options are not heeded', () => {
  const iface = row('t', 'geneve', {
    remote_ip: '1.2.3.4',
    local_ip: 'x',
    nonsense: '1',
    csum: 'true',
    remote_name: 'a',
  })
  const { log, lines } = keptLog()
  sayIgnored(log, iface, ignoredOptions('t', 'geneve', iface.options))
  expect(lines.map((l) => `${l.module}|${l.message}`)).toEqual([
    "netdev_vport|t: bad geneve 'local_ip'",
    "netdev_vport|t: unknown geneve argument 'nonsense'",
  ])
})
