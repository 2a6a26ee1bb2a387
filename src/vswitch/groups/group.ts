import { OFPP } from '../../openflow/actions/action.ts'
import type { Bucket, GroupType, SelectionMethod } from '../../openflow/messages/message.ts'
import { GROUP_ANY } from '../../openflow/messages/message.ts'
import * as K from '../classifier/key.ts'
import { hashStep } from '../classifier/mask.ts'
import { markBits, readBits, type Slots } from '../classifier/slots.ts'
import type { Effect } from '../datapath/dependency.ts'

export class BucketState implements Effect {
  packets = 0
  bytes = 0
  constructor(readonly spec: Bucket) {}
  credit(packets: number, bytes: number): void {
    this.packets += packets
    this.bytes += bytes
  }
}

/** How many values a datapath hash is folded into, at most. */
const MAX_SLOTS = 256

/** A group of a bridge (OpenFlow 1.5 §5.10). */
export class Group implements Effect {
  readonly buckets: readonly BucketState[]
  packets = 0
  bytes = 0
  private table: { readonly signature: string; readonly slots: readonly (BucketState | undefined)[] } | undefined

  constructor(
    readonly id: number,
    readonly type: GroupType,
    buckets: readonly Bucket[],
    readonly selection: SelectionMethod | undefined,
    readonly created: number,
    previous?: Group,
  ) {
    this.buckets = buckets.map((b) => {
      const old = previous?.buckets.find((x) => x.spec.id === b.id)
      const state = new BucketState(b)
      if (old) {
        state.packets = old.packets
        state.bytes = old.bytes
      }
      return state
    })
    if (previous) {
      this.packets = previous.packets
      this.bytes = previous.bytes
    }
  }

  credit(packets: number, bytes: number): void {
    this.packets += packets
    this.bytes += bytes
  }

  /** Whether the datapath's hash decides, rather than one over fields. */
  get byDatapathHash(): boolean {
    const method = this.selection?.method ?? ''
    return method === '' || method === 'dp_hash'
  }

  live(bucket: BucketState, alive: (bucket: Bucket) => boolean): boolean {
    const { watchPort, watchGroup } = bucket.spec
    return (watchPort === OFPP.NONE && watchGroup === GROUP_ANY) || alive(bucket.spec)
  }

  /** The bucket of a datapath hash, and the bits of the hash that decided. Shares follow the weights. */
  byHash(hash: number, live: (b: BucketState) => boolean): { bucket: BucketState | undefined; mask: number } {
    const candidates = this.buckets.filter((b) => b.spec.weight > 0 && live(b))
    const signature = candidates.map((b) => b.spec.id).join()
    if (this.table?.signature !== signature) this.table = { signature, slots: apportion(candidates) }
    const { slots } = this.table
    const mask = slots.length - 1
    return { bucket: slots[hash & mask], mask }
  }

  /** The bucket for the packet's fields: highest random weight, so that few flows move when buckets change (RFC 2992's aim). */
  byFields(key: K.Key, wildcards: K.Key, slots: Slots, live: (b: BucketState) => boolean): BucketState | undefined {
    let h = Number((this.selection?.param ?? 0n) & 0xffffffffn)
    const fields = this.selection?.fields ?? []
    if (fields.length === 0) {
      for (const at of [K.NW_SRC, K.NW_DST, K.NW_PROTO, K.TP_SRC, K.TP_DST, K.DL_TYPE]) {
        h = hashStep(h, key[at] as number)
        wildcards[at] = 0xffffffff
      }
      for (let i = 0; i < 8; i++) {
        h = hashStep(h, key[K.IPV6_SRC + i] as number)
        wildcards[K.IPV6_SRC + i] = 0xffffffff
      }
    }
    for (const f of fields) {
      const s = slots.of(f.field)
      if (!s) continue
      markBits(wildcards, s, 0, s.bits)
      let v = readBits(key, s, 0, s.bits) & (f.mask === 0n ? f.field.ones : f.mask)
      for (let i = 0; i < s.words; i++, v >>= 32n) h = hashStep(h, Number(v & 0xffffffffn))
    }
    let best: BucketState | undefined
    let score = -1
    for (const b of this.buckets) {
      if (b.spec.weight === 0 || !live(b)) continue
      const r = hashStep(hashStep(h, b.spec.id), 0x5bd1e995) >>> 0
      // -weight / ln(r): proportional shares
      const s = b.spec.weight / -Math.log((r + 1) / 4294967297)
      if (s > score) {
        score = s
        best = b
      }
    }
    return best
  }
}

/** Divides a power of two of slots among buckets by weight, largest remainders first. */
function apportion(buckets: readonly BucketState[]): (BucketState | undefined)[] {
  if (buckets.length === 0) return [undefined]
  const total = buckets.reduce((n, b) => n + b.spec.weight, 0)
  let size = 16
  const least = Math.min(...buckets.map((b) => b.spec.weight))
  while (size < MAX_SLOTS && (size < buckets.length || (size * least) / total < 1)) size *= 2
  const shares = buckets.map((b) => ({ b, exact: (size * b.spec.weight) / total, n: 0 }))
  let given = 0
  for (const s of shares) {
    s.n = Math.floor(s.exact)
    given += s.n
  }
  shares.sort((x, y) => y.exact - y.n - (x.exact - x.n))
  for (let i = 0; given < size; i = (i + 1) % shares.length, given++) (shares[i] as { n: number }).n++
  shares.sort((x, y) => x.b.spec.id - y.b.spec.id)
  const slots: (BucketState | undefined)[] = []
  for (const s of shares) for (let i = 0; i < s.n; i++) slots.push(s.b)
  return slots.slice(0, size)
}
