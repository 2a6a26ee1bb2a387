import type { Mac } from '../../address/mac.ts'
import type { Graph } from '../../reactive/graph.ts'
import type { Derived, Index, Relation } from '../../reactive/relation.ts'
import type { PortBinding } from '../../schema/southbound.ts'
import type { Binding, Bindings } from '../binding/binding.ts'
import type { Datapaths, LocalDatapath } from '../datapaths.ts'
import type { HaGroup } from '../ha.ts'
import type { SouthboundInputs } from '../inputs/inputs.ts'
import { type ChassisRelations, type Interfaces, US } from '../interfaces.ts'
import { parseMappings, type Settings } from '../settings.ts'
import { S } from '../strata.ts'
import { dnatZoneKey, snatZoneKey, type Zones } from '../zones/zones.ts'
import { parseLportAddresses } from './addresses.ts'

/** Connection tracking zones that a packet at a port is to be tracked in. */
export interface PortZones {
  readonly port: number | undefined
  readonly dnat: number | undefined
  readonly snat: number | undefined
}

interface Common {
  readonly uuid: string
  readonly name: string
  readonly type: string
  readonly key: number
  readonly datapath: string
  readonly datapathKey: number
  readonly zones: PortZones
  /** Chassis that has the port besides, or instead of, this one. */
  readonly elsewhere: readonly RemoteChassis[]
  /** Containers share their parent's interface. */
  readonly parent: string | undefined
}

/** Another chassis and the endpoint at which it wants the packets of a port. */
export interface RemoteChassis {
  readonly name: string
  /** Port_Binding.encap's address; undefined: any. */
  readonly ip: string | undefined
}

/** Where a logical port of a local datapath is, seen from this chassis. */
export type Place =
  /** Behind an interface here. */
  | (Common & {
      readonly at: 'vif'
      readonly ofport: number
      readonly tag: number | undefined
      readonly encapId: number
    })
  | (Common & { readonly at: 'localport'; readonly ofport: number })
  /** The physical network. */
  | (Common & {
      readonly at: 'localnet' | 'l2gateway'
      readonly ofport: number
      readonly tag: number | undefined
      readonly network: string
    })
  /** The other end is a port of another datapath. */
  | (Common & {
      readonly at: 'patch' | 'l3gateway'
      readonly peerKey: number
      readonly peerDatapath: number
      readonly peerZones: PortZones
    })
  /** A chassis redirect port that this chassis serves: stands for its distributed port. */
  | (Common & { readonly at: 'redirect-here'; readonly distributed: number })
  /** One that others serve, best first. */
  | (Common & { readonly at: 'redirect'; readonly chassis: readonly string[] })
  /** A localport without an interface here. */
  | (Common & { readonly at: 'absent' })
  /** A patch port whose other end is not there (any more): leads nowhere, yet is flooded to as the others. */
  | (Common & { readonly at: 'unpaired' })
  /** A chassis redirect port whose packets go to its chassis over the physical network. */
  | (Common & {
      readonly at: 'bridged'
      readonly mac: Mac
      readonly localnet: number
      readonly localnetDatapath: number
    })
  | (Common & { readonly at: 'remote' })
  /** On another chassis of a datapath that has a localnet port here: reached through the physical network. */
  | (Common & { readonly at: 'behind-localnet'; readonly localnet: number })

export interface Places {
  /** By the port's uuid. */
  readonly all: Derived<Place>
  readonly localnets: Index<Place>
  /** Localnet ports by datapath uuid: where the packets of the others go. */
  readonly localnetOf: Derived<{ readonly uuid: string; readonly key: number }>
  /** Ports on several chassis by datapath uuid. */
  readonly shared: Index<{ readonly uuid: string; readonly key: number; readonly datapath: string }>
}

const NO_ZONES: PortZones = { port: undefined, dnat: undefined, snat: undefined }
const MAX_TAG = 4095

/** Endpoint addresses of this chassis in the order of their encap ids. */
export function encapIps(settings: Settings): readonly string[] {
  return (settings.get('ovn-encap-ip') ?? '').split(',').filter((ip) => ip !== '')
}

interface Context {
  readonly sb: SouthboundInputs
  readonly settings: Settings
  readonly chassis: ChassisRelations
  readonly interfaces: Interfaces
  readonly bindings: Bindings
  readonly datapaths: Datapaths
  readonly groups: Relation<HaGroup>
  readonly zones: Zones
  readonly localnetOf: Relation<{ readonly uuid: string; readonly key: number }>
}

/** Name of the integration bridge's end of the patch to a physical network. */
export function patchName(bridge: string, port: string): string {
  return `patch-${bridge}-to-${port}`
}

export function zonesOf(zones: Zones, port: string | undefined, dp: LocalDatapath): PortZones {
  return {
    port: port === undefined ? undefined : zones.get(port),
    dnat: zones.get(dnatZoneKey(dp.name)),
    snat: zones.get(snatZoneKey(dp.name)),
  }
}

function placeOf(row: PortBinding, dp: LocalDatapath, ctx: Context): Place | undefined {
  const { settings, interfaces, bindings, sb } = ctx
  const binding: Binding | undefined = bindings.all.get(row.logical_port)
  const common = {
    uuid: row._uuid,
    name: row.logical_port,
    type: row.type,
    key: row.tunnel_key,
    datapath: row.datapath,
    datapathKey: dp.key,
    zones: zonesOf(ctx.zones, row.logical_port, dp),
    elsewhere: elsewhere(row, ctx),
    parent: row.parent_port || undefined,
  }
  switch (row.type) {
    case 'localnet':
    case 'l2gateway': {
      if (row.type === 'l2gateway' && !binding) return away(row, common, ctx)
      const patch = interfaces.all.get(patchName(settings.get('ovn-bridge') as string, row.logical_port))
      const network = row.options.get('network_name')
      if (patch?.ofport === undefined || network === undefined) return undefined
      return { ...common, at: row.type, ofport: patch.ofport, tag: row.tag, network }
    }
    case 'patch':
    case 'l3gateway': {
      if (row.type === 'l3gateway' && !binding) return away(row, common, ctx)
      const peerName = row.options.get('peer')
      const peer = peerName === undefined ? undefined : bindings.portsByName.first(peerName)
      const peerRow = peer && sb.Datapath_Binding.get(peer.datapath)
      if (!peer || !peerRow || peer.type !== row.type) {
        return row.type === 'patch' ? { ...common, at: 'unpaired' } : undefined
      }
      const peerDp = ctx.datapaths.local.get(peer.datapath)
      const peerZones = peerDp ? zonesOf(ctx.zones, peer.logical_port, peerDp) : NO_ZONES
      return { ...common, at: row.type, peerKey: peer.tunnel_key, peerDatapath: peerRow.tunnel_key, peerZones }
    }
    case 'chassisredirect': {
      const name = row.options.get('distributed-port')
      const distributed = name === undefined ? undefined : bindings.portsByName.first(name)
      if (!distributed) return undefined
      if (binding?.claim) return { ...common, at: 'redirect-here', distributed: distributed.tunnel_key }
      if (row.options.get('redirect-type') === 'bridged') {
        const bridged = bridgedPlace(distributed, common, ctx)
        if (bridged) return bridged
      }
      const group = row.ha_chassis_group === undefined ? undefined : ctx.groups.get(row.ha_chassis_group)
      // Of one chassis it is a plain port of that one.
      if (!group || group.members.length < 2) return away(row, common, ctx)
      const us = ctx.chassis.us.get(US)?.name
      const others = group.members.filter((m) => m.name !== us).map((m) => m.name)
      if (!others.length) return undefined
      return { ...common, at: 'redirect', chassis: others }
    }
    case 'localport':
      return binding?.vif ? { ...common, at: 'localport', ofport: binding.vif.ofport } : { ...common, at: 'absent' }
    case '':
    case 'virtual': {
      if (row.type === 'virtual' || !binding?.vif) return away(row, common, ctx)
      const tag = binding.kind === 'container' ? row.tag : undefined
      if (tag !== undefined && (tag < 0 || tag > MAX_TAG)) return undefined
      const ips = encapIps(settings)
      const encapId = binding.vif.encapIp === undefined ? 0 : Math.max(0, ips.indexOf(binding.vif.encapIp))
      return { ...common, at: 'vif', ofport: binding.vif.ofport, tag, encapId }
    }
    case 'external':
    case 'remote':
      return away(row, common, ctx)
    default:
      return undefined
  }
}

/** The switch that a distributed port leads to must have the physical network here. */
function bridgedPlace(distributed: PortBinding, common: Common, ctx: Context): Place | undefined {
  const peer = ctx.bindings.portsByName.first(distributed.options.get('peer') ?? '')
  const dp = peer && ctx.datapaths.local.get(peer.datapath)
  const localnet = dp && ctx.localnetOf.get(dp.uuid)
  const mac = parseLportAddresses(distributed.mac[0] ?? '')?.mac
  if (!dp || !localnet || mac === undefined) return undefined
  return { ...common, at: 'bridged', mac, localnet: localnet.key, localnetDatapath: dp.key }
}

function elsewhere(row: PortBinding, ctx: Context): RemoteChassis[] {
  const us = ctx.chassis.us.get(US)?.uuid
  const out: RemoteChassis[] = []
  const encaps = [row.encap, ...row.additional_encap].flatMap((uuid) => {
    const encap = uuid === undefined ? undefined : ctx.sb.Encap.get(uuid)
    return encap ? [encap] : []
  })
  for (const uuid of [row.chassis, ...row.additional_chassis]) {
    if (uuid === undefined || uuid === us) continue
    const name = ctx.chassis.names.get(uuid)?.name
    if (name === undefined) continue
    out.push({ name, ip: encaps.find((e) => e.chassis_name === name)?.ip })
  }
  return out
}

function away(row: PortBinding, common: Common, ctx: Context): Place | undefined {
  const localnet = ctx.localnetOf.get(common.datapath)
  // One that is on several chassis is reached where it is, over tunnels.
  if (localnet && !row.additional_chassis.length)
    return { ...common, zones: { ...common.zones, port: undefined }, at: 'behind-localnet', localnet: localnet.key }
  if (!common.elsewhere.length) return undefined
  return { ...common, zones: { ...common.zones, port: undefined }, at: 'remote' }
}

export function declarePlaces(graph: Graph, parts: Omit<Context, 'localnetOf'>): Places {
  const { sb, settings, datapaths } = parts
  const localnetOf = graph.derived<{ readonly uuid: string; readonly key: number }>('localnet of datapath', S.PORTS)
  graph.rule('localnet of datapath', S.PORTS, sb.Port_Binding, (row, out) => {
    if (row.type !== 'localnet' || !datapaths.local.has(row.datapath)) return
    const network = row.options.get('network_name')
    if (!parseMappings(settings.get('ovn-bridge-mappings')).some(([name]) => name === network)) return
    out.emit(localnetOf, row.datapath, { uuid: row._uuid, key: row.tunnel_key })
  })
  const all = graph.derived<Place>('places', S.PLACED)
  const localnets = all.index('localnets', (p) => (p.at === 'localnet' ? p.datapath : undefined))
  const context: Context = { ...parts, localnetOf }
  graph.rule('places', S.PLACED, sb.Port_Binding, (row, out) => {
    const dp = datapaths.local.get(row.datapath)
    const place = dp && placeOf(row, dp, context)
    if (place) out.emit(all, row._uuid, place)
  })
  const several = graph.derived<{ readonly uuid: string; readonly key: number; readonly datapath: string }>(
    'ports on several chassis',
    S.FACTS,
  )
  const shared = several.index('datapath', (p) => p.datapath)
  graph.rule('ports on several chassis', S.FACTS, sb.Port_Binding, (row, out) => {
    if (!row.additional_chassis.length) return
    out.emit(several, row._uuid, { uuid: row._uuid, key: row.tunnel_key, datapath: row.datapath })
  })
  return { all, localnets, localnetOf, shared }
}
