import type { Reader } from '../../base/bytes.ts'
import { F } from '../../openflow/fields/table.ts'
import type { PacketIn } from '../../openflow/messages/message.ts'
import { type Igmp, parseIgmp } from '../../packet/igmp.ts'
import { type Mld, parseMld } from '../../packet/mld.ts'
import { decodeFrame } from '../../packet/packet.ts'
import type { Effect, Ip, MulticastReport } from './effect.ts'
import { datapathOf, inportOf, pipelineField } from './metadata.ts'

/** put_arp and put_nd: the sender's address pair is known now; IP in reg0 or xxreg0, Ethernet address as source. */
export function putMacBinding(m: PacketIn, family: 4 | 6): Effect[] {
  const packet = decodeFrame(m.packet)
  if (!packet.ok) return []
  const ip = family === 4 ? Number(pipelineField(m.metadata, F.reg0)) : pipelineField(m.metadata, F.xxreg0)
  return [{ type: 'mac_binding', datapath: datapathOf(m), port: inportOf(m), ip, mac: packet.value.eth.src }]
}

/** put_fdb: a switch port has an Ethernet address behind it. */
export function putFdb(m: PacketIn): Effect[] {
  const packet = decodeFrame(m.packet)
  if (!packet.ok) return []
  return [{ type: 'fdb', datapath: datapathOf(m), port: inportOf(m), mac: packet.value.eth.src }]
}

/** bind_vport: a virtual port's address was announced by a parent. */
export function bindVport(m: PacketIn, body: Reader): Effect[] {
  return [{ type: 'bind_vport', datapath: datapathOf(m), vport: body.u32(), parent: inportOf(m) }]
}

/** trigger_event: a packet for a load balancer without backends (southbound Controller_Event). */
export function triggerEvent(body: Reader): Effect[] {
  const names: Readonly<Record<number, string>> = { 1: 'vip', 2: 'protocol', 3: 'load_balancer' }
  if (body.u32() !== 0) return []
  const info = new Map<string, string>()
  while (body.left >= 4) {
    const code = body.u16()
    const value = new TextDecoder().decode(body.take(body.u16()))
    const name = names[code]
    if (name) info.set(name, value)
  }
  return [{ type: 'event', event: 'empty_lb_backends', info }]
}

/** igmp: a report, leave or query on a switch with multicast snooping (RFC 3376, RFC 3810). */
export function multicast(m: PacketIn): Effect[] {
  const packet = decodeFrame(m.packet)
  if (!packet.ok) return []
  const { ip4, ip6, icmp6 } = packet.value
  let source: Ip
  let reports: MulticastReport[]
  if (ip4) {
    const igmp = parseIgmp(ip4.payload)
    if (!igmp.ok) return []
    source = ip4.src
    reports = igmpReports(igmp.value)
  } else if (ip6 && icmp6) {
    const mld = parseMld(icmp6)
    if (!mld.ok) return []
    source = ip6.src
    reports = mldReports(mld.value)
  } else return []
  return [{ type: 'multicast', datapath: datapathOf(m), port: inportOf(m), source, reports, packet: m.packet }]
}

/** A record of a version 3 report that leaves nothing to listen to is a leave. */
function change(type: number, sources: number): 'join' | 'leave' {
  const include = type === 1 || type === 3 || type === 6
  return include && sources === 0 ? 'leave' : 'join'
}

function igmpReports(igmp: Igmp): MulticastReport[] {
  switch (igmp.kind) {
    case 'query3':
      return [{ group: igmp.group, change: 'query', protocol: 'IGMPv3' }]
    case 'report3':
      return igmp.records.map((r) => ({
        group: r.group,
        change: change(r.type, r.sources.length),
        protocol: 'IGMPv3',
      }))
    default:
      switch (igmp.type) {
        case 0x11:
          return [{ group: igmp.group, change: 'query', protocol: igmp.maxResponse ? 'IGMPv2' : 'IGMPv1' }]
        case 0x12:
          return [{ group: igmp.group, change: 'join', protocol: 'IGMPv1' }]
        case 0x16:
          return [{ group: igmp.group, change: 'join', protocol: 'IGMPv2' }]
        case 0x17:
          return [{ group: igmp.group, change: 'leave', protocol: 'IGMPv2' }]
        default:
          return []
      }
  }
}

function mldReports(mld: Mld): MulticastReport[] {
  switch (mld.kind) {
    case 'query1':
      return [{ group: mld.group, change: 'query', protocol: 'MLDv1' }]
    case 'report1':
      return [{ group: mld.group, change: 'join', protocol: 'MLDv1' }]
    case 'done':
      return [{ group: mld.group, change: 'leave', protocol: 'MLDv1' }]
    case 'report2':
      return mld.records.map((r) => ({ group: r.group, change: change(r.type, r.sources.length), protocol: 'MLDv2' }))
    default:
      return [{ group: mld.group, change: 'query', protocol: 'MLDv2' }]
  }
}
