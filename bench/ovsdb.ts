// Our database server against the real one, in one run: npm run bench -- ovsdb
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { referenceBin, referenceSchema } from '../tests/peers/reference.ts'
import { usage } from './_measure.ts'

const ROWS = Number(process.env['BENCH_ROWS'] ?? 160_000)
const bin = referenceBin('26.03')
const dir = mkdtempSync(join(tmpdir(), 'ovn-ts-bench-'))

await build({
  entryPoints: ['src/daemons/ovsdb-server.ts'],
  outfile: join(dir, 'ovsdb-server.mjs'),
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external: ['koffi'],
  logLevel: 'error',
  banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
})

const servers = {
  real: [join(bin, 'ovsdb-server')],
  ours: [process.execPath, join(dir, 'ovsdb-server.mjs')],
} as const
type Name = keyof typeof servers

/** Counts messages by their braces; the client must be faster than what it measures. */
class Client {
  bytes = 0
  private depth = 0
  private inString = false
  private escaped = false
  private text: Buffer[] = []
  private waiting: ((text: string) => void)[] = []
  onMessage: (() => void) | undefined

  private constructor(
    readonly socket: Socket,
    private readonly keep: boolean,
  ) {
    socket.on('data', (b) => this.data(b))
  }

  static async open(path: string, keep = true): Promise<Client> {
    for (;;) {
      const socket = connect(path)
      try {
        await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
        return new Client(socket, keep)
      } catch (e) {
        // The real server's queue of connections is short.
        if ((e as NodeJS.ErrnoException).code !== 'EAGAIN') throw e
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
  }

  /** Sends a request whose answer is so many bytes, which are only counted. */
  counted(method: string, params: unknown, bytes: number): Promise<void> {
    return new Promise((resolve) => {
      this.socket.removeAllListeners('data')
      let left = bytes
      this.socket.on('data', (b: Buffer) => {
        left -= b.length
        if (left <= 0) resolve()
      })
      this.socket.write(JSON.stringify({ id: 1, method, params }))
    })
  }

  /** From now on, calls for each row that an update says is new, and for nothing else. */
  eachInsert(call: () => void): void {
    const word = '"insert"'
    let rest = ''
    this.socket.removeAllListeners('data')
    this.socket.on('data', (b: Buffer) => {
      const text = rest + b.toString('latin1')
      let at = text.indexOf(word)
      let end = 0
      for (; at >= 0; at = text.indexOf(word, end)) {
        end = at + word.length
        call()
      }
      rest = text.slice(Math.max(end, text.length - word.length + 1))
    })
  }

  private data(b: Buffer): void {
    this.bytes += b.length
    let from = 0
    for (let i = 0; i < b.length; i++) {
      const c = b[i]
      if (this.inString) {
        if (this.escaped) this.escaped = false
        else if (c === 0x5c) this.escaped = true
        else if (c === 0x22) this.inString = false
        else {
          // Skip to what may end the string.
          const q = b.indexOf(0x22, i)
          const end = q < 0 ? b.length : q
          const esc = b.subarray(i, end).indexOf(0x5c)
          i = (esc < 0 ? end : i + esc) - 1
        }
        continue
      }
      if (c === 0x22) this.inString = true
      else if (c === 0x7b || c === 0x5b) this.depth++
      else if ((c === 0x7d || c === 0x5d) && --this.depth === 0) {
        if (this.keep) this.text.push(Buffer.from(b.subarray(from, i + 1)))
        from = i + 1
        const text = this.keep ? Buffer.concat(this.text).toString() : ''
        this.text = []
        if (text.includes('"method":"echo"') && !text.includes('"method":"echo_')) continue
        this.onMessage?.()
        this.waiting.shift()?.(text)
      }
    }
    if (this.keep && from < b.length) this.text.push(Buffer.from(b.subarray(from)))
  }

  request(method: string, params: unknown): Promise<string> {
    return new Promise((resolve) => {
      this.waiting.push(resolve)
      this.socket.write(JSON.stringify({ id: 1, method, params }))
    })
  }

  close(): void {
    this.socket.destroy()
  }
}

function memory(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
}

interface Running {
  readonly child: ChildProcess
  readonly socket: string
  readonly pid: number
  readonly opened: number
  stop(): Promise<void>
}

async function start(name: Name, db: string): Promise<Running> {
  const socket = join(dir, `${name}.sock`)
  const [program, ...args] = servers[name]
  const began = performance.now()
  const child = spawn(
    program as string,
    [...args, `--remote=punix:${socket}`, `--unixctl=${join(dir, `${name}.ctl`)}`, '-vconsole:off', db],
    { stdio: 'ignore' },
  )
  for (;;) {
    try {
      const c = await Client.open(socket)
      await c.request('list_dbs', [])
      c.close()
      break
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  return {
    child,
    socket,
    pid: child.pid as number,
    opened: performance.now() - began,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve())
        child.kill('SIGKILL')
      }),
  }
}

const seconds = async (what: () => Promise<void>): Promise<number> => {
  const began = performance.now()
  await what()
  return (performance.now() - began) / 1000
}

const results = new Map<string, Partial<Record<Name, number>>>()
function note(what: string, name: Name, value: number): void {
  if (process.env['BENCH_VERBOSE']) console.error(name, what, value)
  const entry = results.get(what) ?? {}
  entry[name] = value
  results.set(what, entry)
}

/** Transactions a second, and microseconds of the server's processor time for each. */
interface Speed {
  readonly rate: number
  readonly cpu: number
}

async function transactions(run: Running, clients: number, durable: boolean, count: number): Promise<Speed> {
  const all = await Promise.all(Array.from({ length: clients }, () => Client.open(run.socket)))
  let left = count
  const before = usage(run.pid).cpu
  const took = await seconds(async () => {
    await Promise.all(
      all.map(async (c, i) => {
        for (let n = 0; left-- > 0; n++) {
          const ops: unknown[] = [
            {
              op: 'insert',
              table: 'Address_Set',
              row: { name: `b${i}_${durable}_${clients}_${n}`, addresses: '10.0.0.1' },
            },
          ]
          if (durable) ops.push({ op: 'commit', durable: true })
          await c.request('transact', ['OVN_Southbound', ...ops])
        }
      }),
    )
  })
  const cpu = ((usage(run.pid).cpu - before) * 1e6) / count
  for (const c of all) c.close()
  return { rate: count / took, cpu }
}

/** A southbound database of so many rows, nearly all of them logical flows. */
async function fill(run: Running): Promise<void> {
  const c = await Client.open(run.socket)
  const reply = await c.request('transact', [
    'OVN_Southbound',
    ...Array.from({ length: 100 }, (_, i) => ({
      op: 'insert',
      table: 'Datapath_Binding',
      row: { tunnel_key: i + 1, external_ids: ['map', [['name', `ls${i}`]]] },
    })),
  ])
  const uuids = [...reply.matchAll(/"uuid",\s*"([^"]+)"/g)].map((m) => m[1])
  for (let at = 0; at < ROWS; at += 4000) {
    const ops = []
    for (let i = at; i < Math.min(ROWS, at + 4000); i++) {
      ops.push({
        op: 'insert',
        table: 'Logical_Flow',
        row: {
          logical_datapath: ['uuid', uuids[i % 100]],
          pipeline: i % 2 ? 'ingress' : 'egress',
          table_id: i % 30,
          priority: i % 32768,
          match: `eth.src == 02:00:00:00:${(i >> 8) & 255}:${i & 255} && ip4.src == 10.0.${(i >> 8) & 255}.${i & 255} && inport == "lsp${i}"`,
          actions: `reg0[0] = 1; outport = "lsp${i % 5000}"; next;`,
          controller_meter: ['set', []],
          external_ids: [
            'map',
            [
              ['source', `northd.c:${i % 9000}`],
              ['stage-hint', (i * 7919).toString(16).padStart(8, '0')],
              ['stage-name', 'ls_in_acl'],
            ],
          ],
        },
      })
    }
    await c.request('transact', ['OVN_Southbound', ...ops])
  }
  c.close()
}

const COLUMNS = [
  'logical_datapath',
  'logical_dp_group',
  'pipeline',
  'table_id',
  'priority',
  'match',
  'actions',
  'tags',
  'controller_meter',
  'external_ids',
  'flow_desc',
]
const monitor = (where?: unknown) => ({
  Logical_Flow: [{ columns: COLUMNS, ...(where ? { where } : {}) }],
  Address_Set: [{ columns: ['name', 'addresses'] }],
})
const ZERO = '00000000-0000-0000-0000-000000000000'

async function dumps(
  run: Running,
  clients: number,
  where?: unknown,
  size?: number,
): Promise<{ time: number; bytes: number }> {
  const all = await Promise.all(Array.from({ length: clients }, () => Client.open(run.socket, false)))
  const time = await seconds(async () => {
    const params = ['OVN_Southbound', 'm', monitor(where), ZERO]
    await Promise.all(
      all.map((c) =>
        size === undefined ? c.request('monitor_cond_since', params) : c.counted('monitor_cond_since', params, size),
      ),
    )
  })
  const bytes = all[0]?.bytes ?? 0
  for (const c of all) c.close()
  return { time, bytes }
}

/** Rows that so many writers insert at a time are told to 200 monitors. */
async function fanOut(run: Running, writers: number): Promise<Speed> {
  const all = await Promise.all(Array.from({ length: 200 }, () => Client.open(run.socket, false)))
  const monitored = { Address_Set: [{ columns: ['name', 'addresses'] }] }
  await Promise.all(all.map((c) => c.request('monitor_cond_since', ['OVN_Southbound', 'm', monitored, ZERO])))
  let left = 0
  let told = () => {}
  for (const c of all) c.eachInsert(() => --left === 0 && told())
  const write = await Promise.all(Array.from({ length: writers }, () => Client.open(run.socket)))
  const round = async (name: string) => {
    left = all.length * writers
    const everybody = new Promise<void>((resolve) => {
      told = resolve
    })
    const insert = (row: number) => ({ op: 'insert', table: 'Address_Set', row: { name: `${name}_${writers}_${row}` } })
    await Promise.all([...write.map((w, i) => w.request('transact', ['OVN_Southbound', insert(i)])), everybody])
  }
  for (let i = 0; i < 50; i++) await round(`warm${i}`)
  const rounds = 200
  const before = usage(run.pid).cpu
  const time = await seconds(async () => {
    for (let i = 0; i < rounds; i++) await round(`fan${i}`)
  })
  const updates = rounds * all.length * writers
  const cpu = ((usage(run.pid).cpu - before) * 1e6) / updates
  for (const c of [...all, ...write]) c.close()
  return { rate: updates / time, cpu }
}

for (const name of ['real', 'ours'] as const) {
  const db = join(dir, `${name}.db`)
  execFileSync(join(bin, 'ovsdb-tool'), ['create', db, referenceSchema('ovn-sb')])
  let run = await start(name, db)
  // Both sides warm: servers run for months.
  await transactions(run, 2, false, 30_000)
  await transactions(run, 2, true, 500)
  for (const clients of [1, 10]) {
    for (const durable of [false, true]) {
      const what = `${durable ? 'durable transactions' : 'transactions'}, ${clients} client${clients > 1 ? 's' : ''}`
      const { rate, cpu } = await transactions(run, clients, durable, durable ? 2000 : 20_000)
      note(`${what}: a second`, name, rate)
      note(`${what}: processor time, µs`, name, cpu)
    }
  }
  note(`fill ${ROWS} rows, s`, name, await seconds(() => fill(run)))
  note('memory after filling, MB', name, memory(run.pid))
  await run.stop()
  run = await start(name, db)
  note('opening the file, s', name, run.opened / 1000)
  note('file, MB', name, statSync(db).size / 1e6)
  note('memory after opening, MB', name, memory(run.pid))
  const one = await dumps(run, 1)
  // A dump is kept for three seconds for whoever wants the same: not for this one.
  await new Promise((resolve) => setTimeout(resolve, 4000))
  note('initial dump to 1 client, s', name, (await dumps(run, 1, undefined, one.bytes)).time)
  await new Promise((resolve) => setTimeout(resolve, 4000))
  note('bytes of it, MB', name, one.bytes / 1e6)
  note('initial dump to 50 clients, s', name, (await dumps(run, 50, undefined, one.bytes)).time)
  note(
    'conditional monitor of 1 % of rows, s',
    name,
    (
      await dumps(run, 1, [
        ['table_id', '==', 3],
        ['priority', '==', 7],
      ])
    ).time,
  )
  note('memory after the dumps, MB', name, memory(run.pid))
  for (const writers of [1, 10]) {
    const what = `one-row updates to 200 monitors, ${writers} writer${writers > 1 ? 's' : ''}`
    const { rate, cpu } = await fanOut(run, writers)
    note(`${what}: a second`, name, rate)
    note(`${what}: processor time of each, µs`, name, cpu)
  }
  const probe = await Client.open(run.socket)
  let worst = 0
  let compacting = true
  const probing = (async () => {
    while (compacting) {
      const t = performance.now()
      await probe.request('list_dbs', [])
      worst = Math.max(worst, performance.now() - t)
    }
  })()
  const took = await seconds(
    () =>
      new Promise((resolve) => {
        spawn(join(bin, 'ovs-appctl'), ['-t', join(dir, `${name}.ctl`), 'ovsdb-server/compact', 'OVN_Southbound'], {
          stdio: 'ignore',
        }).on('exit', () => resolve())
      }),
  )
  compacting = false
  await probing
  note('compaction, s', name, took)
  note('longest wait of another client meanwhile, ms', name, worst)
  probe.close()
  await run.stop()
  run = await start(name, db)
  note('opening the compacted file, s', name, run.opened / 1000)
  note('memory after opening the compacted file, MB', name, memory(run.pid))
  await run.stop()
}
rmSync(dir, { recursive: true, force: true })
for (const [what, { real = 0, ours = 0 }] of results) {
  console.log(
    `${what.padEnd(60)} real ${real.toFixed(2).padStart(10)}   ours ${ours.toFixed(2).padStart(10)}   ${(ours / real).toFixed(2)}`,
  )
}
