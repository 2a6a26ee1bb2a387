import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { below, seeded, uuid4 } from '../../src/base/random.ts'
import { systemFiles } from '../../src/io/files.ts'
import { isObject, type JsonObject, printJson } from '../../src/jsonrpc/json.ts'
import { readSchema } from '../../src/ovsdb/schema/index.ts'
import { createFile } from '../../src/ovsdb/storage/index.ts'
import { RawClient } from './ovsdb-differential.ts'

const KILLS = Number(process.env['OVSDB_KILLS'] ?? 200)

let dir = ''
let program = ''
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ovn-ts-kill-'))
  program = join(dir, 'ovsdb-server.mjs')
  await build({
    entryPoints: ['src/daemons/ovsdb-server.ts'],
    outfile: program,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: ['koffi'],
    logLevel: 'error',
    banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
  })
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const schema = readSchema({
  name: 'K',
  tables: { T: { columns: { n: { type: 'integer' }, text: { type: 'string' } }, indexes: [['n']] } },
})

async function start(
  db: string,
  socket: string,
): Promise<{ child: ChildProcess; client: RawClient; output(): string }> {
  rmSync(socket, { force: true })
  const args = [program, `--remote=punix:${socket}`, '--unixctl=none', '-vconsole:warn', db]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr?.on('data', (b: Buffer) => {
    said += b
  })
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server ended: ${said}`)
    try {
      return { child, client: await RawClient.unix(socket), output: () => said }
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

test(`killed ${KILLS} times at random moments under load: what was acknowledged as durable is there`, async () => {
  const random = seeded(42)
  const db = join(dir, 'db')
  const socket = join(dir, 'socket')
  expect(createFile(systemFiles, db, schema)).toBeUndefined()
  const acknowledged = new Set<string>()
  let n = 0
  for (let kill = 0; kill <= KILLS; kill++) {
    const { child, client, output } = await start(db, socket)
    const { reply } = await client.call('transact', ['K', { op: 'select', table: 'T', where: [], columns: ['_uuid'] }])
    const [selected] = reply['result'] as readonly JsonObject[]
    const text = printJson(selected ?? null)
    for (const uuid of acknowledged)
      if (!text.includes(uuid)) throw new Error(`kill ${kill}: ${uuid} is lost\n${output()}`)
    const until = below(random, 60)
    const work = async () => {
      for (;;) {
        const uuid = uuid4(random)
        const row = { n: n++, text: 'x'.repeat(below(random, 3000)) }
        const { reply: done } = await client.call('transact', [
          'K',
          { op: 'insert', table: 'T', uuid, row },
          { op: 'commit', durable: true },
        ])
        const results = done['result'] as readonly JsonObject[]
        if (!results.some((r) => isObject(r) && r['error'] !== undefined)) acknowledged.add(uuid)
      }
    }
    for (let i = 0; i < 3; i++) void work()
    await new Promise((resolve) => setTimeout(resolve, until))
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }
  expect(acknowledged.size).toBeGreaterThan(KILLS)
  expect(existsSync(db)).toBe(true)
}, 600_000)
