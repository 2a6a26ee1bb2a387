import type { Clock } from '../../base/clock.ts'
import { type Json, printJson } from '../../jsonrpc/json.ts'
import { JsonError, parseJson } from '../../jsonrpc/parser.ts'
import type { RpcClient } from '../../ovsdb/client/rpc.ts'
import { readError } from '../../ovsdb/client/wire-operation.ts'
import { describeError, Failure } from '../../ovsdb/schema/index.ts'
import { fatal } from '../error.ts'
import type { Table } from '../table.ts'

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
  /** The contents of a file; throws Error. */
  readFile(path: string): string
  /** All of the standard input, later. */
  readInput(done: (text: string) => void): void
  /** A record of a database file: header and text (ovsdb(5)). */
  record(text: string): string
  /** Ends the program; called by commands that do not go on for ever. */
  finish(status: number): void
  /** Ends it with a message. */
  fail(message: string): void
  /** Runs what may throw CtlError or Failure: they end the program with their message. */
  guard(run: () => void): void
}

/** Asks the server; an error ends the program. What throws in `done` ends it too, with its message. */
export function ask(session: Session, method: string, params: Json, done: (result: Json) => void): void {
  session.rpc.request(method, params, (reply) => {
    if (reply.error !== null) session.fail(describeError(readError(reply.error)))
    else session.guard(() => done(reply.result))
  })
}

/** JSON from the command line. */
export function readJson(text: string): Json {
  try {
    return parseJson(text)
  } catch (e) {
    if (e instanceof JsonError) return fatal(`"${text}": ${e.message}`)
    throw e
  }
}

/** A transaction that has to succeed; returns the outcomes of its operations. */
export function transact(session: Session, params: readonly Json[], done: (results: Json) => void): void {
  session.rpc.request('transact', params, (reply) => {
    if (reply.error !== null) session.fail(`transaction returned error: ${printJson(reply.error, true)}`)
    else session.guard(() => done(reply.result))
  })
}

/** What Failure or CtlError says. */
export const messageOf = (e: Error): string => (e instanceof Failure ? describeError(e.error) : e.message)
