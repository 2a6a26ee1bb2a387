import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { alive, ask, asRootUser, DAEMONS, DaemonLab, realDaemons, type Side, sleep, until } from './daemon-lab.ts'
import { referenceBin } from './reference.ts'

// How daemons start, are watched over, change their user and end: ours as the real ones.

const run = realDaemons() ? describe : describe.skip
const asRoot = asRootUser() ? test : test.skip

run('the life of a daemon', () => {
  let lab: DaemonLab
  beforeAll(async () => {
    lab = await DaemonLab.make()
    for (const side of lab.sides) copyFileSync(lab.database, side.at('nb.db'))
  })
  afterEach(async () => {
    for (const side of lab.sides) await side.endAll()
  })
  afterAll(() => lab.close())

  /** Arguments with which a daemon serves without another one. */
  const alone = (side: Side, daemon: string) => (daemon === 'ovsdb-server' ? [side.at('nb.db')] : [])
  const alike = async (look: (side: Side) => Promise<unknown>) => {
    const [real, ours] = await Promise.all(lab.sides.map(look))
    expect(ours).toEqual(real)
    return ours
  }

  test.each(['ovsdb-server', 'ovn-northd', 'ovn-controller'])(
    '%s serves when --detach is over, and says nothing',
    async (daemon) => {
      const side = lab.ours
      const out = await side.run(daemon, ['--detach', '--pidfile', '--log-file', ...alone(side, daemon)])
      expect(out).toEqual({ code: 0, stdout: '', stderr: '' })
      // By its name: the real program wants the pidfile locked by a live process.
      const appctl = join(referenceBin(), 'ovs-appctl')
      const version = await side.run(appctl, ['-t', daemon, 'version'])
      expect(version.stdout).toMatch(new RegExp(`^${daemon} `))
      const pid = side.pid(`${daemon}.pid`)
      expect(spawnSync('readlink', [`/proc/${pid}/cwd`], { encoding: 'utf8' }).stdout).toBe('/\n')
      const exit = await side.run(appctl, ['-t', daemon, 'exit'])
      expect(exit.code).toBe(0)
      expect(await until(() => !alive(pid))).toBe(true)
      expect(readdirSync(side.dir).filter((f) => /\.(pid|ctl)$/.test(f))).toEqual([])
    },
  )

  test('ovs-vswitchd --detach waits for its database', async () => {
    const side = lab.ours
    const started = side.run('ovs-vswitchd', ['--detach', '--pidfile'])
    let over = false
    void started.then(() => {
      over = true
    })
    await sleep(2500)
    expect(over).toBe(false)
    const tool = join(referenceBin(), 'ovsdb-tool')
    await side.run(tool, ['create', side.at('conf.db'), schema()])
    await side.run('ovsdb-server', [
      '--detach',
      '--pidfile',
      `--remote=punix:${side.at('db.sock')}`,
      side.at('conf.db'),
    ])
    await side.run(join(referenceBin(), 'ovs-vsctl'), ['--no-wait', 'init'])
    expect(await started).toMatchObject({ code: 0, stdout: '' })
  })

  const schema = () =>
    spawnSync('bash', ['tests/peers/reference-ovn', 'schema', '26.03', 'vswitch'], { encoding: 'utf8' }).stdout.trim()

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s ends it as the real one', async (signal) => {
    const end = await alike(async (side) => {
      const log = side.at(`${signal}.log`)
      const child = spawn(
        join(side.bin, 'ovsdb-server'),
        ['-vconsole:off', '--pidfile', `--log-file=${log}`, side.at('nb.db')],
        { env: side.env, stdio: 'ignore' },
      )
      const ended = new Promise((done) => child.once('exit', (code, by) => done(by ?? code)))
      await until(() => existsSync(side.control('ovsdb-server')))
      process.kill(child.pid ?? 0, signal)
      const by = await ended
      const last = side.log(`${signal}.log`).trim().split('\n').at(-1)?.split('|').slice(2).join('|')
      return [by, last, readdirSync(side.dir).filter((f) => /\.(pid|ctl)$/.test(f))]
    })
    expect(end).toMatchObject([signal, expect.stringContaining('|WARN|terminating with signal'), []])
  })

  test('a second one is refused, and may take the pidfile over', async () => {
    const tell = await alike(async (side) => {
      const start = (...args: string[]) => side.run('ovn-northd', ['--detach', '--pidfile', ...args])
      const first = await start()
      const pid = side.pid('ovn-northd.pid')
      const second = await start()
      const third = await start('--overwrite-pidfile')
      const stolen = side.pid('ovn-northd.pid')
      process.kill(pid, 'SIGTERM')
      return [
        first.code,
        second.code,
        second.stderr.replace(String(pid), 'PID').replace(side.dir, 'DIR'),
        third.code,
        stolen !== pid,
      ]
    })
    expect(tell).toEqual([0, 1, 'ovn-northd: DIR/ovn-northd.pid: already running as pid PID, aborting\n', 0, true])
  })

  test('--monitor starts it again when it crashes, with a word in the log', async () => {
    const lines = await alike(async (side) => {
      await side.run('ovsdb-server', [
        '--detach',
        '--monitor',
        '--pidfile',
        `--log-file=${side.at('m.log')}`,
        side.at('nb.db'),
      ])
      const first = side.pid('ovsdb-server.pid')
      process.kill(first, 'SIGSEGV')
      await until(() => side.pid('ovsdb-server.pid') !== first && alive(side.pid('ovsdb-server.pid')))
      const second = side.pid('ovsdb-server.pid')
      const answers = await until(
        async () => (await ask(side.at(`ovsdb-server.${second}.ctl`), 'version').catch(() => undefined))?.code === 0,
      )
      process.kill(second, 'SIGSEGV')
      await until(() => side.log('m.log').includes('2 crashes'))
      const waits = side.log('m.log')
      // The ten seconds between two starts are not waited for.
      const monitor = Number(
        /\nPPid:\s+(\d+)/.exec(
          existsSync(`/proc/${second}`) ? readFileSync(`/proc/${second}/status`, 'utf8') : '',
        )?.[1] ?? 0,
      )
      for (const pid of children(side)) process.kill(pid, 'SIGKILL')
      if (monitor > 1) process.kill(monitor, 'SIGKILL')
      const said = waits
        .split('\n')
        .filter((line) => line.includes('daemon_unix'))
        .map((line) =>
          line.split('|').slice(2).join('|').replaceAll(String(first), 'FIRST').replaceAll(String(second), 'SECOND'),
        )
      return [answers, ...said]
    })
    expect(lines).toEqual([
      true,
      'daemon_unix(monitor)|ERR|1 crashes: pid FIRST died, killed (Segmentation fault), restarting',
      'daemon_unix(monitor)|WARN|2 crashes: pid SECOND died, killed (Segmentation fault), waiting until 10 seconds since last restart',
    ])
  })

  /** Processes that have a side's directory on their command line. */
  function children(side: Side): number[] {
    return readdirSync('/proc')
      .filter((p) => /^\d+$/.test(p))
      .map(Number)
      .filter((pid) => {
        try {
          return (
            readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`--log-file=${side.at('m.log')}`) ||
            (readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`OVS_RUNDIR=${side.dir}\0`) && pid !== process.pid)
          )
        } catch {
          return false
        }
      })
  }

  test('a fault of its own is in the log, and the monitor starts it again', async () => {
    const side = lab.ours
    const boom = 'if(process.env.OVN_TS_DETACHED==="worker")setTimeout(()=>{throw new Error("boom")},1500)'
    const env = { ...side.env, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(boom)}` }
    spawnSync(
      join(side.bin, 'ovn-northd'),
      ['--detach', '--monitor', '--pidfile', `--log-file=${side.at('boom.log')}`],
      { env },
    )
    const first = side.pid('ovn-northd.pid')
    expect(await until(() => side.pid('ovn-northd.pid') !== first)).toBe(true)
    expect(side.log('boom.log')).toMatch(/\|daemon_unix\|EMER\|unexpected error: Error: boom\n +at /)
    expect(side.log('boom.log')).toContain(
      `daemon_unix(monitor)|ERR|1 crashes: pid ${first} died, killed (Aborted), restarting`,
    )
    for (const pid of children(side)) process.kill(pid, 'SIGKILL')
  })

  asRoot('--user gives up root, keeps what it needs, and owns its files', async () => {
    const is = await alike(async (side) => {
      const own = side.at('user')
      mkdirSync(own)
      copyFileSync(lab.database, join(own, 'nb.db'))
      for (const path of [own, join(own, 'nb.db')]) chownSync(path, 65534, 65534)
      const pidfile = 'user/nb.pid'
      // Groups that the new user has no part in.
      const out = await side.run('/usr/bin/setpriv', [
        ...['--groups=1,2', join(side.bin, 'ovsdb-server')],
        ...['--detach', '--user=nobody', `--pidfile=${side.at(pidfile)}`, `--log-file=${own}/nb.log`],
        ...[`--unixctl=${own}/nb.ctl`, `--remote=punix:${own}/nb.sock`, `${own}/nb.db`],
      ])
      const status = readFileSync(`/proc/${side.pid(pidfile)}/status`, 'utf8')
      const files = readdirSync(own)
        .filter((f) => !f.startsWith('.'))
        .map((f) => {
          const { uid, gid, mode } = statSync(join(own, f))
          return `${f} ${uid}:${gid} ${mode.toString(8)}`
        })
      await side.end(pidfile)
      return [out.code, ...(status.match(/^(Uid|Gid|Groups|CapEff|CapPrm):.*$/gm) ?? []), ...files]
    })
    expect(is).toContain('CapEff:\t0000000000004400')
    expect(is).toContain('Uid:\t65534\t65534\t65534\t65534')
  })

  asRoot('what --logging-config names is the user of --user, too', async () => {
    const side = lab.ours
    const own = side.at('configured')
    mkdirSync(own)
    chownSync(own, 65534, 65534)
    writeFileSync(side.at('logging.ini'), `[DEFAULT]\nlog_file = ${own}/northd.log\n`)
    const args = ['--detach', '--user=nobody', `--pidfile=${own}/pid`, `--unixctl=${own}/ctl`]
    const out = await side.run('ovn-northd', [...args, `--logging-config=${side.at('logging.ini')}`])
    expect([out.code, statSync(join(own, 'northd.log')).uid]).toEqual([0, 65534])
    await side.end('configured/pid')
  })

  asRoot('ovs-vswitchd keeps the rights to its network as another user', async () => {
    const side = lab.ours
    const child = spawn(
      join(side.bin, 'ovs-vswitchd'),
      ['-vconsole:off', '--user=nobody', '--unixctl=none', 'unix:none'],
      { env: side.env, stdio: 'ignore' },
    )
    const effective = () => /^CapEff:\t(\w+)$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]
    expect(await until(() => effective() === '0000000000007c00')).toBe(true)
    child.kill()
  })

  asRoot('a daemon that --monitor starts again is the same user, with the same rights', async () => {
    const side = lab.ours
    const own = side.at('watched')
    mkdirSync(own)
    chownSync(own, 65534, 65534)
    const pidfile = 'watched/vswitchd.pid'
    const args = ['--monitor', '--user=nobody', `--pidfile=${side.at(pidfile)}`, `--unixctl=${own}/ctl`]
    const env = { ...side.env, OVS_RUNDIR: own }
    const database = { env: side.env, cwd: side.dir }
    spawnSync(join(referenceBin(), 'ovsdb-tool'), ['create', side.at('w.db'), schema()], database)
    const remote = `--remote=punix:${side.at('w.sock')}`
    await side.run('ovsdb-server', ['--detach', '--pidfile', remote, side.at('w.db')])
    spawnSync('chown', ['nobody', side.at('w.sock')])
    spawnSync(join(referenceBin(), 'ovs-vsctl'), [`--db=unix:${side.at('w.sock')}`, '--no-wait', 'init'], database)
    const daemon = join(side.bin, 'ovs-vswitchd')
    const started = spawnSync(daemon, ['--detach', ...args, `unix:${side.at('w.sock')}`], { env, timeout: 120_000 })
    expect(started.status).toBe(0)
    const who = (pid: number) => readFileSync(`/proc/${pid}/status`, 'utf8').match(/^(Uid|Gid|CapEff):.*$/gm)
    const first = side.pid(pidfile)
    const before = who(first)
    process.kill(first, 'SIGSEGV')
    expect(await until(() => side.pid(pidfile) !== first && existsSync(`${own}/ctl`))).toBe(true)
    const second = side.pid(pidfile)
    expect(await until(async () => (await ask(`${own}/ctl`, 'version').catch(() => undefined))?.code === 0)).toBe(true)
    expect([who(second), who(second)?.[0]]).toEqual([before, 'Uid:\t65534\t65534\t65534\t65534'])
    await side.end(pidfile)
  })

  test('without its optional packages it works, and says what does not', async () => {
    const side = lab.ours
    // Where no package can be found.
    copyFileSync(lab.script('ovn-northd'), side.at('ovn-northd.mjs'))
    const start = (...args: string[]) =>
      side.run(process.execPath, [side.at('ovn-northd.mjs'), '--detach', '--no-chdir', ...args])
    const out = await start('--pidfile', `--log-file=${side.at('bare.log')}`)
    expect([out.code, out.stderr]).toEqual([
      0,
      expect.stringMatching(/ovn-northd.pid: not locked.* koffi is missing\n$/),
    ])
    expect((await ask(side.at(`ovn-northd.${side.pid('ovn-northd.pid')}.ctl`), 'status')).code).toBe(0)
    const metrics = await start('--unixctl=none', '--metrics=19476')
    expect([metrics.code, metrics.stderr]).toEqual([
      1,
      expect.stringContaining('--metrics needs the optional package prom-client'),
    ])
  })

  test.each(DAEMONS)('%s serves its metrics', async (daemon) => {
    const side = lab.ours
    const child: ChildProcess = spawn(
      join(side.bin, daemon),
      ['-vconsole:warn', '--metrics=127.0.0.1:19475', `--unixctl=${side.at('metrics.ctl')}`, ...alone(side, daemon)],
      { env: side.env, stdio: 'ignore' },
    )
    let text = ''
    await until(async () => {
      text = await fetch('http://127.0.0.1:19475/metrics').then(
        (r) => r.text(),
        () => '',
      )
      return text !== ''
    })
    child.kill()
    await until(() => child.exitCode !== null || child.signalCode !== null)
    expect(text).toContain(`ovn_build_info{version="${daemon}`)
    expect(text).toMatch(/^ovn_events_total\{event="pstream_open",daemon="[a-z-]+"\} 1$/m)
    expect(text).toMatch(/^ovn_log_lines_total\{level="info",/m)
    expect(text).toMatch(/^ovn_memory\{item="/m)
    expect(text).toMatch(
      {
        'ovsdb-server': /^ovn_database_rows\{database="OVN_Northbound"/m,
        'ovs-vswitchd': /^ovn_switch_conntrack_entries/m,
        'ovn-northd': /^ovn_northbound_rows\{table="ACL"/m,
        'ovn-controller': /^ovn_switch_rows\{table="Bridge"/m,
      }[daemon],
    )
  })

  test('says in its log which port it was given', async () => {
    const said = await alike(async (side) => {
      const remotes = ['ptcp:0', 'ptcp:0:127.0.0.1', 'ptcp:0:[::1]'].map((remote) => `--remote=${remote}`)
      const log = side.at('ports.log')
      await side.run('ovsdb-server', ['--detach', '--pidfile', `--log-file=${log}`, ...remotes, side.at('nb.db')])
      const lines = side
        .log('ports.log')
        .split('\n')
        .filter((line) => line.includes('listening on port'))
      return lines.map((line) => line.split('|').slice(2).join('|').replace(/\d+$/, 'PORT')).sort()
    })
    expect(said).toEqual([
      'socket_util|INFO|0: listening on port PORT',
      'socket_util|INFO|0:127.0.0.1: listening on port PORT',
      'socket_util|INFO|0:[::1]: listening on port PORT',
    ])
  })

  test('a monitor that waits ends when it is told to', async () => {
    const side = lab.ours
    const log = side.at('waits.log')
    await side.run('ovn-northd', ['--detach', '--monitor', '--pidfile', `--log-file=${log}`])
    const first = side.pid('ovn-northd.pid')
    const monitor = Number(/\nPPid:\s+(\d+)/.exec(readFileSync(`/proc/${first}/status`, 'utf8'))?.[1])
    process.kill(first, 'SIGABRT')
    await until(() => side.pid('ovn-northd.pid') !== first)
    process.kill(side.pid('ovn-northd.pid'), 'SIGABRT')
    expect(await until(() => side.log('waits.log').includes('waiting until 10 seconds'))).toBe(true)
    process.kill(monitor, 'SIGTERM')
    expect(await until(() => !alive(monitor))).toBe(true)
  })

  test.each([
    ['SIGSEGV', 'killed (Segmentation fault)'],
    ['SIGTERM', 'killed (Terminated)'],
    ['exit', 'exit status 0'],
  ] as const)('that dies of %s before it serves is told of by --detach', async (end, how) => {
    const told = await alike(async (side) => {
      // Without its database it does not come to serve.
      const starting = side.run('ovs-vswitchd', ['--detach', '--pidfile=early.pid', `unix:${side.at('nowhere')}`])
      await until(() => alive(side.pid('early.pid')))
      const pid = side.pid('early.pid')
      const control = side.at(`ovs-vswitchd.${pid}.ctl`)
      await until(() => existsSync(control))
      if (end === 'exit') await ask(control, 'exit')
      else process.kill(pid, end)
      const { code, stderr } = await starting
      for (const left of [side.at('early.pid'), control]) rmSync(left, { force: true })
      const lines = stderr.split('\n').filter((line) => /daemon_unix|could not/.test(line))
      return [code, ...lines.map((line) => line.replace(/^[^|]*\|\d+\|/, ''))]
    })
    expect(told).toEqual([
      1,
      `daemon_unix|ERR|fork child died before signaling startup (${how})`,
      'ovs-vswitchd: could not detach from foreground session',
    ])
  })

  test('takes its directories from the same variables as the real one', async () => {
    const found = await alike(async (side) => {
      const dirs = Object.fromEntries(
        ['OVS_RUNDIR', 'OVS_LOGDIR', 'OVS_DBDIR', 'OVN_RUNDIR', 'OVN_SYSCONFDIR'].map((name) => [name, side.at(name)]),
      )
      for (const dir of Object.values(dirs)) mkdirSync(dir, { recursive: true })
      copyFileSync(lab.database, join(side.at('OVS_DBDIR'), 'conf.db'))
      const files: string[] = []
      for (const daemon of ['ovsdb-server', 'ovn-northd', 'ovn-controller']) {
        spawnSync(join(side.bin, daemon), ['--detach', '--pidfile', '--log-file', '-vconsole:emer'], {
          env: { ...process.env, ...dirs },
          timeout: 120_000,
        })
      }
      for (const [name, dir] of Object.entries(dirs)) {
        for (const file of readdirSync(dir))
          if (!file.startsWith('.')) files.push(`${name}/${file.replace(/\d+/, 'PID')}`)
      }
      for (const daemon of ['ovsdb-server', 'ovn-northd', 'ovn-controller']) {
        await side.end(`${daemon === 'ovsdb-server' ? 'OVS' : 'OVN'}_RUNDIR/${daemon}.pid`)
      }
      return files.sort()
    })
    expect(found).toContain('OVS_LOGDIR/ovn-northd.log')
  })
})
