import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DaemonLab, realDaemons, sleep, until } from './daemon-lab.ts'
import { referenceBin, referenceSchema } from './reference.ts'

// The systemd units of packaging/: read by systemd's own checker, and run with somebody who listens at NOTIFY_SOCKET.

const units = readdirSync('packaging').filter((f) => f.endsWith('.service'))
const has = (program: string) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0
const able = has('python3')
if (!able) console.log('skipped: who listens at NOTIFY_SOCKET needs python3')
const run = able && realDaemons() ? describe : describe.skip

/** Writes each datagram that comes to a socket as a line. */
const RECEIVER = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("listening", flush=True)
while True:
    print(s.recv(4096).decode().replace("\\n", " "), flush=True)
`

run('systemd units', () => {
  let lab: DaemonLab
  let receiver: ChildProcess
  let told = ''
  beforeAll(async () => {
    lab = await DaemonLab.make()
    for (const tool of ['ovsdb-tool', 'ovs-vsctl']) symlinkSync(join(referenceBin(), tool), join(lab.ours.bin, tool))
    receiver = spawn('python3', ['-c', RECEIVER, lab.ours.at('notify')], { stdio: ['ignore', 'pipe', 'inherit'] })
    receiver.stdout?.on('data', (bytes: Buffer) => {
      told += bytes.toString()
    })
    await until(() => told !== '')
  })
  afterAll(async () => {
    receiver.kill()
    await lab.close()
  })

  /** A unit with its paths below the directory of the lab. */
  const moved = (unit: string) => {
    const { ours } = lab
    return readFileSync(join('packaging', unit), 'utf8')
      .replaceAll('/usr/local/bin/', `${ours.bin}/`)
      .replace(/\/usr\/share\/[\w/]*\/([\w-]+)\.ovsschema/, (_, name) => referenceSchema(name))
      .replace(/\/(var\/lib|var\/log|run)\/(ovn|openvswitch)/g, ours.dir)
  }

  test.runIf(has('systemd-analyze')).each(units)('%s has nothing that systemd complains about', (unit) => {
    const path = join(lab.dir, unit)
    writeFileSync(path, moved(unit))
    const checked = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' })
    expect([checked.status, checked.stderr]).toEqual([0, ''])
  })

  test.each([
    'ovn-ts-switch-db',
    'ovn-ts-nb-db',
    'ovn-ts-sb-db',
    'ovn-ts-vswitchd',
    'ovn-ts-northd',
    'ovn-ts-controller',
  ])('%s says that it serves, and that it ends', async (unit) => {
    const { ours } = lab
    const lines = moved(`${unit}.service`).split('\n')
    const commands = (key: string) => lines.filter((l) => l.startsWith(`${key}=`)).map((l) => l.slice(key.length + 1))
    const sh = (command: string) =>
      execFileSync('sh', ['-c', command], { env: ours.env, stdio: 'pipe', timeout: 120_000 })
    for (const command of commands('ExecStartPre')) sh(command)
    told = ''
    const env = { ...ours.env, NOTIFY_SOCKET: ours.at('notify') }
    const child = spawn('sh', ['-c', `exec ${commands('ExecStart')[0]}`], { env, stdio: 'ignore' })
    expect(await until(() => told.includes('READY=1'))).toBe(true)
    expect(told).toBe(`READY=1 MAINPID=${child.pid}\n`)
    for (const command of commands('ExecStartPost')) sh(command)
    if (unit === 'ovn-ts-switch-db') {
      // The next ones need it.
      return
    }
    await sleep(100)
    child.kill()
    await until(() => child.signalCode !== null)
    expect(child.signalCode).toBe('SIGTERM')
    expect(await until(() => told.includes('STOPPING=1'))).toBe(true)
  })

  test.runIf(has('logrotate'))('logrotate rotates with the file of packaging/', async () => {
    const { ours } = lab
    copyFileSync(lab.database, ours.at('nb.db'))
    const started = await ours.run('ovsdb-server', [
      '--detach',
      '--pidfile=nb.pid',
      `--log-file=${ours.at('nb.log')}`,
      ours.at('nb.db'),
    ])
    expect(started.code).toBe(0)
    mkdirSync(ours.at('state'))
    const config = readFileSync('packaging/logrotate', 'utf8')
      .replace('/var/log/ovn/*.log /var/log/openvswitch/*.log', `${ours.dir}/*.log`)
      .replace('/run/ovn/*.ctl /run/openvswitch/*.ctl', `${ours.dir}/*.ctl`)
      .replace('ovs-appctl', join(referenceBin(), 'ovs-appctl'))
    writeFileSync(ours.at('logrotate.conf'), config, { mode: 0o644 })
    const rotated = await ours.run('/usr/sbin/logrotate', ['-f', '-s', ours.at('state/s'), ours.at('logrotate.conf')])
    expect([rotated.code, rotated.stderr]).toEqual([0, ''])
    expect(await until(() => readdirSync(ours.dir).includes('nb.log.1'))).toBe(true)
    expect(await until(() => existsSync(ours.at('nb.log')))).toBe(true)
  })
})
