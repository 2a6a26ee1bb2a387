import { Lexer } from './lexer.ts'
import { combine, type Expression, MatchParser, NO_SETS, negate } from './match.ts'
import { CONDITION_SYMBOLS, type FieldSymbol, type PredicateSymbol } from './symbols.ts'

const conditions = new Map<string, Expression>()

/** The tree of one of our own texts: an expansion or a prerequisite, as it stands. */
function condition(text: string): Expression {
  let e = conditions.get(text)
  if (!e) {
    e = new MatchParser(new Lexer(text), NO_SETS, CONDITION_SYMBOLS).parse()
    conditions.set(text, e)
  }
  return e
}

const prerequisites = new Map<string, Expression>()
const predicates = new Map<PredicateSymbol, [positive: Expression, negative: Expression]>()

/** What must hold wherever the symbol is used, spelled out in fields; undefined if nothing. */
export function prerequisiteOf(symbol: FieldSymbol): Expression | undefined {
  const text = symbol.prerequisite
  return text === undefined ? undefined : expandText(text)
}

/** A condition of our own, such as the prerequisite of an action, spelled out in fields. */
export function expandText(text: string): Expression {
  let e = prerequisites.get(text)
  if (!e) {
    e = expand(condition(text))
    prerequisites.set(text, e)
  }
  return e
}

/**
 * Replaces predicates by what they stand for and adds the prerequisites of every field, so that
 * only comparisons of fields (and residence) are left.
 *
 * The alternatives of one symbol get their prerequisites once, around them all: only so do they
 * remain one dimension of a conjunctive match.
 */
export function expand(e: Expression): Expression {
  switch (e.type) {
    case 'boolean':
    case 'resident':
      return e
    case 'compare':
    case 'port':
      return require(e.field.symbol, e)
    case 'predicate': {
      let both = predicates.get(e.symbol)
      if (!both) {
        const parsed = condition(e.symbol.expansion)
        // Only a Boolean predicate can be negated; a nominal one's negation cannot be said.
        both = [expand(parsed), e.symbol.level === 'nominal' ? expand(parsed) : expand(negate(parsed))]
        predicates.set(e.symbol, both)
      }
      return both[e.negated ? 1 : 0]
    }
    case 'and':
    case 'or': {
      const symbol = soleSymbol(e.of)
      return symbol ? require(symbol, e) : combine(e.type, e.of.map(expand))
    }
  }
}

function soleSymbol(of: readonly Expression[]): FieldSymbol | undefined {
  let symbol: FieldSymbol | undefined
  for (const e of of) {
    if (e.type !== 'compare' && e.type !== 'port') return undefined
    if (symbol && symbol !== e.field.symbol) return undefined
    symbol = e.field.symbol
  }
  return symbol
}

function require(symbol: FieldSymbol, e: Expression): Expression {
  const on = prerequisiteOf(symbol)
  return on ? combine('and', [e, on]) : e
}
