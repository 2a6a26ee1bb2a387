import { CONJ_ID, type Key } from './key.ts'
import { equalValues, hashStep, hashValues, type Mask, matchesValues, unwildcard } from './mask.ts'

/** A clause of a conjunctive match: number `clause` (from 0) of `count`, ovs-fields(7) "Conjunctive Match Fields". */
export interface Conjunction {
  readonly id: number
  readonly clause: number
  readonly count: number
}

/** What the classifier keeps: a mask, the values under it, a priority. */
export interface Classified {
  readonly mask: Mask
  readonly values: Uint32Array
  readonly priority: number
  /** Not empty: the rule is not a match by itself but a clause of conjunctions. */
  readonly conjunctions: readonly Conjunction[]
}

class Subtable<R extends Classified> {
  /** Rules of one hash; of equal values the highest priority stands first. */
  readonly buckets = new Map<number, R[]>()
  /** For each stage but the last: how many rules have this hash of their first words. */
  readonly stageCounts: Map<number, number>[]
  readonly priorities = new Map<number, number>()
  maxPriority = -1
  size = 0
  constructor(readonly mask: Mask) {
    this.stageCounts = mask.stages.slice(0, -1).map(() => new Map())
  }
}

/**
 * Tuple space search: rules with the same mask share a hash table, and tables are visited in the
 * order of their highest priority until none can beat what was found. Within a table, the words of
 * a stage are hashed and looked up before later ones are touched, so that a packet which differs in
 * its metadata is not said to depend on its ports.
 */
export class Classifier<R extends Classified> {
  private readonly subtables = new Map<string, Subtable<R>>()
  private order: Subtable<R>[] = []
  private sorted = true
  size = 0

  /** Adds a rule; there must be none with the same mask, values and priority. */
  insert(rule: R): void {
    let sub = this.subtables.get(rule.mask.id)
    if (!sub) {
      sub = new Subtable<R>(rule.mask)
      this.subtables.set(rule.mask.id, sub)
      this.order.push(sub)
      this.sorted = false
    }
    const hash = hashValues(rule.values)
    const bucket = sub.buckets.get(hash)
    if (!bucket) sub.buckets.set(hash, [rule])
    else {
      let i = 0
      while (i < bucket.length && (bucket[i] as R).priority >= rule.priority) i++
      bucket.splice(i, 0, rule)
    }
    for (let s = 0; s < sub.stageCounts.length; s++) {
      const counts = sub.stageCounts[s] as Map<number, number>
      const h = hashValues(rule.values, rule.mask.stages[s])
      counts.set(h, (counts.get(h) ?? 0) + 1)
    }
    sub.priorities.set(rule.priority, (sub.priorities.get(rule.priority) ?? 0) + 1)
    if (rule.priority > sub.maxPriority) {
      sub.maxPriority = rule.priority
      this.sorted = false
    }
    sub.size++
    this.size++
  }

  remove(rule: R): void {
    const sub = this.subtables.get(rule.mask.id)
    const hash = hashValues(rule.values)
    const bucket = sub?.buckets.get(hash)
    const i = bucket ? bucket.indexOf(rule) : -1
    if (!sub || !bucket || i < 0) return
    bucket.splice(i, 1)
    if (!bucket.length) sub.buckets.delete(hash)
    for (let s = 0; s < sub.stageCounts.length; s++) {
      const counts = sub.stageCounts[s] as Map<number, number>
      const h = hashValues(rule.values, rule.mask.stages[s])
      const n = (counts.get(h) ?? 0) - 1
      if (n > 0) counts.set(h, n)
      else counts.delete(h)
    }
    this.size--
    if (--sub.size === 0) {
      this.subtables.delete(sub.mask.id)
      this.order.splice(this.order.indexOf(sub), 1)
      return
    }
    const left = (sub.priorities.get(rule.priority) ?? 0) - 1
    if (left > 0) sub.priorities.set(rule.priority, left)
    else {
      sub.priorities.delete(rule.priority)
      if (rule.priority === sub.maxPriority) {
        let max = -1
        for (const p of sub.priorities.keys()) if (p > max) max = p
        sub.maxPriority = max
        this.sorted = false
      }
    }
  }

  /** The rule with exactly this match and priority. */
  find(mask: Mask, values: Uint32Array, priority: number): R | undefined {
    const bucket = this.subtables.get(mask.id)?.buckets.get(hashValues(values))
    return bucket?.find((r) => r.priority === priority && equalValues(r.values, values))
  }

  *rules(): IterableIterator<R> {
    for (const sub of this.subtables.values()) for (const bucket of sub.buckets.values()) yield* bucket
  }

  /** The rules that have exactly this match, whatever their priority. */
  withMatch(mask: Mask, values: Uint32Array): R[] {
    const bucket = this.subtables.get(mask.id)?.buckets.get(hashValues(values))
    return bucket ? bucket.filter((r) => equalValues(r.values, values)) : []
  }

  /**
   * The rule of the highest priority that matches. Into `wildcards` go the bits that were looked
   * at, into `clauses` the rules that made up a conjunction. Conjunctive matches set the key's `conj_id` for the time of the look-up and leave it zero.
   */
  lookup(key: Key, wildcards: Uint32Array | undefined, clauses?: R[]): R | undefined {
    return this.search(key, wildcards, true, clauses)
  }

  private search(key: Key, wildcards: Uint32Array | undefined, conjunctive: boolean, clauses?: R[]): R | undefined {
    if (!this.sorted) {
      this.order.sort((a, b) => b.maxPriority - a.maxPriority)
      this.sorted = true
    }
    const order = this.order
    let hard: R | undefined
    let soft: { rules: R[]; at: number }[] | undefined
    for (let t = 0; t < order.length; t++) {
      const sub = order[t] as Subtable<R>
      if (hard !== undefined && sub.maxPriority <= hard.priority) break
      const matches = this.probe(sub, key, wildcards)
      if (!matches) continue
      const first = matches.rules[matches.at] as R
      if (first.conjunctions.length === 0) {
        if (hard === undefined || first.priority > hard.priority) hard = first
      } else if (conjunctive) {
        // a clause of lower priority may count when one of higher does not complete
        if (hard === undefined || first.priority > hard.priority) (soft ??= []).push(matches)
        const behind = nextHard(matches.rules, matches.at, first)
        if (behind && (hard === undefined || behind.priority > hard.priority)) hard = behind
      } else {
        const behind = nextHard(matches.rules, matches.at, first)
        if (behind && (hard === undefined || behind.priority > hard.priority)) hard = behind
      }
    }
    return soft ? this.conjunctive(key, wildcards, hard, soft, clauses) : hard
  }

  private conjunctive(
    key: Key,
    wildcards: Uint32Array | undefined,
    hard: R | undefined,
    soft: { rules: R[]; at: number }[],
    clauses: R[] | undefined,
  ): R | undefined {
    const floor = hard ? hard.priority : -1
    for (;;) {
      let top = floor
      for (const s of soft) {
        const r = s.rules[s.at]
        if (r && r.priority > top) top = r.priority
      }
      if (top === floor) return hard
      const seen = new Map<number, { clauses: bigint; count: number }>()
      for (const s of soft) {
        const r = s.rules[s.at]
        if (!r || r.priority !== top) continue
        for (const c of r.conjunctions) {
          const state = seen.get(c.id) ?? { clauses: 0n, count: c.count }
          state.clauses |= 1n << BigInt(c.clause)
          seen.set(c.id, state)
        }
      }
      let best: R | undefined
      let chosen = 0
      for (const [id, state] of seen) {
        if (state.clauses !== (1n << BigInt(state.count)) - 1n) continue
        const before = key[CONJ_ID] as number
        key[CONJ_ID] = id
        const rule = this.search(key, wildcards, false)
        key[CONJ_ID] = before
        if (rule && (!best || rule.priority > best.priority)) {
          best = rule
          chosen = id
        }
      }
      if (best) {
        for (const s of clauses ? soft : []) {
          const r = s.rules[s.at]
          if (r?.priority === top && r.conjunctions.some((c) => c.id === chosen)) clauses?.push(r)
        }
        return best
      }
      // none completed at this priority: go on to the next lower rules of the same matches
      for (const s of soft) {
        const r = s.rules[s.at]
        if (!r || r.priority !== top) continue
        s.at++
        for (; s.at < s.rules.length; s.at++) {
          const next = s.rules[s.at] as R
          if (equalValues(next.values, r.values)) {
            if (next.conjunctions.length === 0) s.at = s.rules.length
            break
          }
        }
      }
    }
  }

  private probe(
    sub: Subtable<R>,
    key: Key,
    wildcards: Uint32Array | undefined,
  ): { rules: R[]; at: number } | undefined {
    const { words, bits, stages } = sub.mask
    let hash = 0x2545f491
    let i = 0
    const last = stages.length - 1
    for (let s = 0; s < last; s++) {
      const end = stages[s] as number
      for (; i < end; i++) hash = hashStep(hash, (key[words[i] as number] as number) & (bits[i] as number))
      if (!(sub.stageCounts[s] as Map<number, number>).has(hash)) {
        if (wildcards) unwildcard(wildcards, sub.mask, end)
        return undefined
      }
    }
    for (; i < words.length; i++) hash = hashStep(hash, (key[words[i] as number] as number) & (bits[i] as number))
    if (wildcards) unwildcard(wildcards, sub.mask, words.length)
    const bucket = sub.buckets.get(hash)
    if (!bucket) return undefined
    for (let k = 0; k < bucket.length; k++) {
      if (matchesValues(sub.mask, key, (bucket[k] as R).values)) return { rules: bucket, at: k }
    }
    return undefined
  }
}

/** Of the rules behind `at` with the values of `like`, the first that is a match by itself. */
function nextHard<R extends Classified>(rules: R[], at: number, like: R): R | undefined {
  for (let i = at + 1; i < rules.length; i++) {
    const r = rules[i] as R
    if (r.conjunctions.length === 0 && equalValues(r.values, like.values)) return r
  }
  return undefined
}
