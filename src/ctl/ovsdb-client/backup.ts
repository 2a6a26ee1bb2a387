import { isArray, isObject, type Json, printJson } from '../../jsonrpc/json.ts'
import { type DatabaseSchema, printSchema, readSchema } from '../../ovsdb/schema/index.ts'
import { fatal } from '../error.ts'
import { ask, readJson, type Session, transact } from './session.ts'

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
      const contents: Record<string, Json> = { _date: Math.floor(session.clock.now()) }
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

const HEADER = /^OVSDB JSON (\d+) [0-9a-f]{40}\n/

/** The records of a snapshot. */
function readRecords(text: string): Json[] {
  const bytes = new TextEncoder().encode(text)
  const decoder = new TextDecoder()
  const records: Json[] = []
  let at = 0
  while (at < bytes.length) {
    const [head, length] = HEADER.exec(decoder.decode(bytes.subarray(at, at + 128))) ?? []
    if (head === undefined) fatal(`backup: unexpected file format at offset ${at}`)
    const end = at + head.length + Number(length)
    if (end > bytes.length) fatal(`backup: unexpected end of file`)
    records.push(readJson(decoder.decode(bytes.subarray(at + head.length, end))))
    at = end
  }
  return records
}

/** Makes the database what a snapshot says, in one transaction; the rows get uuids of their own. */
export function restore(session: Session): void {
  session.readInput((text) =>
    session.guard(() => {
      const [schemaJson, ...transactions] = readRecords(text)
      const saved = readSchema(schemaJson ?? null)
      ask(session, 'get_schema', [session.database], (result) => {
        const schema = readSchema(result)
        if (!session.options.has('force')) checkSame(saved, schema)
        restoreInto(session, schema, transactions)
      })
    }),
  )
}

const HINT = '(use --force to override differences, or "ovsdb-client convert" to change the schema)'

function checkSame(saved: DatabaseSchema, now: DatabaseSchema): void {
  for (const what of ['version', 'cksum'] as const) {
    if (saved[what] !== now[what]) {
      fatal(`backup schema has ${what} "${saved[what]}" but database schema has ${what} "${now[what]}" ${HINT}`)
    }
  }
}

function restoreInto(session: Session, schema: DatabaseSchema, transactions: readonly Json[]): void {
  const rows = new Map<string, Map<string, Json>>()
  for (const transaction of transactions) {
    for (const [table, changes] of Object.entries(isObject(transaction) ? transaction : {})) {
      if (table.startsWith('_') || !isObject(changes)) continue
      if (!schema.tables.has(table)) fatal(`backup has table ${table}, which the database does not have`)
      const into = rows.get(table) ?? new Map<string, Json>()
      rows.set(table, into)
      for (const [uuid, row] of Object.entries(changes)) {
        if (isObject(row)) into.set(uuid, row)
        else into.delete(uuid)
      }
    }
  }
  const known = new Set([...rows.values()].flatMap((list) => [...list.keys()]))
  const deletes = [...schema.tables.keys()].map((table) => ({ op: 'delete', table, where: [] }))
  const inserts = [...rows].flatMap(([table, list]) =>
    [...list].map(([uuid, row]) => ({
      ...{ op: 'insert', table, 'uuid-name': rowName(uuid) },
      row: renamed(onlyKnown(schema, table, row), known),
    })),
  )
  // references that the backup has but not every row it names are for the server to refuse
  transact(session, [session.database, ...deletes, ...inserts], (results) => {
    const failed = (isArray(results) ? results : []).find((r) => isObject(r) && r['error'] !== undefined)
    if (failed !== undefined) fatal(`transaction returned error: ${printJson(failed, true)}`)
    session.finish(0)
  })
}

const rowName = (uuid: string): string => `row${uuid.replaceAll('-', '_')}`

/**
 * References by the names that the rows have within the transaction: a uuid that was in use before
 * it can not be given to a new row.
 */
function renamed(json: Json, known: ReadonlySet<string>): Json {
  if (isArray(json)) {
    const [kind, uuid] = json
    if (json.length === 2 && kind === 'uuid' && typeof uuid === 'string' && known.has(uuid)) {
      return ['named-uuid', rowName(uuid)]
    }
    return json.map((j) => renamed(j, known))
  }
  if (!isObject(json)) return json
  return Object.fromEntries(Object.entries(json).map(([k, v]) => [k, renamed(v ?? null, known)]))
}

function onlyKnown(schema: DatabaseSchema, table: string, row: Json): Json {
  const columns = new Set(kept(schema, table))
  return Object.fromEntries(Object.entries(isObject(row) ? row : {}).filter(([c]) => columns.has(c)))
}

/** The schema in a file; throws CtlError or Failure. */
export function readSchemaFile(path: string, readFile: (path: string) => string): DatabaseSchema {
  let text: string
  try {
    text = readFile(path)
  } catch (e) {
    const why = e instanceof Error ? e.message : String(e)
    return fatal(`failed to read schema: "${path}" could not be read as JSON (error opening "${path}": ${why})`)
  }
  return readSchema(readJson(text))
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
