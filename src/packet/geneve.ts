import { parse, Reader, Writer } from '../base/bytes.ts'
import type { Result } from '../base/result.ts'
import { EtherType } from './numbers.ts'

/** A tunnel option (RFC 8926 §3.5). The type's top bit says that the receiver must know it. */
export interface GeneveOption {
  readonly class: number
  readonly type: number
  /** The three bits in front of the length. */
  readonly reserved: number
  /** A multiple of four bytes. */
  readonly data: Uint8Array
}

/** A Geneve header with what it carries (RFC 8926 §3.4). */
export interface Geneve {
  readonly version: number
  /** O 0x80: control packet; C 0x40: critical options; six reserved bits. */
  readonly flags: number
  /** EtherType of the payload. */
  readonly protocol: number
  /** 24 bits. */
  readonly vni: number
  /** The byte behind the VNI. */
  readonly reserved: number
  readonly options: readonly GeneveOption[]
  readonly payload: Uint8Array
}

/** ovn-architecture(7), "Tunnel Encapsulations": class 0x0102, type 0x80. */
export const OVN_OPTION_CLASS = 0x0102
export const OVN_OPTION_TYPE = 0x80

export function parseGeneve(bytes: Uint8Array): Result<Geneve> {
  return parse(bytes, readGeneve)
}

export function readGeneve(r: Reader): Geneve {
  const first = r.u8()
  const flags = r.u8()
  const protocol = r.u16()
  const vni = r.u24()
  const reserved = r.u8()
  const sub = r.sub((first & 63) * 4)
  const options: GeneveOption[] = []
  while (sub.left) {
    const [optionClass, type, length] = [sub.u16(), sub.u8(), sub.u8()]
    options.push({ class: optionClass, type, reserved: length >>> 5, data: sub.take((length & 31) * 4) })
  }
  return { version: first >>> 6, flags, protocol, vni, reserved, options, payload: r.rest() }
}

export function emitGeneve(g: Geneve): Uint8Array {
  const w = new Writer(64 + g.payload.length)
  w.u8(0).u8(g.flags).u16(g.protocol).u24(g.vni).u8(g.reserved)
  for (const o of g.options) {
    w.u16(o.class)
      .u8(o.type)
      .u8((o.reserved << 5) | (o.data.length >>> 2))
      .bytes(o.data)
  }
  const words = (w.length - 8) >>> 2
  const out = w.bytes(g.payload).done()
  out[0] = (g.version << 6) | words
  return out
}

/** An Ethernet frame as OVN tunnels it: datapath key, and the logical ports it comes from and goes to. */
export interface OvnTunnel {
  /** Tunnel key of the logical datapath, 24 bits. */
  readonly datapath: number
  /** Tunnel keys of the logical ports: 15 bits of the ingress, 16 of the egress port. */
  readonly ingress: number
  readonly egress: number
}

export function ovnGeneve(t: OvnTunnel, frame: Uint8Array): Geneve {
  const data = new Writer(4).u32(((t.ingress & 0x7fff) << 16) | t.egress).done()
  const option = { class: OVN_OPTION_CLASS, type: OVN_OPTION_TYPE, reserved: 0, data }
  // The option's type has the critical bit, so the header has C.
  return {
    version: 0,
    flags: 0x40,
    protocol: EtherType.teb,
    vni: t.datapath,
    reserved: 0,
    options: [option],
    payload: frame,
  }
}

/** What OVN put into a header, or undefined when its option is not there. */
export function ovnTunnel(g: Geneve): OvnTunnel | undefined {
  const option = g.options.find((o) => o.class === OVN_OPTION_CLASS && o.type === OVN_OPTION_TYPE)
  if (option?.data.length !== 4) return undefined
  const word = new Reader(option.data).u32()
  return { datapath: g.vni, ingress: (word >>> 16) & 0x7fff, egress: word & 0xffff }
}

/** `Geneve, Flags [C], vni 0x1, options [class 0x102 type 0x80 data 00010002]`. */
export function printGeneve(g: Geneve): string {
  const flags = `${g.flags & 0x80 ? 'O' : ''}${g.flags & 0x40 ? 'C' : ''}` || 'none'
  const ovn = ovnTunnel(g)
  const options = ovn
    ? `, ovn ingress ${ovn.ingress} egress ${ovn.egress}`
    : g.options.length
      ? `, ${g.options.length} options`
      : ''
  return `Geneve, Flags [${flags}], vni 0x${g.vni.toString(16)}${options}`
}
