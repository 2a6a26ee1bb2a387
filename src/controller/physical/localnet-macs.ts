import { type Mac, parseMac } from '../../address/mac.ts'
import { FLAG, LOG_ENCAP_ID } from '../../logical/registers.ts'
import type { Action } from '../../openflow/actions/action.ts'
import type { FieldMatch } from '../../openflow/fields/field.ts'
import { F } from '../../openflow/fields/table.ts'
import { bitsAre, cookieOf, type Flow, is, match, noVlan, resubmit, set, setBits, vlanIs } from '../flow.ts'
import { CHASSIS_MAC_CONJUNCTION, OFTABLE } from '../tables.ts'
import type { Place } from './places.ts'
import { loadZones, toNetwork } from './ports.ts'
import { CLEAR_REGISTERS } from './static.ts'

/**
 * Distributed routers on a physical network: each chassis would send with the same router MAC
 * address and so confuse the network's switches. With ovn-chassis-mac-mappings a chassis sends with
 * an address of its own, and who receives from such an address puts the router's back.
 */

type Localnet = Extract<Place, { at: 'localnet' | 'l2gateway' }>

/** A router port on the switch of a localnet port. */
export interface RouterPort {
  readonly uuid: string
  readonly mac: Mac
}

/** Another chassis' own address: from there. */
export function chassisMacFlow(chassis: { readonly uuid: string }, mac: Mac): Flow {
  return {
    table: OFTABLE.PHY_TO_LOG,
    priority: 180,
    match: match(is(F.eth_src, mac)),
    actions: [{ type: 'conjunction', id: CHASSIS_MAC_CONJUNCTION, clause: 0, clauses: 2 }],
    cookie: cookieOf(chassis.uuid),
  }
}

/** The addresses of `network:mac,...`. */
export function parseMacMappings(text: string | undefined): Map<string, Mac> {
  const out = new Map<string, Mac>()
  for (const part of (text ?? '').split(',')) {
    const colon = part.indexOf(':')
    const mac = colon > 0 ? parseMac(part.slice(colon + 1)) : undefined
    if (mac !== undefined) out.set(part.slice(0, colon), mac)
  }
  return out
}

/** The flows of a localnet port and one router port of its switch; `own` is this chassis' address there. */
export function routerMacFlows(localnet: Localnet, router: RouterPort, own: Mac | undefined): Flow[] {
  const cookie = cookieOf(router.uuid)
  const arriving: FieldMatch[] = [
    is(F.in_port, localnet.ofport),
    localnet.tag === undefined ? noVlan : vlanIs(localnet.tag),
  ]
  const out: Flow[] = [
    {
      table: OFTABLE.PHY_TO_LOG,
      priority: 180,
      match: match(...arriving),
      actions: [{ type: 'conjunction', id: CHASSIS_MAC_CONJUNCTION, clause: 1, clauses: 2 }],
      cookie,
    },
    {
      table: OFTABLE.PHY_TO_LOG,
      priority: 180,
      match: match(...arriving, is(F.conj_id, CHASSIS_MAC_CONJUNCTION)),
      actions: [
        ...(localnet.tag === undefined ? [] : [{ type: 'pop_vlan' } satisfies Action]),
        ...loadZones(localnet.zones),
        set(F.metadata, localnet.datapathKey),
        set(F.reg14, localnet.key),
        setBits(LOG_ENCAP_ID, 0),
        set(F.eth_src, router.mac),
        resubmit(OFTABLE.LOG_INGRESS),
      ],
      cookie,
    },
  ]
  if (own !== undefined) {
    const send = toNetwork(localnet.tag, localnet.ofport)
    const restore = set(F.eth_src, router.mac)
    const sent = localnet.tag === undefined ? [...send, restore] : [...send.slice(0, -1), restore, ...send.slice(-1)]
    out.push({
      table: OFTABLE.LOG_TO_PHY,
      priority: 150,
      match: match(is(F.metadata, localnet.datapathKey), is(F.reg15, localnet.key), is(F.eth_src, router.mac)),
      actions: [set(F.eth_src, own), ...sent],
      cookie: cookieOf(localnet.uuid),
    })
  }
  return out
}

/** An external port that we serve: what a localport sends to it may go out to the physical network after all. */
export function externalPortFlow(localnet: Localnet, mac: Mac): Flow {
  return {
    table: OFTABLE.CHECK_LOOPBACK,
    priority: 170,
    match: match(
      is(F.metadata, localnet.datapathKey),
      is(F.reg15, localnet.key),
      bitsAre(F.reg10, FLAG.localport, 1, 1),
      is(F.eth_dst, mac),
    ),
    actions: [...CLEAR_REGISTERS, resubmit(OFTABLE.LOG_EGRESS)],
    cookie: cookieOf(localnet.uuid),
  }
}
