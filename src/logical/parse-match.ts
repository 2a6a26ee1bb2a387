import { err, ok, type Result } from '../base/result.ts'
import { expand } from './expand.ts'
import { type Integer, Lexer } from './lexer.ts'
import { complaint, type Expression, LanguageError, MatchParser, type NameSets, NO_SETS } from './match.ts'
import { CT_TRANSLATION_SYMBOLS, SYMBOLS, type SymbolTable } from './symbols.ts'

/** A match, parsed, checked and expanded. Equal texts without named sets give one object. */
export interface ParsedMatch {
  readonly text: string
  /** As written: predicates are still there, prerequisites are not. */
  readonly tree: Expression
  /** Expanded: only comparisons of fields and residence. */
  readonly expression: Expression
  /** Names of the address sets (`$name`), port groups (`@name`) and ports that it refers to. */
  readonly addressSets: readonly string[]
  readonly portGroups: readonly string[]
  /** Ports in comparisons, those of port groups too. */
  readonly ports: readonly string[]
  /** Ports of is_chassis_resident(). */
  readonly residents: readonly string[]
}

const CACHE_SIZE = 1 << 18
const plain = new Map<string, Result<ParsedMatch>>()
const translated = new Map<string, Result<ParsedMatch>>()

/**
 * Parses the `match` column of a logical flow (ovn-sb(5), Logical_Flow.match). The error is the
 * text that ovn-controller logs behind `error parsing match "...": `.
 */
export function parseMatch(text: string, sets: NameSets = NO_SETS, options: MatchOptions = {}): Result<ParsedMatch> {
  const cache = options.ctTranslation ? translated : plain
  const known = cache.get(text)
  if (known) return known
  const recorder = new Recorder(sets)
  const result = parse(text, recorder, options.ctTranslation ? CT_TRANSLATION_SYMBOLS : SYMBOLS)
  if (recorder.unused()) {
    if (cache.size >= CACHE_SIZE) cache.clear()
    cache.set(text, result)
  }
  return result
}

export interface MatchOptions {
  /** The flow has the tag `acl_ct_translation`: `tcp.dst` and the like are the connection's. */
  readonly ctTranslation?: boolean
}

function parse(text: string, recorder: Recorder, symbols: SymbolTable): Result<ParsedMatch> {
  const lexer = new Lexer(text)
  try {
    const tree = new MatchParser(lexer, recorder, symbols).parse()
    if (lexer.token.type !== 'end') return err(lexer.syntaxError('expecting end of input'))
    const ports = new Set<string>()
    const residents = new Set<string>()
    collect(tree, ports, residents)
    return ok({
      text,
      tree,
      expression: expand(tree),
      addressSets: [...recorder.addressSets],
      portGroups: [...recorder.portGroups],
      ports: [...ports],
      residents: [...residents],
    })
  } catch (e) {
    if (e instanceof LanguageError) return err(complaint(lexer, e))
    throw e
  }
}

function collect(e: Expression, ports: Set<string>, residents: Set<string>): void {
  if (e.type === 'and' || e.type === 'or') for (const x of e.of) collect(x, ports, residents)
  else if (e.type === 'port') ports.add(e.port)
  else if (e.type === 'resident') residents.add(e.port)
}

class Recorder implements NameSets {
  readonly addressSets = new Set<string>()
  readonly portGroups = new Set<string>()

  constructor(private readonly sets: NameSets) {}

  unused(): boolean {
    return this.addressSets.size === 0 && this.portGroups.size === 0
  }

  addressSet(name: string): readonly Integer[] | undefined {
    this.addressSets.add(name)
    return this.sets.addressSet(name)
  }

  portGroup(name: string): readonly string[] | undefined {
    this.portGroups.add(name)
    return this.sets.portGroup(name)
  }
}

/** The constants of an Address_Set's `addresses`; what is none is left out (the caller may log it). */
export function parseAddresses(addresses: Iterable<string>): Integer[] {
  const out: Integer[] = []
  for (const text of addresses) {
    const token = new Lexer(text).token
    if (token.integer) out.push(token.integer)
  }
  return out
}

/** Replaces `^name` by its value on this chassis (ovn-sb(5), Chassis_Template_Var); unknown ones stay. */
export function expandTemplates(text: string, value: (name: string) => string | undefined): string {
  if (!text.includes('^')) return text
  let out = ''
  let copied = 0
  const lexer = new Lexer(text)
  for (; lexer.token.type !== 'end'; lexer.next()) {
    if (lexer.token.type !== 'template') continue
    const v = value(lexer.token.text)
    if (v === undefined) continue
    out += text.slice(copied, lexer.token.start) + v
    copied = lexer.token.end
  }
  return out + text.slice(copied)
}
