import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { referenceBin, referenceSchema } from './reference.ts'

// Our ovsdb-client and the real one, against one real server: the same command, the same output.

const bin = referenceBin()
const folder = mkdtempSync(join(tmpdir(), 'client-'))
const at = (name: string) => join(folder, name)
const server = `unix:${at('sock')}`
const program = at('ovsdb-client.mjs')
const env = { ...process.env, OVS_RUNDIR: folder }
const real = [join(bin, 'ovsdb-client')]
const ours = [process.execPath, program]

beforeAll(async () => {
  await build({
    entryPoints: [fileURLToPath(new URL('../../src/cli/ovsdb-client.ts', import.meta.url))],
    ...{ outfile: program, bundle: true, format: 'esm', platform: 'node', target: 'node20', packages: 'external' },
  })
  for (const schema of ['ovn-nb', 'vswitch'] as const) {
    execFileSync(join(bin, 'ovsdb-tool'), ['create', at(schema), referenceSchema(schema)])
  }
  const args = ['--detach', '--no-chdir', `--pidfile=${at('pid')}`, `--unixctl=${at('ctl')}`, `--log-file=${at('log')}`]
  const files = [at('ovn-nb'), at('vswitch')]
  execFileSync(join(bin, 'ovsdb-server'), [...args, `--remote=p${server}`, ...files], { stdio: 'ignore' })
  nbctl('ls-add', 'sw0', '--', 'lsp-add', 'sw0', 'p1', '--', 'lr-add', 'r0')
})
afterAll(() => {
  process.kill(Number(readFileSync(at('pid'), 'utf8')))
  rmSync(folder, { recursive: true })
})

const nbctl = (...args: string[]) =>
  execFileSync(join(bin, 'ovn-nbctl'), [`--db=${server}`, ...args], { encoding: 'utf8' })

const normal = (text: string) =>
  text
    .split('\n')
    .filter((line) => !/\|(fatal_signal|reconnect)\|/.test(line))
    .sort()

function run(command: readonly string[], args: readonly string[], input = '') {
  const [file = '', ...before] = command
  // the real one seeks in its input, so that it has to be a file
  writeFileSync(at('input'), input)
  const stdin = openSync(at('input'), 'r')
  const r = spawnSync(file, [...before, ...args], { encoding: 'utf8', env, stdio: [stdin, 'pipe', 'pipe'] })
  closeSync(stdin)
  return { stdout: normal(r.stdout), stderr: normal(r.stderr), status: r.status }
}

const select = '["OVN_Northbound",{"op":"select","table":"NB_Global","where":[],"columns":["name","options"]}]'
const commands: readonly (readonly string[])[] = [
  ['list-dbs', server],
  ['list-dbs', 'unix:/nope'],
  ['list-dbs', 'foo'],
  ['list-dbs', `unix:/nope,${server}`],
  ['list-tables', server, 'OVN_Northbound'],
  ['list-tables', server],
  ['list-tables', server, 'nope'],
  ['list-columns', server, 'OVN_Northbound', 'Meter'],
  ['list-columns', server, 'OVN_Northbound'],
  ['list-columns', server, 'OVN_Northbound', 'nope'],
  ['-f', 'list', 'list-columns', server, 'OVN_Northbound', 'Meter'],
  ['--max-column-width=10', 'list-columns', server, 'OVN_Northbound', 'Meter'],
  ['get-schema', server, 'OVN_Northbound'],
  ['get-schema-version', server, 'OVN_Northbound'],
  ['get-schema-cksum', server],
  ['transact', server, select],
  ['--pretty', 'transact', server, select],
  ['transact', server, '{}'],
  ['transact', server, '["nope"]'],
  ['transact', server, '["OVN_Northbound",{"op":"foo"}]'],
  ['query', server, '["OVN_Northbound",{"op":"foo"}]'],
  ['query', server, select],
  ['dump', server, 'OVN_Northbound'],
  ['dump', server, 'OVN_Northbound', 'Logical_Switch'],
  ['dump', server, 'OVN_Northbound', 'Logical_Switch', 'name', 'ports'],
  ['dump', server, 'OVN_Northbound', 'nope'],
  ['dump', server, 'OVN_Northbound', 'Meter', 'nope'],
  ...['csv', 'json', 'list', 'html'].map((f) => ['-f', f, 'dump', server, 'OVN_Northbound', 'Logical_Switch', 'name']),
  ['--bare', 'dump', server, 'OVN_Northbound', 'Logical_Switch', 'name'],
  ['needs-conversion', server, referenceSchema('ovn-nb')],
  ['needs-conversion', server, referenceSchema('ovn-nb', '23.03')],
  ['needs-conversion', server, '/nope'],
  ['wait', server, 'OVN_Northbound', 'connected'],
  ['wait', server, 'OVN_Northbound', 'foo'],
  ['wait', server, 'nope', 'removed'],
  ['foo'],
  [],
  ['-x'],
  ['--foo'],
  ['--timeout=x', 'list-dbs'],
  ['-V'],
]

it.each(commands.map((c) => [c.join(' '), c] as const))('prints what the real one prints: %s', (_, args) => {
  expect(run(ours, args)).toEqual(run(real, args))
})

it("reads the real one's backups, and the real one ours", () => {
  const shown = () => nbctl('show').replace(/[0-9a-f-]{36}/g, 'UUID')
  const before = shown()
  for (const [writer, reader] of [
    [ours, ours],
    [ours, real],
    [real, ours],
  ] as const) {
    const [file = '', ...args] = writer
    const snapshot = execFileSync(file, [...args, 'backup', server, 'OVN_Northbound'], { encoding: 'utf8', env })
    nbctl('ls-del', 'sw0', '--', 'lr-add', 'other')
    expect(run(reader, ['restore', server, 'OVN_Northbound'], snapshot)).toEqual({
      stdout: [''],
      stderr: [''],
      status: 0,
    })
    expect(shown()).toBe(before)
    const wrong = run(reader, ['restore', server, 'Open_vSwitch'], snapshot)
    expect(wrong.status).toBe(1)
  }
})

/** What a monitor prints while the database changes. */
async function watch(command: readonly string[], args: readonly string[]): Promise<string[]> {
  const [file = '', ...before] = command
  const child = spawn(file, [...before, ...args], { env, stdio: ['ignore', 'pipe', 'ignore'] })
  let text = ''
  let more = () => {}
  child.stdout.on('data', (data) => {
    text += data
    more()
  })
  const until = (sign: string) =>
    new Promise<void>((done) => {
      more = () => {
        if (text.includes(sign)) done()
      }
      more()
    })
  await until('sw0')
  nbctl('ls-add', 'sw9')
  nbctl('set', 'logical_switch', 'sw9', 'other_config:a=b')
  nbctl('add', 'logical_switch', 'sw9', 'other_config', 'c=d')
  nbctl('ls-del', 'sw9')
  nbctl('ls-add', 'end')
  await until('end')
  nbctl('ls-del', 'end')
  child.kill()
  await new Promise((done) => child.on('close', done))
  const known = text.slice(0, text.indexOf('end'))
  return known.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UUID').split('\n')
}

it.each([
  [['monitor', server, 'OVN_Northbound', 'Logical_Switch', 'name,other_config']],
  [['-f', 'csv', 'monitor', server, 'OVN_Northbound', 'Logical_Switch', 'name,other_config']],
  [['-f', 'json', 'monitor', server, 'OVN_Northbound', 'Logical_Switch', 'name,other_config']],
  [['monitor-cond', server, 'OVN_Northbound', '[true]', 'Logical_Switch', 'name,other_config']],
  [['monitor-cond-since', server, 'OVN_Northbound', '[true]', 'Logical_Switch', 'name,other_config']],
])('follows as the real one does: %s', async (args) => {
  expect(await watch(ours, args)).toEqual(await watch(real, args))
})
