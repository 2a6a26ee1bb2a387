import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Lab, type Maker, type Running } from './ovsdb-lab.ts'

// What clients and the control socket are told when a database's disk is full, by the real server and by ours.

const lab = new Lab()
const MAKERS: readonly Maker[] = ['26.03', 'ours']
const servers = new Map<Maker, Running>()
const disk = (maker: Maker) => lab.at(`disk.${maker}`)
const mounted: string[] = []

const schema = { name: 'D', version: '1.0.0', tables: { T: { columns: { s: { type: 'string' } } } } }

beforeAll(async () => {
  await lab.prepare('ovsdb-server')
  writeFileSync(lab.at('schema'), JSON.stringify(schema))
  for (const maker of MAKERS) {
    mkdirSync(disk(maker))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk(maker)])
    mounted.push(disk(maker))
    await lab.run('26.03', 'ovsdb-tool', 'create', `${disk(maker)}/db`, lab.at('schema'))
    const remote = `--remote=punix:${lab.at(`${maker}.sock`)}`
    servers.set(maker, await lab.start(maker, 'ovsdb-server', remote, `${disk(maker)}/db`))
  }
})
afterAll(async () => {
  for (const dir of mounted) execFileSync('umount', ['-l', dir])
  await lab.close()
})

const insert = (size: number) => [{ op: 'insert', table: 'T', row: { s: 'x'.repeat(size) } }]

/** The answers of both, without their places and uuids, which are to be the same. */
async function same(ask: (maker: Maker) => Promise<string>): Promise<string> {
  const [theirs = '', ours = ''] = await Promise.all(
    MAKERS.map(async (maker) => {
      const answer = await ask(maker)
      return answer.replaceAll(disk(maker), 'DISK').replaceAll(/"[0-9a-f]{8}-[-0-9a-f]*"/g, '"UUID"')
    }),
  )
  expect(ours).toBe(theirs)
  return ours
}

const transact = (operations: readonly object[]) =>
  same(async (maker) => {
    const request = JSON.stringify(['D', ...operations])
    const { stdout, stderr } = await lab.run(
      '26.03',
      'ovsdb-client',
      'transact',
      `unix:${lab.at(`${maker}.sock`)}`,
      request,
    )
    return stdout + stderr
  })

const control = (...words: string[]) =>
  same(async (maker) => {
    const { code, stdout } = (await servers.get(maker)?.appctl(...words)) ?? { code: -1, stdout: '' }
    return `${code} ${stdout}`
  })

test('a transaction that does not fit is refused in the same words; the storage stays ok; less goes in', async () => {
  for (let i = 0; i < 4; i++) await transact(insert(60_000))
  const refused = await transact(insert(60_000))
  expect(JSON.parse(refused)).toEqual([
    { uuid: ['uuid', 'UUID'] },
    { error: 'I/O error', details: 'DISK/db: write failed', 'io-error': 'No space left on device' },
  ])
  expect(await control('ovsdb-server/get-db-storage-status', 'D')).toContain('status: ok')
  await transact([...insert(100), { op: 'commit', durable: true }])
  await transact(insert(60_000))
  await transact([{ op: 'delete', table: 'T', where: [] }])
  await control('ovsdb-server/compact', 'D')
  await control('ovsdb-server/get-db-storage-status', 'D')
  expect(await transact(insert(60_000))).not.toContain('error')
  await transact([{ op: 'select', table: 'T', where: [], columns: ['_uuid'] }])
})
