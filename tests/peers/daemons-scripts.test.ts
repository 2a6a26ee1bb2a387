import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask, asRootUser, DAEMONS, DaemonLab, type Output, realDaemons, type Side } from './daemon-lab.ts'
import { referenceBin } from './reference.ts'

// The packages' own scripts, ovn-ctl and ovs-ctl, starting and stopping our daemons in place of the real ones.

const scripts = () => join(dirname(referenceBin()), 'usr/share')
const run =
  realDaemons() && asRootUser() && existsSync(join(scripts(), 'ovn/scripts/ovn-ctl')) ? describe : describe.skip

run('service scripts', () => {
  let lab: DaemonLab
  let side: Side
  let share: string
  beforeAll(async () => {
    lab = await DaemonLab.make()
    side = lab.ours
    // The scripts find their programs in one folder, and each other beside themselves.
    for (const tool of [
      'ovn-nbctl',
      'ovn-sbctl',
      'ovn-appctl',
      'ovs-vsctl',
      'ovs-appctl',
      'ovs-ofctl',
      'ovs-dpctl',
      'ovsdb-tool',
      'ovsdb-client',
    ]) {
      symlinkSync(join(referenceBin(), tool), join(side.bin, tool))
    }
    share = join(lab.dir, 'share')
    cpSync(join(scripts(), 'ovn/scripts'), join(share, 'ovn/scripts'), { recursive: true })
    cpSync(join(scripts(), 'openvswitch'), join(share, 'openvswitch'), { recursive: true })
    for (const schema of ['ovn-nb', 'ovn-sb', 'vswitch']) {
      const path = join(scripts(), schema === 'vswitch' ? 'openvswitch' : 'ovn', `${schema}.ovsschema`)
      const to = join(share, schema === 'vswitch' ? 'openvswitch' : 'ovn', `${schema}.ovsschema`)
      if (existsSync(path) && !existsSync(to)) copyFileSync(path, to)
    }
    mkdirSync(side.at('ovn'))
    mkdirSync(side.at('openvswitch'))
  })
  afterAll(() => lab.close())

  async function script(kind: 'ovn' | 'ovs', ...args: string[]): Promise<Output> {
    const file = join(share, kind === 'ovn' ? 'ovn/scripts/ovn-ctl' : 'openvswitch/scripts/ovs-ctl')
    const env = {
      ...{ OVN_BINDIR: side.bin, OVN_SBINDIR: side.bin, OVS_BINDIR: side.bin, OVS_SBINDIR: side.bin },
      ...{ OVN_PKGDATADIR: join(share, 'ovn'), OVS_PKGDATADIR: join(share, 'openvswitch') },
      PATH: `${side.bin}:${process.env['PATH'] ?? ''}`,
    }
    const words = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    const out = await side.run('/usr/bin/env', [...words, 'sh', file, ...args], 60)
    // More open files than this machine allows are no fault of the daemons.
    return { ...out, stderr: out.stderr.replace(/^.*ulimit: .*\n/m, '') }
  }

  const comm = (daemon: string) => readFileSync(`/proc/${side.pid(`${daemon}.pid`)}/comm`, 'utf8').trim()

  test('ovs-ctl start: the database and the switch', async () => {
    const started = await script('ovs', 'start', '--system-id=ch1', '--no-mlockall')
    expect([started.code, started.stdout, started.stderr]).toEqual([
      0,
      expect.stringMatching(/Starting ovs-vswitchd/),
      '',
    ])
    expect([comm('ovsdb-server'), comm('ovs-vswitchd')]).toEqual(['ovsdb-server', 'ovs-vswitchd'])
    expect((await script('ovs', 'status')).stdout).toMatch(
      /ovsdb-server is running with pid \d+\novs-vswitchd is running/,
    )
    // A second start finds both.
    expect((await script('ovs', 'start')).stdout).toMatch(
      /ovsdb-server is already running[\s\S]*ovs-vswitchd is already running/,
    )
  })

  test('ovn-ctl start_northd: databases and northd, under its monitor', async () => {
    const started = await script('ovn', 'start_northd', '--db-nb-create-insecure-remote=no', '--ovn-northd-n-threads=2')
    expect([started.code, started.stderr]).toEqual([0, ''])
    expect(started.stdout).toMatch(/Starting ovn-northd/)
    expect(comm('ovn-northd')).toBe('ovn-northd')
    expect((await ask(side.control('ovn-northd'), 'status')).stdout).toMatch(/^Status: /)
    expect((await ask(side.control('ovn-northd'), 'parallel-build/get-n-threads')).stdout.trim()).toBe('2')
    expect((await script('ovn', 'status_northd')).stdout).toMatch(/ovn-northd is running with pid/)
  })

  test('ovn-ctl start_controller', async () => {
    const started = await script('ovn', 'start_controller')
    expect([started.code, started.stderr]).toEqual([0, ''])
    expect(comm('ovn-controller')).toBe('ovn-controller')
    expect((await ask(side.control('ovn-controller'), 'debug/status')).stdout).toBe('running')
    expect((await script('ovn', 'status_controller')).stdout).toMatch(/ovn-controller is running with pid/)
  })

  test('all of them stop in good order', async () => {
    for (const [kind, command] of [
      ['ovn', 'stop_controller'],
      ['ovn', 'stop_northd'],
      ['ovs', 'stop'],
    ] as const) {
      const stopped = await script(kind, command)
      expect([command, stopped.code, stopped.stderr]).toEqual([command, 0, ''])
      expect(stopped.stdout).not.toMatch(/SIGKILL|Killing|failed/)
    }
    for (const daemon of DAEMONS) expect([daemon, side.pid(`${daemon}.pid`)]).toEqual([daemon, 0])
  })
})
