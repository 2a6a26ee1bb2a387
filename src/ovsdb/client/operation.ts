// The operations of transactions are the engine's own: in one process they are handed over as they are.
export type {
  ColumnValues,
  Condition,
  ConditionFunction,
  Mutation,
  Mutator,
  Operation,
  OperationResult,
} from '../transaction/operation.ts'
