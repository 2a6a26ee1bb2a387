// What `ovn-ts/ovsdb` gives: a typed client, and a server to have in one's own process.
export type { Clock } from '../base/clock.ts'
export { type Log, type LogLine, logTo } from '../base/log.ts'
export type { Random } from '../base/random.ts'
export type { TlsKeys } from '../io/tls.ts'
export {
  type AnyRows,
  type ConnectOptions,
  connect,
  fetchSchema,
  typedSchema,
} from './client/connect.ts'
export { OvsdbConnection } from './client/connection.ts'
export { Draft, type Values } from './client/draft.ts'
export type { EditOptions } from './client/edits.ts'
export { type ConnectError, ConnectFailure, TransactFailure } from './client/failure.ts'
export { localReplica } from './client/local.ts'
export type { Condition, Mutation, Operation, OperationResult } from './client/operation.ts'
export { RemoteReplica } from './client/remote.ts'
export {
  type ColumnName,
  type ConditionOn,
  describeTransactError,
  type IdOf,
  type LockHandle,
  type Replica,
  type ReplicaChange,
  type ReplicaState,
  type RowChange,
  type RowId,
  type TableCondition,
  type TableReplica,
  type TableRequest,
  type TableRequests,
  type TransactError,
  type TransactOutcome,
  type TypedSchema,
} from './client/replica.ts'
export { connectInProcess, createServer, type InProcessOptions } from './in-process.ts'
export { type DatabaseSchema, parseSchema, printSchema, type Row, type TableSchema } from './schema/index.ts'
export type { Server, ServerOptions } from './server/index.ts'
export type { Database, Delta } from './transaction/index.ts'
