import { IN_PORT, type Key, RECIRC_ID } from '../classifier/key.ts'
import { equalValues, hashKey, hashValues, type Mask, matchesValues } from '../classifier/mask.ts'
import type { DpAction } from './action.ts'
import type { Dependency, Effect } from './dependency.ts'

/** A cached outcome of the pipeline for all packets that agree in the bits it looked at. */
export class Megaflow {
  generation = 0
  versions: number[] = []
  packets = 0
  bytes = 0
  /** Not yet credited to the effects. */
  newPackets = 0
  newBytes = 0
  /** Monotonic milliseconds. */
  used = 0
  removed = false
  constructor(
    readonly mask: Mask,
    readonly values: Uint32Array,
    public actions: readonly DpAction[],
    public dependencies: readonly Dependency[],
    public effects: readonly Effect[],
    readonly created: number,
  ) {}

  remember(generation: number): void {
    this.generation = generation
    const { dependencies, versions } = this
    versions.length = dependencies.length
    for (let i = 0; i < dependencies.length; i++) versions[i] = (dependencies[i] as Dependency).version
  }

  /** Whether nothing that it depends on has changed. */
  current(): boolean {
    const { dependencies, versions } = this
    for (let i = 0; i < dependencies.length; i++) {
      if ((dependencies[i] as Dependency).version !== versions[i]) return false
    }
    return true
  }

  /** Passes on what was counted since the last time. */
  flush(): void {
    if (this.newPackets === 0) return
    const { newPackets, newBytes, used } = this
    this.newPackets = 0
    this.newBytes = 0
    for (const e of this.effects) e.credit(newPackets, newBytes, used)
  }
}

interface Subtable {
  readonly mask: Mask
  readonly flows: Map<number, Megaflow | Megaflow[]>
  hits: number
}

/**
 * Tuple space search without priorities, apart for each port and recirculation: no two megaflows
 * overlap in outcome, so the first that matches is the one.
 */
export class MegaflowCache {
  private readonly partitions = new Map<number, Subtable[]>()
  size = 0
  masks = 0
  hits = 0
  misses = 0
  /** Subtables looked into, for `dpif/show`. */
  visited = 0
  private sinceSort = 0

  lookup(key: Key): Megaflow | undefined {
    const tables = this.partitions.get(partitionOf(key))
    if (tables) {
      for (let i = 0; i < tables.length; i++) {
        const t = tables[i] as Subtable
        const found = t.flows.get(hashKey(t.mask, key))
        if (found === undefined) continue
        if (found instanceof Megaflow) {
          if (matchesValues(found.mask, key, found.values)) {
            this.visited += i + 1
            this.hits++
            t.hits++
            if (i > 0 && ++this.sinceSort > 1024) this.resort(tables)
            return found
          }
        } else {
          for (const f of found) if (matchesValues(f.mask, key, f.values)) return f
        }
      }
      this.visited += tables.length
    }
    this.misses++
    return undefined
  }

  private resort(tables: Subtable[]): void {
    this.sinceSort = 0
    tables.sort((a, b) => b.hits - a.hits)
    for (const t of tables) t.hits >>= 1
  }

  insert(flow: Megaflow, key: Key): void {
    const p = partitionOf(key)
    let tables = this.partitions.get(p)
    if (!tables) this.partitions.set(p, (tables = []))
    let t = tables.find((x) => x.mask === flow.mask)
    if (!t) {
      tables.push((t = { mask: flow.mask, flows: new Map(), hits: 0 }))
      this.masks++
    }
    const hash = hashValues(flow.values)
    const old = t.flows.get(hash)
    if (old === undefined) t.flows.set(hash, flow)
    else if (old instanceof Megaflow) {
      if (equalValues(old.values, flow.values)) {
        t.flows.set(hash, flow)
        old.flush()
        old.removed = true
        return
      }
      t.flows.set(hash, [old, flow])
    } else {
      const same = old.findIndex((f) => equalValues(f.values, flow.values))
      if (same >= 0) {
        const before = old[same] as Megaflow
        before.flush()
        before.removed = true
        old[same] = flow
        return
      }
      old.push(flow)
    }
    this.size++
  }

  /** Keeps the flows for which `keep` holds. */
  filter(keep: (flow: Megaflow) => boolean): void {
    for (const [p, tables] of this.partitions) {
      for (let i = tables.length - 1; i >= 0; i--) {
        const t = tables[i] as Subtable
        for (const [hash, entry] of t.flows) {
          const list = entry instanceof Megaflow ? [entry] : entry
          const left = list.filter((f) => {
            if (!f.removed && keep(f)) return true
            f.flush()
            f.removed = true
            return false
          })
          this.size -= list.length - left.length
          if (left.length === 0) t.flows.delete(hash)
          else if (left.length < list.length) t.flows.set(hash, left.length === 1 ? (left[0] as Megaflow) : left)
        }
        if (t.flows.size === 0) {
          tables.splice(i, 1)
          this.masks--
        }
      }
      if (tables.length === 0) this.partitions.delete(p)
    }
  }

  remove(flow: Megaflow): void {
    flow.removed = true
    this.filterOne(flow)
  }

  private filterOne(flow: Megaflow): void {
    const i = flow.mask.words.indexOf(IN_PORT)
    const r = flow.mask.words.indexOf(RECIRC_ID)
    const key = new Uint32Array(2)
    key[IN_PORT] = i >= 0 ? (flow.values[i] as number) : 0
    key[RECIRC_ID] = r >= 0 ? (flow.values[r] as number) : 0
    const p = partitionOf(key)
    const tables = this.partitions.get(p)
    const t = tables?.find((x) => x.mask === flow.mask)
    if (!tables || !t) return
    const hash = hashValues(flow.values)
    const entry = t.flows.get(hash)
    if (entry === flow) t.flows.delete(hash)
    else if (Array.isArray(entry)) {
      const left = entry.filter((f) => f !== flow)
      if (left.length === entry.length) return
      t.flows.set(hash, left.length === 1 ? (left[0] as Megaflow) : left)
    } else return
    this.size--
    if (t.flows.size === 0) {
      tables.splice(tables.indexOf(t), 1)
      this.masks--
      if (!tables.length) this.partitions.delete(p)
    }
  }

  *flows(): IterableIterator<Megaflow> {
    for (const tables of this.partitions.values()) {
      for (const t of tables) {
        for (const entry of t.flows.values()) {
          if (entry instanceof Megaflow) yield entry
          else yield* entry
        }
      }
    }
  }

  clear(): void {
    this.filter(() => false)
  }
}

function partitionOf(key: Key): number {
  return ((Math.imul(key[RECIRC_ID] as number, 0x9e3779b1) ^ (key[IN_PORT] as number)) << 2) >> 2
}
