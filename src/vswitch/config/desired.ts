import { parseMac } from '../../address/mac.ts'
import type { OVS } from '../../schema/index.ts'
import type { PortVlan, VlanMode } from '../ofproto/port.ts'
import { DEFAULT_RATE, type QueueRates, type ShaperConfig } from '../ports/shaper.ts'
import type { PortSpec } from '../switch.ts'
import { tunnelConfig } from '../tunnels/config.ts'
import type { Refusal } from './refusal.ts'

/** Types of interface that this switch has (`Open_vSwitch.iface_types`). */
export const INTERFACE_TYPES: readonly string[] = ['geneve', 'internal', 'patch', 'system', 'tap', 'vxlan']
export const DATAPATH_TYPES: readonly string[] = ['netdev', 'system']

/** VLAN settings of a Port row (ovs-vswitchd.conf.db(5), "VLAN Configuration"). */
export function vlanOf(port: OVS.Port): PortVlan {
  const trunks = new Set(port.trunks)
  const priorityTags = (port.other_config.get('priority-tags') ?? 'false') !== 'false'
  let mode: VlanMode | undefined = port.vlan_mode
  // without a mode, a tag makes an access port, else it is a trunk
  mode ??= port.tag !== undefined ? 'access' : 'trunk'
  const tag = mode === 'trunk' ? 0 : (port.tag ?? 0)
  return { mode, tag, trunks: mode === 'access' ? new Set() : trunks, priorityTags }
}

/** The shaping that a QoS row asks for; undefined for types that shape nothing here. */
export function shaperConfig(row: OVS.QoS, queue: (uuid: string) => OVS.Queue | undefined): ShaperConfig | undefined {
  if (row.type !== 'linux-htb' && row.type !== 'linux-hfsc') return undefined
  const number = (map: ReadonlyMap<string, string>, key: string): number => {
    const n = Number(map.get(key))
    return Number.isFinite(n) && n > 0 ? n : 0
  }
  const queues = new Map<number, QueueRates>()
  for (const [id, uuid] of row.queues) {
    const settings = queue(uuid)?.other_config
    if (!settings) continue
    queues.set(id, {
      minRate: number(settings, 'min-rate'),
      maxRate: number(settings, 'max-rate'),
      burst: number(settings, 'burst'),
      priority: number(settings, 'priority'),
    })
  }
  return { maxRate: number(row.other_config, 'max-rate') || DEFAULT_RATE, queues }
}

/** What an Interface row asks for, or what is wrong with it. */
export function portSpec(row: OVS.Interface): PortSpec | Refusal {
  const mac = row.mac === undefined ? undefined : parseMac(row.mac)
  const spec: PortSpec = {
    name: row.name,
    type: row.type,
    ...(row.ofport_request === undefined ? {} : { requested: row.ofport_request }),
    ...(mac === undefined ? {} : { mac }),
    ...(row.mtu_request === undefined ? {} : { mtu: row.mtu_request }),
  }
  switch (row.type) {
    case '':
    case 'system':
    case 'internal':
    case 'tap':
      return spec
    case 'patch': {
      const peer = row.options.get('peer')
      if (!peer) return { error: `${row.name}: patch type requires valid 'peer' argument`, of: 'options' }
      if (peer === row.name) return { error: `${row.name}: patch peer must not be self`, of: 'options' }
      return { ...spec, peer }
    }
    case 'geneve':
    case 'vxlan': {
      const tunnel = tunnelConfig(row.name, row.type, row.options)
      return 'error' in tunnel ? { error: tunnel.error, of: 'options' } : { ...spec, tunnel }
    }
    default:
      return {
        error: `could not open network device ${row.name} (Address family not supported by protocol)`,
        of: 'type',
      }
  }
}

/** Changes of these need another port; a change of options alone is carried out on the port that is there. */
export function identity(row: OVS.Interface): string {
  return `${row.type === 'system' ? '' : row.type}|${row.ofport_request ?? ''}|${row.mac ?? ''}`
}

export function optionsText(row: OVS.Interface): string {
  return [...row.options].map(([k, v]) => `${k}=${v}`).join()
}
