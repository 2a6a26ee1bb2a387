// A transaction of 600 MB and dumps of 1 GB, while other clients are served.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { freemem, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemFiles } from '../../src/io/files.ts'
import { readSchema } from '../../src/ovsdb/schema/index.ts'
import { createFile } from '../../src/ovsdb/storage/index.ts'
import { buildServer } from './ovsdb-program.ts'

const MB = 1e6
/**
 * The longest that a client may wait for the answer to its probe, in milliseconds: ovsdb-server(1) gives them 5 s.
 * What the server's thread has run meanwhile counts, not what other programs have taken from it.
 */
const PROBE = 5000
const enough = freemem() > 8e9
if (!enough) console.log('skipped: messages of 1 GB need 8 GB of free memory')

let dir = ''
let socket = ''
let server: ChildProcess | undefined

beforeAll(async () => {
  if (!enough) return
  dir = mkdtempSync(join(tmpdir(), 'ovn-ts-big-'))
  socket = join(dir, 'socket')
  const db = join(dir, 'db')
  const schema = readSchema({
    name: 'B',
    tables: { T: { columns: { text: { type: 'string' }, n: { type: 'integer' } } } },
  })
  expect(createFile(systemFiles, db, schema)).toBeUndefined()
  const program = await buildServer(dir)
  const args = [program, `--remote=punix:${socket}`, '--unixctl=none', '-vconsole:warn', db]
  server = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  ;(await open()).destroy()
}, 60_000)

afterAll(() => {
  server?.kill('SIGKILL')
  if (dir) rmSync(dir, { recursive: true, force: true })
})

async function open(): Promise<Socket> {
  for (let i = 0; ; i++) {
    const stream = connect(socket)
    try {
      await new Promise<void>((resolve, reject) => stream.once('connect', resolve).once('error', reject))
      return stream
    } catch (e) {
      if (i > 500) throw e
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

const ROWS_A_CHUNK = 500
const rowsOf = (length: number) => {
  const row = Buffer.from(`,{"op":"insert","table":"T","row":{"n":7,"text":"${'x'.repeat(length)}"}}`)
  return Buffer.concat(Array<Buffer>(ROWS_A_CHUNK).fill(row))
}
const CHUNK = rowsOf(2000)
const SMALL_ROWS = rowsOf(60)

/** Sends insertions of so many bytes as one transaction; the length of the reply. */
async function insert(bytes: number, chunk = CHUNK): Promise<number> {
  const stream = await open()
  const answered = ending(stream, '"error":null}', 0)
  stream.write('{"id":1,"method":"transact","params":["B"')
  for (let sent = 0; sent < bytes; sent += chunk.length) {
    if (!stream.write(chunk)) await new Promise((resolve) => stream.once('drain', resolve))
  }
  stream.write(']}')
  const length = await answered
  stream.destroy()
  return length
}

/** Counts what comes until it ends like this, behind so many bytes at least. */
function ending(stream: Socket, end: string, atLeast: number): Promise<number> {
  let length = 0
  let tail = ''
  return new Promise((resolve, reject) => {
    stream.once('close', () => reject(new Error(`closed after ${length} bytes: ${tail}`)))
    stream.on('data', (bytes) => {
      length += bytes.length
      tail = (tail + bytes.subarray(-end.length).toString('latin1')).slice(-end.length)
      if (length >= atLeast && tail === end) resolve(length)
    })
  })
}

/** How long the server's thread has run, in milliseconds. */
function ran(): number {
  const stat = readFileSync(`/proc/${server?.pid}/task/${server?.pid}/stat`, 'utf8')
  // proc(5): utime and stime, the 14th and 15th field, in hundredths of a second; the second, in brackets, has blanks.
  const [user, system] = stat.slice(stat.lastIndexOf(')')).split(' ').slice(12, 14).map(Number)
  return 10 * ((user ?? 0) + (system ?? 0))
}

/** The longest that a probe has waited for its answer, in milliseconds, and that the server has run meanwhile. */
interface Wait {
  readonly time: number
  readonly ran: number
}

/** Runs `work` while another client probes. */
async function probing(work: () => Promise<void>): Promise<Wait> {
  const stream = await open()
  let worst: Wait = { time: 0, ran: 0 }
  let over = false
  const probes = (async () => {
    while (!over) {
      const asked = performance.now()
      const before = ran()
      const answered = ending(stream, '"error":null}', 1)
      stream.write('{"id":1,"method":"echo","params":[]}')
      await answered
      stream.removeAllListeners('data').removeAllListeners('close')
      worst = { time: Math.max(worst.time, performance.now() - asked), ran: Math.max(worst.ran, ran() - before) }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  await work()
  over = true
  await probes
  stream.destroy()
  return worst
}

function report(what: string, worst: Wait, began: number): void {
  const memory = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server?.pid}/status`, 'utf8'))?.[1]) / 1000
  const took = ((performance.now() - began) / 1000).toFixed(1)
  console.log(
    `${what}: ${took} s, longest wait of a probe ${worst.time.toFixed(0)} ms (${worst.ran} ms of processor time), peak ${memory.toFixed(0)} MB`,
  )
}

test.skipIf(!enough)(
  'a transaction of 600 MB, while probes are answered',
  async () => {
    const began = performance.now()
    const worst = await probing(async () => {
      const length = await insert(600 * MB)
      const rows = Math.ceil((600 * MB) / CHUNK.length) * ROWS_A_CHUNK
      const uuid = '{"uuid":["uuid","00000000-0000-0000-0000-000000000000"]},'
      expect(length).toBe('{"id":1,"result":[],"error":null}'.length - 1 + rows * uuid.length)
    })
    report('transaction of 600 MB', worst, began)
    expect(worst.ran).toBeLessThan(PROBE)
  },
  600_000,
)

test.skipIf(!enough)(
  'dumps of 1 GB to two clients at once, while probes are answered',
  async () => {
    for (let i = 0; i < 4; i++) await insert(100 * MB)
    const began = performance.now()
    const worst = await probing(async () => {
      const dump = async (method: string, requests: unknown, expected: number) => {
        const stream = await open()
        const whole = ending(stream, '}}}}}', expected)
        stream.write(JSON.stringify({ id: 1, method, params: ['B', 'm', requests] }))
        expect(await whole).toBeGreaterThan(expected)
        stream.destroy()
      }
      await Promise.all([dump('monitor', { T: {} }, 990 * MB), dump('monitor_cond', { T: [{}] }, 990 * MB)])
    })
    report('dumps of 1 GB', worst, began)
    expect(worst.ran).toBeLessThan(PROBE)
  },
  600_000,
)

test.skipIf(!enough)(
  'a million small rows committed and deleted, with monitors that read and that do not, while probes are answered',
  async () => {
    const monitor = async (where: unknown) => {
      const stream = await open()
      stream.write(JSON.stringify({ id: 1, method: 'monitor_cond', params: ['B', 'm', { T: [{ where }] }] }))
      await new Promise((resolve) => stream.once('data', resolve))
      return stream
    }
    const nothing = await Promise.all(Array.from({ length: 10 }, () => monitor([['n', '==', 1]])))
    const lazy = await monitor([['n', '==', 7]])
    lazy.pause()
    const began = performance.now()
    const worst = await probing(async () => {
      await insert(SMALL_ROWS.length * 2000, SMALL_ROWS)
      const stream = await open()
      const answered = ending(stream, '"error":null}', 0)
      stream.write('{"id":1,"method":"transact","params":["B",{"op":"delete","table":"T","where":[]}]}')
      await answered
      stream.destroy()
    })
    report('a million rows come and go', worst, began)
    expect(worst.ran).toBeLessThan(PROBE)
    for (const stream of [...nothing, lazy]) stream.destroy()
  },
  600_000,
)
