import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ByteStream } from '../../src/base/stream.ts'
import { isArray, isObject, type Json, type JsonObject, printJson } from '../../src/jsonrpc/json.ts'
import { MessageReader } from '../../src/jsonrpc/reader.ts'
import { referenceBin } from './reference.ts'

/** A database client of the rawest kind: requests, and everything that came until the reply. */
export class RawClient {
  private readonly inbox: JsonObject[] = []
  private wake: (() => void) | undefined
  private next = 1
  private closed = false
  /** What the system said of it. */
  private reason = ''
  private readonly reader = new MessageReader((m) => {
    this.inbox.push(m as JsonObject)
    this.wake?.()
  })

  constructor(private readonly send: (text: string) => void) {}

  receive(bytes: Uint8Array): void {
    this.reader.push(bytes)
  }

  /** The server is gone: whoever waits for it is told. */
  private end(): void {
    this.closed = true
    this.wake?.()
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
    socket.on('error', (e) => {
      client.reason = ` (${e.message})`
    })
    socket.on('close', () => client.end())
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
        if (this.closed)
          throw new Error(
            `the server closed the connection${this.reason} at ${method} ${printJson(params).slice(0, 500)}`,
          )
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

const RANDOM = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

/**
 * What a value's limits say of it. Of several rows or columns that are out of theirs, the real server names
 * the one that its hashes put first.
 */
const LIMITS =
  /(^Attempted to store|is not one of the allowed|is not in the valid range|is (less|greater) than|contains duplicates|Division by zero).*/
const LIMITED = new Set(['mutate', 'insert'])

/** Whether the answer to these operations may name another value that is out of its limits. */
export function isAmbiguous(operations: readonly Json[], columns: number): boolean {
  return operations.some((op) => {
    if (!isObject(op) || !LIMITED.has(op['op'] as string)) return false
    return op['op'] === 'mutate' || (isObject(op['row']) && Object.keys(op['row']).length < columns)
  })
}

/** An answer without what a value's limits say of it. */
export function withoutLimits(text: string): string {
  return text.replaceAll(/"details":"((?:[^"\\]|\\.)*)","error":"[^"]*"/g, (whole, details: string) =>
    LIMITS.test(details) ? '"details":"..."' : whole,
  )
}

/** What must be the same: not random uuids, nor the order of rows, nor which of two rows a message names first. */
export function comparable(json: Json): Json {
  if (typeof json === 'string') {
    return (
      json
        .replace(RANDOM, (uuid) => (uuid.endsWith('-0000-4000-8000-000000000000') ? uuid : 'UUID'))
        .replace(/to have identical values .*/, 'to have identical values ...')
        .replace(/^Table . column .. row .* references nonexistent row .*/, 'references nonexistent row')
        // Of two such columns, the real server names the one that its hashes put first.
        .replace(/^Cannot update immutable column \S+/, 'Cannot update immutable column ...')
        // Of several rows that fail, another may be the first.
        .replace(/^cannot delete (\S+) row .*/, 'cannot delete $1 row')
        .replace(/^Attempted to store \d+ /, 'Attempted to store N ')
        .replace(/^(Deletion of|Weak reference column).*/, 'weak reference')
    )
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
  const changed = json['modify'] ?? (isObject(json['new']) ? json['old'] : undefined)
  const emptyModify = isObject(changed) && !Object.keys(changed).length
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
