import type { Reader, Writer } from '../base/bytes.ts'
import { EtherType } from './numbers.ts'

/** One tag of IEEE 802.1Q. */
export interface VlanTag {
  /** The EtherType that announces the tag: 0x8100, or 0x88a8 for a service tag. */
  readonly tpid: number
  /** Priority code point, 0 to 7. */
  readonly pcp: number
  /** Drop eligible indicator. */
  readonly dei: boolean
  /** VLAN identifier, 0 (priority only) to 4095. */
  readonly vid: number
}

export function vlanTag(vid: number, pcp = 0, tpid: number = EtherType.vlan): VlanTag {
  return { tpid, pcp, dei: false, vid }
}

export function isVlanType(type: number): boolean {
  return type === EtherType.vlan || type === EtherType.qinq
}

/** Reads what follows the tag's own EtherType. */
export function readVlanTag(r: Reader, tpid: number): VlanTag {
  const tci = r.u16()
  return { tpid, pcp: tci >>> 13, dei: (tci & 0x1000) !== 0, vid: tci & 0xfff }
}

export function writeVlanTag(w: Writer, tag: VlanTag): void {
  w.u16(tag.tpid).u16(vlanTci(tag))
}

/** Tag control information: priority, drop eligibility, identifier. */
export function vlanTci(tag: VlanTag): number {
  return (tag.pcp << 13) | (tag.dei ? 0x1000 : 0) | tag.vid
}

export function printVlanTag(tag: VlanTag): string {
  return `vlan ${tag.vid}, p ${tag.pcp}${tag.dei ? ', DEI' : ''}`
}
