import { readFileSync } from 'node:fs'
import { err, ok, type Result } from '../base/result.ts'
import { readJsonText } from '../ctl/ovsdb-client/json-text.ts'
import { SystemClock } from '../io/clock.ts'
import { errorText } from '../io/errors.ts'
import { systemFiles } from '../io/files.ts'
import { systemRandom } from '../io/random.ts'
import type { Json } from '../jsonrpc/json.ts'
import { type DatabaseSchema, describeError, Failure, readSchema } from '../ovsdb/schema/index.ts'
import {
  type LogFile,
  type LogProblem,
  type LogRecord,
  loadTransaction,
  logKind,
  readRecord,
} from '../ovsdb/storage/index.ts'
import { Database } from '../ovsdb/transaction/index.ts'

/** A database file read without touching it. */
export interface ReadFile {
  readonly schema: DatabaseSchema
  readonly database: Database
}

/** A schema from a file of JSON. */
export function readSchemaFile(path: string): Result<DatabaseSchema> {
  const json = readJsonFile(path)
  if (!json.ok) return err(`failed to read schema: "${path}" could not be read as JSON (${json.error})`)
  try {
    return ok(readSchema(json.value))
  } catch (e) {
    if (!(e instanceof Failure)) throw e
    const { error, details = '' } = e.error
    return err(describeError({ ...e.error, error, details: `failed to parse "${path}" as ovsdb schema: ${details}` }))
  }
}

function readJsonFile(path: string): Result<Json> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (e) {
    const why = errorText(e)
    return err(why === 'Is a directory' ? `error reading JSON stream: ${why}` : `error opening "${path}": ${why}`)
  }
  return readJsonText(text)
}

/** Calls `visit` for each record of a database file, the schema first. @param clustered takes those of a cluster, too. */
export function eachRecord(
  path: string,
  visit: (record: LogRecord, index: number) => void,
  clustered = false,
): Result<void> {
  let file: LogFile
  try {
    file = systemFiles.open(path, 'read')
  } catch (e) {
    return err(`I/O error: ${path}: open failed (${errorText(e)})`)
  }
  return recordsOf(file, path, visit, clustered)
}

/** Closes the file in the end. */
function recordsOf(
  file: LogFile,
  path: string,
  visit: (record: LogRecord, index: number) => void,
  clustered: boolean,
): Result<void> {
  try {
    let offset = 0
    for (let index = 0; index === 0 || offset < file.size; index++) {
      const record = readRecord(file, path, offset, clustered)
      if (!record.ok) return err(problemText(record.error))
      visit(record.value, index)
      offset = record.value.end
    }
    return ok(undefined)
  } catch (e) {
    if (e instanceof Failure) return err(describeError(e.error))
    if (isSystemError(e)) return err(`I/O error: ${path}: read error (${errorText(e)})`)
    throw e
  } finally {
    file.close()
  }
}

/** What the system refused, and no fault of ours. */
const isSystemError = (e: unknown): boolean => e instanceof Error && 'syscall' in e

/** A fault of a log as the tools tell it. */
function problemText({ kind, message }: LogProblem): string {
  if (kind === 'empty') return `ovsdb error: ${message.replace('file is empty', 'cannot identify file type')}`
  if (kind !== 'torn' && kind !== 'corrupt') return `ovsdb error: ${message}`
  const text = message.replace(/, and a whole record follows .*/, '')
  return / error reading \d+ bytes /.test(text) ? `I/O error: ${text} (End of file)` : `syntax error: ${text}`
}

/** Whether a file is that of a cluster's server, by its first bytes. */
export function isClusterFile(path: string): Result<boolean> {
  let file: LogFile
  try {
    file = systemFiles.open(path, 'read')
  } catch (e) {
    return err(`I/O error: ${path}: open failed (${errorText(e)})`)
  }
  try {
    const kind = logKind(file)
    if (kind) return ok(kind === 'clustered')
    return err(`ovsdb error: ${path}: ${file.size ? 'unexpected file format' : 'cannot identify file type'}`)
  } catch (e) {
    if (!isSystemError(e)) throw e
    return err(`I/O error: ${path}: read error (${errorText(e)})`)
  } finally {
    file.close()
  }
}

/** The schema in a database file. */
export function readFileSchema(path: string): Result<DatabaseSchema> {
  class Found extends Error {
    constructor(readonly schema: DatabaseSchema) {
      super()
    }
  }
  try {
    const read = eachRecord(path, (record) => {
      throw new Found(readSchema(record.json))
    })
    return read.ok ? err(`${path}: no schema`) : read
  } catch (e) {
    if (e instanceof Found) return ok(e.schema)
    throw e
  }
}

/** Everything in a database file. */
export const readDatabaseFile = (path: string): Result<ReadFile> => collect(path, (visit) => eachRecord(path, visit))

/** Everything in a file that is open already, which is closed in the end. */
export const readDatabase = (file: LogFile, name: string): Result<ReadFile> =>
  collect(name, (visit) => recordsOf(file, name, visit, false))

function collect(name: string, each: (visit: (record: LogRecord) => void) => Result<void>): Result<ReadFile> {
  let found: ReadFile | undefined
  const read = each((record) => {
    if (found) loadTransaction(found.database, record.json)
    else {
      const schema = readSchema(record.json)
      found = { schema, database: new Database(schema, new SystemClock(), systemRandom) }
    }
  })
  if (!read.ok) return read
  if (!found) return err(`${name}: no schema`)
  found.database.loaded()
  return ok(found)
}
