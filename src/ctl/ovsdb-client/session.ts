import type { Clock } from '../../base/clock.ts'
import type { ControlCommand } from '../../base/command.ts'
import { type Json, printJson } from '../../jsonrpc/json.ts'
import { JsonError, JsonParser } from '../../jsonrpc/parser.ts'
import type { RpcClient } from '../../ovsdb/client/rpc.ts'
import { readError } from '../../ovsdb/client/wire-operation.ts'
import { describeError, Failure } from '../../ovsdb/schema/index.ts'
import type { Database } from '../../ovsdb/transaction/index.ts'
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

/** Asks the server; an error ends the program. What throws in `done` ends it too, with its message. */
export function ask(session: Session, method: string, params: Json, done: (result: Json) => void): void {
  session.rpc.request(method, params, (reply) => {
    if (reply.error !== null) session.fail(describeError(readError(reply.error)))
    else session.guard(() => done(reply.result))
  })
}

const BLANK = Uint8Array.of(0x20)

/** An array or object from the command line; what is wrong is said with its place, as the real one says it. */
export function readJson(text: string): Json {
  const bytes = new TextEncoder().encode(text)
  const fail = (why: string): never => fatal(`"${text}": ${why}`)
  try {
    const parser = new JsonParser()
    const used = parser.push(bytes)
    // a word ends with what comes behind it
    if (!parser.done) parser.push(BLANK)
    if (!parser.done)
      return fail(`${placeText(bytes)}: ${bytes.length ? 'unexpected end of input' : 'empty input stream'}`)
    const rest = bytes.subarray(used)
    if (rest.some((byte) => byte > 0x20)) {
      const place = { line: 0, column: used, byte: used }
      new JsonParser(1000, place).push(Uint8Array.of(...rest, 0x20))
      fail('trailing garbage at end of input')
    }
    return parser.result as Json
  } catch (e) {
    if (e instanceof JsonError) return fail(e.message)
    throw e
  }
}

/** Where a text ends; a word or number at its end is noticed to be whole one byte later. */
function placeText(bytes: Uint8Array): string {
  const line = bytes.reduce((n, byte) => (byte === 0x0a ? n + 1 : n), 0)
  const late = /[\w.+-]/.test(String.fromCharCode(bytes.at(-1) ?? 0)) ? 1 : 0
  return `line ${line}, column ${bytes.length - bytes.lastIndexOf(0x0a) - 1 + late}, byte ${bytes.length + late}`
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
