import { command } from '../../base/command.ts'
import { isArray, isObject, type Json, printJson } from '../../jsonrpc/json.ts'
import {
  type ColumnSchema,
  columnOf,
  compareDatums,
  type Datum,
  printSchema,
  readSchema,
  type TableSchema,
} from '../../ovsdb/schema/index.ts'
import { readDatum } from '../../ovsdb/wire/datum.ts'
import { fatal } from '../error.ts'
import { prettyJson } from '../table.ts'
import { backup, convert, needsConversion, readSchemaFile, restore } from './backup.ts'
import { monitor } from './monitor.ts'
import { ask, readJson, type Session, transact } from './session.ts'

/** A command of ovsdb-client(1). */
export interface ClientCommand {
  readonly name: string
  readonly usage: string
  /** Whether a database comes before the arguments; `named`: it has to be given. */
  readonly database: 'none' | 'optional' | 'named'
  readonly args: readonly [min: number, max: number]
  /**
   * Looks at the arguments before there is a connection. Throws CtlError or Failure; gives the database they
   * are about, for a command that is not told one.
   */
  readonly prepare?: (args: readonly string[], readFile: (path: string) => string) => string | undefined
  /** Goes on until it is stopped, in the background if so asked. */
  readonly endless?: boolean
  /** Prints what it is told from the start: it awaits no answer. */
  readonly listens?: boolean
  /** Connects again, over and over, when the server is not there. */
  readonly patient?: boolean
  run(session: Session): void
}

const json = (session: Session, value: Json): string =>
  `${session.options.has('pretty') ? prettyJson(value) : printJson(value, true)}\n`

function listDatabases(session: Session): void {
  ask(session, 'list_dbs', [], (result) => {
    for (const name of [...(isArray(result) ? result : [])].map(String).sort()) session.print(`${name}\n`)
    session.finish(0)
  })
}

/** Commands that look at the schema. */
function withSchema(run: (session: Session, schema: ReturnType<typeof readSchema>, text: Json) => void) {
  return (session: Session): void =>
    ask(session, 'get_schema', [session.database], (result) => {
      run(session, readSchema(result), result)
      session.finish(0)
    })
}

const byName = <T extends { readonly name: string }>(list: Iterable<T>): T[] =>
  [...list].sort((a, b) => (a.name < b.name ? -1 : 1))

const listTables = withSchema((session, schema) => {
  session.table({ headings: ['Table'], rows: byName(schema.tables.values()).map((t) => [{ text: t.name }]) })
})

const listColumns = withSchema((session, schema) => {
  const [wanted] = session.args
  const columnsOf = (table: TableSchema) =>
    byName(
      [columnOf(table, '_uuid'), columnOf(table, '_version'), ...table.columns.values()].filter((c) => c !== undefined),
    )
  const tables = byName(schema.tables.values()).filter((t) => wanted === undefined || t.name === wanted)
  const typeOf = (table: TableSchema, column: ColumnSchema): Json => {
    const one = { ...schema, tables: new Map([[table.name, { ...table, columns: new Map([[column.name, column]]) }]]) }
    const printed = printSchema(one) as { tables: Record<string, { columns: Record<string, { type: Json }> }> }
    return printed.tables[table.name]?.columns[column.name]?.type ?? null
  }
  const rows = tables.flatMap((t) =>
    columnsOf(t).map((c) => [
      ...(wanted === undefined ? [{ text: t.name }] : []),
      { text: c.name },
      { json: typeOf(t, c) },
    ]),
  )
  session.table({ headings: [...(wanted === undefined ? ['Table'] : []), 'Column', 'Type'], rows })
})

function runTransaction(session: Session, dryRun: boolean): void {
  const params = readJson(session.args[0] ?? '')
  if (!isArray(params)) fatal('not a valid OVSDB query')
  // a query ends in an abort, the outcome of which is nobody's business
  transact(session, dryRun ? [...params, { op: 'abort' }] : params, (result) => {
    const results =
      dryRun && isArray(result) && result.length > params.length - 1 ? withoutAbort(result, params.length - 1) : result
    session.print(json(session, results))
    session.finish(0)
  })
}

function withoutAbort(results: readonly Json[], operations: number): Json {
  const abort = results[operations]
  return isObject(abort) && abort['error'] === 'aborted' ? results.slice(0, operations) : results
}

function dump(session: Session): void {
  ask(session, 'get_schema', [session.database], (result) => {
    const schema = readSchema(result)
    const [tableName, ...columnNames] = session.args
    const tables = tableName === undefined ? byName(schema.tables.values()) : [schema.tables.get(tableName)]
    const wanted = tables.map((table) => {
      if (!table) return fatal(`No table "${tableName}" found.`)
      const columns = columnNames.length
        ? byName(columnNames.map((c) => columnOf(table, c) ?? fatal(`Table "${table.name}" has no column ${c}.`)))
        : [...byName([columnOf(table, '_uuid') as ColumnSchema]), ...byName(table.columns.values())]
      return { table, columns }
    })
    const operations = wanted.map(({ table, columns }) => ({
      ...{ op: 'select', table: table.name, where: [], columns: columns.map((c) => c.name) },
    }))
    transact(session, [session.database, ...operations], (results) => {
      wanted.forEach(({ table, columns }, i) => {
        if (i && session.spaced) session.print('\n')
        printTable(session, table, columns, isArray(results) ? results[i] : undefined)
      })
      session.finish(0)
    })
  })
}

function printTable(
  session: Session,
  table: TableSchema,
  columns: readonly ColumnSchema[],
  result: Json | undefined,
): void {
  if (!isObject(result) || !isArray(result['rows'])) {
    fatal(`${table.name} table reply is not an object with a "rows" member array: ${printJson(result ?? null, true)}`)
  }
  const cells = result['rows'].map((row) =>
    columns.map((c) => ({
      type: c.type,
      value: readDatum(c.type, (isObject(row) ? row[c.name] : undefined) ?? null),
    })),
  )
  session.table({ caption: `${table.name} table`, headings: columns.map((c) => c.name), rows: sorted(cells, columns) })
}

/** Rows in the order of their columns' values. Uuids, drawn by chance, only decide what nothing else does. */
function sorted<T extends { readonly value: Datum }>(
  rows: readonly (readonly T[])[],
  columns: readonly ColumnSchema[],
): readonly (readonly T[])[] {
  const places = [...columns.keys()]
  const own = places.filter((i) => columns[i]?.name === '_uuid')
  const others = places.filter((i) => !own.includes(i))
  return [...rows].sort((a, b) => {
    for (const i of [...others, ...own]) {
      const order = compareDatums(a[i]?.value, b[i]?.value)
      if (order) return order
    }
    return 0
  })
}

const LOCK_METHODS = ['lock', 'steal', 'unlock'] as const

/** lock, steal, unlock: the reply, and whatever is told afterwards. */
function lockCommand(session: Session, method: (typeof LOCK_METHODS)[number]): void {
  const show = (result: Json) => session.print(json(session, result))
  session.rpc.onNotification = (name, params) => {
    if (name === 'locked' || name === 'stolen') session.print(`${name}\n${json(session, params)}`)
  }
  session.rpc.request(method, [session.args[0] ?? ''], (reply) => {
    // Of a lock that can not be had the real one says nothing, and goes on.
    if (reply.error !== null) return
    show(reply.result)
    session.settled(
      LOCK_METHODS.map((name) =>
        command(name, 'LOCK', [1, 1], ([lock = '']) => {
          session.rpc.request(name, [lock], (answer) => {
            if (answer.error === null) show(answer.result)
          })
          return ''
        }),
      ),
    )
  })
}

function checkState([state = '']: readonly string[]): undefined {
  if (!['added', 'connected', 'removed'].includes(state)) fatal(`${state}: unknown state`)
}

/** Waits for a database to be added, connected to its storage or source, or removed. */
function waitFor(session: Session): void {
  const [state] = session.args
  const present = new Map<string, boolean>()
  const look = (updates: Json) => {
    const rows = isObject(updates) ? updates['Database'] : undefined
    for (const [uuid, change] of Object.entries(isObject(rows) ? rows : {})) {
      if (!isObject(change)) continue
      const row = change['initial'] ?? change['insert'] ?? change['modify']
      if (!isObject(row)) present.delete(uuid)
      else present.set(uuid, row['connected'] === undefined ? (present.get(uuid) ?? false) : row['connected'] === true)
    }
    const there = [...present.values()]
    const done = state === 'removed' ? !there.length : state === 'added' ? there.length > 0 : there.includes(true)
    if (done) session.finish(0)
  }
  session.rpc.onNotification = (_method, [, updates = null]) => look(updates)
  const where = [['name', '==', session.database]]
  const request = { Database: [{ columns: ['name', 'connected'], where }] }
  ask(session, 'monitor_cond', ['_Server', null, request], look)
}

const printOf = (value: (schema: ReturnType<typeof readSchema>) => string) =>
  withSchema((session, schema) => session.print(`${value(schema)}\n`))

/** The database of a transaction is its first word. */
const ofTransaction = ([text = '']: readonly string[]): string => {
  const params = readJson(text)
  return isArray(params) && typeof params[0] === 'string' ? params[0] : fatal('not a valid OVSDB query')
}

const ofSchema = ([path = '']: readonly string[], readFile: (path: string) => string): string =>
  readSchemaFile(path, readFile).name

const MANY = Number.POSITIVE_INFINITY

export const CLIENT_COMMANDS: readonly ClientCommand[] = [
  { name: 'list-dbs', usage: '[SERVER]', database: 'none', args: [0, 0], run: listDatabases },
  {
    name: 'get-schema',
    usage: '[SERVER] [DATABASE]',
    database: 'optional',
    args: [0, 0],
    run: withSchema((session, _schema, text) => session.print(json(session, text))),
  },
  { name: 'list-tables', usage: '[SERVER] [DATABASE]', database: 'optional', args: [0, 0], run: listTables },
  { name: 'list-columns', usage: '[SERVER] [DATABASE] [TABLE]', database: 'optional', args: [0, 1], run: listColumns },
  {
    name: 'get-schema-version',
    usage: '[SERVER] [DATABASE]',
    database: 'optional',
    args: [0, 0],
    run: printOf((s) => s.version),
  },
  {
    name: 'get-schema-cksum',
    usage: '[SERVER] [DATABASE]',
    database: 'optional',
    args: [0, 0],
    run: printOf((s) => s.cksum),
  },
  { name: 'convert', usage: '[SERVER] SCHEMA', database: 'none', args: [1, 1], prepare: ofSchema, run: convert },
  {
    name: 'needs-conversion',
    usage: '[SERVER] SCHEMA',
    database: 'none',
    args: [1, 1],
    prepare: ofSchema,
    run: needsConversion,
  },
  {
    name: 'transact',
    usage: '[SERVER] TRANSACTION',
    database: 'none',
    args: [1, 1],
    prepare: ofTransaction,
    run: (session) => runTransaction(session, false),
  },
  {
    name: 'query',
    usage: '[SERVER] TRANSACTION',
    database: 'none',
    args: [1, 1],
    prepare: ofTransaction,
    run: (session) => runTransaction(session, true),
  },
  { name: 'dump', usage: '[SERVER] [DATABASE] [TABLE [COLUMN]...]', database: 'optional', args: [0, MANY], run: dump },
  { name: 'backup', usage: '[SERVER] [DATABASE] > SNAPSHOT', database: 'optional', args: [0, 0], run: backup },
  {
    name: 'restore',
    usage: '[--force] [SERVER] [DATABASE] < SNAPSHOT',
    database: 'optional',
    args: [0, 0],
    run: restore,
  },
  {
    name: 'monitor',
    usage: '[SERVER] [DATABASE] TABLE|ALL [COLUMN,...]...',
    database: 'optional',
    args: [1, MANY],
    endless: true,
    run: (session) => monitor(session, 'monitor'),
  },
  {
    name: 'monitor-cond',
    usage: '[SERVER] [DATABASE] CONDITION TABLE|ALL [COLUMN,...]',
    database: 'optional',
    args: [2, 3],
    endless: true,
    run: (session) => monitor(session, 'monitor_cond'),
  },
  {
    name: 'monitor-cond-since',
    usage: '[SERVER] [DATABASE] [LAST_ID] CONDITION TABLE|ALL [COLUMN,...]',
    database: 'optional',
    args: [2, 4],
    endless: true,
    run: (session) => monitor(session, 'monitor_cond_since'),
  },
  {
    name: 'wait',
    usage: '[SERVER] DATABASE STATE',
    database: 'named',
    args: [1, 1],
    prepare: checkState,
    patient: true,
    run: waitFor,
  },
  ...LOCK_METHODS.map(
    (name): ClientCommand => ({
      name,
      usage: '[SERVER] LOCK',
      database: 'none',
      args: [1, 1],
      endless: true,
      listens: true,
      run: (session) => lockCommand(session, name),
    }),
  ),
]
