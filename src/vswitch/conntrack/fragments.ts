import type { Clock, Timer } from '../../base/clock.ts'
import * as K from '../classifier/key.ts'
import type { DpAction } from '../datapath/action.ts'
import { Packet } from '../datapath/packet.ts'
import { onesSum } from './lookup.ts'

/** How long the pieces of a datagram are waited for, milliseconds (ovs-vswitchd's own). */
const PATIENCE = 15_000
/** Datagrams and bytes held at once: fragments are a cheap attack (RFC 8900 §3.7). */
const MAX_DATAGRAMS = 1000
const MAX_PIECES = 256

interface Held {
  readonly packet: Packet
  readonly actions: readonly DpAction[]
  readonly next: number
  readonly start: number
  readonly data: Uint8Array
  readonly last: boolean
  /** Makes the piece what the whole datagram became by translation. */
  rewrite(whole: Packet): void
}

interface Datagram {
  readonly held: Held[]
  readonly deadline: number
}

export interface Whole {
  readonly frame: Uint8Array
  readonly fragments: readonly Held[]
}

const u16 = (b: Uint8Array, at: number): number => ((b[at] as number) << 8) | (b[at + 1] as number)

/**
 * Fragments before connection tracking: they wait until the datagram is whole, it is tracked, and
 * each piece goes on with what tracking said (RFC 791 §3.2, RFC 8200 §4.5). Overlapping pieces
 * discard the datagram (RFC 5722).
 */
export class FragmentQueue {
  private readonly datagrams = new Map<string, Datagram>()
  private timer: Timer | undefined

  constructor(private readonly clock: Clock) {}

  add(packet: Packet, zone: number, actions: readonly DpAction[], next: number): Whole | 'not a fragment' | undefined {
    const piece = readPiece(packet)
    if (!piece) return 'not a fragment'
    const key = packet.key
    const id = `${zone}/${key[K.RECIRC_ID]}/${piece.id}`
    let datagram = this.datagrams.get(id)
    if (!datagram) {
      if (this.datagrams.size >= MAX_DATAGRAMS) return undefined
      datagram = { held: [], deadline: this.clock.monotonic() + PATIENCE }
      this.datagrams.set(id, datagram)
      this.arm()
    }
    const end = piece.start + piece.data.length
    for (const h of datagram.held) {
      if (piece.start < h.start + h.data.length && h.start < end) {
        // the same again is harmless; anything else is an attack
        if (h.start !== piece.start || h.data.length !== piece.data.length) this.datagrams.delete(id)
        return undefined
      }
    }
    if (datagram.held.length >= MAX_PIECES) {
      this.datagrams.delete(id)
      return undefined
    }
    const own = new Packet()
    own.copyFrom(packet)
    datagram.held.push({
      packet: own,
      actions,
      next,
      start: piece.start,
      data: piece.data,
      last: piece.last,
      rewrite: (whole) => rewritePiece(own, whole, piece.start, piece.header),
    })
    const whole = assemble(datagram.held)
    if (!whole) return undefined
    this.datagrams.delete(id)
    return { frame: whole, fragments: [...datagram.held].sort((a, b) => a.start - b.start) }
  }

  private arm(): void {
    this.timer ??= this.clock.after(PATIENCE, () => {
      this.timer = undefined
      const now = this.clock.monotonic()
      for (const [id, d] of this.datagrams) if (d.deadline <= now) this.datagrams.delete(id)
      if (this.datagrams.size) this.arm()
    })
  }

  close(): void {
    this.timer?.cancel()
    this.timer = undefined
    this.datagrams.clear()
  }
}

interface Piece {
  readonly id: string
  readonly start: number
  readonly last: boolean
  readonly data: Uint8Array
  /** Offset in the frame of the data. */
  readonly header: number
}

function readPiece(packet: Packet): Piece | undefined {
  const { frame: b, layers, key } = packet
  const { l3, end } = layers
  if (l3 < 0) return undefined
  if (key[K.DL_TYPE] === K.ETH_IPV4) {
    const header = l3 + ((b[l3] as number) & 15) * 4
    const flags = u16(b, l3 + 6)
    return {
      id: `4/${key[K.NW_SRC]}/${key[K.NW_DST]}/${key[K.NW_PROTO]}/${u16(b, l3 + 4)}`,
      start: (flags & 0x1fff) * 8,
      last: (flags & 0x2000) === 0,
      data: b.subarray(header, end),
      header,
    }
  }
  const f = fragmentHeader(b, l3, end)
  if (f < 0) return undefined
  const offset = u16(b, f + 2)
  const id = (u16(b, f + 4) * 65536 + u16(b, f + 6)).toString(36)
  return {
    id: `6/${key.subarray(K.IPV6_SRC, K.IPV6_SRC + 8).join('.')}/${id}`,
    start: offset & 0xfff8,
    last: (offset & 1) === 0,
    data: b.subarray(f + 8, end),
    header: f + 8,
  }
}

/** Where an IPv6 packet has its fragment header; -1 if it has none. */
function fragmentHeader(b: Uint8Array, l3: number, end: number): number {
  let next = b[l3 + 6] as number
  let p = l3 + 40
  while (p + 8 <= end) {
    if (next === 44) return p
    if (next !== 0 && next !== 43 && next !== 60) return -1
    next = b[p] as number
    p += ((b[p + 1] as number) + 1) * 8
  }
  return -1
}

function assemble(held: readonly Held[]): Uint8Array | undefined {
  const sorted = [...held].sort((a, b) => a.start - b.start)
  let at = 0
  for (const h of sorted) {
    if (h.start !== at) return undefined
    at += h.data.length
  }
  const first = sorted[0] as Held
  if (!sorted[sorted.length - 1]?.last || at > 65535) return undefined
  const { packet } = first
  const { l3 } = packet.layers
  const v4 = packet.key[K.DL_TYPE] === K.ETH_IPV4
  const headerEnd = v4 ? l3 + ((packet.frame[l3] as number) & 15) * 4 : l3 + 40
  const out = new Uint8Array(headerEnd + at)
  out.set(packet.frame.subarray(0, headerEnd))
  let p = headerEnd
  for (const h of sorted) {
    out.set(h.data, p)
    p += h.data.length
  }
  if (v4) {
    const total = out.length - l3
    if (total > 65535) return undefined
    out[l3 + 2] = total >>> 8
    out[l3 + 3] = total
    out[l3 + 6] = (out[l3 + 6] as number) & 0xc0
    out[l3 + 7] = 0
    out[l3 + 10] = 0
    out[l3 + 11] = 0
    const sum = ~onesSum(out, l3, headerEnd) & 0xffff
    out[l3 + 10] = sum >>> 8
    out[l3 + 11] = sum
  } else {
    out[l3 + 4] = at >>> 8
    out[l3 + 5] = at
    out[l3 + 6] = packet.key[K.NW_PROTO] as number
  }
  return out
}

/** Carries addresses and the beginning of the data over from the translated whole. */
function rewritePiece(own: Packet, whole: Packet, start: number, header: number): void {
  const b = own.writable()
  const { l3 } = own.layers
  const w = whole.frame
  const wl3 = whole.layers.l3
  if (own.key[K.DL_TYPE] === K.ETH_IPV4) {
    b.set(w.subarray(wl3 + 12, wl3 + 20), l3 + 12)
    b[l3 + 10] = 0
    b[l3 + 11] = 0
    const headerEnd = l3 + ((b[l3] as number) & 15) * 4
    const sum = ~onesSum(b, l3, headerEnd) & 0xffff
    b[l3 + 10] = sum >>> 8
    b[l3 + 11] = sum
    const data = w.subarray(wl3 + ((w[wl3] as number) & 15) * 4)
    b.set(data.subarray(start, start + own.layers.end - header), header)
  } else {
    b.set(w.subarray(wl3 + 8, wl3 + 40), l3 + 8)
    b.set(w.subarray(wl3 + 40 + start, wl3 + 40 + start + own.layers.end - header), header)
  }
  own.refresh()
}
