import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { printSchema } from '../../src/ovsdb/schema/index.ts'
import { northbound, southbound } from '../../src/schema/index.ts'

// docs/NEUTRON.md: what the rig is, and how to run this.
const rig = process.env['OVN_TS_NEUTRON']
const unpacked = process.env['PKG'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'neutron-rig')

function whyNot(): string | undefined {
  if (!rig) return 'OVN_TS_NEUTRON does not name the folder of the Neutron rig'
  if (!existsSync(join(rig, 'up.sh'))) return `${rig} has no up.sh`
  if (!existsSync(join(unpacked, 'usr/bin/neutron-server'))) return 'Neutron is not installed: run install.sh'
  return undefined
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const bin = (name: string) => join(root, 'bin', name)
const MINUTES = 60_000

async function freePorts(n: number): Promise<number[]> {
  const servers = Array.from({ length: n }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((s) => new Promise((resolve) => s.once('listening', resolve))))
  const ports = servers.map((s) => {
    const at = s.address()
    return typeof at === 'object' && at ? at.port : 0
  })
  await Promise.all(servers.map((s) => new Promise((resolve) => s.close(resolve))))
  return ports
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

const why = whyNot()

describe.skipIf(why !== undefined)(`the real OpenStack Neutron${why ? ` (${why})` : ''}`, () => {
  let folder = ''
  let started: ChildProcess[] = []
  let environment: NodeJS.ProcessEnv = {}
  let ports: { nb: number; sb: number } = { nb: 0, sb: 0 }

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'neutron-'))
    const [nb = 0, sb = 0, api = 0, identity = 0] = await freePorts(4)
    ports = { nb, sb }
    environment = {
      ...process.env,
      STATE: join(folder, 'rig'),
      NB_REMOTE: `tcp:127.0.0.1:${nb}`,
      SB_REMOTE: `tcp:127.0.0.1:${sb}`,
      API_PORT: String(api),
      KS_PORT: String(identity),
      NORTHD: 'no',
      CLI: 'shell',
    }
  })

  afterEach(async () => {
    await script('down.sh', {}, 'wipe')
    const ended = started.map((c) =>
      c.exitCode !== null || c.signalCode !== null
        ? undefined
        : new Promise((resolve) => {
            c.once('exit', resolve)
            c.kill()
          }),
    )
    await Promise.all(ended)
    started = []
    rmSync(folder, { recursive: true, force: true })
  })

  function script(name: string, extra: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
    return new Promise((resolve) => {
      const options = { env: { ...environment, ...extra }, timeout: 5 * MINUTES, maxBuffer: 1 << 26 }
      execFile(join(rig ?? '', name), args, options, (e, stdout, stderr) =>
        resolve(e ? `${stdout}\n${stderr}\n${name}: status ${e.code}` : stdout),
      )
    })
  }

  function start(program: string, ...args: string[]): void {
    started.push(spawn(process.execPath, [program, ...args], { stdio: 'ignore', cwd: folder }))
  }

  async function serving(): Promise<void> {
    for (let i = 0; i < 200; i++) {
      if ((await answers(ports.nb)) && (await answers(ports.sb))) return
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    throw new Error('the databases did not come up')
  }

  async function passes(extra: NodeJS.ProcessEnv): Promise<void> {
    expect(await script('up.sh', extra)).toMatch(/neutron API answers/)
    const checked = await script('check.sh', extra)
    expect(checked.split('\n').filter((l) => /^not ok|^ {2}#/.test(l))).toEqual([])
    expect(checked).toMatch(/^[1-9]\d* passed, 0 failed$/m)
  }

  for (const [name, extra] of [
    ['centralised floating IPs', {}],
    ['distributed floating IPs, repair at start', { DVR: 'True', SYNC: 'repair' }],
  ] as const)
    it(`over ovsdb-server and ovn-northd: ${name}`, { timeout: 10 * MINUTES }, async () => {
      for (const [side, schema] of [
        ['nb', northbound],
        ['sb', southbound],
      ] as const) {
        const file = join(folder, `${side}.ovsschema`)
        writeFileSync(file, JSON.stringify(printSchema(schema)))
        const db = join(folder, `${side}.db`)
        execFileSync(process.execPath, [bin('ovsdb-tool'), 'create', db, file])
        start(
          bin('ovsdb-server'),
          `--remote=ptcp:${ports[side]}:127.0.0.1`,
          `--unixctl=${folder}/${side}.ctl`,
          '-vconsole:off',
          db,
        )
      }
      await serving()
      start(
        bin('ovn-northd'),
        `--ovnnb-db=tcp:127.0.0.1:${ports.nb}`,
        `--ovnsb-db=tcp:127.0.0.1:${ports.sb}`,
        `--unixctl=${folder}/northd.ctl`,
        '-vconsole:off',
      )
      await passes(extra)
    })

  it('over the sandbox, whose chassis take its gateways', { timeout: 10 * MINUTES }, async () => {
    start(
      join(root, 'dist', 'ovn-sandbox.js'),
      '--no-demo',
      `--nb-port=${ports.nb}`,
      `--sb-port=${ports.sb}`,
      `--rundir=${folder}`,
    )
    await serving()
    // The checks count rows, and shall find Neutron's alone.
    const nbctl = (...args: string[]) =>
      execFileSync(process.execPath, [bin('ovn-nbctl'), `--db=tcp:127.0.0.1:${ports.nb}`, ...args], {
        encoding: 'utf8',
      })
    nbctl('lr-del', 'r1', '--', 'ls-del', 'private', '--', 'ls-del', 'public')
    expect(nbctl('show').trim()).toBe('')
    await passes({ FAKECHASSIS: 'no' })
  })
})
