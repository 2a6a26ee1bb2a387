import { MAC_BROADCAST, type Mac } from '../address/mac.ts'
import { type Arp, ArpOp, emitArp } from './arp.ts'
import { emitEthernet } from './ethernet.ts'
import { EtherType } from './numbers.ts'

/** "Who am I?" (RFC 903). Hypervisors broadcast it after a live migration so that switches relearn the MAC. */
export function rarpAnnouncement(mac: Mac): Arp {
  return { op: ArpOp.reverseRequest, sha: mac, spa: 0, tha: mac, tpa: 0 }
}

/** The announcement as a broadcast frame. */
export function rarpFrame(mac: Mac): Uint8Array {
  const payload = emitArp(rarpAnnouncement(mac))
  return emitEthernet({ dst: MAC_BROADCAST, src: mac, tags: [], type: EtherType.rarp, payload })
}
