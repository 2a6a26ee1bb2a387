import type { Field, Prerequisite } from '../../openflow/fields/field.ts'
import * as K from '../classifier/key.ts'

/**
 * Whether a packet has a field (ovs-fields(7), "Prerequisites"). What had to be looked at for the
 * answer goes into the wildcards.
 */
export function packetHas(key: K.Key, field: Field, wildcards: K.Key): boolean {
  return has(key, field.prerequisite, wildcards)
}

function see(wildcards: K.Key, at: number): void {
  wildcards[at] = 0xffffffff
}

function has(key: K.Key, prerequisite: Prerequisite, w: K.Key): boolean {
  const type = key[K.DL_TYPE] as number
  const l4 = (proto: number): boolean => {
    if (type !== K.ETH_IPV4 && type !== K.ETH_IPV6) return false
    see(w, K.NW_PROTO)
    see(w, K.NW_FRAG)
    return key[K.NW_PROTO] === proto && ((key[K.NW_FRAG] as number) & K.FRAG_LATER) === 0
  }
  switch (prerequisite) {
    case 'none':
    case 'ethernet':
      return true
    case 'ct':
      w[K.CT_STATE] = (w[K.CT_STATE] as number) | 0xff
      return ((key[K.CT_STATE] as number) & K.CS_TRK) !== 0
    case 'vlan':
      w[K.VLAN0] = (w[K.VLAN0] as number) | K.VLAN_PRESENT
      return ((key[K.VLAN0] as number) & K.VLAN_PRESENT) !== 0
    case 'mpls':
      return type === K.ETH_MPLS || type === K.ETH_MPLS_MC
    case 'ipv4':
      return type === K.ETH_IPV4
    case 'ipv6':
      return type === K.ETH_IPV6
    case 'ip':
      return type === K.ETH_IPV4 || type === K.ETH_IPV6
    case 'arp':
      return type === K.ETH_ARP || type === K.ETH_RARP
    case 'nsh':
      return false
    case 'tcp':
      return l4(K.IP_TCP)
    case 'udp':
      return l4(K.IP_UDP)
    case 'sctp':
      return l4(K.IP_SCTP)
    case 'icmp4':
      return type === K.ETH_IPV4 && l4(K.IP_ICMP)
    case 'icmp6':
      return type === K.ETH_IPV6 && l4(K.IP_ICMPV6)
    case 'nd':
      return nd(key, w, type, l4, 135) || nd(key, w, type, l4, 136)
    case 'nd-solicit':
      return nd(key, w, type, l4, 135)
    case 'nd-advert':
      return nd(key, w, type, l4, 136)
  }
}

function nd(key: K.Key, w: K.Key, type: number, l4: (proto: number) => boolean, which: number): boolean {
  if (type !== K.ETH_IPV6 || !l4(K.IP_ICMPV6)) return false
  w[K.TP_SRC] = (w[K.TP_SRC] as number) | 0xff
  w[K.TP_DST] = (w[K.TP_DST] as number) | 0xff
  return key[K.TP_SRC] === which && key[K.TP_DST] === 0
}
