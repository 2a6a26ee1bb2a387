import { formatIpv4, parseIpv4 } from '../../address/ipv4.ts'
import { formatIpv6, parseIpv6 } from '../../address/ipv6.ts'
import type { DatagramSocket, Underlay } from '../../base/datagram.ts'
import type { Log } from '../../base/log.ts'
import * as K from '../classifier/key.ts'
import type { Slots } from '../classifier/slots.ts'
import type { TunnelInfo } from '../datapath/action.ts'
import { type Datapath, type DpPort, newCounters } from '../datapath/datapath.ts'
import type { Packet } from '../datapath/packet.ts'

/** EtherType of a bridged Ethernet frame (RFC 8926 §3.4). */
const TEB = 0x6558
const GENEVE_HEADER = 8
const VXLAN_HEADER = 8

export interface VportHost {
  readonly underlay: Underlay
  readonly log: Log
  readonly slots: Slots
  readonly datapath: Datapath
  /** The local address from which a remote one is reached; undefined if there is none. */
  localAddress(remote: string): string | undefined
}

/**
 * The datapath's port for all tunnels of one kind and UDP port (`genev_sys_6081`): each packet
 * says where it goes.
 */
export class Vport implements DpPort {
  readonly counters = newCounters()
  private readonly sockets = new Map<string, DatagramSocket>()
  /** Addresses at which binding failed: not tried again until the configuration changes. */
  private readonly refused = new Set<string>()

  constructor(
    readonly number: number,
    readonly name: string,
    readonly type: 'geneve' | 'vxlan',
    readonly port: number,
    private readonly host: VportHost,
  ) {}

  /** Listens at an address, if it does not yet. */
  listen(address: string): DatagramSocket | undefined {
    const known = this.sockets.get(address)
    if (known) return known
    if (this.refused.has(address)) return undefined
    try {
      const socket = this.host.underlay.bind(address, this.port)
      socket.onDatagram = (payload, from) => this.receive(payload, from, address)
      this.sockets.set(address, socket)
      return socket
    } catch (e) {
      this.refused.add(address)
      this.host.log.warn(`${this.name}: cannot listen at ${address}:${this.port} (${(e as Error).message})`, {
        code: 'tunnel-bind',
        interface: this.name,
      })
      return undefined
    }
  }

  /** Whether a tunnel of this port leads to an address at all. */
  reaches(remote: string): string | undefined {
    return this.host.localAddress(remote)
  }

  retry(): void {
    this.refused.clear()
  }

  transmit(frame: Uint8Array, packet: Packet): void {
    const info = packet.tunnel
    const local = info && (info.src || this.host.localAddress(info.dst))
    const socket = local ? this.listen(local) : undefined
    if (!info || !socket) {
      this.counters.txDropped++
      return
    }
    socket.send(info.dst, info.port, this.type === 'geneve' ? encapsulateGeneve(info, frame) : vxlan(info, frame))
  }

  private receive(b: Uint8Array, from: string, local: string): void {
    if (this.type === 'geneve') this.receiveGeneve(b, from, local)
    else this.receiveVxlan(b, from, local)
  }

  private receiveGeneve(b: Uint8Array, from: string, local: string): void {
    const options = b.length >= GENEVE_HEADER ? ((b[0] as number) & 63) * 4 : 0
    const start = GENEVE_HEADER + options
    if (b.length < start + 14 || (b[0] as number) >> 6 !== 0 || (((b[2] as number) << 8) | (b[3] as number)) !== TEB) {
      this.counters.rxErrors++
      return
    }
    const vni = ((b[4] as number) << 16) | ((b[5] as number) << 8) | (b[6] as number)
    const oam = ((b[1] as number) & 0x80) !== 0
    this.host.datapath.receive(this, b.subarray(start), (key) => {
      header(key, vni, from, local)
      if (oam) key[K.TUN_FLAGS] = K.TUN_F_OAM
      if (options) readOptions(b, GENEVE_HEADER, start, key, this.host.slots)
    })
  }

  private receiveVxlan(b: Uint8Array, from: string, local: string): void {
    if (b.length < VXLAN_HEADER + 14 || !((b[0] as number) & 8)) {
      this.counters.rxErrors++
      return
    }
    const vni = ((b[4] as number) << 16) | ((b[5] as number) << 8) | (b[6] as number)
    this.host.datapath.receive(this, b.subarray(VXLAN_HEADER), (key) => {
      header(key, vni, from, local)
      if ((b[0] as number) & 0x80) {
        // draft-smith-vxlan-group-policy
        key[K.TUN_GBP_ID] = ((b[2] as number) << 8) | (b[3] as number)
        key[K.TUN_GBP_FLAGS] = (b[1] as number) & 0x48
      }
    })
  }

  close(): void {
    for (const s of this.sockets.values()) s.close()
    this.sockets.clear()
  }
}

function header(key: K.Key, vni: number, from: string, local: string): void {
  key[K.TUN_ID_LOW] = vni
  address(key, K.TUN_SRC, K.TUN_IPV6_SRC, from)
  address(key, K.TUN_DST, K.TUN_IPV6_DST, local)
  key[K.TUN_TTL] = 64
}

const v4 = new Map<string, number>()

function address(key: K.Key, at4: number, at6: number, text: string): void {
  let n = v4.get(text)
  if (n === undefined) {
    n = parseIpv4(text)
    if (n === undefined) {
      K.setU128(key, at6, parseIpv6(text) ?? 0n)
      return
    }
    if (v4.size > 4096) v4.clear()
    v4.set(text, n)
  }
  key[at4] = n
}

/** Options that a TLV table maps become fields; others are skipped (RFC 8926 §3.5). */
function readOptions(b: Uint8Array, from: number, end: number, key: K.Key, slots: Slots): void {
  for (let p = from; p + 4 <= end; ) {
    const cls = ((b[p] as number) << 8) | (b[p + 1] as number)
    const length = ((b[p + 3] as number) & 31) * 4
    const data = p + 4
    p = data + length
    if (p > end) return
    const m = slots.byClassType(cls, b[data - 2] as number)
    const s = m && slots.slotOfIndex(m.index)
    if (!m || !s || m.length !== length) continue
    for (let i = 0; i < s.words; i++) {
      const q = data + 4 * i
      key[s.word + i] =
        ((b[q] as number) << 24) | ((b[q + 1] as number) << 16) | ((b[q + 2] as number) << 8) | (b[q + 3] as number)
    }
    const at = m.index < 32 ? K.TUN_METADATA_PRESENT_LOW : K.TUN_METADATA_PRESENT_HIGH
    key[at] = (key[at] as number) | (1 << (m.index & 31))
  }
}

const SLAB = 1 << 16
let slab = new Uint8Array(SLAB)
let used = 0

/** Room for a packet, cut from a larger piece: an ArrayBuffer for each packet is what would cost most. */
function room(length: number): Uint8Array {
  if (length > SLAB >> 3) return new Uint8Array(length)
  if (used + length > SLAB) {
    slab = new Uint8Array(SLAB)
    used = 0
  }
  const out = slab.subarray(used, used + length)
  used += (length + 7) & ~7
  return out
}

/** RFC 8926 §3.4. */
export function encapsulateGeneve(info: TunnelInfo, frame: Uint8Array): Uint8Array {
  let options = 0
  let critical = false
  for (const o of info.options) {
    options += 4 + o.data.length
    if (o.type & 0x80) critical = true
  }
  const b = room(GENEVE_HEADER + options + frame.length)
  b[0] = options >> 2
  b[1] = (info.oam ? 0x80 : 0) | (critical ? 0x40 : 0)
  b[2] = TEB >> 8
  b[3] = TEB & 0xff
  const vni = Number(info.id & 0xffffffn)
  b[4] = vni >> 16
  b[5] = vni >> 8
  b[6] = vni
  let p = GENEVE_HEADER
  for (const o of info.options) {
    b[p] = o.class >> 8
    b[p + 1] = o.class
    b[p + 2] = o.type
    b[p + 3] = o.data.length >> 2
    b.set(o.data, p + 4)
    p += 4 + o.data.length
  }
  b.set(frame, p)
  return b
}

/** RFC 7348 §5. */
function vxlan(info: TunnelInfo, frame: Uint8Array): Uint8Array {
  const b = room(VXLAN_HEADER + frame.length)
  b[0] = 8
  if (info.gbpId || info.gbpFlags) {
    b[0] = 0x88
    b[1] = info.gbpFlags
    b[2] = info.gbpId >> 8
    b[3] = info.gbpId
  }
  const vni = Number(info.id & 0xffffffn)
  b[4] = vni >> 16
  b[5] = vni >> 8
  b[6] = vni
  b.set(frame, VXLAN_HEADER)
  return b
}

/** The remote address of a packet that came through a tunnel, as text. */
export function tunnelSource(key: K.Key): string {
  return key[K.TUN_SRC] !== 0 ? formatIpv4(key[K.TUN_SRC] as number) : formatIpv6(K.u128(key, K.TUN_IPV6_SRC))
}

export function tunnelDestination(key: K.Key): string {
  return key[K.TUN_DST] !== 0 ? formatIpv4(key[K.TUN_DST] as number) : formatIpv6(K.u128(key, K.TUN_IPV6_DST))
}
