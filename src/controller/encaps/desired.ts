import type { Graph } from '../../reactive/graph.ts'
import type { Derived, Relation } from '../../reactive/relation.ts'
import type { Encap } from '../../schema/southbound.ts'
import type { Datapaths } from '../datapaths.ts'
import type { HaGroup } from '../ha.ts'
import type { SouthboundInputs } from '../inputs/inputs.ts'
import { type ChassisRelations, US } from '../interfaces.ts'
import { encapIps } from '../physical/places.ts'
import { isTrue, type Settings } from '../settings.ts'
import { S } from '../strata.ts'

/** A tunnel port that there should be. */
export interface DesiredTunnel {
  /** `CHASSIS@REMOTE%LOCAL`: Port external_ids:ovn-chassis-id. */
  readonly id: string
  readonly chassis: string
  readonly type: Encap['type']
  readonly options: ReadonlyMap<string, string>
  /** Interface.bfd; empty where there is none. */
  readonly bfd: ReadonlyMap<string, string>
}

/** In order of preference (ovn-architecture(7), Tunnel Encapsulations). */
const PREFERENCE: readonly Encap['type'][] = ['geneve', 'vxlan']

/** Which tunnels to other chassis this one should have, by their id, and with which BFD. */
export function declareTunnels(
  graph: Graph,
  parts: {
    readonly sb: SouthboundInputs
    readonly settings: Settings
    readonly chassis: ChassisRelations
    readonly datapaths: Datapaths
    readonly groups: Relation<HaGroup>
  },
): Derived<DesiredTunnel> {
  const { sb, settings, chassis, datapaths, groups } = parts

  // Who must be watched: all members of a group of ours and those who send to it; all members of a
  // group that we may send to.
  const watched = graph.derived<true>('watched chassis', S.PORTS)
  graph.rule('watched by members', S.PORTS, groups, (g, out) => {
    if (g.members.length < 2 || !g.ours) return
    for (const m of g.members) out.emit(watched, m.name, true)
    for (const uuid of g.references) {
      const name = chassis.names.get(uuid)?.name
      if (name !== undefined) out.emit(watched, name, true)
    }
  })
  graph.rule('watched by senders', S.PORTS, sb.Port_Binding, (row, out) => {
    if (row.type !== 'chassisredirect' || row.ha_chassis_group === undefined) return
    if (!datapaths.local.has(row.datapath)) return
    const group = groups.get(row.ha_chassis_group)
    if (group && group.members.length >= 2) for (const m of group.members) out.emit(watched, m.name, true)
  })

  const desired = graph.derived<DesiredTunnel>('desired tunnels', S.ROWS)
  graph.rule('desired tunnels', S.ROWS, sb.Chassis, (row, out) => {
    const us = chassis.us.get(US)
    if (!us || row.name === us.name) return
    // Chassis of another availability zone are reached by interconnection gateways alone.
    if (isTrue(row.other_config.get('is-remote')) && !isTrue(settings.get('ovn-is-interconn'))) return
    const zones = (settings.get('ovn-transport-zones') ?? '').split(',').filter((z) => z !== '')
    const common = row.transport_zones.some((z) => zones.includes(z))
    if (!common && (zones.length || row.transport_zones.length)) return
    const encaps = row.encaps.flatMap((uuid) => sb.Encap.get(uuid) ?? [])
    const ours = (settings.get('ovn-encap-type') ?? '').split(',')
    const type = PREFERENCE.find((t) => ours.includes(t) && encaps.some((e) => e.type === t))
    if (!type) return
    const global = sb.SB_Global.values()[0]
    const bfd = watched.has(row.name) ? bfdOptions(global?.options ?? new Map()) : new Map<string, string>()
    for (const e of encaps) {
      if (e.type !== type) continue
      for (const local of encapIps(settings)) {
        const id = `${row.name}@${e.ip}%${local}`
        const options = new Map([
          ['csum', e.options.get('csum') ?? 'true'],
          ['key', 'flow'],
          ['local_ip', local],
          ['remote_ip', e.ip],
        ])
        const tos = settings.get('ovn-encap-tos')
        if (tos) options.set('tos', tos)
        const df = settings.get('ovn-encap-df_default')
        if (df) options.set('df_default', df)
        if (global?.ipsec) options.set('remote_name', row.name)
        const tunnel: DesiredTunnel = { id, chassis: row.name, type, bfd, options: new Map([...options].sort()) }
        out.emit(desired, id, tunnel)
      }
    }
  })
  return desired
}

/** ovn-nb(5), NB_Global options bfd-*, which northd passes on. */
function bfdOptions(options: ReadonlyMap<string, string>): Map<string, string> {
  const out = new Map([
    ['check_tnl_key', 'true'],
    ['enable', 'true'],
  ])
  for (const [from, to] of [
    ['bfd-min-rx', 'min_rx'],
    ['bfd-min-tx', 'min_tx'],
    ['bfd-decay-min-rx', 'decay_min_rx'],
    ['bfd-mult', 'mult'],
  ] as const) {
    const value = options.get(from)
    if (value !== undefined) out.set(to, value)
  }
  return new Map([...out].sort())
}
