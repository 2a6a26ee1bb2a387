import { formatIpv4 } from '../../address/ipv4.ts'
import { formatMac } from '../../address/mac.ts'
import type { Reader } from '../../base/bytes.ts'
import type { PacketIn } from '../../openflow/messages/message.ts'
import { type Dhcp, DhcpCode, type DhcpOption, DhcpType, emitDhcp, numberIn, parseDhcp } from '../../packet/dhcp.ts'
import { DHCP_BOOTFILE_ALT, DHCP_NEXT_SERVER } from '../../packet/dhcp-options.ts'
import { decodeFrame, encodeFrame } from '../../packet/packet.ts'
import type { Effect } from './effect.ts'
import { resume, withBit } from './metadata.ts'
import { readAnswerBit } from './userdata.ts'

/** Options that configure a lease: an INFORM gets none (RFC 2131 §4.3.5), and no netmask, as in OVN. */
const LEASE_OPTIONS: readonly number[] = [DhcpCode.leaseTime, DhcpCode.t1, DhcpCode.t2, DhcpCode.netmask]

const BROADCAST_FLAG = 0x8000
const BROADCAST = 0xffffffff

/** put_dhcp_opts: turns a client's request into the answer, and tells in a bit whether it did (RFC 2131, ovn-sb(5)). */
export function putDhcpOptions(m: PacketIn, body: Reader): Effect[] {
  const bit = readAnswerBit(body)
  const offer = body.u32()
  const options = readOptions(body)
  const out: Effect[] = []
  const note = (level: 'info' | 'warn', message: string) => out.push({ type: 'log', module: 'pinctrl', level, message })
  const packet = answer(m.packet, offer, options, note)
  out.push({
    type: 'send',
    message: resume(m, packet ?? m.packet, withBit(m.metadata, bit.field, bit.offset, packet !== undefined)),
  })
  return out
}

/** code, length, value of each option, as put_dhcp_opts has them. */
function readOptions(r: Reader): DhcpOption[] {
  const out: DhcpOption[] = []
  while (r.left >= 2) {
    const code = r.u8()
    out.push({ code, data: r.copy(r.u8()) })
  }
  return out
}

type Note = (level: 'info' | 'warn', message: string) => void

function answer(frame: Uint8Array, offer: number, options: readonly DhcpOption[], note: Note): Uint8Array | undefined {
  const packet = decodeFrame(frame)
  if (!packet.ok || !packet.value.ip4 || !packet.value.udp) {
    note('warn', 'Invalid or incomplete DHCP packet received')
    return undefined
  }
  const { ip4, udp } = packet.value
  const parsed = parseDhcp(udp.payload)
  if (!parsed.ok) {
    note('warn', 'DHCP magic cookie not present in the DHCP packet')
    return undefined
  }
  const request = parsed.value
  if (request.op !== 1) {
    note('warn', `Invalid opcode in the DHCP packet: ${request.op}`)
    return undefined
  }
  const type = messageType(request, offer, note)
  if (type === undefined) return undefined
  const reply = emitDhcp(response(request, type, offer, options))
  const names: Readonly<Record<number, string>> = { 2: 'DHCPOFFER', 5: 'DHCPACK', 6: 'DHCPNAK' }
  note('info', `${names[type]} ${formatMac(request.chaddr)} ${formatIpv4(offer)}`)
  return encodeFrame({
    ...packet.value,
    ip4: { ...ip4, dst: request.flags & BROADCAST_FLAG ? BROADCAST : offer },
    udp: { src: udp.src, dst: udp.dst, payload: reply, noChecksum: true },
    padding: new Uint8Array(),
  })
}

function option(d: Dhcp, code: number): Uint8Array | undefined {
  return d.options.find((o) => o.code === code)?.data
}

/** The type of the answer; undefined where there is to be none. */
function messageType(request: Dhcp, offer: number, note: Note): number | undefined {
  const mac = formatMac(request.chaddr)
  const type = numberIn(option(request, DhcpCode.messageType))
  switch (type) {
    case DhcpType.discover:
      return DhcpType.offer
    case DhcpType.request: {
      const wanted = numberIn(option(request, DhcpCode.requestedAddress)) ?? request.ciaddr
      if (wanted === offer) return DhcpType.ack
      note('warn', `DHCPREQUEST requested IP ${formatIpv4(wanted)} does not match offer ${formatIpv4(offer)}`)
      return DhcpType.nak
    }
    case DhcpType.inform:
      note('info', `DHCPINFORM from ${mac} ${formatIpv4(request.ciaddr)}`)
      return DhcpType.ack
    case DhcpType.release:
      note('info', `DHCPRELEASE ${mac} ${formatIpv4(request.ciaddr)}`)
      return undefined
    case DhcpType.decline: {
      const ip = numberIn(option(request, DhcpCode.requestedAddress)) ?? request.ciaddr
      note('info', `DHCPDECLINE from ${mac}, ${formatIpv4(ip)} duplicated`)
      return undefined
    }
    default:
      if (type === undefined) note('warn', 'Missing DHCP message type')
      else note('warn', `Invalid DHCP message type: ${type}`)
      return undefined
  }
}

function response(request: Dhcp, type: number, offer: number, options: readonly DhcpOption[]): Dhcp {
  const nak = type === DhcpType.nak
  const inform = numberIn(option(request, DhcpCode.messageType)) === DhcpType.inform
  const lease = !nak && !inform
  const out: DhcpOption[] = [{ code: DhcpCode.messageType, data: Uint8Array.of(type) }]
  const nextServer = numberIn(options.find((o) => o.code === DHCP_NEXT_SERVER)?.data)
  if (!nak) {
    // A network boot loader (it sends option 175) gets the file; who is not yet one gets the other name, if there is one.
    const bootfile = options.find((o) => o.code === DhcpCode.bootfile)
    const alternative = options.find((o) => o.code === DHCP_BOOTFILE_ALT)
    const file = option(request, DhcpCode.etherboot) ? bootfile : (alternative ?? bootfile)
    if (file) out.push({ code: DhcpCode.bootfile, data: file.data })
    for (const o of options) {
      if (o.code === DhcpCode.bootfile || o.code === DHCP_BOOTFILE_ALT) continue
      if (!inform || !LEASE_OPTIONS.includes(o.code)) out.push(o)
    }
  }
  const pad = { code: DhcpCode.pad, data: new Uint8Array() }
  // The answer has an end option even where the request has none.
  const { endless: _, ...rest } = request
  return {
    ...rest,
    op: 2,
    yiaddr: lease ? offer : 0,
    siaddr: lease ? (nextServer ?? 0) : 0,
    // The ends of the options as ovn-controller leaves them: four bytes of padding on either side.
    options: [...out, pad, pad, pad, pad],
    trailer: new Uint8Array(4),
  }
}
