import { err, ok, type Result } from '../base/result.ts'
import { type FlowState, LOG_INPORT, type NameSets, parseMatch, parseMicroflow } from '../logical/index.ts'
import { type Action, OFPP } from '../openflow/actions/action.ts'
import type { Field } from '../openflow/fields/field.ts'
import { fieldMatch } from '../openflow/fields/match.ts'
import { F } from '../openflow/fields/table.ts'
import { NO_BUFFER, type PacketOut } from '../openflow/messages/message.ts'
import { craft, EtherType, Icmp6Type, IpProto, type PacketSpec, TcpFlag, vlanTag } from '../packet/index.ts'

/**
 * The packet that a microflow describes, as if it came from the port that it names (ovn-controller(8),
 * inject-pkt). The errors are those of the real command.
 * @param ofport the OpenFlow port of a logical port that is here, undefined for any other
 */
export function injection(
  microflow: string,
  sets: NameSets,
  ofport: (port: string) => number | undefined,
): Result<PacketOut> {
  // Any port has a number, so that it can be told from the others: which one it is does not matter here.
  const numbers = new Map<string, number>()
  const number = (port: string) => {
    const known = numbers.get(port) ?? numbers.size + 1
    numbers.set(port, known)
    return known
  }
  const parsed = parseMatch(microflow, sets)
  if (!parsed.ok) return err(parsed.error)
  const state = parseMicroflow(microflow, sets, { lookupPort: number, isChassisResident: () => true })
  if (!state.ok) return state
  const inport = [...numbers].find(([, n]) => BigInt(n) === state.value.read(LOG_INPORT))?.[0]
  const port = inport === undefined ? undefined : ofport(inport)
  if (port === undefined) return err('ingress port not found on hypervisor.')
  return ok({
    ...{ type: 'packet_out', xid: 0, bufferId: NO_BUFFER, actions: FROM_THE_FIRST_TABLE },
    metadata: [fieldMatch(F.in_port, port)],
    packet: compose(state.value),
  })
}

const FROM_THE_FIRST_TABLE: readonly Action[] = [{ type: 'resubmit', port: OFPP.IN_PORT, table: 0 }]

/** What packets with room for it carry: 64 bytes that count up. */
const BODY = Uint8Array.from({ length: 64 }, (_, i) => i)
const NOTHING = new Uint8Array(0)

/** EtherType of a frame without one: it is a length (IEEE 802.3 §3.2.6). */
const LENGTH_ONLY = 0x05ff

/** A frame with the fields of a flow; those that the flow says nothing of are zero. */
export function compose(s: FlowState): Uint8Array {
  const n = (field: Field) => Number(s.read(field))
  const tci = n(F.vlan_tci)
  const eth = {
    dst: n(F.eth_dst),
    src: n(F.eth_src),
    type: n(F.eth_type) || LENGTH_ONLY,
    tags: tci & 0x1000 ? [vlanTag(tci & 0xfff, tci >> 13)] : [],
  }
  switch (eth.type) {
    case EtherType.arp:
    case EtherType.rarp:
      return craft({
        eth,
        arp: { op: n(F.arp_op), sha: n(F.arp_sha), spa: n(F.arp_spa), tha: n(F.arp_tha), tpa: n(F.arp_tpa) },
      })
    case EtherType.ipv4: {
      const fragment = n(F.ip_frag)
      const head = {
        ...{ src: n(F.ip_src), dst: n(F.ip_dst), protocol: n(F.nw_proto), ttl: n(F.nw_ttl), tos: trafficClass(s) },
        ...{ df: false, mf: fragment !== 0, offset: fragment & 2 ? 8 : 0 },
      }
      return craft({ eth, ip4: head, ...(fragment & 2 ? {} : transport4(s)) })
    }
    case EtherType.ipv6: {
      const head = {
        ...{ src: s.read(F.ipv6_src), dst: s.read(F.ipv6_dst), protocol: n(F.nw_proto), hopLimit: n(F.nw_ttl) },
        ...{ trafficClass: trafficClass(s), flowLabel: n(F.ipv6_label) },
      }
      return craft({ eth, ip6: head, ...transport6(s) })
    }
    default:
      return craft({ eth })
  }
}

/** DSCP and ECN; `nw_tos` has the former in its upper six bits, too. */
function trafficClass(s: FlowState): number {
  return Number((s.read(F.ip_dscp) << 2n) | (s.read(F.nw_tos) & 0xfcn) | s.read(F.nw_ecn))
}

type Transport = Pick<PacketSpec, 'icmp4' | 'icmp6' | 'igmp' | 'udp' | 'tcp' | 'sctp'>

function transport4(s: FlowState): Transport {
  const n = (field: Field) => Number(s.read(field))
  switch (n(F.nw_proto)) {
    case IpProto.icmp: {
      const type = n(F.icmp_type)
      const echo = type === 0 || type === 8
      return { icmp4: { type, code: n(F.icmp_code), rest: 0, payload: echo ? BODY : NOTHING } }
    }
    case IpProto.igmp:
      return { igmp: { kind: 'plain', type: n(F.icmp_type), maxResponse: n(F.icmp_code), group: 0 } }
    default:
      return ports(s)
  }
}

function transport6(s: FlowState): Transport {
  if (Number(s.read(F.nw_proto)) !== IpProto.icmp6) return ports(s)
  const type = Number(s.read(F.icmpv6_type))
  const code = Number(s.read(F.icmpv6_code))
  if (type === Icmp6Type.neighborSolicitation || type === Icmp6Type.neighborAdvertisement) {
    return { icmp6: { type, code, rest: 0, payload: neighbour(s) } }
  }
  const echo = type === Icmp6Type.echoRequest || type === Icmp6Type.echoReply
  return { icmp6: { type, code, rest: 0, payload: echo ? BODY : NOTHING } }
}

/** Target and link-layer addresses of neighbour discovery (RFC 4861 §4.3). */
function neighbour(s: FlowState): Uint8Array {
  const bytes = (value: bigint, length: number) =>
    Array.from({ length }, (_, i) => Number((value >> BigInt(8 * (length - 1 - i))) & 0xffn))
  const option = (type: number, field: Field) => (s.read(field) ? [type, 1, ...bytes(s.read(field), 6)] : [])
  return Uint8Array.from([...bytes(s.read(F.nd_target), 16), ...option(1, F.nd_sll), ...option(2, F.nd_tll)])
}

function ports(s: FlowState): Transport {
  const n = (field: Field) => Number(s.read(field))
  switch (n(F.nw_proto)) {
    case IpProto.udp:
      return { udp: { src: n(F.udp_src), dst: n(F.udp_dst), payload: BODY } }
    case IpProto.tcp: {
      const flags = n(F.tcp_flags)
      const bare = (flags & (TcpFlag.syn | TcpFlag.fin | TcpFlag.rst)) !== 0
      const { seq, ack, window, urgent } = { seq: 0, ack: 0, window: 0, urgent: 0 }
      const segment = { seq, ack, window, urgent, flags, options: NOTHING, payload: bare ? NOTHING : BODY }
      return { tcp: { src: n(F.tcp_src), dst: n(F.tcp_dst), ...segment } }
    }
    case IpProto.sctp:
      return { sctp: { src: n(F.sctp_src), dst: n(F.sctp_dst), tag: 0, chunks: [] } }
    default:
      return {}
  }
}
