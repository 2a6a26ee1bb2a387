import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sleep } from './ovsdb-lab.ts'
import { type Release, referenceBin, referenceSchema } from './reference.ts'

// Our northd and controller on the servers, schemas and switches of older releases: they do without what
// those lack, which the real northd of 26.03 does not (it is refused for ever).

const ours = (name: string) => fileURLToPath(new URL(`../../bin/${name}`, import.meta.url))

/** The lines about what a schema lacks, without their time and number. */
const complaints = (text: string): string[] =>
  [...text.matchAll(/\|(ovsdb_idl\|WARN\|.* lacks .*)$/gm)].map((m) => m[1] ?? '').sort()

describe.each<Release>(['23.03', '25.03'])('northd on the servers of %s', (release) => {
  const folder = mkdtempSync(join(tmpdir(), 'older-'))
  const at = (name: string) => join(folder, name)
  const bin = referenceBin(release)
  const remote = (name: string) => `unix:${at(`${name}.sock`)}`
  const tool = (program: string, database: string, ...args: string[]) =>
    execFileSync(join(bin, program), [`--db=${remote(database)}`, '--timeout=60', ...args], { encoding: 'utf8' })

  beforeAll(() => {
    for (const name of ['ovn-nb', 'ovn-sb'] as const) {
      execFileSync(join(bin, 'ovsdb-tool'), ['create', at(`${name}.db`), referenceSchema(name, release)])
      const files = [
        `--pidfile=${at(`${name}.pid`)}`,
        `--unixctl=${at(`${name}.ctl`)}`,
        `--log-file=${at(`${name}.log`)}`,
      ]
      const args = ['--detach', '--no-chdir', ...files, `--remote=p${remote(name)}`, at(`${name}.db`)]
      execFileSync(join(bin, 'ovsdb-server'), args, { stdio: 'ignore' })
    }
  })
  afterAll(() => {
    for (const name of ['ovn-nb', 'ovn-sb']) process.kill(Number(readFileSync(at(`${name}.pid`), 'utf8')))
    rmSync(folder, { recursive: true })
  })

  /** Runs a northd while `use` does, and gives what it logged. */
  async function northd(command: readonly string[], use: (log: () => string) => void | Promise<void>): Promise<string> {
    const [file = '', ...before] = command
    const args = [`--ovnnb-db=${remote('ovn-nb')}`, `--ovnsb-db=${remote('ovn-sb')}`, `--unixctl=${at('northd.ctl')}`]
    const child = spawn(file, [...before, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, OVN_RUNDIR: folder },
    })
    let text = ''
    child.stderr.on('data', (data) => {
      text += data
    })
    try {
      await use(() => text)
    } finally {
      child.kill()
      await new Promise((done) => child.on('close', done))
    }
    return text
  }

  it('brings a network up, and says of the schemas what the real one of 26.03 says', async () => {
    const real = await northd([join(referenceBin('26.03'), 'ovn-northd')], async (log) => {
      // It is over what it has to say of the schemas when it works on their contents.
      for (let i = 0; i < 1000 && !log().includes('instance is now active'); i++) await sleep(50)
      await sleep(1500)
    })
    let [older, upgraded, newer] = ['', '', '']
    const log = await northd([process.execPath, ours('ovn-northd')], () => {
      const vm = ['lsp-add', 'sw', 'vm', '--', 'lsp-set-addresses', 'vm', '0a:00:00:00:00:02 10.0.0.2']
      tool('ovn-nbctl', 'ovn-nb', 'ls-add', 'sw', '--', ...vm)
      tool('ovn-nbctl', 'ovn-nb', 'lr-add', 'r', '--', 'lrp-add', 'r', 'r-sw', '0a:00:00:00:00:01', '10.0.0.1/24')
      tool('ovn-nbctl', 'ovn-nb', 'lb-add', 'lb', '10.0.0.100:80', '10.0.0.2:80', '--', 'ls-lb-add', 'sw', 'lb')
      tool('ovn-nbctl', 'ovn-nb', '--wait=sb', 'sync')
      older = tool('ovn-sbctl', 'ovn-sb', 'lflow-list', 'sw')
      // both databases are upgraded under it: what was left out is written
      for (const name of ['ovn-sb', 'ovn-nb'] as const) {
        execFileSync(join(bin, 'ovsdb-client'), ['convert', remote(name), referenceSchema(name)], { stdio: 'ignore' })
      }
      tool('ovn-nbctl', 'ovn-nb', '--wait=sb', 'lsp-add', 'sw', 'vm2')
      // not by ovn-sbctl: it goes by `_Server`, where these servers have the schema of before
      const dump = ['-f', 'csv', 'dump', remote('ovn-sb'), 'OVN_Southbound', 'Datapath_Binding', 'nb_uuid', 'type']
      upgraded = execFileSync(join(bin, 'ovsdb-client'), dump, { encoding: 'utf8', timeout: 120_000 })
      newer = tool('ovn-sbctl', 'ovn-sb', 'lflow-list', 'sw')
    })
    expect(newer).toMatch(/table=32\s*\(ls_in_l2_lkup.*eth.dst == 0a:00:00:00:00:02/)
    expect(newer).not.toMatch(/table=30\s*\(ls_in_l2_lkup/)
    expect(upgraded).toMatch(/^[0-9a-f-]{36},logical-router$/m)
    expect(upgraded).toMatch(/^[0-9a-f-]{36},logical-switch$/m)
    const flows = older
    expect(flows).toMatch(/table=3\d\s*\(ls_in_l2_lkup.*eth.dst == 0a:00:00:00:00:02/)
    expect(tool('ovn-sbctl', 'ovn-sb', 'find', 'Port_Binding', 'logical_port=vm')).toContain('vm')
    const errors = log.split('\n').filter((l) => /\|ERR\|/.test(l))
    expect(errors).toEqual([])
    expect(complaints(log)).toEqual(complaints(real))
    expect(complaints(log).length).toBeGreaterThan(5)
  })
})

/** Why a deployment of namespaces cannot run here; undefined: it can. */
function obstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root'
  if (spawnSync('ip', ['netns', 'list']).status !== 0) return 'needs network namespaces'
  if (spawnSync('python3', ['--version']).status !== 0) return 'needs python3'
  return spawnSync('test', ['-c', '/dev/net/tun']).status === 0 ? undefined : 'needs /dev/net/tun'
}

const why = obstacle()

describe.skipIf(why !== undefined)(`a deployment of 23.03${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'older.'))
  const testbed = (args: readonly string[]) =>
    new Promise<string>((done) => {
      const script = fileURLToPath(new URL('./testbed.sh', import.meta.url))
      const env = {
        ...{ ...process.env, TESTBED_DIR: folder, TESTBED_PREFIX: `old${process.pid}`, TESTBED_RELEASE: '23.03' },
        ...{ TESTBED_TIMEOUT: '10', TESTBED_FAILOVER: 'kill', NORTHD: `${process.execPath} ${ours('ovn-northd')}` },
        ...{ CONTROLLER: `${process.execPath} ${ours('ovn-controller')}` },
      }
      execFile('bash', [script, ...args], { env, timeout: 100_000 }, (_e, stdout, stderr) => done(stdout + stderr))
    })
  afterAll(async () => {
    await testbed(['down'])
    rmSync(folder, { recursive: true, force: true })
  })

  it('works with our northd and controllers in the place of its own', async () => {
    await testbed(['up'])
    const out = await testbed(['check'])
    expect(out).toMatch(/^28 passed, 0 failed$/m)
    // of four prefixes this switch takes three
    expect(await testbed(['vsctl', 'gw1', '--bare', '--columns=prefixes', 'list', 'Flow_Table'])).toMatch(
      /^ip_dst ip_src ipv6_dst$/m,
    )
  })
})
