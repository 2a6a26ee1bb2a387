import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connect, northbound } from '../../src/schema/library.ts'
import { referenceBin, referenceSchema } from './reference.ts'

// Our client and the IDL of Open vSwitch for Python, side by side on a real server: neither undoes what the other
// does, and both see the same.

const PYTHON = '/usr/bin/python3'
const able = spawnSync(PYTHON, ['-c', 'import ovs.db.idl']).status === 0
if (!able) console.log('skipped: the IDL for Python needs the package python3-openvswitch')

const bin = referenceBin()
const folder = mkdtempSync(join(tmpdir(), 'idl-'))
const at = (name: string) => join(folder, name)
const remote = `unix:${at('nb.sock')}`
const TIMES = 60
let python: ChildProcess | undefined

beforeAll(() => {
  execFileSync(join(bin, 'ovsdb-tool'), ['create', at('nb.db'), referenceSchema('ovn-nb')])
  const args = ['--detach', '--no-chdir', `--pidfile=${at('pid')}`, `--unixctl=${at('ctl')}`, `--remote=p${remote}`]
  execFileSync(join(bin, 'ovsdb-server'), [...args, `--log-file=${at('log')}`, at('nb.db')], { stdio: 'ignore' })
})
afterAll(() => {
  python?.kill()
  process.kill(Number(readFileSync(at('pid'), 'utf8')))
  rmSync(folder, { recursive: true })
})

it.runIf(able)('count together, and see the same', { timeout: 120_000 }, async () => {
  const nb = await connect({ schema: northbound, remotes: remote, timeout: 60_000 })
  await nb.edit((tx) => tx.insert('NB_Global', {}))
  const script = fileURLToPath(new URL('./ovsdb-idl.py', import.meta.url))
  const child = spawn('timeout', ['100', PYTHON, script, remote, referenceSchema('ovn-nb'), `${TIMES}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  python = child
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const said = async (): Promise<Record<string, unknown>> => JSON.parse((await lines.next()).value ?? '{}')
  expect(await said()).toEqual({ ready: true })

  const increment = () =>
    nb.edit(
      (tx) => {
        const [global] = tx.rows('NB_Global')
        if (!global) throw new Error('no row')
        tx.verify('NB_Global', global._uuid, 'nb_cfg')
        tx.update('NB_Global', global._uuid, { nb_cfg: global.nb_cfg + 1 })
        return global.nb_cfg + 1
      },
      { alone: true },
    )
  const ours: number[] = []
  for (let i = 0; i < TIMES; i++) ours.push(await increment())
  const { counts } = (await said()) as { counts: number[] }
  // every number once: no count of one was lost to the other
  expect([...ours, ...counts].sort((a, b) => a - b)).toEqual(Array.from({ length: 2 * TIMES }, (_, i) => i + 1))

  expect(await said()).toEqual({ made: 'success' })
  const byName = nb.table('Logical_Switch').index('name', (sw) => sw.name)
  await nb.until(() => byName.first('of python') !== undefined, { timeout: 60_000 })
  await nb.edit((tx) => {
    const port = tx.insert('Logical_Switch_Port', { name: 'ours', enabled: false, options: new Map([['k', 'v']]) })
    const own = tx.insert('Logical_Switch', { name: 'of ours', ports: [port] })
    tx.update('Logical_Switch', own, { name: 'of ours, edited' })
    const theirs = byName.first('of python')
    if (!theirs) throw new Error('it was there')
    tx.setKey('Logical_Switch', theirs._uuid, 'other_config', 'by', 'both')
    tx.addMember('Logical_Switch', theirs._uuid, 'ports', tx.insert('Logical_Switch_Port', { name: 'another' }))
  })
  const optional = <T>(value: T | undefined): T[] => (value === undefined ? [] : [value])
  const ports = nb.table('Logical_Switch_Port')
  expect(await said()).toEqual({
    switches: [...nb.table('Logical_Switch').values()]
      .map((sw) => [sw.name, sw.ports.map((uuid) => ports.get(uuid)?.name).sort(), Object.fromEntries(sw.other_config)])
      .sort(),
    ports: [...ports.values()]
      .map((p) => [
        p.name,
        ...[optional(p.tag), optional(p.up), optional(p.enabled)],
        ...[p.addresses, Object.fromEntries(p.options)],
      ])
      .sort(),
  })
  nb.close()
})
