export { argumentType, compileCondition, isConditionFunction, mismatch } from './condition.ts'
export {
  anyone,
  CANCELED,
  Database,
  type Journal,
  type OperationSource,
  operations,
  type TransactResult,
} from './database.ts'
export { isMutator, mutationTypes } from './mutation.ts'
export type {
  ColumnValues,
  Condition,
  ConditionFunction,
  Delta,
  Mutation,
  Mutator,
  Operation,
  OperationResult,
  Requester,
  RowChange,
} from './operation.ts'
export { STEP_ROWS, type Steps, type Work } from './steps.ts'
export type { MutableRow, Table } from './table.ts'
