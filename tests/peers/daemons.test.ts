import { copyFileSync, readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask, DAEMONS, DaemonLab, type Output, realDaemons, type Side, until } from './daemon-lab.ts'

// Each of our daemons beside the real one: the same commands with the same usage, the same complaints about
// options, and nothing to complain about when all is well.

const run = realDaemons() ? describe : describe.skip

/** Control sockets of a deployment. */
const SOCKETS = { 'ovsdb-server': 'ovnnb_db', 'ovs-vswitchd': 'ovs-vswitchd' } as Readonly<Record<string, string>>
const socketOf = (side: Side, daemon: string) => side.control(SOCKETS[daemon] ?? daemon)

run('a deployment of each', () => {
  let lab: DaemonLab
  beforeAll(async () => {
    lab = await DaemonLab.make()
    await Promise.all(lab.sides.map((side) => side.deploy()))
  })
  afterAll(() => lab.close())

  const commands = async (side: Side, daemon: string) => {
    const { stdout } = await ask(socketOf(side, daemon), 'list-commands')
    const lines = stdout.split('\n').filter((line) => line.startsWith('  '))
    return new Map(lines.map((line) => [line.trim().split(' ')[0] ?? '', line]))
  }

  test('nothing is warned of while all is well', async () => {
    // Long enough for northd to have written, and the controller to have taken it.
    const chassis = await until(async () => {
      const out = await ask(lab.ours.control('ovn-controller'), 'connection-status')
      return out.stdout === 'connected'
    })
    expect(chassis).toBe(true)
    await until(() => lab.ours.log('ovn-controller.log').includes('connected'))
    const logs = readdirSync(lab.ours.dir).filter((f) => f.endsWith('.log'))
    expect(logs).toHaveLength(6)
    for (const log of logs) {
      const bad = lab.ours
        .log(log)
        .split('\n')
        .filter((line) => /\|(WARN|ERR|EMER)\|/.test(line))
      expect([log, bad]).toEqual([log, []])
    }
  })

  test.each(DAEMONS)('%s lists every command of the real one, with the same usage', async (daemon) => {
    const [real, ours] = [await commands(lab.real, daemon), await commands(lab.ours, daemon)]
    expect(real.size).toBeGreaterThan(30)
    expect([...real.keys()].map((name) => ours.get(name) ?? `${name}: missing`)).toEqual([...real.values()])
  })

  test.each(DAEMONS)('%s wants as many arguments for each', async (daemon) => {
    /** Ended by it, both of them; or the real one crashes without an argument. */
    const unasked = new Set(['exit', 'ovsdb-server/set-sync-exclude-tables'])
    const counted = (out: Output) => (/requires at least|takes at most/.test(out.stderr) ? out.stderr : 'taken')
    const many = Array.from({ length: 40 }, (_, i) => String(i))
    const answers = async (side: Side, names: Iterable<string>) => {
      const out: string[] = []
      for (const name of names) {
        const most = counted(await ask(socketOf(side, daemon), name, many))
        const least = unasked.has(name) ? '' : counted(await ask(socketOf(side, daemon), name))
        out.push(`${name}: ${most}, ${least}`)
      }
      return out
    }
    const names = [...(await commands(lab.real, daemon)).keys()]
    expect(await answers(lab.ours, names)).toEqual(await answers(lab.real, names))
  })

  test.each(['ovn-northd', 'ovn-controller'])('%s hands out its time when it is asked to', async (daemon) => {
    for (const side of lab.sides) {
      const at = (name: string, ...args: string[]) => ask(socketOf(side, daemon), name, args)
      await at('debug/enable-timewarp')
      const lists = await commands(side, daemon)
      expect([side.name, lists.get('time/stop'), lists.get('time/warp')]).toEqual([
        side.name,
        '  time/stop               ',
        '  time/warp               [large_msecs] msecs',
      ])
      expect((await at('time/warp', 'x')).stderr).toBe('invalid MSECS')
      expect((await at('time/stop')).code).toBe(0)
      expect((await at('time/warp', '1000')).stdout).toBe('warped')
    }
  })
})

run('without anything', () => {
  let lab: DaemonLab
  beforeAll(async () => {
    lab = await DaemonLab.make()
  })
  afterAll(() => lab.close())

  /** What a daemon says on its own account, and how it ends: no times, and no lines of its connections. */
  const told = (out: Output, side: Side) => {
    const lines = out.stderr
      .replaceAll(side.dir, 'DIR')
      .split('\n')
      .map((line) => line.replace(/^\d{4}-\S+Z\|\d+/, 'TIME'))
      .filter((line) => line && !/\|INFO\||could not unlink|binding failed/.test(line))
    return [`status ${out.code}`, ...lines]
  }

  const WRONG: readonly string[] = [
    'ovsdb-server --nope',
    'ovsdb-server -X',
    'ovsdb-server --unixctl',
    'ovsdb-server --detach=3',
    'ovsdb-server -vnope',
    'ovsdb-server --syslog-method=foo',
    'ovsdb-server --user=no-such-user',
    'ovsdb-server --user=nobody:no-such-group',
    'ovsdb-server --user=nobody:daemon --pidfile=DIR/x.pid',
    'ovsdb-server --pidfile=DIR/x.pid --user=nobody:daemon',
    'ovsdb-server --detach --pidfile=/nonexistent/x.pid DIR/nb.db',
    'ovsdb-server --detach --unixctl=/nonexistent/x.ctl DIR/nb.db',
    'ovsdb-server --detach --log-file=/nonexistent/x.log DIR/nb.db',
    'ovs-vswitchd --nope',
    'ovs-vswitchd a b',
    'ovs-vswitchd --dpdk',
    'ovs-vswitchd --enable-dummy=foo',
    'ovs-vswitchd --unixctl=/nonexistent/x.ctl',
    'ovs-vswitchd --detach --pidfile=/nonexistent/x.pid',
    'ovn-northd --nope -X --detach=3 --unixctl=/nonexistent/x.ctl',
    'ovn-northd --n-threads=0 --unixctl=/nonexistent/x.ctl',
    'ovn-northd --n-threads=300 -u /nonexistent/x.ctl',
    'ovn-northd --pidfile=/nonexistent/x.pid',
    'ovn-controller --nope',
    'ovn-controller -n',
    'ovn-controller a b',
    'ovn-controller -u /nonexistent/x.ctl',
  ]
  test.each(WRONG)('%s', async (line) => {
    const says = await Promise.all(
      lab.sides.map(async (side) => {
        copyFileSync(lab.database, side.at('nb.db'))
        const [program = '', ...args] = line.replaceAll('DIR', side.dir).split(' ')
        return told(await side.run(program, args), side)
      }),
    )
    expect(says[1]).toEqual(says[0])
    expect(says[0]?.[0]).not.toBe('status 0')
  })

  test.each(DAEMONS)('%s --version', async (daemon) => {
    const [real, ours] = await Promise.all(lab.sides.map((side) => side.run(daemon, ['--version'])))
    expect(ours).toEqual(real)
  })

  test.each(DAEMONS)('%s --help names every option of the real one', async (daemon) => {
    const [real, ours] = await Promise.all(lab.sides.map((side) => side.run(daemon, ['--help'])))
    const options = (out: Output | undefined) =>
      [...new Set(out?.stdout.match(/(?<=[ ,])--[a-z-]+/g))].filter((o) => !['--record', '--replay'].includes(o))
    expect(options(real).filter((option) => !options(ours).includes(option))).toEqual([])
  })
})
