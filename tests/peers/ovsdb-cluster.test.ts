import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connect, northbound, TransactFailure } from '../../src/schema/library.ts'
import { referenceBin, referenceSchema } from './reference.ts'

// Our client on a RAFT cluster of three real servers: it finds the leader, and the next one.

const bin = referenceBin()
const folder = mkdtempSync(join(tmpdir(), 'raft-'))
const at = (name: string) => join(folder, name)
const members = [1, 2, 3]
// Below the ports that the system gives out, and not those of another run.
const raft = (n: number) => `tcp:127.0.0.1:${20_000 + 10 * (process.pid % 1000) + n}`
const remote = (n: number) => `unix:${at(`s${n}`)}`
const alive = new Set<number>()

const tool = (...args: string[]) => execFileSync(join(bin, 'ovsdb-tool'), args, { encoding: 'utf8' })
const appctl = (n: number, ...args: string[]) =>
  execFileSync(join(bin, 'ovs-appctl'), ['-t', at(`ctl${n}`), ...args], { encoding: 'utf8' })

function start(n: number): void {
  const args = ['--detach', '--no-chdir', `--pidfile=${at(`pid${n}`)}`, `--unixctl=${at(`ctl${n}`)}`]
  const log = `--log-file=${at(`log${n}`)}`
  execFileSync(join(bin, 'ovsdb-server'), [...args, log, `--remote=p${remote(n)}`, at(`db${n}`)], { stdio: 'ignore' })
  alive.add(n)
}

function stop(n: number): void {
  process.kill(Number(readFileSync(at(`pid${n}`), 'utf8')))
  alive.delete(n)
}

const isLeader = (n: number) => appctl(n, 'cluster/status', 'OVN_Northbound').includes('Role: leader')

async function leader(): Promise<number> {
  for (let i = 0; i < 600; i++) {
    const found = [...alive].find(isLeader)
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error('no leader')
}

beforeAll(async () => {
  tool('create-cluster', at('db1'), referenceSchema('ovn-nb'), raft(1))
  start(1)
  await leader()
  for (const n of [2, 3]) {
    tool('join-cluster', at(`db${n}`), 'OVN_Northbound', raft(n), raft(1))
    start(n)
    execFileSync(join(bin, 'ovsdb-client'), ['-t', '60', 'wait', remote(n), 'OVN_Northbound', 'connected'], {
      stdio: 'ignore',
    })
  }
})
afterAll(() => {
  for (const n of [...alive]) stop(n)
  rmSync(folder, { recursive: true })
})

it('is asked by our ovsdb-client as by the real one', async () => {
  const program = at('ovsdb-client.mjs')
  await build({
    entryPoints: [fileURLToPath(new URL('../../src/cli/ovsdb-client.ts', import.meta.url))],
    ...{ outfile: program, bundle: true, format: 'esm', platform: 'node', target: 'node20', packages: 'external' },
  })
  const first = await leader()
  const followers = members
    .filter((n) => n !== first)
    .map(remote)
    .join()
  const all = members.map(remote).join()
  const ask = (command: readonly string[], args: readonly string[]) => {
    const [file = '', ...before] = command
    const r = spawnSync(file, [...before, '-t', '60', ...args], { encoding: 'utf8' })
    const stderr = r.stderr.split('\n').filter((line) => !/\|(reconnect\|INFO|ovsdb\|WARN)\|/.test(line))
    return { status: r.status, stdout: r.stdout, stderr }
  }
  const query = '["OVN_Northbound",{"op":"select","table":"NB_Global","where":[],"columns":["nb_cfg"]}]'
  for (const args of [
    ['get-schema-version', followers, 'OVN_Northbound'],
    ['get-schema-version', all, 'OVN_Northbound'],
    ['--no-leader-only', 'get-schema-version', followers, 'OVN_Northbound'],
    ['get-schema-version', remote(members.find((n) => n !== first) ?? 0), 'OVN_Northbound'],
    ['query', followers, query],
    ['query', all, query],
    ['needs-conversion', followers, referenceSchema('ovn-nb')],
    ['needs-conversion', all, referenceSchema('ovn-nb')],
    ['list-dbs', followers],
    ['dump', all, 'OVN_Northbound', 'NB_Global', 'name'],
  ]) {
    expect([args, ask([process.execPath, program], args)]).toEqual([args, ask([join(bin, 'ovsdb-client')], args)])
  }
})

it('follows the leader', async () => {
  const first = await leader()
  // the leader comes last, so that the others have to be left first
  const remotes = [...members.filter((n) => n !== first), first].map(remote)
  const nb = await connect({ schema: northbound, remotes, timeout: 120_000 })
  const sessions = (n: number) => Number(/sessions:(\d+)/.exec(appctl(n, 'memory/show'))?.[1] ?? 0)
  expect(sessions(first)).toBe(1)
  await nb.edit((tx) => tx.insert('Logical_Switch', { name: 'before' }))
  const seen: string[] = []
  nb.replica.onState((state) => seen.push(state))
  const known = nb.table('Logical_Switch').values().next().value
  stop(first)
  const second = await leader()
  expect(second).not.toBe(first)
  await nb.until(() => true)
  for (let i = 0; i < 300 && nb.replica.state !== 'synced'; i++) await new Promise((done) => setTimeout(done, 100))
  await nb.edit((tx) => tx.insert('Logical_Switch', { name: 'after' }))
  expect([...nb.table('Logical_Switch').values()].map((s) => s.name).sort()).toEqual(['after', 'before'])
  // what did not change is the same object still
  expect(nb.table('Logical_Switch').get(known?._uuid ?? '')).toBe(known)
  expect(seen[0]).toBe('connecting')
  expect(sessions(second)).toBe(1)
  // one that does not insist on the leader stays where it is
  const follower = members.find((n) => n !== first && n !== second) ?? 0
  const any = await connect({ schema: northbound, remotes: remote(follower), leaderOnly: false, timeout: 120_000 })
  await any.edit((tx) => tx.insert('Logical_Switch', { name: 'through a follower' }))
  expect(any.table('Logical_Switch').size).toBe(3)
  await nb.until(() => nb.table('Logical_Switch').size === 3)
  any.close()
  nb.close()
})

it('gives a lock to one, whichever member each tries first', async () => {
  for (const n of members) if (!alive.has(n)) start(n)
  await leader()
  const open = (order: readonly number[]) =>
    connect({ schema: northbound, remotes: order.map(remote), timeout: 120_000 })
  const all = await Promise.all([open([1, 2, 3]), open([2, 3, 1]), open([3, 1, 2])])
  const handles = all.map((nb) => nb.replica.lock('only_one'))
  const owners = () => handles.filter((h) => h.owned).length
  for (let i = 0; i < 600 && owners() === 0; i++) await new Promise((done) => setTimeout(done, 100))
  await new Promise((done) => setTimeout(done, 500))
  expect(owners()).toBe(1)
  for (const nb of all) nb.close()
})

it('has each edit once, however leaders die', async () => {
  for (const n of members) if (!alive.has(n)) start(n)
  const nb = await connect({ schema: northbound, remotes: members.map(remote), timeout: 120_000, probeInterval: 1000 })
  const done: string[] = []
  const failed: unknown[] = []
  const edits: Promise<unknown>[] = []
  const add = (name: string) =>
    edits.push(
      nb
        .edit((tx) => tx.insert('Logical_Router', { name }), { timeout: 60_000 })
        .then(
          () => done.push(name),
          (e) => failed.push(e),
        ),
    )
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 60; i++) {
      add(`r${round}-${i}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
      if (i !== 30) continue
      // without a word: what is under way is lost
      const first = await leader()
      process.kill(Number(readFileSync(at(`pid${first}`), 'utf8')), 'SIGKILL')
      alive.delete(first)
    }
    await Promise.all(edits)
    await leader()
    for (const n of members) if (!alive.has(n)) start(n)
  }
  expect(failed).toEqual([])
  expect([...nb.table('Logical_Router').values()].map((r) => r.name).sort()).toEqual([...done].sort())
  expect(done.length).toBe(180)
  nb.close()
})

it('keeps what twenty writers were told is done, once, while leaders die', async () => {
  for (const n of members) if (!alive.has(n)) start(n)
  await leader()
  const remotes = members.map(remote)
  const writers = await Promise.all(
    Array.from({ length: 20 }, () => connect({ schema: northbound, remotes, timeout: 120_000, probeInterval: 2000 })),
  )
  const [reader] = writers
  if (!reader) throw new Error('no writer')
  await reader.edit((tx) => {
    const [global] = tx.rows('NB_Global')
    const uuid = global?._uuid ?? tx.insert('NB_Global', {})
    tx.update('NB_Global', uuid, { nb_cfg: 0 })
  })
  await Promise.all(writers.map((nb) => nb.until(() => nb.table('NB_Global').size === 1)))
  const routers: string[] = []
  const counts: number[] = []
  const failed: string[] = []
  const outcome = <T>(work: Promise<T>, done: T[]) =>
    work.then(
      (value) => void done.push(value),
      (e: unknown) => void failed.push(e instanceof TransactFailure ? e.reason.kind : String(e)),
    )
  let enough = false
  const write = async (nb: (typeof writers)[number], writer: number) => {
    for (let i = 0; !enough; i++) {
      const name = `writer ${writer} ${i}`
      const router = nb.edit(
        (tx) => {
          tx.insert('Logical_Router', { name })
          return name
        },
        { timeout: 60_000 },
      )
      const count = nb.edit(
        (tx) => {
          const [global] = tx.rows('NB_Global')
          if (!global) throw new Error('no row')
          tx.verify('NB_Global', global._uuid, 'nb_cfg')
          tx.update('NB_Global', global._uuid, { nb_cfg: global.nb_cfg + 1 })
          return global.nb_cfg + 1
        },
        { timeout: 60_000, alone: true },
      )
      await Promise.all([outcome(router, routers), outcome(count, counts)])
    }
  }
  const work = writers.map(write)
  for (let round = 0; round < 2; round++) {
    const before = routers.length
    await expect.poll(() => routers.length - before, { timeout: 60_000 }).toBeGreaterThan(40)
    const first = await leader()
    process.kill(Number(readFileSync(at(`pid${first}`), 'utf8')), 'SIGKILL')
    alive.delete(first)
    const then = routers.length
    await expect.poll(() => routers.length - then, { timeout: 60_000 }).toBeGreaterThan(40)
    for (const n of members) if (!alive.has(n)) start(n)
  }
  enough = true
  await Promise.all(work)
  await expect.poll(() => writers.every((nb) => nb.connected), { timeout: 60_000 }).toBe(true)
  await reader.edit((tx) => tx.insert('Logical_Router', { name: 'the last' }))
  // a router is there once if its edit was done, and for none is it unknown
  const there = [...reader.table('Logical_Router').values()].map((r) => r.name).filter((n) => n.startsWith('writer'))
  expect(there.sort()).toEqual(routers.sort())
  // each count was told to one alone; of those that are unknown each was counted or not
  const unknown = failed.filter((kind) => kind === 'unknown').length
  expect(failed.length).toBe(unknown)
  expect(new Set(counts).size).toBe(counts.length)
  const [global] = reader.table('NB_Global').values()
  expect(global?.nb_cfg).toBeGreaterThanOrEqual(counts.length)
  expect(global?.nb_cfg).toBeLessThanOrEqual(counts.length + unknown)
  for (const nb of writers) nb.close()
}, 300_000)
