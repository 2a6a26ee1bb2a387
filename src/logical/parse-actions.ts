import { err, ok, type Result } from '../base/result.ts'
import {
  type LogicalAction,
  type NatZone,
  type NestedVerb,
  PIPELINE_LENGTH,
  type Pipeline,
  type PlainVerb,
} from './action.ts'
import { NOTHING, parseArguments, parseCall } from './action-calls.ts'
import { DHCP_OPTIONS, DHCPV6_OPTIONS, type OptionTable } from './dhcp-options.ts'
import { expandText, prerequisiteOf } from './expand.ts'
import { type Integer, Lexer } from './lexer.ts'
import {
  checkWidth,
  combine,
  complaint,
  type Expression,
  type FieldRef,
  LanguageError,
  parseFieldRef,
} from './match.ts'
import { CT_COMMIT_SYMBOLS, SYMBOLS, type SymbolTable } from './symbols.ts'

/** What parsing a flow's actions depends on. */
export interface ActionEnv {
  readonly pipeline: Pipeline
  /** The logical flow's own table. */
  readonly table: number
  /** Number of tables of each pipeline; those of OVN 26.03 by default. */
  readonly tables?: Readonly<Record<Pipeline, number>>
  readonly dhcpOptions?: OptionTable
  readonly dhcpv6Options?: OptionTable
}

export interface ParsedActions {
  readonly text: string
  readonly actions: readonly LogicalAction[]
  /** What the actions require of the packet: belongs to the match. Expanded; undefined: nothing. */
  readonly prerequisites: Expression | undefined
}

const MAX_NESTING = 31

/** `arp { ... };` and the like: the condition under which they may run; undefined: that of their contents. */
const NESTED: Readonly<Record<NestedVerb, string | undefined>> = {
  clone: undefined,
  arp: 'ip',
  icmp4: 'ip4',
  icmp4_error: 'ip4',
  icmp6: 'ip6',
  icmp6_error: 'ip6',
  tcp_reset: 'tcp',
  sctp_abort: 'sctp',
  nd_na: 'nd_ns',
  nd_na_router: 'nd_ns',
  nd_ns: 'ip',
  reject: undefined,
}

/** Words that are an action by themselves. */
const PLAIN: ReadonlySet<string> = new Set<PlainVerb>([
  'output',
  'ct_clear',
  'igmp',
  'handle_dhcpv6_reply',
  'ct_snat_to_vip',
  'mac_cache_use',
  'flood_remote',
])

const CACHE_SIZE = 1 << 17
const cache = new Map<string, Result<ParsedActions>>()

/**
 * Parses the `actions` column of a logical flow (ovn-sb(5), Logical_Flow.actions). The error is the
 * text that ovn-controller logs behind `error parsing actions "...": `.
 */
export function parseActions(text: string, env: ActionEnv): Result<ParsedActions> {
  if (env.tables || env.dhcpOptions || env.dhcpv6Options) return parse(text, env)
  const key = `${env.pipeline} ${env.table} ${text}`
  const known = cache.get(key)
  if (known) return known
  const result = parse(text, env)
  if (cache.size >= CACHE_SIZE) cache.clear()
  cache.set(key, result)
  return result
}

function parse(text: string, env: ActionEnv): Result<ParsedActions> {
  const lexer = new Lexer(text)
  try {
    const parser = new ActionParser(lexer, env)
    const actions = parser.all()
    return ok({ text, actions, prerequisites: parser.prerequisites() })
  } catch (e) {
    if (e instanceof LanguageError) return err(complaint(lexer, e))
    throw e
  }
}

/** The state of a parse; action-calls.ts has the actions that are written like calls. */
export class ActionParser {
  private required = new Set<Expression>()
  private depth = 0
  symbols: SymbolTable = SYMBOLS

  constructor(
    readonly lexer: Lexer,
    readonly env: ActionEnv,
  ) {}

  get dhcpOptions(): OptionTable {
    return this.env.dhcpOptions ?? DHCP_OPTIONS
  }

  get dhcpv6Options(): OptionTable {
    return this.env.dhcpv6Options ?? DHCPV6_OPTIONS
  }

  prerequisites(): Expression | undefined {
    return this.required.size ? combine('and', [...this.required]) : undefined
  }

  all(): LogicalAction[] {
    if (this.ended()) return []
    if (this.drop()) {
      if (!this.ended()) this.fail('expecting end of input')
      return []
    }
    const out: LogicalAction[] = []
    while (!this.ended()) out.push(...this.statement())
    return out
  }

  private ended(): boolean {
    return this.lexer.token.type === 'end'
  }

  private drop(): boolean {
    const t = this.lexer.token
    if (t.type !== 'id' || t.text !== 'drop' || this.lexer.peek().text !== ';') return false
    this.lexer.next()
    this.lexer.next()
    return true
  }

  fail(expecting: string): never {
    throw new LanguageError(this.lexer.syntaxError(expecting))
  }

  force(punctuation: string): void {
    if (!this.lexer.match(punctuation)) this.fail(`expecting \`${punctuation}'`)
  }

  require(condition: string): void {
    this.required.add(expandText(condition))
  }

  private statement(): LogicalAction[] {
    const action = this.action()
    this.force(';')
    return action
  }

  private action(): LogicalAction[] {
    const lexer = this.lexer
    if (lexer.token.type !== 'id') this.fail('')
    const ahead = lexer.peek()
    if (ahead.type === 'punctuation' && (ahead.text === '=' || ahead.text === '<->' || ahead.text === '[')) {
      const assigned = this.assignment()
      return assigned === NOTHING ? [] : [assigned]
    }
    const verb = lexer.token.text
    if (PLAIN.has(verb)) {
      lexer.next()
      return [{ type: verb as PlainVerb }]
    }
    if (verb in NESTED) {
      lexer.next()
      return [this.nested(verb as NestedVerb)]
    }
    switch (verb) {
      case 'next':
        lexer.next()
        return [this.jump()]
      case 'ip.ttl':
        lexer.next()
        this.force('--')
        this.require('ip')
        return [{ type: 'dec_ttl' }]
      case 'push':
      case 'pop': {
        lexer.next()
        this.force('(')
        const field = this.field()
        if (verb === 'pop') this.checkWritable(field)
        this.force(')')
        return [{ type: verb, field }]
      }
      case 'ct_commit':
        lexer.next()
        this.require('ip')
        return [this.commit()]
    }
    const call = parseCall(this, verb)
    if (!call) this.fail('expecting action')
    return call === NOTHING ? [] : [call]
  }

  /** `next;`, `next(table);`, `next(pipeline=egress, table=3);` */
  private jump(): LogicalAction {
    const { lexer, env } = this
    let pipeline = env.pipeline
    let table = env.table + 1
    if (lexer.match('(')) {
      if (this.integerToken() !== undefined) table = this.smallInteger()
      else {
        do {
          if (lexer.matchId('pipeline')) {
            this.force('=')
            if (lexer.matchId('ingress')) pipeline = 'ingress'
            else if (lexer.matchId('egress')) pipeline = 'egress'
            else this.fail('expecting "ingress" or "egress"')
          } else if (lexer.matchId('table')) {
            this.force('=')
            table = this.smallInteger()
          } else this.fail('expecting "pipeline" or "table"')
        } while (lexer.match(','))
      }
      this.force(')')
    }
    const length = (env.tables ?? PIPELINE_LENGTH)[pipeline]
    if (table >= length) throw new LanguageError(`"next" action cannot advance beyond table ${length}.`)
    return { type: 'next', pipeline, table }
  }

  /** The end of `ct_commit { }`, where only fields of the connection are assigned. */
  private commit(): LogicalAction {
    if (this.lexer.is(';')) return { type: 'ct_commit', actions: [] }
    if (!this.lexer.is('{')) this.fail("expecting `;'")
    const symbols = this.symbols
    this.symbols = CT_COMMIT_SYMBOLS
    const actions = this.block()
    this.symbols = symbols
    return { type: 'ct_commit', actions }
  }

  private nested(verb: NestedVerb): LogicalAction {
    const outer = this.required
    const condition = NESTED[verb]
    if (condition !== undefined) this.required = new Set()
    const actions = this.block()
    if (condition !== undefined) {
      this.required = outer
      this.require(condition)
    }
    return { type: verb, actions }
  }

  private block(): LogicalAction[] {
    if (++this.depth > MAX_NESTING) throw new LanguageError('maximum depth of nested actions reached')
    this.force('{')
    const out: LogicalAction[] = []
    if (this.drop()) this.force('}')
    else while (!this.lexer.match('}')) out.push(...this.statement())
    this.depth--
    return out
  }

  /** Any field, with its prerequisites. */
  field(): FieldRef {
    const field = parseFieldRef(this.lexer, this.symbols)
    if (!('symbol' in field)) {
      throw new LanguageError(`Predicate symbol ${field.name} used where lvalue required.`)
    }
    const on = prerequisiteOf(field.symbol)
    if (on) this.required.add(on)
    return field
  }

  /** A field of a given width in bits; 0 is a string. */
  fieldOf(bits: number): FieldRef {
    return this.checkType(this.field(), bits)
  }

  checkType(field: FieldRef, bits: number): FieldRef {
    if ((field.bits === 0) !== (bits === 0)) {
      throw new LanguageError(
        bits === 0
          ? `Cannot use numeric field ${field.symbol.name} where string field is required.`
          : `Cannot use string field ${field.symbol.name} where numeric field is required.`,
      )
    }
    if (field.bits !== bits) {
      throw new LanguageError(`Cannot use ${describe(field)} where ${bits}-bit field is required.`)
    }
    return field
  }

  checkWritable(field: FieldRef): void {
    if (!field.symbol.writable) throw new LanguageError(`Field ${field.symbol.name} is not modifiable.`)
  }

  /** The destination of an action's answer. */
  result(field: FieldRef, bits: number): FieldRef {
    this.checkType(field, bits)
    this.checkWritable(field)
    return field
  }

  smallInteger(): number {
    const n = this.integerToken()
    if (n === undefined || n > 0x7fffffffn) this.fail('expecting small integer')
    this.lexer.next()
    return Number(n)
  }

  /** The present token's value if it is a decimal number. */
  integerToken(): bigint | undefined {
    const { type, integer } = this.lexer.token
    return type === 'integer' && integer?.format === 'decimal' ? integer.value : undefined
  }

  string(expecting: string): string {
    if (this.lexer.token.type !== 'string') this.fail(expecting)
    const text = this.lexer.token.text
    this.lexer.next()
    return text
  }

  zone(verb: string): NatZone {
    if (this.lexer.matchId('dnat')) return 'dnat'
    if (this.lexer.matchId('snat')) return 'snat'
    throw new LanguageError(`"${verb}" action accepts only "dnat" or "snat" parameter.`)
  }

  /** `field = constant`, `field = field`, `field <-> field`, `field = call(...)`. */
  private assignment(): LogicalAction | typeof NOTHING {
    const lexer = this.lexer
    const mtu = lexer.token.text
    if ((mtu === 'icmp4.frag_mtu' || mtu === 'icmp6.frag_mtu') && lexer.peek().text !== '[') return this.mtu(mtu)
    const dst = this.field()
    if (lexer.match('<->')) {
      const other = this.operand()
      this.checkCompatible(dst, other, true)
      this.checkWritable(dst)
      this.checkWritable(other)
      return { type: 'exchange', a: dst, b: other }
    }
    if (!lexer.match('=')) this.fail("expecting `=' or `<->'")
    if (lexer.token.type === 'id') {
      if (/^dhcp_relay_re(q|sp)_chk$/.test(lexer.token.text) && lexer.peek().text !== '(') {
        lexer.next()
        this.fail("expecting `('")
      }
      if (lexer.peek().text === '(') {
        const call = parseArguments(this, lexer.token.text, dst)
        if (call) return call
      }
      const src = this.operand()
      this.checkCompatible(dst, src, false)
      this.checkWritable(dst)
      return { type: 'move', dst, src }
    }
    if (lexer.token.type === 'error') this.fail('')
    this.checkWritable(dst)
    const value = this.constant()
    if ('string' in value !== (dst.bits === 0)) {
      throw new LanguageError(
        dst.bits === 0
          ? `String field ${dst.symbol.name} is not compatible with integer constant.`
          : `Integer field ${dst.symbol.name} is not compatible with string constant.`,
      )
    }
    if (!('string' in value)) checkWidth(value, dst.symbol.width, dst.symbol.name)
    return { type: 'load', dst, value }
  }

  private operand(): FieldRef {
    const name = this.lexer.token.text
    if (this.lexer.token.type === 'id' && (name === 'icmp4.frag_mtu' || name === 'icmp6.frag_mtu')) {
      this.lexer.next()
      return { ...MTU, symbol: { ...MTU.symbol, name } }
    }
    return this.field()
  }

  private constant(): Integer | { readonly string: string } {
    const { type, text, integer } = this.lexer.token
    if (type === 'string') {
      this.lexer.next()
      return { string: text }
    }
    if ((type === 'integer' || type === 'masked') && integer) {
      this.lexer.next()
      return integer
    }
    if (type === 'macro') this.fail('expecting address set name')
    if (type === 'port-group') this.fail('expecting port group name')
    if (type === 'template') throw new LanguageError('Unexpanded template.')
    this.fail('expecting constant')
  }

  /** The field that the controller, not OpenFlow, sets in the ICMP error it makes. */
  private mtu(type: 'icmp4.frag_mtu' | 'icmp6.frag_mtu'): LogicalAction {
    const lexer = this.lexer
    const dst = this.operand()
    if (lexer.match('<->')) {
      this.checkCompatible(dst, this.operand(), true)
      this.fail("expecting `='")
    }
    this.force('=')
    if (lexer.token.type === 'id') {
      this.checkCompatible(dst, this.operand(), false)
      this.fail('expecting constant')
    }
    const value = this.constant()
    if ('string' in value) throw new LanguageError(`Integer field ${type} is not compatible with string constant.`)
    checkWidth(value, 16, type)
    return { type, mtu: Number(value.value) }
  }

  private checkCompatible(dst: FieldRef, src: FieldRef, exchange: boolean): void {
    if ((dst.bits === 0) !== (src.bits === 0)) {
      const kind = (f: FieldRef) => (f.bits === 0 ? 'string' : 'integer')
      const d = `${kind(dst)} field (${dst.symbol.name})`
      const s = `${kind(src)} field (${src.symbol.name})`
      throw new LanguageError(exchange ? `Can't exchange ${d} with ${s}.` : `Can't assign ${s} to ${d}.`)
    }
    if (dst.bits !== src.bits) {
      throw new LanguageError(
        exchange
          ? `Can't exchange ${dst.bits}-bit field with ${src.bits}-bit field.`
          : `Can't assign ${src.bits}-bit value to ${dst.bits}-bit destination.`,
      )
    }
  }
}

const MTU: FieldRef = {
  symbol: {
    kind: 'field',
    name: 'icmp4.frag_mtu',
    width: 16,
    level: 'ordinal',
    root: (SYMBOLS.get('flags') as FieldRef['symbol']).root,
    offset: 0,
    writable: true,
  },
  offset: 0,
  bits: 16,
}

/** `32-bit field reg0[0..31]`. */
export function describe(f: FieldRef): string {
  const from = f.offset - f.symbol.offset
  return `${f.bits}-bit field ${f.symbol.name}[${from}..${from + f.bits - 1}]`
}
