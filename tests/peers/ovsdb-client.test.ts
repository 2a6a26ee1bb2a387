import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
  // the real one's order of tables is that of a hash: lines are compared in order, JSON can not be
  ...['csv', 'list', 'html'].flatMap((f) => [
    ['-f', f, 'list-tables', server, 'OVN_Northbound'],
    ['-f', f, 'list-columns', server, 'OVN_Northbound', 'Meter'],
  ]),
  ...['csv', 'json', 'list', 'html'].flatMap((f) => [
    ['-f', f, '-d', 'json', 'dump', server, 'OVN_Northbound', 'Logical_Switch', 'name', 'ports'],
    ['-f', f, '-d', 'bare', 'dump', server, 'OVN_Northbound', 'NB_Global', 'options', 'nb_cfg'],
    ['-f', f, '--no-headings', 'dump', server, 'OVN_Northbound', 'Logical_Router', 'name', 'enabled'],
  ]),
  ['--pretty', 'get-schema', server, 'OVN_Northbound'],
  ['-f', 'nope', 'list-dbs', server],
  ['-d', 'nope', 'list-dbs', server],
  ['monitor', server, 'OVN_Northbound', 'nope'],
  ['monitor', server, 'OVN_Northbound', 'Meter', 'nope'],
  ['monitor', server, 'OVN_Northbound', 'Meter', 'name,!nope'],
  ['monitor', server, 'OVN_Northbound'],
  ['monitor-cond', server, 'OVN_Northbound', '[true]'],
  ['monitor', server, 'OVN_Northbound', 'Meter', 'name,unit', '!initial'],
  ['monitor', server, 'OVN_Northbound', 'Meter', 'name,name'],
  ['monitor', server, 'OVN_Northbound', 'ALL', 'nope'],
  ['monitor-cond', server, 'OVN_Northbound', '[true]', 'Nope'],
  ['monitor-cond', server, 'OVN_Northbound', '[true', 'Nope'],
  ['monitor-cond', server, 'OVN_Northbound', '[true', 'Meter'],
  ['monitor-cond', server, 'OVN_Northbound', '[true]', 'Meter', 'name', 'unit'],
  ['monitor-cond-since', server, 'OVN_Northbound', '[true]', 'Meter', 'nope'],
  ...[['wait'], ['wait', 'a'], ['wait', 'a', 'b'], ['wait', server, 'a', 'added', 'x']],
  ...[['transact'], ['transact', '[]'], ['transact', '['], ['query', server, '["a"'], ['transact', server, '[]', 'x']],
  ...['["a" b]', '["x",nul]', 'nope', '{"a":', '[1,\n2', '', '[]x', '"a"', '["\\x"]'].map((text) => ['transact', text]),
  ...[['convert'], ['convert', server], ['needs-conversion', server, 'a', 'b'], ['list-dbs', server, 'x']],
  ...[['lock'], ['lock', server, 'a', 'b'], ['lock', 'notaserver', 'l'], ['monitor'], ['dump']],
  ...[
    ['backup', server, 'OVN_Northbound', 'x'],
    ['get-schema', server, 'OVN_Northbound', 'x'],
  ],
  ['transact', server],
  ['dump', server],
  ['wait', server, 'OVN_Northbound'],
  ['convert', server, '/nope'],
  ['get-schema-version', `unix:/nope,${server}`, 'OVN_Northbound'],
  ['get-schema-version', `unix:/nope,${server}`],
  ['get-schema-version', `unix:/nope,${server}`, 'nope'],
  ['--no-leader-only', 'dump', `unix:/nope,${server}`, 'OVN_Northbound', 'NB_Global', 'name'],
  ['query', `unix:/nope,${server}`, select],
  ['query', `unix:/nope,${server}`, '["nope"]'],
  ['needs-conversion', `unix:/nope,${server}`, referenceSchema('ovn-nb')],
  ['list-dbs', 'unix:/nope,unix:/nope2'],
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

it('converts a database, as the real one does', () => {
  for (const tool of [ours, real]) {
    for (const release of ['23.03', '26.03'] as const) {
      const file = referenceSchema('ovn-nb', release)
      expect(run(tool, ['needs-conversion', server, file]).stdout).toContain('yes')
      expect(run(tool, ['convert', server, file])).toEqual({ stdout: [''], stderr: [''], status: 0 })
      expect(run(tool, ['needs-conversion', server, file]).stdout).toContain('no')
    }
  }
  expect(nbctl('ls-list')).toContain('sw0')
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

/** What a program prints within a while, killed then if it goes on. */
function runFor(command: readonly string[], args: readonly string[], ms: number): string {
  const [file = '', ...before] = command
  const r = spawnSync(file, [...before, ...args], {
    encoding: 'utf8',
    env,
    timeout: ms,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return r.stdout
}

it.each([
  [['--timestamp', 'monitor', server, 'OVN_Northbound', 'Logical_Router', 'name']],
  [['--timestamp', '-f', 'json', 'monitor', server, 'OVN_Northbound', 'Logical_Router', 'name']],
  [['-f', 'html', 'monitor', server, 'OVN_Northbound', 'Logical_Router', 'name', 'enabled,!initial']],
  [['-f', 'list', 'monitor', server, 'OVN_Northbound', 'Logical_Router', 'name', 'options']],
  [['monitor', server, 'OVN_Northbound', 'Logical_Router', '!initial']],
  [['monitor-cond', server, 'OVN_Northbound', '[["name","==","r0"]]', 'Logical_Router', 'name']],
  [['monitor-cond', server, 'OVN_Northbound', '[["name","==","r1"]]', 'Logical_Router', 'name']],
  [['-d', 'json', 'monitor', server, 'OVN_Northbound', 'ALL']],
  [['lock', server, 'alone']],
  [['steal', server, 'alone']],
  [['--pretty', 'lock', server, 'alone']],
])('begins as the real one does: %s', async (args) => {
  const silent = args.includes('!initial') || args.includes('[["name","==","r1"]]')
  // It has said what it says first when nothing more comes for a second.
  const ran = await begins(real, args, (text, quiet) => quiet > 1000 && (silent || text !== ''))
  expect(ran).not.toBe(silent ? 'nothing' : '')
  const printed = await begins(ours, args, (text, quiet) => (silent ? quiet > 1000 : text.length >= ran.length))
  expect(printed).toBe(ran)
})

let locks = 0

/**
 * What a program that goes on for ever has printed when it is `enough`, half a minute at most. A lock gets a name of
 * its own each time: the server may not know yet that the program before is gone.
 */
async function begins(
  command: readonly string[],
  args: readonly string[],
  enough: (text: string, quiet: number) => boolean,
): Promise<string> {
  const [file = '', ...before] = command
  const lock = `alone${locks++}`
  const own = args.map((word) => (word === 'alone' ? lock : word))
  const child = spawn(file, [...before, ...own], { env, stdio: ['ignore', 'pipe', 'ignore'] })
  let text = ''
  const started = Date.now()
  let last = started
  child.stdout.on('data', (data) => {
    text += data
    last = Date.now()
  })
  const normalised = () => text.replaceAll(lock, 'alone').replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}/g, 'TIME')
  while (!enough(normalised(), Date.now() - last) && Date.now() - started < 30_000) {
    await new Promise((done) => setTimeout(done, 50))
  }
  child.kill('SIGKILL')
  await new Promise((done) => child.on('close', done))
  return normalised()
}

/** Runs with --detach, talks to the control socket, and gives all that was printed. */
function detached(
  command: readonly string[],
  args: readonly string[],
  talk: readonly (readonly string[] | (() => void))[],
) {
  const pidfile = at('detached.pid')
  const out = openSync(at('detached.out'), 'w')
  const [file = '', ...before] = command
  const options = ['--detach', `--pidfile=${pidfile}`]
  const started = spawnSync(file, [...before, ...options, ...args], { env, stdio: ['ignore', out, 'ignore'] })
  closeSync(out)
  const pid = Number(readFileSync(pidfile, 'utf8'))
  const socket = join(folder, `ovsdb-client.${pid}.ctl`)
  const said = talk.map((words) => {
    if (typeof words === 'function') return words()
    const r = spawnSync(join(bin, 'ovs-appctl'), ['-t', socket, ...words], { encoding: 'utf8' })
    pause(200)
    return normal((r.stdout + r.stderr).replaceAll(socket, 'SOCKET'))
  })
  spawnSync(join(bin, 'ovs-appctl'), ['-t', socket, 'exit'])
  for (let i = 0; i < 50 && existsSync(pidfile); i++) pause(50)
  const printed = readFileSync(at('detached.out'), 'utf8').replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UUID')
  return { status: started.status, said, printed, left: [existsSync(pidfile), existsSync(socket)] }
}

const pause = (ms: number) => spawnSync('sleep', [String(ms / 1000)])

it.each<[string, readonly string[], readonly (readonly string[] | (() => void))[]]>([
  [
    'lock',
    ['lock', server, 'l1'],
    [
      ...[
        ['list-commands'],
        ['lock', 'l2'],
        ['steal', 'l3'],
        ['unlock', 'l1'],
        ['unlock', 'l9'],
        ['lock'],
        ['version'],
      ],
      () => void runFor(real, ['steal', server, 'l2'], 700),
      ['unlock', 'l2'],
    ],
  ],
  [
    'monitor-cond',
    ['monitor-cond', server, 'OVN_Northbound', '[["name","==","sw0"]]', 'Logical_Switch', 'name'],
    [
      ['list-commands'],
      ['ovsdb-client/cond_change', 'Logical_Switch', '[["name","==","sw1"]]'],
      () => void nbctl('ls-add', 'sw1'),
      ['ovsdb-client/cond_change', 'Nope', '[true]'],
      ['ovsdb-client/cond_change', 'Logical_Switch', '[nope'],
      ['ovsdb-client/block'],
      () => void nbctl('ls-del', 'sw1'),
      ...[['ovsdb-client/block'], ['ovsdb-client/unblock'], ['ovsdb-client/unblock'], ['ovsdb-client/cond_change']],
    ],
  ],
])('detaches as the real one does: %s', (_, args, talk) => {
  const theirs = detached(real, args, talk)
  expect(theirs.status).toBe(0)
  expect(detached(ours, args, talk)).toEqual(theirs)
})

it('waits for a server that connects', async () => {
  const passive = `unix:${at('passive')}`
  const appctl = (...args: string[]) => execFileSync(join(bin, 'ovs-appctl'), ['-t', at('ctl'), ...args])
  for (const [file = '', ...before] of [real, ours]) {
    const child = spawn(file, [...before, 'list-dbs', `p${passive}`], { env, stdio: ['ignore', 'pipe', 'ignore'] })
    let text = ''
    child.stdout.on('data', (data) => {
      text += data
    })
    for (let i = 0; i < 100 && !existsSync(at('passive')); i++) pause(50)
    appctl('ovsdb-server/add-remote', passive)
    const status = await new Promise((done) => child.on('close', done))
    appctl('ovsdb-server/remove-remote', passive)
    expect([text, status]).toEqual(['OVN_Northbound\nOpen_vSwitch\n_Server\n', 0])
    rmSync(at('passive'), { force: true })
  }
})

it.each([
  [['monitor', server, 'OVN_Northbound', 'Logical_Switch', 'name,other_config']],
  [['-f', 'csv', 'monitor', server, 'OVN_Northbound', 'Logical_Switch', 'name,other_config']],
  [['-f', 'json', 'monitor', server, 'OVN_Northbound', 'Logical_Switch', 'name,other_config']],
  [['monitor-cond', server, 'OVN_Northbound', '[true]', 'Logical_Switch', 'name,other_config']],
  [['monitor-cond-since', server, 'OVN_Northbound', '[true]', 'Logical_Switch', 'name,other_config']],
])('follows as the real one does: %s', async (args) => {
  expect(await watch(ours, args)).toEqual(await watch(real, args))
})
