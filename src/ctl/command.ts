import type { Draft } from '../ovsdb/client/draft.ts'
import type { TableName } from '../ovsdb/client/replica.ts'
import type { TableSchema } from '../ovsdb/schema/index.ts'
import type { Table } from './table.ts'
import type { Symbols } from './value.ts'

/** One command of a ctl tool, as data: how it is called, which tables it reads, and what it does. */
export interface Command<T> {
  readonly name: string
  /** The fewest and most arguments. */
  readonly args: readonly [min: number, max: number]
  /** Arguments as help writes them. */
  readonly usage?: string
  /** Options before the name: `may-exist` takes no value, `id=` needs one, `bfd?` may have one. */
  readonly options?: readonly string[]
  /** Whether it may change the database: `--dry-run` and a replica's access depend on it. */
  readonly access: 'ro' | 'rw'
  /** The tables it touches. A function, where that depends on the arguments. */
  readonly tables: readonly TableName<T>[] | ((call: ParsedCall) => readonly string[])
  /** May throw CtlError. Runs again from the start when the database changed under it. */
  run(call: Call<T>): void
}

/** A command as it was written. */
export interface ParsedCall {
  readonly args: readonly string[]
  /** Options by name; empty for those without a value. */
  readonly options: ReadonlyMap<string, string>
}

/** What a running command has at hand. */
export interface Call<T> extends ParsedCall {
  readonly db: Draft<T>
  /** The i-th argument; there are as many as the command's minimum. */
  arg(i: number): string
  has(option: string): boolean
  print(text: string): void
  table(table: Table): void
  warn(module: string, text: string): void
  /** What `@name` stands for in a value; it may be created later on. */
  readonly symbols: Symbols
  /** The uuid for the new row of a command with `--id=@name` or `--id=UUID`. */
  declare(id: string, table: TableSchema): string
  /** Lets `@name` stand for a row that exists. */
  bind(id: string, uuid: string): void
  /** Gives up for now: all commands run again when the database has changed. */
  retry(): never
  /** Lets --wait wait though nothing changed. */
  forceWait(): void
}

/** Thrown by `Call.retry`. */
export class TryAgain extends Error {}
