import { execFile, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Lab, type Output, until } from './ovsdb-lab.ts'
import { type Release, referenceBin, referenceSchema } from './reference.ts'

// Debian's ovn-ctl and ovs-ctl, unchanged, with our programs on their PATH.

const lab = new Lab()
const OURS = [
  'ovsdb-server',
  'ovs-vswitchd',
  'ovsdb-tool',
  'ovn-nbctl',
  'ovn-sbctl',
  'ovs-vsctl',
  'ovn-northd',
  'ovsdb-client',
]
const THEIRS = ['ovn-appctl', 'ovs-appctl']

beforeAll(async () => {
  await lab.prepare(...OURS)
})
afterAll(() => lab.close())

/** The unpacked packages of a release. */
const packages = (release: Release) => dirname(referenceBin(release))

/** A machine of its own: folders, and a PATH that has our programs before all others. */
function machine(name: string, release: Release) {
  const root = lab.at(name)
  const at = (...parts: string[]) => join(root, ...parts)
  const bin = at('bin')
  for (const folder of ['bin', 'etc/ovn', 'etc/openvswitch', 'run', 'log']) mkdirSync(at(folder), { recursive: true })
  for (const program of OURS) {
    writeFileSync(join(bin, program), `#!/bin/sh\nexec ${process.execPath} ${lab.script(program)} "$@"\n`)
  }
  for (const program of THEIRS) {
    writeFileSync(join(bin, program), `#!/bin/sh\nexec ${join(referenceBin(release), program)} "$@"\n`)
  }
  for (const program of [...OURS, ...THEIRS]) chmodSync(join(bin, program), 0o755)
  const env = {
    PATH: `${bin}:/usr/sbin:/usr/bin:/sbin:/bin`,
    OVN_RUNDIR: at('run'),
    OVN_LOGDIR: at('log'),
    OVN_DBDIR: at('etc/ovn'),
    OVN_SYSCONFDIR: at('etc'),
    OVN_PKGDATADIR: join(packages(release), 'usr/share/ovn'),
    OVN_BINDIR: bin,
    OVN_SBINDIR: bin,
    OVS_RUNDIR: at('run'),
    OVS_LOGDIR: at('log'),
    OVS_DBDIR: at('etc/openvswitch'),
    OVS_SYSCONFDIR: at('etc'),
    OVS_PKGDATADIR: join(packages(release), 'usr/share/openvswitch'),
    OVS_BINDIR: bin,
    OVS_SBINDIR: bin,
  }
  const execute = (file: string, ...args: string[]) =>
    new Promise<Output>((done) => {
      execFile(file, args, { env, cwd: root, timeout: 120_000 }, (error, stdout, stderr) =>
        done({ code: error ? Number(error.code ?? 124) : 0, stdout, stderr }),
      )
    })
  const script = (package_: 'ovn' | 'openvswitch', name: string) =>
    join(packages(release), 'usr/share', package_, 'scripts', name)
  const pid = (file: string) => (existsSync(at('run', file)) ? Number(readFileSync(at('run', file), 'utf8')) : 0)
  return {
    at,
    env,
    pid,
    run: (program: string, ...args: string[]) => execute(join(bin, program), ...args),
    ovnCtl: (...args: string[]) => execute('/bin/sh', script('ovn', 'ovn-ctl'), ...args),
    ovsCtl: (...args: string[]) => execute('/bin/sh', script('openvswitch', 'ovs-ctl'), ...args),
    script,
  }
}

const machines: ReturnType<typeof machine>[] = []
function take(...args: Parameters<typeof machine>) {
  const made = machine(...args)
  machines.push(made)
  return made
}
afterEach(async () => {
  for (const one of machines.splice(0)) {
    for (const file of ['ovnnb_db', 'ovnsb_db', 'ovn-northd', 'ovsdb-server', 'ovnsb_relay_db'].map(
      (f) => `${f}.pid`,
    )) {
      const pid = one.pid(file)
      if (pid) process.kill(pid, 'SIGKILL')
    }
    rmSync(one.at('run'), { recursive: true, force: true })
  }
})

const alive = (pid: number) => existsSync(`/proc/${pid}`)

describe.each<Release>(['26.03', '25.03', '23.03'])('ovn-ctl of %s', (release) => {
  test('starts, restarts, stops; upgrades a schema', async () => {
    const m = take(`ovn.${release}`, release)
    // A database of an older release waits there.
    const older: Release = '23.03'
    await lab.run('26.03', 'ovsdb-tool', 'create', m.at('etc/ovn/ovnnb_db.db'), referenceSchema('ovn-nb', older))
    await lab.run(
      '26.03',
      'ovsdb-tool',
      'transact',
      m.at('etc/ovn/ovnnb_db.db'),
      '["OVN_Northbound",{"op":"insert","table":"Address_Set","row":{"name":"kept"}}]',
    )
    const started = await m.ovnCtl('start_northd', '--ovn-northd-log=-vconsole:off')
    expect(started.stdout + started.stderr).toContain('Starting ovsdb-nb')
    expect(started.stdout).toContain('Starting ovn-northd')
    expect(started.code).toBe(0)
    const files = ['ovnnb_db.pid', 'ovnsb_db.pid', 'ovn-northd.pid']
    const first = files.map(m.pid)
    for (const pid of first) expect(alive(pid)).toBe(true)
    // The schema is the package's, the contents are those of before.
    const version = async (file: string) => (await m.run('ovsdb-tool', 'db-version', m.at('etc/ovn', file))).stdout
    const wanted = (name: 'ovn-nb' | 'ovn-sb') =>
      `${(JSON.parse(readFileSync(join(packages(release), `usr/share/ovn/${name}.ovsschema`), 'utf8')) as { version: string }).version}\n`
    expect(await version('ovnnb_db.db')).toBe(wanted('ovn-nb'))
    expect(await version('ovnsb_db.db')).toBe(wanted('ovn-sb'))
    const nb = (...args: string[]) => m.run('ovn-nbctl', `--db=unix:${m.at('run/ovnnb_db.sock')}`, ...args)
    expect((await nb('--bare', '--columns=name', 'list', 'Address_Set')).stdout).toBe('kept\n')
    expect((await nb('--wait=sb', 'ls-add', 'sw')).code).toBe(0)
    // Already running: nothing is started.
    expect((await m.ovnCtl('start_nb_ovsdb')).stdout).not.toContain('Starting ovsdb-nb')
    expect(files.map(m.pid)).toEqual(first)
    expect((await m.ovnCtl('status_northd')).stdout).toContain('ovn-northd is running')
    expect((await m.ovnCtl('status_ovnnb')).stdout).toBe('running/active\n')
    // TLS by the database's SSL table, a connection by its Connection table.
    expect((await nb('set-connection', 'ptcp:16671:127.0.0.1')).code).toBe(0)
    const over = () => m.run('ovn-nbctl', '--timeout=15', '--db=tcp:127.0.0.1:16671', 'ls-list')
    expect((await until(over, (o) => o.code === 0)).stdout).toContain('(sw)')
    const restarted = await m.ovnCtl('restart_northd', '--ovn-northd-log=-vconsole:off')
    expect(restarted.code).toBe(0)
    const second = files.map(m.pid)
    for (const [i, pid] of second.entries()) {
      expect(pid).not.toBe(first[i])
      expect(alive(pid)).toBe(true)
    }
    expect((await until(over, (o) => o.code === 0)).stdout).toContain('(sw)')
    const stopped = await m.ovnCtl('stop_northd')
    expect(stopped.stdout).toContain('Exiting ovnnb_db')
    expect(stopped.stdout).toContain('Exiting ovn-northd')
    for (const pid of second)
      expect(
        await until(
          async () => alive(pid),
          (a) => !a,
        ),
      ).toBe(false)
    expect(files.map((f) => existsSync(m.at('run', f)))).toEqual([false, false, false])
    expect((await m.ovnCtl('status_ovnnb')).stdout).toBe('not-running\n')
  })
})

test('ovn-ctl runs a database in the foreground, a backup of it and its relay', async () => {
  const m = take('foreground', '26.03')
  const { script } = m
  const started: ReturnType<typeof spawn>[] = []
  const run = (...args: string[]) => {
    const child = spawn('/bin/sh', [script('ovn', 'ovn-ctl'), ...args], { env: m.env, stdio: 'ignore' })
    started.push(child)
    return new Promise<number | null>((done) => child.once('exit', done))
  }
  const nb = (...args: string[]) =>
    m.run('ovn-nbctl', '--timeout=15', `--db=unix:${m.at('run/ovnnb_db.sock')}`, ...args)
  const ended = run(
    'run_nb_ovsdb',
    '--db-nb-create-insecure-remote=yes',
    '--db-nb-port=16672',
    '--db-nb-addr=127.0.0.1',
  )
  expect(
    (
      await until(
        () => nb('--may-exist', 'ls-add', 'sw'),
        (o) => o.code === 0,
      )
    ).code,
  ).toBe(0)
  const pid = m.pid('ovnnb_db.pid')
  expect(readFileSync(`/proc/${pid}/comm`, 'utf8')).toBe('ovsdb-server\n')
  // A second machine backs it up.
  const other = take('backup', '26.03')
  const sync = ['--db-nb-sync-from-addr=127.0.0.1', '--db-nb-sync-from-port=16672', '--db-nb-sync-from-proto=tcp']
  const backup = await other.ovnCtl('start_nb_ovsdb', ...sync, '--db-nb-port=16673', '--db-nb-addr=127.0.0.1')
  expect(backup.stdout).toContain('Starting ovsdb-nb')
  expect((await other.ovnCtl('status_ovnnb')).stdout).toBe('running/backup\n')
  const there = () =>
    other.run('ovn-nbctl', '--timeout=15', '--no-leader-only', `--db=unix:${other.at('run/ovnnb_db.sock')}`, 'ls-list')
  expect((await until(there, (o) => o.stdout.includes('sw'))).stdout).toContain('(sw)')
  expect((await other.ovnCtl('promote_ovnnb')).code).toBe(0)
  expect((await other.ovnCtl('status_ovnnb')).stdout).toBe('running/active\n')
  await other.ovnCtl('demote_ovnnb', ...sync)
  expect(
    (
      await until(
        () => other.ovnCtl('status_ovnnb'),
        (o) => o.stdout.includes('backup'),
      )
    ).stdout,
  ).toBe('running/backup\n')
  expect((await other.ovnCtl('stop_nb_ovsdb')).code).toBe(0)
  expect((await m.ovnCtl('stop_nb_ovsdb')).code).toBe(0)
  expect(await ended).toBe(0)
})

test('ovn-ctl starts a relay of the southbound database, which listens where that says', async () => {
  const m = take('relay', '26.03')
  const sb = (...args: string[]) =>
    m.run('ovn-sbctl', '--timeout=15', `--db=unix:${m.at('run/ovnsb_db.sock')}`, ...args)
  const remote = `--db-sb-relay-remote=unix:${m.at('run/ovnsb_db.sock')}`
  // The relay comes first: it knows neither the table of its remotes nor that of its keys yet.
  expect((await m.ovnCtl('start_sb_relay_ovsdb', remote)).stdout).toContain('Starting ovsdb-sb-relay')
  const pid = m.pid('ovnsb_relay_db.pid')
  expect(alive(pid)).toBe(true)
  expect((await m.ovnCtl('start_sb_ovsdb')).code).toBe(0)
  expect((await sb('set-connection', 'ptcp:16674:127.0.0.1')).code).toBe(0)
  expect((await sb('chassis-add', 'hv', 'geneve', '127.0.0.1')).code).toBe(0)
  // Only one of the two can have the port: the relay gets it when the other is gone.
  const relayed = () =>
    m.run('ovn-sbctl', '--timeout=15', '--no-leader-only', `--db=unix:${m.at('run/ovnsb_relay_db.sock')}`, 'show')
  const has = (o: Output) => o.stdout.includes('Chassis hv')
  expect((await until(relayed, has)).stdout).toContain('Chassis hv')
  expect((await m.ovnCtl('stop_sb_ovsdb')).code).toBe(0)
  const over = () => m.run('ovn-sbctl', '--timeout=15', '--no-leader-only', '--db=tcp:127.0.0.1:16674', 'show')
  expect((await until(over, has)).stdout).toContain('Chassis hv')
  expect((await m.ovnCtl('restart_sb_relay_ovsdb', remote)).code).toBe(0)
  expect(m.pid('ovnsb_relay_db.pid')).not.toBe(pid)
  expect((await m.ovnCtl('stop_sb_relay_ovsdb')).code).toBe(0)
  expect(existsSync(m.at('run/ovnsb_relay_db.pid'))).toBe(false)
})

test.each<Release>(['26.03', '23.03'])('ovs-ctl of %s starts and stops the database, upgrading it', async (release) => {
  const m = take(`ovs.${release}`, release)
  const db = m.at('etc/openvswitch/conf.db')
  await lab.run('26.03', 'ovsdb-tool', 'create', db, referenceSchema('vswitch', '23.03'))
  const options = ['--no-ovs-vswitchd', '--system-id=lab', '--no-record-hostname', '--no-monitor']
  const started = await m.ovsCtl('start', ...options)
  expect(started.stdout + started.stderr).toContain('Starting ovsdb-server')
  const pid = m.pid('ovsdb-server.pid')
  expect(alive(pid)).toBe(true)
  const vsctl = (...args: string[]) => m.run('ovs-vsctl', '--no-wait', `--db=unix:${m.at('run/db.sock')}`, ...args)
  expect((await vsctl('get', 'Open_vSwitch', '.', 'external_ids:system-id')).stdout).toBe('lab\n')
  expect((await vsctl('add-br', 'br0')).code).toBe(0)
  const schema = JSON.parse(
    readFileSync(join(packages(release), 'usr/share/openvswitch/vswitch.ovsschema'), 'utf8'),
  ) as {
    version: string
  }
  expect((await m.run('ovsdb-tool', 'db-version', db)).stdout).toBe(`${schema.version}\n`)
  expect((await vsctl('get', 'Open_vSwitch', '.', 'db-version')).stdout).toContain(schema.version)
  expect((await m.ovsCtl('status', ...options)).stdout).toContain('ovsdb-server is running with pid')
  expect((await m.ovsCtl('start', ...options)).stdout).toContain('ovsdb-server is already running')
  const restarted = await m.ovsCtl('restart', ...options)
  expect(restarted.stdout).toContain('Exiting ovsdb-server')
  expect(m.pid('ovsdb-server.pid')).not.toBe(pid)
  expect((await vsctl('list-br')).stdout).toBe('br0\n')
  await m.ovsCtl('stop', ...options)
  expect(existsSync(m.at('run/ovsdb-server.pid'))).toBe(false)
})
