export { formatInteger, type Integer, Lexer } from './lexer.ts'
export {
  type ConjunctionPart,
  conjunctionActions,
  conjunctionMatch,
  type LoweredFlow,
  type LoweredMatch,
  lowerExpression,
} from './lower-match.ts'
export type { Compare, Expression, FieldRef, NameSets, Relation } from './match.ts'
export { NO_SETS } from './match.ts'
export type { MatchEnv } from './normalise.ts'
export { expandTemplates, type ParsedMatch, parseAddresses, parseMatch } from './parse-match.ts'
export * from './registers.ts'
export { type FieldSymbol, type Level, type PredicateSymbol, SYMBOLS, type Symbol, SymbolTable } from './symbols.ts'
