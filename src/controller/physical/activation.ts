import { linkLocal } from '../../address/ipv6.ts'
import { OPCODE } from '../../logical/opcodes.ts'
import { LOG_ENCAP_ID } from '../../logical/registers.ts'
import type { Action } from '../../openflow/actions/action.ts'
import type { FieldMatch } from '../../openflow/fields/field.ts'
import { F } from '../../openflow/fields/table.ts'
import { cookieOf, DROP, type Flow, is, match, resubmit, set, setBits } from '../flow.ts'
import { OFTABLE } from '../tables.ts'
import type { LportAddresses } from './addresses.ts'
import type { Place } from './places.ts'
import { loadZones } from './ports.ts'

const ETH_ARP = 0x0806
const ETH_RARP = 0x8035
const ETH_IPV6 = 0x86dd
const ICMPV6 = 58
const NEIGHBOR_ADVERTISEMENT = 136
const REASON_ACTION = 1

/** Tells the controller that the port has been activated, and no more than that. */
const TELL: Action = {
  type: 'controller',
  maxLen: 0xffff,
  controllerId: 0,
  reason: REASON_ACTION,
  userdata: Uint8Array.of(0, 0, 0, OPCODE.activation_strategy, 0, 0, 0, 0),
}

/**
 * A port that is being moved here waits, both ways, for a packet by which its guest says that it runs
 * here now (ovn-sb(5), Port_Binding options:activation-strategy: rarp, garp, na).
 */
export function activationFlows(
  place: Extract<Place, { at: 'vif' }>,
  strategies: readonly string[],
  addresses: readonly LportAddresses[],
): Flow[] {
  const cookie = cookieOf(place.uuid)
  const from = is(F.in_port, place.ofport)
  const passing: Action[] = [
    ...loadZones(place.zones),
    set(F.metadata, place.datapathKey),
    set(F.reg14, place.key),
    setBits(LOG_ENCAP_ID, place.encapId),
    TELL,
    resubmit(OFTABLE.LOG_INGRESS),
  ]
  const toPort = [is(F.metadata, place.datapathKey), is(F.reg15, place.key)]
  const flows: Flow[] = [
    { table: OFTABLE.PHY_TO_LOG, priority: 1000, match: match(from), actions: DROP, cookie },
    { table: OFTABLE.LOG_TO_PHY, priority: 1000, match: match(...toPort), actions: DROP, cookie },
  ]
  const pass = (...parts: readonly FieldMatch[]) =>
    flows.push({ table: OFTABLE.PHY_TO_LOG, priority: 1010, match: match(from, ...parts), actions: passing, cookie })
  if (strategies.includes('rarp')) pass(is(F.eth_type, ETH_RARP))
  for (const { mac, v4, v6 } of addresses) {
    if (strategies.includes('garp')) {
      for (const { address: ip } of v4) {
        pass(is(F.eth_type, ETH_ARP), is(F.eth_src, mac), is(F.arp_spa, ip), is(F.arp_tpa, ip), is(F.arp_sha, mac))
      }
    }
    if (strategies.includes('na')) {
      for (const ip of [linkLocal(mac), ...v6.map((p) => p.address)]) {
        pass(
          is(F.eth_type, ETH_IPV6),
          is(F.nw_proto, ICMPV6),
          is(F.icmpv6_type, NEIGHBOR_ADVERTISEMENT),
          is(F.icmpv6_code, 0),
          is(F.ipv6_src, ip),
          is(F.nd_target, ip),
          is(F.nd_tll, mac),
        )
      }
    }
  }
  return flows
}
