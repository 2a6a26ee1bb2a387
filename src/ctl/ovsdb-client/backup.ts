import { isArray, isObject, type Json, printJson } from '../../jsonrpc/json.ts'
import {
  compareDatums,
  type DatabaseSchema,
  Failure,
  printSchema,
  type Row,
  readSchema,
} from '../../ovsdb/schema/index.ts'
import type { Database, Table } from '../../ovsdb/transaction/index.ts'
import { datumJson } from '../../ovsdb/wire/index.ts'
import { fatal } from '../error.ts'
import { readJsonText } from './json-text.ts'
import { ask, type Session, transact } from './session.ts'

/** Columns of a table that outlive the server. */
const kept = (schema: DatabaseSchema, table: string): string[] =>
  [...(schema.tables.get(table)?.columns.values() ?? [])].filter((c) => !c.ephemeral).map((c) => c.name)

/** A file as of a standalone database: the schema, and one transaction with everything (ovsdb(5)). */
export function backup(session: Session): void {
  ask(session, 'get_schema', [session.database], (result) => {
    const schema = readSchema(result)
    const tables = [...schema.tables.keys()]
    const selects = tables.map((table) => ({
      ...{ op: 'select', table, where: [], columns: ['_uuid', ...kept(schema, table)] },
    }))
    transact(session, [session.database, ...selects], (results) => {
      const contents: Record<string, Json> = { _date: Math.floor(session.clock.now()), _is_diff: true }
      tables.forEach((table, i) => {
        const rows = rowsOf(isArray(results) ? results[i] : undefined)
        if (rows.length) contents[table] = Object.fromEntries(rows)
      })
      session.print(session.record(printJson(result)))
      session.print(session.record(printJson({ ...contents, _comment: `produced by "ovsdb-client backup"` })))
      session.finish(0)
    })
  })
}

function rowsOf(result: Json | undefined): [string, Json][] {
  const rows = isObject(result) && isArray(result['rows']) ? result['rows'] : []
  return rows.flatMap((row): [string, Json][] => {
    if (!isObject(row)) return []
    const { _uuid, ...columns } = row
    return isArray(_uuid) ? [[String(_uuid[1]), columns as Json]] : []
  })
}

/** Makes the database what a snapshot says, in one transaction; the rows get uuids of their own. */
export function restore(session: Session): void {
  session.readSnapshot((saved) =>
    ask(session, 'get_schema', [session.database], (result) => {
      checkSame(session, saved.schema, readSchema(result))
      restoreInto(session, saved)
    }),
  )
}

const HINT = '(use --force to override differences, or "ovsdb-client convert" to change the schema)'

/** With --force a difference is only told. */
function checkSame(session: Session, saved: DatabaseSchema, now: DatabaseSchema): void {
  const [a, b] = [saved, now].map((schema) => printJson(printSchema(schema), true))
  if (a === b) return
  const difference =
    saved.version === now.version
      ? `backup schema and database schema are both version ${now.version} but still differ`
      : `backup schema has version "${saved.version}" but database schema has version "${now.version}"`
  if (session.options.has('force')) session.inform(difference)
  else fatal(`${difference} ${HINT}`)
}

function restoreInto(session: Session, saved: Database): void {
  const known = new Set([...saved.tables.values()].flatMap((table) => [...table.rows.keys()]))
  const operations = [...saved.tables].flatMap(([name, table]) => [
    { op: 'delete', table: name, where: [] },
    ...[...table.rows.values()].map((row) => ({
      ...{ op: 'insert', table: name, 'uuid-name': rowName(row._uuid) },
      row: rowJson(table, row, known),
    })),
  ])
  // Tables, columns and references that are not there are for the server to refuse.
  transact(session, [saved.name, ...operations], (results) => {
    const failed = (isArray(results) ? results : []).find((r) => isObject(r) && r['error'] !== undefined)
    if (failed !== undefined) fatal(`server returned error reply: ${printJson(failed, true)}`)
    session.finish(0)
  })
}

/** The columns of a row that are not as in any new one. */
function rowJson(table: Table, row: Row, known: ReadonlySet<string>): Json {
  const blank = table.blank(row._uuid)
  const columns = [...table.schema.columns].filter(([name]) => compareDatums(row[name], blank[name]) !== 0)
  return Object.fromEntries(
    columns.map(([name, { type }]) => {
      const json = datumJson(type, row[name])
      const refers = type.key.refTable !== undefined || type.value?.refTable !== undefined
      return [name, refers ? renamed(json, known) : json]
    }),
  )
}

const rowName = (uuid: string): string => `row${uuid.replaceAll('-', '_')}`

/**
 * References by the names that the rows have within the transaction: a uuid that was in use before
 * it can not be given to a new row.
 */
function renamed(json: Json, known: ReadonlySet<string>): Json {
  if (!isArray(json)) return json
  const [kind, uuid] = json
  if (kind === 'uuid' && typeof uuid === 'string') return known.has(uuid) ? ['named-uuid', rowName(uuid)] : json
  return json.map((j) => renamed(j, known))
}

/** The schema in a file; throws CtlError or Failure. */
export function readSchemaFile(path: string, readFile: (path: string) => string): DatabaseSchema {
  const unreadable = (why: string) => fatal(`failed to read schema: "${path}" could not be read as JSON (${why})`)
  let text: string
  try {
    text = readFile(path)
  } catch (e) {
    return unreadable(`error opening "${path}": ${e instanceof Error ? e.message : String(e)}`)
  }
  const json = readJsonText(text)
  if (!json.ok) return unreadable(json.error)
  try {
    return readSchema(json.value)
  } catch (e) {
    if (!(e instanceof Failure)) throw e
    const details = `failed to parse "${path}" as ovsdb schema: ${e.error.details ?? ''}`
    throw new Failure({ ...e.error, details })
  }
}

export function convert(session: Session): void {
  const schema = readSchemaFile(session.args[0] ?? '', session.readFile)
  // Otherwise the server ends the connection of whoever used the database as it was (ovsdb-server(7), 4.1.18).
  ask(session, 'set_db_change_aware', [true], () => {
    ask(session, 'convert', [schema.name, printSchema(schema)], () => session.finish(0))
  })
}

/** A cluster keeps all columns on its disks: it knows no ephemeral ones. */
function withoutEphemeral(schema: DatabaseSchema): DatabaseSchema {
  const tables = [...schema.tables].map(([name, table]) => {
    const columns = [...table.columns].map(([c, column]) => [c, { ...column, ephemeral: false }] as const)
    return [name, { ...table, columns: new Map(columns) }] as const
  })
  return { ...schema, tables: new Map(tables) }
}

export function needsConversion(session: Session): void {
  const wanted = readSchemaFile(session.args[0] ?? '', session.readFile)
  const select = { op: 'select', table: 'Database', where: [['name', '==', wanted.name]], columns: ['model'] }
  ask(session, 'get_schema', [wanted.name], (result) => {
    session.rpc.request('transact', ['_Server', select], (reply) =>
      session.guard(() => {
        const [first] = isArray(reply.result) ? reply.result : []
        const [row] = isObject(first) && isArray(first['rows']) ? first['rows'] : []
        const clustered = isObject(row) && row['model'] === 'clustered'
        const schema = clustered ? withoutEphemeral(wanted) : wanted
        const same = printJson(printSchema(readSchema(result)), true) === printJson(printSchema(schema), true)
        session.print(same ? 'no\n' : 'yes\n')
        session.finish(0)
      }),
    )
  })
}
