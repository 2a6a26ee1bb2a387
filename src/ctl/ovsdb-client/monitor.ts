import { type ControlCommand, command } from '../../base/command.ts'
import { isArray, isObject, type Json } from '../../jsonrpc/json.ts'
import { JsonError, parseJson } from '../../jsonrpc/parser.ts'
import { readError } from '../../ovsdb/client/wire-operation.ts'
import {
  type ColumnSchema,
  columnOf,
  type DatabaseSchema,
  describeError,
  readSchema,
  type TableSchema,
  VERSION_COLUMN,
} from '../../ovsdb/schema/index.ts'
import { readDatum } from '../../ovsdb/wire/datum.ts'
import { fatal } from '../error.ts'
import type { Cell, Table } from '../table.ts'
import { ask, errorOf, readJson, type Session } from './session.ts'

export type MonitorMethod = 'monitor' | 'monitor_cond' | 'monitor_cond_since'

const EVENTS = ['initial', 'insert', 'delete', 'modify'] as const

interface Watched {
  readonly schema: TableSchema
  /** In the order in which they are printed. */
  readonly columns: readonly ColumnSchema[]
  readonly requests: readonly Json[]
}

const alphabetical = (table: TableSchema): ColumnSchema[] => [
  ...[...table.columns.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
  VERSION_COLUMN,
]

/** The columns and events of one argument: `name,ports,!initial`. `seen`: columns of the arguments before. */
function readGroup(session: Session, table: TableSchema, text: string, where: Json | undefined, seen: Set<string>) {
  const columns: ColumnSchema[] = []
  const off = new Set<string>()
  for (const word of text.split(',').filter(Boolean)) {
    const event = EVENTS.find((e) => word === `!${e}`)
    if (event) {
      off.add(event)
      continue
    }
    const column = columnOf(table, word)
    if (!column) {
      fatal(`${session.server}: table "${table.name}" in ${session.database} does not have a column named "${word}"`)
    }
    columns.push(column)
  }
  const chosen = columns.length ? columns : alphabetical(table)
  for (const { name } of chosen) {
    if (seen.has(name)) fatal(`${session.server}: column "${name}" mentioned multiple times`)
    seen.add(name)
  }
  const select = Object.fromEntries(EVENTS.map((e) => [e, !off.has(e)]))
  const request = { columns: chosen.map((c) => c.name), select, ...(where === undefined ? {} : { where }) }
  return { columns: chosen, request }
}

function watch(session: Session, table: TableSchema, groups: readonly string[], where: Json | undefined): Watched {
  if (!groups.length) {
    const columns = alphabetical(table)
    const request = { columns: columns.map((c) => c.name), ...(where === undefined ? {} : { where }) }
    return { schema: table, columns, requests: [request] }
  }
  const seen = new Set<string>()
  const all = groups.map((g) => readGroup(session, table, g, where, seen))
  return { schema: table, columns: all.flatMap((g) => g.columns), requests: all.map((g) => g.request) }
}

/** monitor, monitor-cond and monitor-cond-since: prints the contents asked for, and every change until it is stopped. */
export function monitor(session: Session, method: MonitorMethod): void {
  let args = session.args
  const params: Json[] = []
  let lastId: string | undefined
  if (method === 'monitor_cond_since' && args.length > 1 && /^[0-9a-f-]{36}$/.test(args[0] ?? '')) {
    lastId = args[0]
    args = args.slice(1)
  }
  const condition = method === 'monitor' ? undefined : args[0]
  if (method !== 'monitor') args = args.slice(1)
  const [tableName = '', ...groups] = args
  ask(session, 'get_schema', [session.database], (result) => {
    const schema = readSchema(result)
    if (tableName !== 'ALL' && !schema.tables.has(tableName)) {
      const who = method === 'monitor' ? `${session.server}: ` : ''
      fatal(`${who}${session.database} does not have a table named "${tableName}"`)
    }
    const where = condition === undefined ? undefined : readJson(condition)
    const watched = choose(session, schema, tableName, groups, where)
    const requests = Object.fromEntries(watched.map((w) => [w.schema.name, w.requests as Json]))
    params.push(session.database, null, requests)
    if (method === 'monitor_cond_since') params.push(lastId ?? '00000000-0000-0000-0000-000000000000')
    const printer = new Printer(session, watched)
    const gate = new Gate()
    session.rpc.onNotification = (name, [id, second = null, third = null]) =>
      gate.pass(() =>
        session.guard(() => {
          if (id !== null) return
          if (name === 'monitor_canceled') fatal(`${session.server}: ${session.database} database was removed`)
          if (name === 'update3') {
            printer.head(`last_id: ${String(second)}`)
            printer.update(third, false)
          } else if (name === 'update2' || name === 'update') printer.update(second, false)
        }),
      )
    const show = (reply: Json) => {
      if (method !== 'monitor_cond_since') printer.update(reply, true)
      else if (isArray(reply)) {
        printer.head(`found: ${String(reply[0])}, last_id: ${String(reply[1])}`)
        printer.update(reply[2] ?? null, reply[0] !== true)
      }
      session.settled([...gate.commands(), conditionChange(session)])
    }
    // The real one finds a fault in a condition before it asks: it is told as one of the command line.
    const fault = (error: Json) => describeError(readError(error))
    const begin = () => ask(session, method, params, show, method === 'monitor' ? errorOf : fault)
    // Otherwise the server ends the connection when the database goes (ovsdb-server(7), 4.1.18).
    if (session.options.has('no-db-change-aware')) begin()
    else ask(session, 'set_db_change_aware', [true], begin)
  })
}

/** Lets updates pass, or holds them back while it is shut. */
class Gate {
  private held: (() => void)[] | undefined

  pass(update: () => void): void {
    if (this.held) this.held.push(update)
    else update()
  }

  commands(): ControlCommand[] {
    return [
      command('ovsdb-client/block', '', [0, 0], () => {
        if (this.held) return 'already blocking'
        this.held = []
        return ''
      }),
      command('ovsdb-client/unblock', '', [0, 0], () => {
        const { held } = this
        if (!held) return 'already unblocked'
        this.held = undefined
        for (const update of held) update()
        return ''
      }),
    ]
  }
}

/** Other rows from now on. What the server says of it is not told: the rows that come and go are. */
function conditionChange(session: Session): ControlCommand {
  return command('ovsdb-client/cond_change', 'TABLE COND', [2, 2], ([table = '', text = '']) => {
    let where: Json
    try {
      where = parseJson(text)
    } catch (e) {
      if (!(e instanceof JsonError)) throw e
      where = e.message
    }
    session.rpc.request('monitor_cond_change', [null, null, { [table]: [{ where }] }], () => {})
    return 'condition changed'
  })
}

function choose(
  session: Session,
  schema: DatabaseSchema,
  name: string,
  groups: readonly string[],
  where: Json | undefined,
): Watched[] {
  if (name === 'ALL') {
    const tables = [...schema.tables.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
    return tables.map((t) => watch(session, t, groups, where))
  }
  const table = schema.tables.get(name)
  return table ? [watch(session, table, groups, where)] : []
}

class Printer {
  private printed = false

  constructor(
    private readonly session: Session,
    private readonly watched: readonly Watched[],
  ) {}

  /** A line above the next tables, set off from those before. */
  head(text: string): void {
    if (this.printed) this.session.print('\n')
    this.printed = false
    this.session.print(`${text}\n`)
  }

  update(json: Json, initial: boolean): void {
    const tables = isObject(json) ? json : {}
    const time = this.session.options.has('timestamp') ? timestamp(this.session.clock.now()) : undefined
    for (const { schema, columns } of this.watched) {
      const rows = tables[schema.name]
      if (!isObject(rows)) continue
      const lines = Object.entries(rows).flatMap(([uuid, change]) => rowLines(uuid, change ?? null, columns, initial))
      const table: Table = {
        headings: ['row', 'action', ...columns.map((c) => c.name)],
        rows: lines,
        ...(this.watched.length > 1 ? { caption: schema.name } : {}),
        ...(time === undefined ? {} : { time }),
      }
      if (this.printed && this.session.spaced) this.session.print('\n')
      this.printed = true
      this.session.table(table)
    }
  }
}

/** The lines of one row: one, or of a change as `update` tells it what it was and what it is. */
function rowLines(uuid: string, json: Json, columns: readonly ColumnSchema[], initial: boolean): Cell[][] {
  if (!isObject(json)) return []
  const cells = (row: Json | undefined): Cell[] =>
    columns.map((c) => {
      const value = isObject(row) ? row[c.name] : undefined
      return value === undefined ? undefined : { type: c.type, value: readDatum(looser(c), value) }
    })
  const line = (head: string, action: string, row: Json | undefined): Cell[] => [
    { text: head },
    { text: action },
    ...cells(row),
  ]
  for (const action of ['initial', 'insert', 'modify', 'delete']) {
    if (action in json) return [line(uuid, action, json[action])]
  }
  const { old, new: after } = json
  if (old === undefined) return [line(uuid, initial ? 'initial' : 'insert', after)]
  if (after === undefined) return [line(uuid, 'delete', old)]
  return [line(uuid, 'old', old), line('', 'new', after)]
}

/** A difference may have more members than the column, or none. */
const looser = (column: ColumnSchema): ColumnSchema['type'] =>
  column.type.shape === 'set' || column.type.shape === 'map' ? { ...column.type, min: 0, max: 4294967295 } : column.type

function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', '')
}
