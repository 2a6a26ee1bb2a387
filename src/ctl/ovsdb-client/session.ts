import type { Clock } from '../../base/clock.ts'
import type { ControlCommand } from '../../base/command.ts'
import { type Json, printJson } from '../../jsonrpc/json.ts'
import type { RpcClient } from '../../ovsdb/client/rpc.ts'
import { describeError, Failure } from '../../ovsdb/schema/index.ts'
import type { Database } from '../../ovsdb/transaction/index.ts'
import { fatal } from '../error.ts'
import type { Table } from '../table.ts'
import { readJsonText } from './json-text.ts'

/** What a command of ovsdb-client has to work with, once connected. */
export interface Session {
  readonly server: string
  readonly database: string
  readonly args: readonly string[]
  readonly options: ReadonlyMap<string, string>
  readonly clock: Clock
  readonly rpc: RpcClient
  print(text: string): void
  table(table: Table): void
  /** Whether there is a blank line between two tables. */
  readonly spaced: boolean
  /** The contents of a file; throws Error. */
  readFile(path: string): string
  /** The database file that the standard input is, later; one with a fault ends the program. */
  readSnapshot(done: (saved: Database) => void): void
  /** A line of the log. */
  inform(text: string): void
  /** A record of a database file: header and text (ovsdb(5)). */
  record(text: string): string
  /**
   * What was asked for first is printed: with --detach the program goes on in the background, and takes
   * these commands on its control socket.
   */
  settled(commands: readonly ControlCommand[]): void
  /** Ends the program; called by commands that do not go on for ever. */
  finish(status: number): void
  /** Ends it with a message. */
  fail(message: string): void
  /** Runs what may throw CtlError or Failure: they end the program with their message. */
  guard(run: () => void): void
}

/** What is said of a request that the server refuses. */
export const errorOf = (error: Json): string => `transaction returned error: ${printJson(error, true)}`

/**
 * Asks the server; an error ends the program. What throws in `done` ends it too, with its message.
 * @param told how an error is told
 */
export function ask(
  session: Session,
  method: string,
  params: Json,
  done: (result: Json) => void,
  told: (error: Json) => string = errorOf,
): void {
  session.rpc.request(method, params, (reply) => {
    if (reply.error !== null) session.fail(told(reply.error))
    else session.guard(() => done(reply.result))
  })
}

/** An array or object from the command line; what is wrong is said with its place, as the real one says it. */
export function readJson(text: string): Json {
  const read = readJsonText(text)
  return read.ok ? read.value : fatal(`"${text}": ${read.error}`)
}

/** A transaction that has to succeed; returns the outcomes of its operations. */
export const transact = (session: Session, params: readonly Json[], done: (results: Json) => void): void =>
  ask(session, 'transact', params, done)

/** What Failure or CtlError says. */
export const messageOf = (e: Error): string => (e instanceof Failure ? describeError(e.error) : e.message)
