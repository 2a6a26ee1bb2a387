import type { Action } from '../openflow/actions/action.ts'
import type { FieldMatch, Match } from '../openflow/fields/field.ts'
import { canonicalMatch, fieldMatch, matchKey } from '../openflow/fields/match.ts'
import { F } from '../openflow/fields/table.ts'
import { combine, type Expression, LanguageError } from './match.ts'
import type { Clause, Dimension, MatchEnv, Term } from './normalise.ts'
import { normalise } from './normalise.ts'

/** One flow says: the conjunction `id`'s dimension `clause`, of `clauses`, holds. */
export interface ConjunctionPart {
  /** From 0, within this logical flow. */
  readonly id: number
  /** From 0. */
  readonly clause: number
  readonly clauses: number
}

export interface LoweredFlow {
  /** Canonical; without the datapath (metadata), which is the caller's to add. */
  readonly match: Match
  /** With it, the flow carries these `conjunction()` actions and not the logical flow's own. */
  readonly parts?: readonly ConjunctionPart[]
  /** With it, the flow matches this conjunction as a whole: its `conj_id` is not yet in `match`. */
  readonly conjunction?: number
}

export interface LoweredMatch {
  /** Each match occurs once. */
  readonly flows: readonly LoweredFlow[]
  /** How many conjunction ids the match needs. */
  readonly conjunctions: number
  /** Why there are no flows: the match has too many alternatives. */
  readonly error?: string
}

const NEVER: LoweredMatch = { flows: [], conjunctions: 0 }

/**
 * The OpenFlow flows that together match what an expanded expression matches (`ParsedMatch.expression`),
 * as far as the actions' prerequisites (`ParsedActions.prerequisites`) hold. Alternatives of two
 * or more independent fields become a conjunctive match (ovs-actions(7), conjunction).
 */
export function lowerMatch(e: Expression, prerequisites: Expression | undefined, env: MatchEnv): LoweredMatch {
  return lowerExpression(prerequisites ? combine('and', [e, prerequisites]) : e, env)
}

/** Like lowerMatch, without what actions require. */
export function lowerExpression(e: Expression, env: MatchEnv): LoweredMatch {
  let clauses: readonly Clause[]
  try {
    clauses = normalise(e, env)
  } catch (problem) {
    if (problem instanceof LanguageError) return { ...NEVER, error: problem.message }
    throw problem
  }
  if (clauses.length === 0) return NEVER
  const plain = new Map<string, LoweredFlow>()
  const parts = new Map<string, { match: Match; parts: ConjunctionPart[] }>()
  let conjunctions = 0
  for (const clause of clauses) {
    const { bases, open } = divide(clause)
    for (const base of bases) {
      if (open.length < 2) {
        for (const term of open.length ? withEach(base, open[0] as Dimension) : [base]) {
          const match = canonicalMatch(term)
          if (match) plain.set(matchKey(match), { match })
        }
        continue
      }
      const match = canonicalMatch(base)
      if (!match) continue
      const id = conjunctions++
      plain.set(`conjunction ${id}`, { match, conjunction: id })
      open.forEach((dimension, clauseNumber) => {
        for (const term of withEach(base, dimension)) {
          const m = canonicalMatch(term)
          if (!m) continue
          const key = matchKey(m)
          const part: ConjunctionPart = { id, clause: clauseNumber, clauses: open.length }
          const old = parts.get(key)
          if (old) old.parts.push(part)
          else parts.set(key, { match: m, parts: [part] })
        }
      })
    }
  }
  return { flows: [...plain.values(), ...parts.values()], conjunctions }
}

/** What every flow of a clause has in common, by combination, and the dimensions that vary freely. */
function divide(clause: Clause): { bases: readonly FieldMatch[][]; open: readonly Dimension[] } {
  let bases: FieldMatch[][] = [[]]
  const open: Dimension[] = []
  for (const dimension of clause) {
    const [only, other] = dimension.terms
    if (only && !other) for (const base of bases) base.push(comparison(dimension, only))
    else if (!dimension.root.cross) open.push(dimension)
    else bases = bases.flatMap((base) => withEach(base, dimension))
  }
  return { bases, open }
}

function withEach(base: readonly FieldMatch[], d: Dimension): FieldMatch[][] {
  return d.terms.map((t) => [...base, comparison(d, t)])
}

function comparison(d: Dimension, t: Term): FieldMatch {
  const { field } = d.root
  // Bits of ct_state that mean nothing cannot be compared.
  return fieldMatch(field, t.value, field === F.ct_state ? t.mask & 0xffn : t.mask)
}

/** A flow's match with its conjunction's id, where `first` is the number of the logical flow's first one. */
export function conjunctionMatch(flow: LoweredFlow, first: number): Match {
  if (flow.conjunction === undefined) return flow.match
  return canonicalMatch([...flow.match, fieldMatch(F.conj_id, (first + flow.conjunction) >>> 0)]) ?? flow.match
}

/** The actions of a flow that is but a part of conjunctions. */
export function conjunctionActions(parts: readonly ConjunctionPart[], first: number): Action[] {
  return parts.map((p) => ({ type: 'conjunction', id: (first + p.id) >>> 0, clause: p.clause, clauses: p.clauses }))
}
