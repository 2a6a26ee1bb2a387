import type { Integer, Lexer } from './lexer.ts'
import { type FieldSymbol, type PredicateSymbol, SYMBOLS, type SymbolTable } from './symbols.ts'

export type Relation = '==' | '!=' | '<' | '<=' | '>' | '>='

/** A field symbol, or some bits of one. */
export interface FieldRef {
  readonly symbol: FieldSymbol
  /** From the least significant bit of the root's field. */
  readonly offset: number
  /** 0 for a string. */
  readonly bits: number
}

/**
 * A match as a tree. Negation is resolved (De Morgan, inverse relations), sets are spelled out,
 * `and` and `or` have at least two operands, none of their own kind.
 */
export type Expression =
  | { readonly type: 'and' | 'or'; readonly of: readonly Expression[] }
  | { readonly type: 'boolean'; readonly value: boolean }
  | {
      readonly type: 'compare'
      readonly field: FieldRef
      readonly relation: Relation
      /** Of the field's width, not shifted to its offset. */
      readonly value: bigint
      /** All bits of the field where the constant had none. */
      readonly mask: bigint
      /** Where the comparison begins in the text. */
      readonly at: number
    }
  | { readonly type: 'port'; readonly field: FieldRef; readonly port: string; readonly at: number }
  | { readonly type: 'predicate'; readonly symbol: PredicateSymbol; readonly negated: boolean; readonly at: number }
  | { readonly type: 'resident'; readonly port: string; readonly negated: boolean; readonly at: number }

export type Compare = Extract<Expression, { type: 'compare' }>

/** What a text may refer to besides symbols. */
export interface NameSets {
  /** The constants of `$name`; undefined if there is no such address set. */
  addressSet(name: string): readonly Integer[] | undefined
  /** The ports of `@name`. */
  portGroup(name: string): readonly string[] | undefined
}

export const NO_SETS: NameSets = { addressSet: () => undefined, portGroup: () => undefined }

export const TRUE: Expression = { type: 'boolean', value: true }
export const FALSE: Expression = { type: 'boolean', value: false }

/** Thrown inside the parsers of this folder and turned into a Result by their entry points. */
export class LanguageError extends Error {}

/** What went wrong: what the lexer could not read comes before what it means. */
export function complaint(lexer: Lexer, e: LanguageError): string {
  return lexer.token.type === 'error' ? lexer.token.text : e.message
}

/** Flattens nested operators of one kind and drops what does not matter. */
export function combine(type: 'and' | 'or', parts: readonly Expression[]): Expression {
  const out: Expression[] = []
  const absorbing = type === 'or'
  for (const p of parts) {
    if (p.type === 'boolean') {
      if (p.value === absorbing) return p
    } else if (p.type === type) out.push(...p.of)
    else out.push(p)
  }
  if (out.length === 0) return absorbing ? FALSE : TRUE
  return out.length === 1 ? (out[0] as Expression) : { type, of: out }
}

const INVERSE: Readonly<Record<Relation, Relation>> = {
  '==': '!=',
  '!=': '==',
  '<': '>=',
  '>=': '<',
  '>': '<=',
  '<=': '>',
}

/** The opposite; a comparison of a string has none in the language, so it may not occur. */
export function negate(e: Expression): Expression {
  switch (e.type) {
    case 'and':
    case 'or':
      return combine(e.type === 'and' ? 'or' : 'and', e.of.map(negate))
    case 'boolean':
      return e.value ? FALSE : TRUE
    case 'compare':
      return { ...e, relation: INVERSE[e.relation] }
    case 'predicate':
    case 'resident':
      return { ...e, negated: !e.negated }
    case 'port':
      throw new LanguageError(nominalField(e.field.symbol.name))
  }
}

const nominalField = (name: string) =>
  `Nominal field ${name} may only be tested for equality (taking enclosing \`!' operators into account).`

const RELATIONS: ReadonlySet<string> = new Set<Relation>(['==', '!=', '<', '<=', '>', '>='])
const MAX_DEPTH = 100

type Constant = { readonly string: string } | Integer

interface ConstantSet {
  readonly kind: 'integer' | 'string'
  readonly values: readonly Constant[]
  /** Written in braces, or a named set. */
  readonly set: boolean
}

/** `symbol` or `symbol[3]` or `symbol[0..3]` at the lexer's position, for reading. */
export function parseFieldRef(lexer: Lexer, symbols: SymbolTable): FieldRef | PredicateSymbol {
  const token = lexer.token
  const symbol = token.type === 'id' ? symbols.get(token.text) : undefined
  if (!symbol) throw new LanguageError(lexer.syntaxError('expecting field name'))
  lexer.next()
  const width = symbol.width
  let from = 0
  let to = width - 1
  const brackets = lexer.match('[')
  if (brackets) {
    if (width === 0) throw new LanguageError(`Cannot select subfield of string field ${symbol.name}.`)
    from = smallInteger(lexer)
    to = lexer.match('..') ? smallInteger(lexer) : from
    if (!lexer.match(']')) throw new LanguageError(lexer.syntaxError("expecting `]'"))
    if (to < from) throw new LanguageError(`Invalid bit range ${from} to ${to}.`)
    if (to >= width) {
      throw new LanguageError(`Cannot select bits ${from} to ${to} of ${width}-bit field ${symbol.name}.`)
    }
    if (symbol.level === 'nominal' && to - from + 1 !== width) {
      throw new LanguageError(`Cannot select subfield of nominal field ${symbol.name}.`)
    }
  }
  if (symbol.kind === 'predicate') return symbol
  return { symbol, offset: symbol.offset + from, bits: width === 0 ? 0 : to - from + 1 }
}

function smallInteger(lexer: Lexer): number {
  const n = lexer.token.integer
  if (lexer.token.type !== 'integer' || !n || n.format !== 'decimal' || n.value > 0x7fffffffn) {
    throw new LanguageError(lexer.syntaxError('expecting small integer'))
  }
  lexer.next()
  return Number(n.value)
}

/** How many bits a constant needs: its form's for an address, else up to its highest bit. */
export function constantWidth(c: Integer): number {
  switch (c.format) {
    case 'ipv4':
      return 32
    case 'ipv6':
      return 128
    case 'ethernet':
      return 48
    default: {
      const v = c.value | (c.mask ?? 0n)
      return v === 0n ? 0 : v.toString(2).length
    }
  }
}

/** A constant must fit into the whole field, even where only some of its bits are meant. */
export function checkWidth(c: Integer, bits: number, name: string): void {
  const needed = constantWidth(c)
  if (needed > bits) throw new LanguageError(`${needed}-bit constant is not compatible with ${bits}-bit field ${name}.`)
}

/** Parses a match up to where it ends; `matchExpression` in index.ts is the public way in. */
export class MatchParser {
  private depth = 0

  constructor(
    private readonly lexer: Lexer,
    private readonly sets: NameSets,
    private readonly symbols: SymbolTable = SYMBOLS,
  ) {}

  /** A whole expression; `not` when an odd number of `!` encloses it. */
  parse(not = false): Expression {
    const first = this.operand(not)
    const operator = this.lexer.is('&&') ? '&&' : this.lexer.is('||') ? '||' : undefined
    if (!operator) return first
    const parts = [first]
    while (this.lexer.match(operator)) parts.push(this.operand(not))
    if (this.lexer.is('&&') || this.lexer.is('||')) {
      throw new LanguageError('&& and || must be parenthesized when used together.')
    }
    return combine((operator === '&&') !== not ? 'and' : 'or', parts)
  }

  private operand(not: boolean): Expression {
    if (!this.lexer.match('!')) return this.primary(not).expression
    const { expression, atomic } = this.primary(!not)
    if (!atomic) throw new LanguageError('Missing parentheses around operand of !.')
    return expression
  }

  private primary(not: boolean): { expression: Expression; atomic: boolean } {
    const lexer = this.lexer
    if (lexer.match('(')) {
      if (++this.depth > MAX_DEPTH) throw new LanguageError('Parentheses nested too deeply.')
      const expression = this.parse(not)
      if (!lexer.match(')')) throw new LanguageError(lexer.syntaxError("expecting `)'"))
      this.depth--
      return { expression, atomic: true }
    }
    const at = lexer.token.start
    if (lexer.token.type === 'id') {
      const ahead = lexer.peek()
      if (ahead.type === 'punctuation' && ahead.text === '(') return { expression: this.call(not), atomic: true }
      const field = parseFieldRef(lexer, this.symbols)
      const relation = this.relation()
      if (!relation && (lexer.is('=') || this.broken())) {
        throw new LanguageError(lexer.syntaxError('expecting relational operator'))
      }
      if (!relation) return { expression: this.mention(field, not, at), atomic: true }
      return { expression: this.compare(field, relation, this.constants(), not, at), atomic: false }
    }
    const constants = this.constants()
    const only = constants.values[0]
    if (!this.peekRelation() && !constants.set && only && !('string' in only) && only.format === 'decimal') {
      if (only.mask === undefined && only.value <= 1n) {
        return { expression: (only.value === 1n) !== not ? TRUE : FALSE, atomic: true }
      }
    }
    const first = this.relation()
    if (!first) throw new LanguageError(lexer.syntaxError('expecting relational operator'))
    const field = parseFieldRef(lexer, this.symbols)
    const turned = TURNED[first]
    const second = this.relation()
    const lower = this.compare(field, turned, constants, not, at)
    if (!second) return { expression: lower, atomic: false }
    const upper = this.constants()
    if (!(isLess(first) && isLess(second)) && !(isGreater(first) && isGreater(second))) {
      throw new LanguageError(
        "Range expressions must have the form `x < field < y' or `x > field > y', with each `<' optionally replaced by `<=' or `>' by `>=').",
      )
    }
    return {
      expression: combine(not ? 'or' : 'and', [lower, this.compare(field, second, upper, not, at)]),
      atomic: false,
    }
  }

  /** The lexer could make nothing of what comes next. */
  private broken(): boolean {
    return this.lexer.token.type === 'error'
  }

  private call(not: boolean): Expression {
    const lexer = this.lexer
    const at = lexer.token.start
    if (!lexer.matchId('is_chassis_resident')) throw new LanguageError('parsing function name')
    lexer.next()
    if (lexer.token.type !== 'string') throw new LanguageError(lexer.syntaxError('expecting string'))
    const port = lexer.token.text
    lexer.next()
    if (!lexer.match(')')) throw new LanguageError(lexer.syntaxError("expecting `)'"))
    return { type: 'resident', port, negated: not, at }
  }

  private peekRelation(): boolean {
    return this.lexer.token.type === 'punctuation' && RELATIONS.has(this.lexer.token.text)
  }

  private relation(): Relation | undefined {
    if (!this.peekRelation()) return undefined
    const r = this.lexer.token.text as Relation
    this.lexer.next()
    return r
  }

  /** A symbol alone stands for `== 1` (ovn-sb(5), "Miscellaneous"). */
  private mention(field: FieldRef | PredicateSymbol, not: boolean, at: number): Expression {
    if (!('symbol' in field)) return this.compare(field, '==', ONE, not, at)
    if (field.bits === 0) throw new LanguageError(this.lexer.syntaxError('expecting relational operator'))
    if (field.bits > 1 && not) {
      // `!reg0' says that it is zero.
      return this.compare(field, '==', ZERO, false, at)
    }
    if (field.bits > 1) {
      throw new LanguageError("Explicit `!= 0' is required for inequality test of multibit field against 0.")
    }
    return this.compare(field, '==', ONE, not, at)
  }

  private constants(): ConstantSet {
    const lexer = this.lexer
    if (!lexer.match('{')) {
      const values: Constant[] = []
      const named = lexer.token.type === 'macro' || lexer.token.type === 'port-group'
      return { kind: this.constant(values, undefined), values, set: named }
    }
    const values: Constant[] = []
    let kind: ConstantSet['kind'] | undefined
    do {
      kind = this.constant(values, kind)
      lexer.match(',')
    } while (!lexer.match('}'))
    return { kind, values, set: true }
  }

  private constant(out: Constant[], kind: ConstantSet['kind'] | undefined): ConstantSet['kind'] {
    const lexer = this.lexer
    const token = lexer.token
    const expect = (found: ConstantSet['kind']): ConstantSet['kind'] => {
      if (kind && kind !== found) throw new LanguageError(lexer.syntaxError(`expecting ${kind}`))
      lexer.next()
      return found
    }
    switch (token.type) {
      case 'template':
        throw new LanguageError('Unexpanded template.')
      case 'string':
        out.push({ string: token.text })
        return expect('string')
      case 'integer':
      case 'masked':
        out.push(token.integer as Integer)
        return expect('integer')
      case 'macro': {
        const values = this.sets.addressSet(token.text)
        if (!values) throw new LanguageError(lexer.syntaxError('expecting address set name'))
        for (const v of values) out.push(v)
        return expect('integer')
      }
      case 'port-group': {
        const ports = this.sets.portGroup(token.text)
        if (!ports) throw new LanguageError(lexer.syntaxError('expecting port group name'))
        for (const string of ports) out.push({ string })
        return expect('string')
      }
      default:
        throw new LanguageError(lexer.syntaxError('expecting constant'))
    }
  }

  private compare(
    field: FieldRef | PredicateSymbol,
    relation: Relation,
    c: ConstantSet,
    not: boolean,
    at: number,
  ): Expression {
    const symbol = 'symbol' in field ? field.symbol : field
    const width = 'symbol' in field ? field.bits : 1
    const equality = relation === '==' || relation === '!='
    if (!equality) {
      if (c.set) {
        throw new LanguageError(
          c.values.length === 0
            ? 'Only == and != operators may be used to compare a field against an empty value set.'
            : 'Only == and != operators may be used with value sets.',
        )
      }
      if (symbol.level === 'nominal') {
        throw new LanguageError(`Only == and != operators may be used with nominal field ${symbol.name}.`)
      }
    }
    if ((width === 0) !== (c.kind === 'string')) {
      if (c.values.length > 0 || c.kind === 'string') {
        throw new LanguageError(
          width === 0
            ? `String field ${symbol.name} is not compatible with integer constant.`
            : `Integer field ${symbol.name} is not compatible with string constant.`,
        )
      }
    }
    const positive = (relation === '!=') === not
    if (symbol.level === 'nominal' && symbol.kind === 'field' && !positive)
      throw new LanguageError(nominalField(symbol.name))
    const parts = c.values.map((value): Expression => {
      if ('string' in value) return { type: 'port', field: field as FieldRef, port: value.string, at }
      checkWidth(value, symbol.width, symbol.name)
      if (!equality && value.mask !== undefined) {
        throw new LanguageError(
          'Only == and != operators may be used with masked constants.  Consider using subfields instead (e.g. eth.src[0..15] > 0x1111 in place of eth.src > 00:00:00:00:11:11/00:00:00:00:ff:ff).',
        )
      }
      if (symbol.kind === 'predicate') return this.predicate(symbol, relation, value, not, at)
      return {
        type: 'compare',
        field: field as FieldRef,
        relation: not ? INVERSE[relation] : relation,
        value: value.value & ((1n << BigInt(width)) - 1n),
        mask: (value.mask ?? -1n) & ((1n << BigInt(width)) - 1n),
        at,
      }
    })
    return combine(positive || !equality ? 'or' : 'and', parts)
  }

  private predicate(symbol: PredicateSymbol, relation: Relation, c: Integer, not: boolean, at: number): Expression {
    const mask = c.mask ?? 1n
    const truth = (v: bigint) => compareValues(relation, v, c.value, mask)
    if (truth(0n) === truth(1n)) return truth(0n) !== not ? TRUE : FALSE
    const positive = truth(1n) !== not
    if (!positive && symbol.level === 'nominal') {
      const n = symbol.name
      throw new LanguageError(
        `Nominal predicate ${n} may only be tested positively, e.g. \`${n}' or \`${n} == 1' but not \`!${n}' or \`${n} == 0'.`,
      )
    }
    return { type: 'predicate', symbol, negated: !positive, at }
  }
}

/** Whether `a RELATION b` holds, compared under a mask. */
export function compareValues(relation: Relation, a: bigint, b: bigint, mask: bigint): boolean {
  const x = a & mask
  const y = b & mask
  switch (relation) {
    case '==':
      return x === y
    case '!=':
      return x !== y
    case '<':
      return x < y
    case '<=':
      return x <= y
    case '>':
      return x > y
    case '>=':
      return x >= y
  }
}

const ONE: ConstantSet = { kind: 'integer', values: [{ format: 'decimal', value: 1n }], set: false }
const ZERO: ConstantSet = { kind: 'integer', values: [{ format: 'decimal', value: 0n }], set: false }
const TURNED: Readonly<Record<Relation, Relation>> = {
  '==': '==',
  '!=': '!=',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
}
const isLess = (r: Relation) => r === '<' || r === '<='
const isGreater = (r: Relation) => r === '>' || r === '>='
