import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connect, northbound } from '../../src/schema/library.ts'
import { referenceBin, referenceSchema } from './reference.ts'

// Our client on a RAFT cluster of three real servers: it finds the leader, and the next one.

const bin = referenceBin()
const folder = mkdtempSync(join(tmpdir(), 'raft-'))
const at = (name: string) => join(folder, name)
const members = [1, 2, 3]
const raft = (n: number) => `tcp:127.0.0.1:${16650 + n}`
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
  for (let i = 0; i < 200; i++) {
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
    execFileSync(join(bin, 'ovsdb-client'), ['-t', '30', 'wait', remote(n), 'OVN_Northbound', 'connected'], {
      stdio: 'ignore',
    })
  }
}, 60_000)
afterAll(() => {
  for (const n of [...alive]) stop(n)
  rmSync(folder, { recursive: true })
})

it('follows the leader', { timeout: 90_000 }, async () => {
  const first = await leader()
  // the leader comes last, so that the others have to be left first
  const remotes = [...members.filter((n) => n !== first), first].map(remote)
  const nb = await connect({ schema: northbound, remotes, timeout: 30_000 })
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
  const any = await connect({ schema: northbound, remotes: remote(follower), leaderOnly: false, timeout: 20_000 })
  await any.edit((tx) => tx.insert('Logical_Switch', { name: 'through a follower' }))
  expect(any.table('Logical_Switch').size).toBe(3)
  await nb.until(() => nb.table('Logical_Switch').size === 3)
  any.close()
  nb.close()
})
