import type { Random } from '../../base/random.ts'
import { uuid4 } from '../../base/random.ts'
import type { Operation } from '../../ovsdb/client/operation.ts'
import type { Replica } from '../../ovsdb/client/replica.ts'
import type { OpenVSwitch } from '../../schema/open-vswitch.ts'
import type { Encap, Southbound } from '../../schema/southbound.ts'
import { effectiveSettings, isTrue } from '../settings.ts'
import { sameMap } from './map-changes.ts'

/** What our Chassis row and its Encap rows should be. */
export interface ChassisDescription {
  readonly name: string
  readonly hostname: string
  readonly encaps: readonly {
    readonly type: Encap['type']
    readonly ip: string
    readonly options: ReadonlyMap<string, string>
  }[]
  readonly otherConfig: ReadonlyMap<string, string>
  readonly transportZones: readonly string[]
}

/** Features of this release that northd asks for before it uses them. */
const FEATURES = [
  'ct-commit-nat-v2',
  'ct-commit-to-zone',
  'ct-label-flush',
  'ct-next-zone',
  'ct-no-masked-label',
  'ct-state-save',
  'fdb-timestamp',
  'ls-dpg-column',
  'mac-binding-timestamp',
  'ovn-ct-lb-related',
  'ovn-sample-with-registers',
  'port-up-notif',
] as const

/** Settings that are passed on as they are, empty where they are not set. */
const PASSED_ON = [
  'ovn-bridge-mappings',
  'ovn-chassis-mac-mappings',
  'ovn-cms-options',
  'ovn-evpn-local-ip',
  'ovn-evpn-vxlan-ports',
  'ovn-limit-lflow-cache',
  'ovn-memlimit-lflow-cache-kb',
  'ovn-trim-limit-lflow-cache',
  'ovn-trim-timeout-ms',
  'ovn-trim-wmark-perc-lflow-cache',
] as const

/** Said at INFO: a host that is not yet configured is no trouble. */
export const NO_ENCAP = 'Need to specify an encap type and ip'

const list = (text: string | undefined): string[] => (text ?? '').split(',').filter((t) => t !== '')

/**
 * The description of this chassis, from its local database (ovn-controller(8), CONFIGURATION);
 * undefined, or a reason, where it is not yet told enough.
 */
export function describeChassis(
  ovs: Replica<OpenVSwitch>,
  nameOverride: string | undefined,
  fallbackHostname: string,
): ChassisDescription | string | undefined {
  const [row] = ovs.table('Open_vSwitch').values()
  if (!row) return undefined
  const settings = effectiveSettings(row, nameOverride)
  const name = settings.get('system-id')
  if (!name) return "'system-id' in Open_vSwitch database is missing."
  const types = list(settings.get('ovn-encap-type'))
  const ips = list(settings.get('ovn-encap-ip'))
  if (!types.length || !ips.length) return NO_ENCAP
  const csum = settings.get('ovn-encap-csum') ?? 'true'
  const fallback = settings.get('ovn-encap-ip-default')
  const encaps: ChassisDescription['encaps'][number][] = []
  for (const type of [...new Set(types)].sort()) {
    if (type !== 'geneve' && type !== 'vxlan') continue
    for (const ip of [...new Set(ips)].sort()) {
      const options = new Map([['csum', csum]])
      if (ip === fallback) options.set('is_default', 'true')
      encaps.push({ type, ip, options: new Map([...options].sort(([a], [b]) => (a < b ? -1 : 1))) })
    }
  }
  if (!encaps.length) return `Unsupported ovn-encap-type '${types.join(',')}'`
  const bridgeName = settings.get('ovn-bridge')
  let datapathType = ''
  for (const b of ovs.table('Bridge').values()) if (b.name === bridgeName) datapathType = b.datapath_type
  const config = new Map<string, string>([
    ['datapath-type', datapathType],
    ['iface-types', [...row.iface_types].sort().join(',')],
    ['is-interconn', String(isTrue(settings.get('ovn-is-interconn')))],
    ['ovn-enable-lflow-cache', String(isTrue(settings.get('ovn-enable-lflow-cache'), true))],
    ['ovn-monitor-all', String(isTrue(settings.get('ovn-monitor-all')))],
    ...FEATURES.map((f) => [f, 'true'] as const),
    ...PASSED_ON.map((key) => [key, settings.get(key) ?? ''] as const),
  ])
  return {
    name,
    hostname: settings.get('hostname') || fallbackHostname,
    encaps,
    otherConfig: new Map([...config].sort(([a], [b]) => (a < b ? -1 : 1))),
    transportZones: list(settings.get('ovn-transport-zones')).sort(),
  }
}

/** That another chassis has one of our tunnel endpoints, as long as it does: there may be only one of each. */
export function encapConflict(sb: Replica<Southbound>, wanted: ChassisDescription): string | undefined {
  for (const { type, ip, chassis_name } of sb.table('Encap').values()) {
    if (chassis_name === wanted.name || !wanted.encaps.some((w) => w.type === type && w.ip === ip)) continue
    return `'${chassis_name}' already has encap ip '${ip}' and type '${type}', cannot duplicate on '${wanted.name}'`
  }
  return undefined
}

/** Operations that make our Chassis, Encap and Chassis_Private rows what they should be. */
export function chassisOperations(sb: Replica<Southbound>, wanted: ChassisDescription, random: Random): Operation[] {
  const out: Operation[] = []
  const chassis = [...sb.table('Chassis').values()].find((c) => c.name === wanted.name)
  const present = (chassis?.encaps ?? []).flatMap((uuid) => sb.table('Encap').get(uuid) ?? [])
  const kept: string[] = []
  let replaced = present.length !== wanted.encaps.length
  for (const w of wanted.encaps) {
    const same = present.find(
      (e) => e.type === w.type && e.ip === w.ip && e.chassis_name === wanted.name && sameMap(e.options, w.options),
    )
    if (same) {
      kept.push(same._uuid)
      continue
    }
    replaced = true
    const uuid = uuid4(random)
    kept.push(uuid)
    out.push({
      op: 'insert',
      table: 'Encap',
      uuid,
      row: { type: w.type, ip: w.ip, options: w.options, chassis_name: wanted.name },
    })
  }
  kept.sort()
  let chassisUuid = chassis?._uuid
  if (!chassis) {
    chassisUuid = uuid4(random)
    out.push({
      op: 'insert',
      table: 'Chassis',
      uuid: chassisUuid,
      row: {
        name: wanted.name,
        hostname: wanted.hostname,
        encaps: kept,
        other_config: wanted.otherConfig,
        transport_zones: wanted.transportZones,
      },
    })
  } else {
    const row: { [column: string]: string | readonly string[] | ReadonlyMap<string, string> } = {}
    if (chassis.hostname !== wanted.hostname) row['hostname'] = wanted.hostname
    if (replaced) row['encaps'] = kept
    const config = new Map([...chassis.other_config, ...wanted.otherConfig].sort(([a], [b]) => (a < b ? -1 : 1)))
    if (!sameMap(chassis.other_config, config)) row['other_config'] = config
    if (chassis.transport_zones.join() !== wanted.transportZones.join()) row['transport_zones'] = wanted.transportZones
    if (Object.keys(row).length)
      out.push({ op: 'update', table: 'Chassis', where: [['_uuid', '==', chassis._uuid]], row })
  }
  const priv = [...sb.table('Chassis_Private').values()].find((p) => p.name === wanted.name)
  if (!priv) {
    const row = { name: wanted.name, chassis: chassisUuid as string }
    out.push({ op: 'insert', table: 'Chassis_Private', uuid: uuid4(random), row })
  } else if (priv.chassis !== chassisUuid) {
    out.push({
      op: 'update',
      table: 'Chassis_Private',
      where: [['_uuid', '==', priv._uuid]],
      row: { chassis: chassisUuid as string },
    })
  }
  return out
}
