import type { Clock } from '../base/clock.ts'
import type { Draft } from '../ovsdb/client/draft.ts'
import type { Operation, OperationResult } from '../ovsdb/client/operation.ts'
import type { Replica, TableName, TypedSchema } from '../ovsdb/client/replica.ts'
import type { Command } from './command.ts'
import type { TableStyle } from './table.ts'

/** An option that applies to a whole run: `timeout` with `t` for short; `value` as for getopt. */
export interface GlobalOption {
  readonly name: string
  readonly short?: string
  readonly value: 'none' | 'required' | 'optional'
}

/** What waiting adds to a run's outputs. */
export interface CtlEnding {
  readonly stdout?: string
  readonly stderr?: string
  readonly status?: number
}

/** How a run waits for its change to arrive: what it adds to the transaction, and when it has arrived. */
export interface Waiting<T> {
  readonly operations: readonly Operation[]
  /** What the run says at its end, once the change has arrived, and its status. */
  ending?(replica: Replica<T>, results: readonly OperationResult[]): CtlEnding
  /** Given the outcomes of `operations`: a test of the replica that comes true. */
  done(results: readonly OperationResult[]): (replica: Replica<T>) => boolean
}

/** A ctl tool: its commands and what is peculiar to it. */
export interface Program<T> {
  /** The name under which it is known: `ovn-nbctl`. */
  readonly name: string
  /** The module of its log lines: `nbctl`. */
  readonly module: string
  readonly schema: TypedSchema<T>
  readonly commands: readonly Command<T>[]
  readonly options: readonly GlobalOption[]
  readonly style: TableStyle
  /** The text of `--version`. */
  readonly version: string
  /** What the comment in the transaction begins with, before the arguments. */
  readonly comment: (args: readonly string[]) => string
  /** The table whose one row there must be, and that `begin` and `wait` use. */
  readonly always: readonly TableName<T>[]
  /** Done before the commands of each run: an empty database gets its global row. */
  begin(draft: Draft<T>): void
  /** Checks global options; throws CtlError. */
  check(options: ReadonlyMap<string, string>): void
  /** How to wait, if the options ask for it. `forced`: even when nothing changed. */
  wait(draft: Draft<T>, options: ReadonlyMap<string, string>, forced: boolean, clock: Clock): Waiting<T> | undefined
}
