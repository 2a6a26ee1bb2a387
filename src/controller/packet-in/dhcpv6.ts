import { concatBytes, type Reader, Writer } from '../../base/bytes.ts'
import type { PacketIn } from '../../openflow/messages/message.ts'
import { Dhcp6Code, type Dhcp6Option, Dhcp6Type, emitDhcp6, parseDhcp6, statusOption } from '../../packet/dhcpv6.ts'
import { decodeFrame, encodeFrame } from '../../packet/packet.ts'
import type { Effect } from './effect.ts'
import { resume, withBit } from './metadata.ts'
import { readAnswerBit } from './userdata.ts'

/** Lifetimes of what we lease: for ever (RFC 8415 §7.7). */
const INFINITY = 0xffffffff
/** Codes inside userdata that are no DHCPv6 options on the wire. */
const BOOTFILE = 59
const BOOTFILE_ALT = 254
const USER_CLASS = 15
const FQDN = 39

/** put_dhcpv6_opts: turns a client's message into the answer, and tells in a bit whether it did (RFC 8415, ovn-sb(5)). */
export function putDhcpv6Options(m: PacketIn, body: Reader): Effect[] {
  const bit = readAnswerBit(body)
  const options: Dhcp6Option[] = []
  while (body.left >= 4) {
    const code = body.u16()
    options.push({ code, data: body.copy(body.u16()) })
  }
  const out: Effect[] = []
  const warn = (message: string) => {
    out.push({ type: 'log', module: 'pinctrl', level: 'warn', message })
    return undefined
  }
  const packet = answer(m.packet, options, warn)
  out.push({
    type: 'send',
    message: resume(m, packet ?? m.packet, withBit(m.metadata, bit.field, bit.offset, packet !== undefined)),
  })
  return out
}

/** What each message is answered with; others are not for us. */
const ANSWERS: ReadonlyMap<number, number> = new Map([
  [Dhcp6Type.solicit, Dhcp6Type.advertise],
  [Dhcp6Type.request, Dhcp6Type.reply],
  [Dhcp6Type.confirm, Dhcp6Type.reply],
  [Dhcp6Type.decline, Dhcp6Type.reply],
  [Dhcp6Type.informationRequest, Dhcp6Type.reply],
  [Dhcp6Type.release, Dhcp6Type.reply],
])

function answer(
  frame: Uint8Array,
  options: readonly Dhcp6Option[],
  warn: (message: string) => undefined,
): Uint8Array | undefined {
  const packet = decodeFrame(frame)
  if (!packet.ok || !packet.value.ip6 || !packet.value.udp) return warn('truncated dhcpv6 packet')
  const { udp } = packet.value
  const parsed = parseDhcp6(udp.payload)
  if (!parsed.ok || parsed.value.kind !== 'client-server') return warn('truncated dhcpv6 packet')
  const request = parsed.value
  const type = ANSWERS.get(request.type)
  if (type === undefined) return undefined
  const client = request.options.find((o) => o.code === Dhcp6Code.clientId)
  if (!client) return warn('DHCPv6 option - Client id not present in the DHCPv6 packet')
  const association = request.options.find((o) => o.code === Dhcp6Code.iaNa)
  const wanted = request.type !== Dhcp6Type.informationRequest && request.type !== Dhcp6Type.release
  if (wanted && (!association || association.data.length < 12)) {
    return warn('DHCPv6 option - IA NA not present in the DHCPv6 packet')
  }
  const boots = request.options.some((o) => o.code === USER_CLASS && text(o.data).includes('iPXE'))
  const reply =
    request.type === Dhcp6Type.release
      ? released(options)
      : options.flatMap((o) => replyOption(o, wanted ? association : undefined, boots, options))
  const payload = emitDhcp6({ kind: 'client-server', type, xid: request.xid, options: [client, ...reply] })
  return encodeFrame({ ...packet.value, udp: { src: udp.src, dst: udp.dst, payload }, padding: new Uint8Array() })
}

const decoder = new TextDecoder()
const text = (bytes: Uint8Array) => decoder.decode(bytes)

/** A DUID of type 3, link-layer address of Ethernet (RFC 8415 §11.4). */
function serverId(mac: Uint8Array): Dhcp6Option {
  return { code: Dhcp6Code.serverId, data: concatBytes(Uint8Array.of(0, 3, 0, 1), mac) }
}

/** A release is only confirmed (RFC 8415 §18.3.7). */
function released(options: readonly Dhcp6Option[]): Dhcp6Option[] {
  const id = options.find((o) => o.code === Dhcp6Code.serverId)
  return [...(id ? [serverId(id.data)] : []), statusOption(0)]
}

function replyOption(
  o: Dhcp6Option,
  association: Dhcp6Option | undefined,
  boots: boolean,
  all: readonly Dhcp6Option[],
): Dhcp6Option[] {
  switch (o.code) {
    case Dhcp6Code.serverId:
      return [serverId(o.data)]
    case Dhcp6Code.iaAddress: {
      if (!association) return []
      const w = new Writer(40)
      w.bytes(association.data.subarray(0, 4)).u32(INFINITY).u32(INFINITY)
      w.u16(Dhcp6Code.iaAddress).u16(24).bytes(o.data.subarray(0, 16)).u32(INFINITY).u32(INFINITY)
      return [{ code: Dhcp6Code.iaNa, data: w.done() }]
    }
    case BOOTFILE:
      return boots || !all.some((x) => x.code === BOOTFILE_ALT) ? [o] : []
    case BOOTFILE_ALT:
      return boots ? [] : [{ code: BOOTFILE, data: o.data }]
    case FQDN:
      // RFC 4704 §4: flags before the name; the server made no update.
      return [{ code: FQDN, data: concatBytes(Uint8Array.of(0), o.data) }]
    default:
      return [o]
  }
}
