import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { below, type Random } from '../../src/base/random.ts'
import type { ByteStream } from '../../src/base/stream.ts'
import { isArray, isObject, type Json, type JsonObject, printJson } from '../../src/jsonrpc/json.ts'
import { MessageReader } from '../../src/jsonrpc/reader.ts'
import { referenceBin } from './reference.ts'

/** A database client of the rawest kind: requests, and everything that came until the reply. */
export class RawClient {
  private readonly inbox: JsonObject[] = []
  private wake: (() => void) | undefined
  private next = 1
  private readonly reader = new MessageReader((m) => {
    this.inbox.push(m as JsonObject)
    this.wake?.()
  })

  constructor(private readonly send: (text: string) => void) {}

  receive(bytes: Uint8Array): void {
    this.reader.push(bytes)
  }

  static over(stream: ByteStream): RawClient {
    const client = new RawClient((text) => void stream.write(Buffer.from(text)))
    stream.onData = (bytes) => client.receive(bytes)
    return client
  }

  static async unix(path: string): Promise<RawClient> {
    const socket = connect(path)
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    const client = new RawClient((text) => void socket.write(text))
    socket.on('data', (bytes) => client.receive(bytes))
    return client
  }

  /** The reply, and the notifications before it. */
  async call(method: string, params: readonly Json[]): Promise<{ reply: JsonObject; before: readonly JsonObject[] }> {
    const id = this.next++
    this.send(printJson({ method, params, id }))
    const before: JsonObject[] = []
    for (;;) {
      const message = this.inbox.shift()
      if (!message) {
        await new Promise<void>((resolve) => {
          this.wake = resolve
        })
        continue
      }
      if (message['method'] === 'echo') continue
      if (message['id'] === id) return { reply: message, before }
      before.push(message)
    }
  }
}

/** A real server with an empty database of this schema. */
export async function realServer(schema: Json): Promise<{ client(): Promise<RawClient>; stop(): void }> {
  const dir = mkdtempSync(join(tmpdir(), 'ovn-ts-differential-'))
  const bin = referenceBin('26.03')
  writeFileSync(join(dir, 'schema'), printJson(schema))
  await run(`${bin}/ovsdb-tool`, ['create', join(dir, 'db'), join(dir, 'schema')])
  const socket = join(dir, 'socket')
  const child = spawn(
    `${bin}/ovsdb-server`,
    [`--remote=punix:${socket}`, `--unixctl=${join(dir, 'ctl')}`, '-vconsole:off', join(dir, 'db')],
    { stdio: 'ignore' },
  )
  for (let i = 0; ; i++) {
    try {
      await RawClient.unix(socket)
      break
    } catch (e) {
      if (i > 100) throw e
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  return {
    client: () => RawClient.unix(socket),
    stop: () => {
      child.kill('SIGKILL')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

function run(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    spawn(program, args, { stdio: 'ignore' }).on('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`${program}: ${code}`)),
    )
  })
}

export const uuidOf = (n: number) => `${n.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`

const rowUuid = (r: Random, table: number) => uuidOf(16 * table + 1 + below(r, 8))

const ATOMS: Readonly<Record<string, (r: Random) => Json>> = {
  integer: (r) => below(r, 6),
  real: (r) => below(r, 5) / 4,
  boolean: (r) => below(r, 2) === 1,
  string: (r) => ['', 'a', 'b', 'é', 'a b', '\n"'][below(r, 6)] as string,
  // Tables do not share uuids, as they never do.
  uuid: (r) => ['uuid', rowUuid(r, below(r, 3))],
}

export interface RandomColumn {
  readonly name: string
  readonly key: string
  readonly value: string | undefined
  readonly min: number
  readonly max: number | 'unlimited'
  readonly ref: readonly [string, string] | undefined
}

export interface RandomTable {
  readonly name: string
  readonly columns: readonly RandomColumn[]
}

const TYPES = Object.keys(ATOMS)
const pick = <T>(r: Random, list: readonly T[]): T => list[below(r, list.length)] as T

/** A schema out of chance: every atomic type, number, reference and constraint turns up soon. */
export function randomSchema(r: Random): { schema: Json; tables: RandomTable[] } {
  const names = ['A', 'B', 'C']
  const roots = [true, below(r, 2) === 1, false]
  const tables: RandomTable[] = []
  const out: Record<string, Json> = {}
  for (const [t, name] of names.entries()) {
    const columns: RandomColumn[] = []
    const json: Record<string, Json> = {}
    for (let i = 0; i < 4; i++) {
      const key = pick(r, TYPES)
      const value = below(r, 4) === 0 ? pick(r, TYPES) : undefined
      const min = below(r, 3) === 0 ? 1 : 0
      const max = pick(r, [1, 1, 2, 'unlimited'] as const)
      // A weak reference to garbage is where the real server errs.
      const target = below(r, 3)
      const weak = roots[target] && below(r, 2) === 0
      const ref =
        key === 'uuid' && below(r, 4) > 0 ? ([names[target] as string, weak ? 'weak' : 'strong'] as const) : undefined
      const column = { name: `c${i}`, key, value, min, max, ref }
      columns.push(column)
      json[column.name] = {
        type: {
          key: ref
            ? { type: 'uuid', refTable: ref[0], refType: ref[1] }
            : key === 'integer' && below(r, 4) === 0
              ? { type: key, maxInteger: 4 }
              : key,
          ...(value ? { value } : {}),
          min,
          max,
        },
        ...(below(r, 8) === 0 ? { ephemeral: true } : {}),
      }
    }
    const scalar = columns.find(
      (c) => !c.value && c.max === 1 && c.min === 1 && !(json[c.name] as JsonObject)['ephemeral'],
    )
    out[name] = {
      columns: json,
      ...(roots[t] ? { isRoot: true } : {}),
      ...(below(r, 5) === 0 ? { maxRows: 4 } : {}),
      ...(scalar && below(r, 3) === 0 ? { indexes: [[scalar.name]] } : {}),
    }
    tables.push({ name, columns })
  }
  return { schema: { name: 'R', version: '1.0.0', tables: out }, tables }
}

function randomAtom(r: Random, type: string): Json {
  return (ATOMS[type] as (r: Random) => Json)(r)
}

export function randomValue(r: Random, c: RandomColumn, upTo = c.max === 'unlimited' ? 4 : c.max): Json {
  const n = Math.min(upTo, Math.max(c.min, below(r, upTo + 1)))
  const distinct = new Map<string, Json>()
  for (let i = 0; i < n * 3 && distinct.size < n; i++) {
    const atom = randomAtom(r, c.key)
    distinct.set(printJson(atom), atom)
  }
  const atoms = [...distinct.values()]
  const { value } = c
  if (value) return ['map', atoms.map((a) => [a, randomAtom(r, value)])]
  return atoms.length === 1 && below(r, 2) ? (atoms[0] as Json) : ['set', atoms]
}

function randomCondition(r: Random, table: RandomTable): Json {
  const kind = below(r, 4)
  if (kind === 0) return ['_uuid', '==', randomAtom(r, 'uuid')]
  const c = pick(r, table.columns)
  return [c.name, pick(r, ['==', '!=', 'includes', 'excludes', '<', '>=']), randomValue(r, c)]
}

export function randomOperation(r: Random, tables: readonly RandomTable[]): Json {
  const table = pick(r, tables)
  const where = () => Array.from({ length: below(r, 3) }, () => randomCondition(r, table))
  const row = (n: number) => {
    const out: Record<string, Json> = {}
    for (let i = 0; i < n; i++) {
      const c = pick(r, table.columns)
      out[c.name] = randomValue(r, c)
    }
    return out
  }
  switch (pick(r, ['insert', 'insert', 'insert', 'update', 'mutate', 'delete', 'select', 'wait'])) {
    case 'insert':
      return { op: 'insert', table: table.name, row: row(4), uuid: rowUuid(r, tables.indexOf(table)) }
    case 'update':
      return { op: 'update', table: table.name, where: where(), row: row(2) }
    case 'delete':
      return { op: 'delete', table: table.name, where: [randomCondition(r, table)] }
    case 'select':
      return { op: 'select', table: table.name, where: where(), columns: [pick(r, table.columns).name] }
    case 'wait':
      return {
        op: 'wait',
        timeout: 0,
        table: table.name,
        where: where(),
        columns: [pick(r, table.columns).name],
        until: pick(r, ['==', '!=']),
        rows: [row(2)],
      }
    default: {
      const c = pick(r, table.columns)
      return {
        op: 'mutate',
        table: table.name,
        where: where(),
        mutations: [[c.name, pick(r, ['insert', 'delete', '+=', '-=']), randomValue(r, c)]],
      }
    }
  }
}

/** Conditions, columns and kinds for a monitor. */
export function randomMonitor(r: Random, tables: readonly RandomTable[], conditional: boolean): Json {
  const out: Record<string, Json> = {}
  for (const table of tables) {
    if (below(r, 5) === 0) continue
    const columns = table.columns.filter(() => below(r, 3) > 0).map((c) => c.name)
    out[table.name] = [
      {
        columns,
        ...(conditional && below(r, 2)
          ? { where: Array.from({ length: 1 + below(r, 2) }, () => randomClause(r, table)) }
          : {}),
        ...(below(r, 4) === 0
          ? {
              select: {
                initial: below(r, 2) === 1,
                insert: below(r, 2) === 1,
                delete: below(r, 2) === 1,
                modify: below(r, 2) === 1,
              },
            }
          : {}),
      },
    ]
  }
  return out
}

export function randomClause(r: Random, table: RandomTable): Json {
  if (below(r, 6) === 0) return below(r, 2) === 1
  const c = pick(r, table.columns)
  if (c.max === 1 && !c.value && c.min === 1) return [c.name, pick(r, ['==', '!=']), randomValue(r, c)]
  return below(r, 2)
    ? ['_uuid', '==', randomAtom(r, 'uuid')]
    : [c.name, pick(r, ['includes', 'excludes', '==']), randomValue(r, c)]
}

const RANDOM = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

/** What must be the same: not random uuids, nor the order of rows, nor which of two rows a message names first. */
export function comparable(json: Json): Json {
  if (typeof json === 'string') {
    return json
      .replace(RANDOM, (uuid) => (uuid.endsWith('-0000-4000-8000-000000000000') ? uuid : 'UUID'))
      .replace(/to have identical values .*/, 'to have identical values ...')
      .replace(/^Table . column .. row .* references nonexistent row .*/, 'references nonexistent row')
      .replace(/^Attempted to store \d+ /, 'Attempted to store N ')
      .replace(/^(Deletion of|Weak reference column).*/, 'weak reference')
  }
  if (isArray(json)) {
    const list = json.map(comparable)
    // The difference of two sets has no order.
    if (list[0] === 'set' || list[0] === 'map') {
      const members = [...(list[1] as readonly Json[])].sort(byText)
      return [list[0], members]
    }
    return list
  }
  if (!isObject(json)) return json
  const out: Record<string, Json> = {}
  for (const [name, value] of Object.entries(json)) {
    // The real server sometimes tells of a modification that is none.
    if (isEmptyModification(value)) continue
    if (name !== 'id')
      out[name.replace(RANDOM, (u) => (u.endsWith('000000000000') ? u : 'UUID'))] = comparable(value as Json)
  }
  if (isArray(out['rows'])) out['rows'] = [...out['rows']].sort(byText)
  return out
}

function isEmptyModification(json: Json | undefined): boolean {
  if (!isObject(json)) return false
  const members = Object.values(json)
  const emptyModify = isObject(json['modify']) && !Object.keys(json['modify']).length
  return members.length > 0 && (emptyModify || members.every((m) => isEmptyModification(m)))
}

/** A notification without any change in it. */
export function tellsNothing(message: Json): boolean {
  const params = isObject(message) ? message['params'] : undefined
  const last = isArray(params) ? params[params.length - 1] : undefined
  return isObject(last) && (Object.keys(last).length === 0 || Object.values(last).every((t) => isEmptyModification(t)))
}

function byText(a: Json, b: Json): number {
  return printJson(a, true) < printJson(b, true) ? -1 : 1
}
