import { type Compare, type Expression, LanguageError } from './match.ts'
import type { Root } from './symbols.ts'

/** Some bits of a field that must have a value; in the place they have in the root's field. */
export interface Term {
  readonly value: bigint
  readonly mask: bigint
}

/** A field and its alternatives: one of them must hold. None contains another. */
export interface Dimension {
  readonly root: Root
  readonly terms: readonly Term[]
}

/** All dimensions must hold. Ordered by the root's name; at most one dimension a root. */
export type Clause = readonly Dimension[]

/** What a match depends on besides the packet. */
export interface MatchEnv {
  /** The tunnel key that stands for a port or multicast group; undefined: nothing of the name. */
  lookupPort(name: string): number | undefined
  /** Whether the port is bound to this chassis. */
  isChassisResident(port: string): boolean
}

/** The tunnel key behind a port's name; `none` is the name of no port, and zero. */
export function portKey(name: string, env: Pick<MatchEnv, 'lookupPort'>): number | undefined {
  return name === 'none' ? 0 : env.lookupPort(name)
}

/** More alternatives than this are refused; a match of that kind is a mistake or an attack. */
export const MAX_CLAUSES = 1 << 17

const TOO_MANY = 'Expression expands to too many flows.'

/**
 * A match as a disjunction of clauses; empty: never, one empty clause: always. The expression must
 * be expanded (expand.ts).
 */
export function normalise(e: Expression, env: MatchEnv): readonly Clause[] {
  switch (e.type) {
    case 'boolean':
      return e.value ? ALWAYS : NEVER
    case 'resident':
      return env.isChassisResident(e.port) !== e.negated ? ALWAYS : NEVER
    case 'port':
    case 'compare': {
      const terms = leaf(e, env)
      return terms === ANY ? ALWAYS : terms.length ? [[{ root: e.field.symbol.root, terms }]] : NEVER
    }
    case 'predicate':
      throw new LanguageError(`predicate ${e.symbol.name} is not expanded`)
    case 'or':
      return alternatives(e.of, env)
    case 'and': {
      const single: (readonly Clause[])[] = []
      const several: (readonly Clause[])[] = []
      for (const x of e.of) {
        const clauses = normalise(x, env)
        if (clauses.length === 0) return NEVER
        if (clauses.length === 1) single.push(clauses)
        else several.push(clauses)
      }
      // Single clauses by pairs: a thousand `!=' are so ten rounds, not a thousand. Then the others,
      // small ones first.
      let out = tournament(single)
      for (const p of several.sort((x, y) => x.length - y.length)) out = product(out, p)
      return out
    }
  }
}

function tournament(parts: readonly (readonly Clause[])[]): readonly Clause[] {
  let round = parts
  while (round.length > 1) {
    const next: (readonly Clause[])[] = []
    for (let i = 0; i < round.length; i += 2) {
      const a = round[i] as readonly Clause[]
      const b = round[i + 1]
      next.push(b ? product(a, b) : a)
    }
    round = next
  }
  return round[0] ?? ALWAYS
}

const NEVER: readonly Clause[] = []
const ALWAYS: readonly Clause[] = [[]]
const ANY: readonly Term[] = [{ value: 0n, mask: 0n }]

function leaf(e: Extract<Expression, { type: 'compare' | 'port' }>, env: MatchEnv): readonly Term[] {
  if (e.type === 'compare') return termsOf(e)
  const key = portKey(e.port, env)
  return key === undefined ? [] : [{ value: BigInt(key), mask: e.field.symbol.root.field.ones }]
}

/** Disjunction. Comparisons of one root, and nothing else, become one dimension. */
function alternatives(of: readonly Expression[], env: MatchEnv): readonly Clause[] {
  const first = of[0]
  const root = first && (first.type === 'compare' || first.type === 'port') ? first.field.symbol.root : undefined
  if (root && of.every((x) => (x.type === 'compare' || x.type === 'port') && x.field.symbol.root === root)) {
    const all: Term[] = []
    for (const x of of) {
      const terms = leaf(x as Compare, env)
      if (terms === ANY) return ALWAYS
      for (const t of terms) all.push(t)
    }
    return all.length ? [[{ root, terms: minimal(all) }]] : NEVER
  }
  const out: Clause[] = []
  for (const x of of) {
    for (const clause of normalise(x, env)) {
      if (clause.length === 0) return ALWAYS
      out.push(clause)
    }
    if (out.length > MAX_CLAUSES) throw new LanguageError(TOO_MANY)
  }
  return merged(out)
}

/** Clauses about one root and nothing else are alternatives of one dimension. */
function merged(clauses: readonly Clause[]): readonly Clause[] {
  const root = clauses[0]?.[0]?.root
  if (!root || clauses.length < 2 || !clauses.every((c) => c.length === 1 && c[0]?.root === root)) return clauses
  return [[{ root, terms: minimal(clauses.flatMap((c) => c[0]?.terms ?? [])) }]]
}

function product(a: readonly Clause[], b: readonly Clause[]): readonly Clause[] {
  if (a === ALWAYS) return b
  if (b === ALWAYS) return a
  if (a.length * b.length > MAX_CLAUSES) throw new LanguageError(TOO_MANY)
  const out: Clause[] = []
  for (const x of a) {
    for (const y of b) {
      const both = meet(x, y)
      if (both) out.push(both)
    }
  }
  return out
}

/** Conjunction of two clauses; undefined when they contradict each other. */
function meet(a: Clause, b: Clause): Clause | undefined {
  const out: Dimension[] = []
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    const x = a[i]
    const y = b[j]
    if (x && y && x.root === y.root) {
      const terms = intersect(x.terms, y.terms)
      if (terms.length === 0) return undefined
      out.push({ root: x.root, terms })
      i++
      j++
    } else if (x && (!y || x.root.name < y.root.name)) {
      out.push(x)
      i++
    } else if (y) {
      out.push(y)
      j++
    }
  }
  return out
}

function intersect(a: readonly Term[], b: readonly Term[]): readonly Term[] {
  const out: Term[] = []
  const take = (x: Term, y: Term) => {
    out.push({ value: x.value | y.value, mask: x.mask | y.mask })
    if (out.length > MAX_CLAUSES) throw new LanguageError(TOO_MANY)
  }
  const [few, many] = a.length < b.length ? [a, b] : [b, a]
  if (few.length < 8) {
    for (const x of few) {
      for (const y of many) {
        const common = x.mask & y.mask
        if ((x.value & common) === (y.value & common)) take(x, y)
      }
    }
    return minimal(out)
  }
  // Terms of one mask agree with another term where their common bits do: found by those bits.
  const groups = new Map<bigint, Term[]>()
  for (const y of few) {
    const group = groups.get(y.mask)
    if (group) group.push(y)
    else groups.set(y.mask, [y])
  }
  const indexes = [...groups].map(([mask, terms]) => ({
    mask,
    terms,
    byCommon: new Map<bigint, Map<bigint, Term[]>>(),
  }))
  for (const x of many) {
    for (const { mask, terms, byCommon } of indexes) {
      const common = x.mask & mask
      let index = byCommon.get(common)
      if (!index) {
        index = new Map()
        for (const y of terms) {
          const key = y.value & common
          const list = index.get(key)
          if (list) list.push(y)
          else index.set(key, [y])
        }
        byCommon.set(common, index)
      }
      for (const y of index.get(x.value & common) ?? []) take(x, y)
    }
  }
  return minimal(out)
}

/** Leaves out terms that another one contains. Ordered by value, then mask. */
export function minimal(terms: readonly Term[]): readonly Term[] {
  if (terms.length < 2) return terms
  const byMask = new Map<bigint, Map<bigint, Term>>()
  for (const t of terms) {
    let values = byMask.get(t.mask)
    if (!values) byMask.set(t.mask, (values = new Map()))
    values.set(t.value, t)
  }
  const masks = [...byMask.keys()]
  const out: Term[] = []
  for (const [mask, values] of byMask) {
    const wider = masks.filter((m) => m !== mask && (m & mask) === m)
    for (const t of values.values()) {
      if (!wider.some((m) => byMask.get(m)?.has(t.value & m))) out.push(t)
    }
  }
  return out.sort((x, y) => (x.value < y.value ? -1 : x.value > y.value ? 1 : x.mask < y.mask ? -1 : 1))
}

/**
 * The bits that make a comparison true. `!=`, `<` and `>` become one term for each bit at which a
 * value can first differ: those above it equal, that one turned.
 */
export function termsOf(e: Compare): readonly Term[] {
  const shift = BigInt(e.field.offset)
  const at = (value: bigint, mask: bigint): Term => ({ value: (value & mask) << shift, mask: mask << shift })
  const { value, mask, relation } = e
  if (relation === '==') return mask === 0n ? ANY : [at(value, mask)]
  const wantsHigher = relation !== '<' && relation !== '<='
  const wantsLower = relation !== '>' && relation !== '>='
  const all = (1n << BigInt(e.field.bits)) - 1n
  if (relation === '>=' && value === 0n) return ANY
  if (relation === '<=' && value === all) return ANY
  const out: Term[] = []
  let above = 0n
  for (let i = e.field.bits - 1; i >= 0; i--) {
    const bit = 1n << BigInt(i)
    if (!(mask & bit)) continue
    above |= bit
    if (value & bit ? wantsLower : wantsHigher) out.push(at(value ^ bit, above))
  }
  if (relation === '<=' || relation === '>=') out.push(at(value, all))
  return out
}
