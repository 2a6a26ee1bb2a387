import { parseIpv4 } from '../../address/ipv4.ts'
import { parseIpv6 } from '../../address/ipv6.ts'
import { concatBytes, type Reader, Writer } from '../../base/bytes.ts'
import type { PacketIn } from '../../openflow/messages/message.ts'
import { DnsCode, DnsFlag, type DnsQuestion, DnsType, parseDns } from '../../packet/dns.ts'
import { decodeFrame, encodeFrame } from '../../packet/packet.ts'
import type { DnsEntry, Effect, PacketInEnvironment } from './effect.ts'
import { datapathOf, fromController, resume, withBit } from './metadata.ts'
import { readAnswerBit } from './userdata.ts'

/** Seconds that an answer may be kept. */
const TTL = 3600
const IN = 1

/** dns_lookup: answers a query from the southbound DNS records (RFC 1035), and tells in a bit whether it did. */
export function dnsLookup(m: PacketIn, body: Reader, env: PacketInEnvironment): Effect[] {
  const bit = readAnswerBit(body)
  const packet = answer(m, env)
  const metadata = fromController(withBit(m.metadata, bit.field, bit.offset, packet !== undefined))
  return [{ type: 'send', message: resume(m, packet ?? m.packet, metadata) }]
}

function answer(m: PacketIn, env: PacketInEnvironment): Uint8Array | undefined {
  const packet = decodeFrame(m.packet)
  if (!packet.ok || !packet.value.udp) return undefined
  const { udp } = packet.value
  const dns = parseDns(udp.payload)
  if (!dns.ok) return undefined
  const question = dns.value.questions[0]
  // A standard query of the Internet class; only its first question counts.
  const { flags } = dns.value
  if (!question || flags & DnsFlag.response || flags & 0x7800) return undefined
  if (question.class !== IN || !ANSWERED.includes(question.type)) return undefined
  const entry = env.dns(datapathOf(m), question.name.toLowerCase())
  if (!entry) return undefined
  const end = questionEnd(udp.payload)
  if (end === undefined) return undefined
  const name = udp.payload.subarray(12, end - 4)
  const records = recordsOf(question, entry, name)
  if (records.length === 0 && !entry.owned) return undefined
  // A name of ours with nothing of this type has an answer too, and nobody else is to be asked.
  const code = records.length ? DnsCode.noError : DnsCode.refused
  const w = new Writer(512)
  w.u16(dns.value.id).u16(DnsFlag.response | (flags & DnsFlag.recursion) | code)
  w.u16(dns.value.questions.length).u16(records.length).u16(0).u16(0)
  w.bytes(udp.payload.subarray(12, end))
  for (const r of records) w.bytes(r)
  return encodeFrame({
    ...packet.value,
    udp: { src: udp.src, dst: udp.dst, payload: w.done(), ...(packet.value.ip4 ? { noChecksum: true as const } : {}) },
    padding: new Uint8Array(),
  })
}

/** Where the question ends: its name is labels without compression, then type and class. */
function questionEnd(payload: Uint8Array): number | undefined {
  let at = 12
  for (;;) {
    const length = payload[at]
    if (length === undefined || length > 63) return undefined
    at += 1 + length
    if (length === 0) break
  }
  return at + 4 <= payload.length ? at + 4 : undefined
}

function record(name: Uint8Array, type: number, data: Uint8Array): Uint8Array {
  const head = new Writer(10).u16(type).u16(IN).u32(TTL).u16(data.length).done()
  return concatBytes(name, head, data)
}

function recordsOf(question: DnsQuestion, entry: DnsEntry, name: Uint8Array): Uint8Array[] {
  const values = entry.value.split(/[\s,]+/).filter((v) => v !== '')
  const any = question.type === ANY
  const out: Uint8Array[] = []
  if (question.type === DnsType.ptr) {
    const target = values[0]
    return target ? [record(name, DnsType.ptr, encodeName(target))] : []
  }
  if (any || question.type === DnsType.a) {
    for (const v of values) {
      const ip = parseIpv4(v)
      if (ip !== undefined) out.push(record(name, DnsType.a, new Writer(4).u32(ip).done()))
    }
  }
  if (any || question.type === DnsType.aaaa) {
    for (const v of values) {
      const ip = parseIpv6(v)
      if (ip !== undefined) out.push(record(name, DnsType.aaaa, new Writer(16).u128(ip).done()))
    }
  }
  return out
}

const ANY = 255
/** Types of question that there are answers for. */
const ANSWERED: readonly number[] = [DnsType.a, DnsType.aaaa, DnsType.ptr, ANY]
const encoder = new TextEncoder()

function encodeName(name: string): Uint8Array {
  const w = new Writer(64)
  for (const label of name.split('.').filter((l) => l !== '')) {
    const bytes = encoder.encode(label).subarray(0, 63)
    w.u8(bytes.length).bytes(bytes)
  }
  return w.u8(0).done()
}
