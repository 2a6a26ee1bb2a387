export * from './action.ts'
export * from './dhcp-options.ts'
export { applyToFields, evaluate, FlowState, matches, matchesLowered } from './evaluate.ts'
export { formatAction, formatActions, formatField } from './format-actions.ts'
export { formatInteger, type Integer, Lexer } from './lexer.ts'
export {
  type EncodeContext,
  type LogicalBucket,
  type LogicalGroup,
  type LogicalMeter,
  lowerActions,
  openflowTable,
  outputTable,
} from './lower-actions.ts'
export {
  type ConjunctionPart,
  conjunctionActions,
  conjunctionMatch,
  type LoweredFlow,
  type LoweredMatch,
  lowerExpression,
  lowerMatch,
} from './lower-match.ts'
export type { Compare, Expression, FieldRef, NameSets, Relation } from './match.ts'
export { combine, NO_SETS } from './match.ts'
export { ingressPorts, parseMicroflow } from './microflow.ts'
export type { MatchEnv } from './normalise.ts'
export * from './opcodes.ts'
export { type ActionEnv, type ParsedActions, parseActions } from './parse-actions.ts'
export { expandTemplates, type MatchOptions, type ParsedMatch, parseAddresses, parseMatch } from './parse-match.ts'
export * from './registers.ts'
export { type FieldSymbol, type Level, type PredicateSymbol, SYMBOLS, type Symbol, SymbolTable } from './symbols.ts'
