import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Release, referenceBin, referenceSchema } from './reference.ts'

// The real programs of three releases on our server, and our files under the real tools.

let dir = ''
/** Within the package, where optional packages are found. */
let dist = ''
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ovn-ts-server-'))
  mkdirSync('build', { recursive: true })
  dist = mkdtempSync('build/ovsdb-server-')
  await build({
    entryPoints: { 'ovsdb-server': 'src/daemons/ovsdb-server.ts', 'ovsdb-tool': 'src/cli/ovsdb-tool.ts' },
    outdir: dist,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: ['koffi'],
    logLevel: 'error',
    banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
  })
})
afterAll(() => {
  for (const d of [dir, dist]) rmSync(d, { recursive: true, force: true })
})

const children: ChildProcess[] = []
afterEach(async () => {
  for (const child of children.splice(0)) {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await ended
    }
  }
})

function run(program: string, args: readonly string[]): Promise<{ code: number; out: string }> {
  return new Promise((resolve) => {
    execFile(program, [...args], { timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? 1) : 0, out: stdout + stderr })
    })
  })
}

async function ours(
  args: readonly string[],
  wrapper: readonly string[] = [],
): Promise<{ socket: string; child: ChildProcess }> {
  const socket = join(dir, `s${children.length}-${Date.now()}.sock`)
  const words = [...wrapper, process.execPath, join(dist, 'ovsdb-server.mjs'), `--remote=punix:${socket}`, ...args]
  const child = spawn(words[0] as string, words.slice(1), { stdio: 'ignore' })
  children.push(child)
  const client = join(referenceBin('26.03'), 'ovsdb-client')
  for (let i = 0; i < 400; i++) {
    if ((await run(client, ['-t', '2', 'list-dbs', `unix:${socket}`])).code === 0) return { socket, child }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error('the server does not answer')
}

async function create(name: 'ovn-nb' | 'ovn-sb' | 'vswitch', release: Release): Promise<string> {
  const path = join(dir, `${name}-${release}-${Date.now()}.db`)
  const made = await run(process.execPath, [
    join(dist, 'ovsdb-tool.mjs'),
    'create',
    path,
    referenceSchema(name, release),
  ])
  expect(made).toEqual({ code: 0, out: '' })
  return path
}

describe.each(['23.03', '25.03', '26.03'] as const)('the real programs of %s on our server', (release) => {
  const tool = (name: string) => join(referenceBin(release), name)

  test('ovn-nbctl, ovn-northd and ovn-sbctl', async () => {
    const [nb, sb] = [await create('ovn-nb', release), await create('ovn-sb', release)]
    const { socket } = await ours(['--unixctl=none', nb, sb])
    const db = `--db=unix:${socket}`
    const nbctl = (...args: string[]) => run(tool('ovn-nbctl'), ['-t', '60', db, ...args])
    expect((await nbctl('init')).code).toBe(0)
    children.push(
      spawn(
        tool('ovn-northd'),
        [
          `--ovnnb-db=unix:${socket}`,
          `--ovnsb-db=unix:${socket}`,
          `--unixctl=${join(dir, `northd-${release}`)}`,
          '-vconsole:off',
        ],
        { stdio: 'ignore' },
      ),
    )
    const made = await nbctl(
      '--wait=sb',
      'ls-add',
      'sw',
      '--',
      'lsp-add',
      'sw',
      'p',
      '--',
      'lsp-set-addresses',
      'p',
      '02:00:00:00:00:01 10.0.0.1',
    )
    expect(made).toEqual({ code: 0, out: '' })
    expect((await nbctl('show')).out).toContain('port p')
    expect((await nbctl('lsp-add', 'sw', 'p')).code).not.toBe(0)
    const flows = await run(tool('ovn-sbctl'), ['-t', '60', db, 'lflow-list'])
    expect(flows.out).toContain('02:00:00:00:00:01')
  })

  test('ovs-vsctl and ovsdb-client', async () => {
    const { socket } = await ours(['--unixctl=none', await create('vswitch', release)])
    const vsctl = (...args: string[]) =>
      run(tool('ovs-vsctl'), ['-t', '60', `--db=unix:${socket}`, '--no-wait', ...args])
    expect((await vsctl('init')).code).toBe(0)
    expect((await vsctl('add-br', 'br0', '--', 'set', 'bridge', 'br0', 'external_ids:a=b')).code).toBe(0)
    expect((await vsctl('get', 'bridge', 'br0', 'external_ids')).out).toContain('a=b')
    const client = (...args: string[]) => run(tool('ovsdb-client'), ['-t', '60', ...args])
    const at = `unix:${socket}`
    expect((await client('list-dbs', at)).out).toContain('Open_vSwitch')
    const schema = await client('get-schema', at, 'Open_vSwitch')
    writeFileSync(join(dir, 'schema'), schema.out)
    expect((await client('needs-conversion', at, join(dir, 'schema'))).out).toBe('no\n')
    expect((await client('convert', at, join(dir, 'schema'))).code).toBe(0)
    expect((await client('dump', at, 'Open_vSwitch', 'Bridge', 'name')).out).toContain('br0')
    const backup = await client('backup', at, 'Open_vSwitch')
    expect(backup.out).toMatch(/^OVSDB JSON/)
    expect((await client('wait', at, 'Open_vSwitch', 'connected')).code).toBe(0)
    const where = '["Open_vSwitch",{"op":"delete","table":"Open_vSwitch","where":[]}]'
    expect((await client('transact', at, where)).out).toContain('"count":1')
  })
})

test('the real tool reads our file, and ours the real one, after a compaction by control command', async () => {
  const path = await create('ovn-nb', '26.03')
  const control = join(dir, 'control')
  const { socket, child } = await ours([`--unixctl=${control}`, path])
  const bin = referenceBin('26.03')
  const ctl = (...args: string[]) => run(join(bin, 'ovs-appctl'), ['-T', '60', '-t', control, ...args])
  await run(join(bin, 'ovn-nbctl'), [`--db=unix:${socket}`, 'init'])
  for (let i = 0; i < 20; i++) await run(join(bin, 'ovn-nbctl'), [`--db=unix:${socket}`, 'ls-add', `sw${i}`])
  expect((await ctl('ovsdb-server/compact')).code).toBe(0)
  await run(join(bin, 'ovn-nbctl'), [`--db=unix:${socket}`, 'ls-del', 'sw3'])
  expect((await ctl('version')).out).toBe('ovsdb-server (Open vSwitch) 4.0.0\n')
  expect((await ctl('ovsdb-server/list-dbs')).out).toBe('OVN_Northbound\n_Server\n')
  expect((await ctl('vlog/list')).code).toBe(0)
  expect((await ctl('memory/show')).out).toContain('atoms:')
  expect((await ctl('nonsense')).out).toContain('"nonsense" is not a valid command')
  // The file is locked while it is served, for the real tool too.
  expect((await run(join(bin, 'ovsdb-tool'), ['compact', path])).code).not.toBe(0)
  const ended = new Promise((resolve) => child.once('exit', resolve))
  expect((await ctl('exit')).code).toBe(0)
  await ended
  const query = [
    'query',
    path,
    '["OVN_Northbound",{"op":"select","table":"Logical_Switch","where":[],"columns":["name"]}]',
  ]
  const theirs = await run(join(bin, 'ovsdb-tool'), query)
  const mine = await run(process.execPath, [join(dist, 'ovsdb-tool.mjs'), ...query])
  const names = (out: string) => [...out.matchAll(/sw\d+/g)].map((m) => m[0]).sort()
  expect(names(theirs.out)).toHaveLength(19)
  expect(names(mine.out)).toEqual(names(theirs.out))
})

test('a busy port is said and ends the program', async () => {
  const first = await ours(['--unixctl=none', '--no-dbs', '--remote=ptcp:16643:127.0.0.1'])
  expect(first.child.exitCode).toBeNull()
  const second = await run(process.execPath, [
    join(dist, 'ovsdb-server.mjs'),
    '--unixctl=none',
    '--no-dbs',
    '--remote=ptcp:16643:127.0.0.1',
  ])
  expect(second.code).toBe(1)
  expect(second.out).toContain('ptcp:16643:127.0.0.1: listen failed: Address already in use')
})

test('the system calls: a durable transaction is synced before it is answered', async () => {
  const trace = join(dir, 'trace')
  const path = await create('ovn-nb', '26.03')
  const { socket, child } = await ours(
    [`--unixctl=${join(dir, 'traced')}`, path],
    ['strace', '-f', '-tt', '-s', '200', '-e', 'trace=write,writev,pwrite64,fdatasync,sendmsg', '-o', trace],
  )
  const bin = referenceBin('26.03')
  const made = await run(join(bin, 'ovsdb-client'), [
    '-t',
    '10',
    'transact',
    `unix:${socket}`,
    '["OVN_Northbound",{"op":"insert","table":"Address_Set","row":{"name":"durably"}},{"op":"commit","durable":true}]',
  ])
  expect(made.out).toContain('uuid')
  const ended = new Promise((resolve) => child.once('exit', resolve))
  await run(join(bin, 'ovs-appctl'), ['-T', '60', '-t', join(dir, 'traced'), 'exit'])
  await ended
  const lines = readFileSync(trace, 'utf8').split('\n')
  const written = lines.findIndex((l) => l.includes('durably') && /pwrite64|write\(/.test(l))
  const synced = lines.findIndex((l, i) => i > written && /fdatasync.*= 0/.test(l))
  const answered = lines.findIndex((l, i) => i > written && /uuid/.test(l) && l.includes('error'))
  expect(written).toBeGreaterThan(-1)
  expect(synced).toBeGreaterThan(written)
  expect(answered).toBeGreaterThan(synced)
})
