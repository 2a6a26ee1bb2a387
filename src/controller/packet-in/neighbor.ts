import { linkLocal, solicitedNode } from '../../address/ipv6.ts'
import type { Reader } from '../../base/bytes.ts'
import { F } from '../../openflow/fields/table.ts'
import type { PacketIn } from '../../openflow/messages/message.ts'
import { ArpOp } from '../../packet/arp.ts'
import { linkAddressOption, NaFlag, ndMessage, parseNd } from '../../packet/nd.ts'
import { craft, decodeFrame, encodeFrame } from '../../packet/packet.ts'
import type { Effect } from './effect.ts'
import { datapathOf, outportOf, packetOut, pipelineField, reload, resume, withBit } from './metadata.ts'
import { readAnswerBit, readNestedActions } from './userdata.ts'

const HOP_LIMIT = 255

/** Multicast address of the solicited-node group of an address (RFC 2464 §7). */
function solicitedMac(ip: bigint): number {
  return 0x3333_0000_0000 + Number(solicitedNode(ip) & 0xffffffffn)
}

/** arp { ... }: asks for the next hop of an IPv4 packet; the packet waits for the answer. */
export function arp(m: PacketIn, body: Reader): Effect[] {
  const actions = [...reload(m.metadata), ...readNestedActions(body)]
  const packet = decodeFrame(m.packet)
  if (!packet.ok || !packet.value.ip4) return []
  const { eth, ip4 } = packet.value
  const request = craft({
    eth: { src: eth.src, dst: eth.dst, tags: eth.tags },
    arp: { op: ArpOp.request, sha: eth.src, spa: ip4.src, tha: 0, tpa: ip4.dst },
  })
  return [...wait(m, Number(pipelineField(m.metadata, F.reg0))), { type: 'send', message: packetOut(request, actions) }]
}

/** nd_ns { ... }: the same for IPv6. */
export function neighborSolicitation(m: PacketIn, body: Reader): Effect[] {
  const actions = [...reload(m.metadata), ...readNestedActions(body)]
  const packet = decodeFrame(m.packet)
  if (!packet.ok || !packet.value.ip6) return []
  const { eth, ip6 } = packet.value
  const request = craft({
    eth: { src: eth.src, dst: solicitedMac(ip6.dst), tags: eth.tags },
    ip6: { src: linkLocal(eth.src), dst: solicitedNode(ip6.dst), hopLimit: HOP_LIMIT },
    icmp6: ndMessage({ kind: 'ns', reserved: 0, target: ip6.dst, options: [linkAddressOption('source', eth.src)] }),
  })
  return [...wait(m, pipelineField(m.metadata, F.xxreg0)), { type: 'send', message: packetOut(request, actions) }]
}

/** Keeps the packet until its next hop's address is known, if it can go on then. */
function wait(m: PacketIn, ip: number | bigint): Effect[] {
  if (!m.continuation) return []
  return [
    {
      type: 'wait',
      datapath: datapathOf(m),
      port: outportOf(m),
      ip,
      waiting: {
        packet: m.packet,
        metadata: m.metadata,
        continuation: m.continuation,
        reason: m.reason,
        table: m.table,
        cookie: m.cookie,
      },
    },
  ]
}

/** nd_na { ... } and nd_na_router { ... }: answers a solicitation in the name of its target (RFC 4861 §7.2.4). */
export function neighborAdvertisement(m: PacketIn, body: Reader, router: boolean): Effect[] {
  const actions = [...reload(m.metadata), ...readNestedActions(body)]
  const packet = decodeFrame(m.packet)
  const message = packet.ok && packet.value.icmp6 ? parseNd(packet.value.icmp6) : undefined
  if (!packet.ok || !packet.value.ip6 || !message?.ok || message.value.kind !== 'ns') {
    return [{ type: 'log', module: 'pinctrl', level: 'warn', message: 'NA action on non-NS packet' }]
  }
  const { eth, ip6 } = packet.value
  const { target } = message.value
  const advertisement = craft({
    eth: { src: eth.dst, dst: eth.src, tags: eth.tags },
    ip6: { src: target, dst: ip6.src, hopLimit: HOP_LIMIT },
    icmp6: ndMessage({
      kind: 'na',
      flags: (NaFlag.solicited | NaFlag.override | (router ? NaFlag.router : 0)) >>> 0,
      target,
      options: [linkAddressOption('target', eth.dst)],
    }),
  })
  return [{ type: 'send', message: packetOut(advertisement, actions) }]
}

/** put_nd_ra_opts: turns a router solicitation into the advertisement that the flow has ready (RFC 4861 §6.2.6). */
export function putRouterAdvertisement(m: PacketIn, body: Reader): Effect[] {
  const bit = readAnswerBit(body)
  const bytes = body.copy(body.left)
  const packet = decodeFrame(m.packet)
  const solicited = packet.ok && packet.value.ip6 && packet.value.icmp6?.type === 133 && packet.value.icmp6.code === 0
  if (!packet.ok || !solicited || bytes.length < 16) {
    return [{ type: 'send', message: resume(m, m.packet, withBit(m.metadata, bit.field, bit.offset, false)) }]
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const reply = encodeFrame({
    ...packet.value,
    // The userdata has the message with its checksum zero.
    icmp6: { type: view.getUint8(0), code: view.getUint8(1), rest: view.getUint32(4), payload: bytes.subarray(8) },
    padding: new Uint8Array(),
  })
  return [{ type: 'send', message: resume(m, reply, withBit(m.metadata, bit.field, bit.offset, true)) }]
}
