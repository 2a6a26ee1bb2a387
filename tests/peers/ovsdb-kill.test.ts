import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { below, type Random, seeded, uuid4 } from '../../src/base/random.ts'
import { systemFiles } from '../../src/io/files.ts'
import { isArray, isObject, type Json, type JsonObject } from '../../src/jsonrpc/json.ts'
import { parseJson } from '../../src/jsonrpc/parser.ts'
import { readSchema } from '../../src/ovsdb/schema/index.ts'
import { createFile } from '../../src/ovsdb/storage/index.ts'
import { RawClient } from './ovsdb-differential.ts'
import { buildServer } from './ovsdb-program.ts'
import { referenceBin } from './reference.ts'

const KILLS = Number(process.env['OVSDB_KILLS'] ?? 200)
const SEED = Number(process.env['OVSDB_SEED'] ?? 42)
/** No more kills are begun after so many seconds. */
const SECONDS = Number(process.env['OVSDB_KILL_SECONDS'] ?? 50)
/** Servers that run and die at the same time. */
const LANES = 4
const CLIENTS = 3
/** After every so many kills the real tool reads the file, too. */
const REAL_TOOL = 10

let dir = ''
let program = ''
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ovn-ts-kill-'))
  program = await buildServer(dir)
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const schema = readSchema({
  name: 'K',
  tables: { T: { columns: { n: { type: 'integer' }, text: { type: 'string' } }, indexes: [['n']] } },
})
const SELECT = ['K', { op: 'select', table: 'T', where: [], columns: ['_uuid', 'n'] }] as const

/** A row's number, or undefined: it is not there. */
type Value = number | undefined

/** What may be in the database: by uuid, the value acknowledged as durable, and what has been asked for since. */
type Expected = Map<string, Set<Value>>

function rowsOf(json: Json | undefined): Map<string, number> {
  const [selected] = isArray(json) ? json : []
  const rows = isObject(selected) ? selected['rows'] : undefined
  if (!isArray(rows)) throw new Error('no rows')
  return new Map(
    rows.map((row) => {
      const { _uuid, n } = row as { readonly _uuid: readonly [string, string]; readonly n: number }
      return [_uuid[1], n] as const
    }),
  )
}

function compare(there: ReadonlyMap<string, number>, expected: Expected, when: string): void {
  for (const [uuid, values] of expected) {
    if (values.has(there.get(uuid))) continue
    throw new Error(`${when}: row ${uuid} is ${there.get(uuid)}, not one of ${[...values]}`)
  }
  for (const uuid of there.keys()) if (!expected.has(uuid)) throw new Error(`${when}: nobody made row ${uuid}`)
}

interface Server {
  readonly child: ChildProcess
  readonly client: RawClient
  output(): string
}

async function start(lane: string): Promise<Server> {
  const [db, socket, control] = ['db', 'socket', 'control'].map((name) => join(dir, `${lane}.${name}`))
  for (const path of [socket, control]) rmSync(path as string, { force: true })
  const args = [program, `--remote=punix:${socket}`, `--unixctl=${control}`, '-vconsole:info', db as string]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr?.on('data', (b: Buffer) => {
    said += b
  })
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server ended: ${said}`)
    try {
      return { child, client: await RawClient.unix(socket as string), output: () => said }
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

/** Changes rows of its own, one after the other, for as long as it is answered; counts what is acknowledged. */
async function work(
  client: RawClient,
  random: Random,
  number: () => number,
  expected: Expected,
  done: () => void,
): Promise<void> {
  const mine: string[] = []
  for (;;) {
    const known = mine[below(random, mine.length || 1)]
    const what = known === undefined ? 0 : below(random, 4)
    const uuid = known === undefined || what < 2 ? uuid4(random) : known
    const n = number()
    const where = [['_uuid', '==', ['uuid', uuid]]]
    const row = { n, text: 'x'.repeat(below(random, 3000)) }
    const operation: Json =
      what < 2
        ? { op: 'insert', table: 'T', uuid, row }
        : what === 2
          ? { op: 'update', table: 'T', where, row }
          : { op: 'delete', table: 'T', where }
    const values = expected.get(uuid) ?? new Set<Value>([undefined])
    expected.set(uuid, values)
    const value = what === 3 ? undefined : n
    values.add(value)
    if (what < 2) mine.push(uuid)
    if (what === 3) mine.splice(mine.indexOf(uuid), 1)
    const durable = below(random, 4) > 0
    const { reply } = await client.call('transact', ['K', operation, { op: 'commit', durable }])
    const results = reply['result'] as readonly JsonObject[]
    if (results.some((r) => isObject(r) && r['error'] !== undefined)) throw new Error('a transaction failed')
    if (!durable) continue
    expected.set(uuid, new Set([value]))
    done()
  }
}

async function realTool(lane: string): Promise<Map<string, number>> {
  const tool = join(referenceBin('26.03'), 'ovsdb-tool')
  const args = ['query', join(dir, `${lane}.db`), JSON.stringify(SELECT)]
  const out = await new Promise<string>((resolve, reject) => {
    execFile(tool, args, { timeout: 120_000, maxBuffer: 1 << 28 }, (e, stdout, stderr) => {
      if (e) reject(new Error(`ovsdb-tool query: ${e.code ?? e.signal} ${stderr}`))
      else resolve(stdout)
    })
  })
  return rowsOf(parseJson(out))
}

interface Counts {
  kills: number
  durable: number
  compactions: number
  readonly failures: string[]
}

async function live(lane: string, kills: number, random: Random, counts: Counts) {
  const until = performance.now() + SECONDS * 1000
  const expected: Expected = new Map()
  let n = 0
  for (let kill = 0; kill <= kills && performance.now() < until; kill++) {
    const when = `seed ${SEED}, server ${lane}, kill ${kill}`
    if (kill && kill % REAL_TOOL === 0) compare(await realTool(lane), expected, `${when}, the real tool`)
    const { child, client, output } = await start(lane)
    const { reply } = await client.call('transact', SELECT).catch(async (e: Error) => {
      // All that it has to say, and whether it has ended, comes later than the end of the connection.
      await new Promise((resolve) => setTimeout(resolve, 2000))
      throw new Error(`${when}: ${e.message}; exit ${child.exitCode} ${child.signalCode}; it said: ${output()}`)
    })
    const there = rowsOf(reply['result'])
    compare(there, expected, `${when} ${output()}`)
    // What was in the balance is decided now.
    for (const uuid of [...expected.keys()]) {
      if (there.has(uuid)) expected.set(uuid, new Set([there.get(uuid)]))
      else expected.delete(uuid)
    }
    // What the clients do ends with the server, or is a failure.
    const untilKilled = (endless: Promise<void>) => {
      endless.catch((e: Error) => {
        if (!e.message.startsWith('the server closed the connection')) counts.failures.push(`${when}: ${e.message}`)
      })
    }
    let answered = 0
    const acknowledged = () => {
      answered++
      counts.durable++
    }
    for (let i = 0; i < CLIENTS; i++) {
      const other = await RawClient.unix(join(dir, `${lane}.socket`))
      untilKilled(work(other, random, () => n++, expected, acknowledged))
    }
    const control = await RawClient.unix(join(dir, `${lane}.control`))
    const compact = async () => {
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, below(random, 20)))
        await control.call('ovsdb-server/compact', [])
        counts.compactions++
      }
    }
    if (below(random, 2)) untilKilled(compact())
    // On a busy machine, too, it has lived to acknowledge something.
    const enough = below(random, 8)
    for (let i = 0; i < 1000 && answered < enough; i++) await new Promise((resolve) => setTimeout(resolve, 2))
    await new Promise((resolve) => setTimeout(resolve, below(random, 30)))
    counts.kills++
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }
}

test(`killed up to ${KILLS} times at random moments under load: what was acknowledged as durable is there`, async () => {
  const counts: Counts = { kills: 0, durable: 0, compactions: 0, failures: [] }
  const lanes = Array.from({ length: LANES }, (_, i) => `s${i}`)
  for (const lane of lanes) expect(createFile(systemFiles, join(dir, `${lane}.db`), schema)).toBeUndefined()
  await Promise.all(lanes.map((lane, i) => live(lane, Math.ceil(KILLS / LANES), seeded(SEED * LANES + i), counts)))
  const { kills, durable, compactions } = counts
  console.log(`${kills} kills, ${durable} transactions acknowledged as durable, ${compactions} compactions finished`)
  expect(counts.failures).toEqual([])
  expect(durable).toBeGreaterThan(kills)
  expect(counts.compactions).toBeGreaterThan(0)
}, 600_000)
