import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { asRootUser, DaemonLab, realDaemons, type Side, until } from './daemon-lab.ts'
import { referenceBin, referenceSchema } from './reference.ts'

// A daemon in good health warns of nothing: each of ours, with partners of ours and with real ones, through start, a
// day's work and the end.

const run = realDaemons() && asRootUser() ? describe : describe.skip

const PROGRAMS = ['ovsdb-server', 'ovs-vswitchd', 'ovn-northd', 'ovn-controller'] as const
type Program = (typeof PROGRAMS)[number]

run('daemons in good health', () => {
  let lab: DaemonLab
  let side: Side
  beforeAll(async () => {
    lab = await DaemonLab.make()
    side = lab.ours
  }, 60_000)
  afterEach(() => side.endAll())
  afterAll(() => lab.close())

  async function ran(program: string, ...args: string[]): Promise<string> {
    const out = await side.run(program, args, 60)
    if (out.code !== 0) throw new Error(`${program} ${args.join(' ')}: ${out.code} ${out.stderr}`)
    return out.stdout.trim()
  }

  test.each([
    ['all ours', PROGRAMS],
    ['our servers alone', ['ovsdb-server']],
    ['our ovs-vswitchd alone', ['ovs-vswitchd']],
    ['our ovn-northd and ovn-controller', ['ovn-northd', 'ovn-controller']],
  ] as const)(
    '%s',
    async (name, ours: readonly Program[]) => {
      const dir = side.at(name.replaceAll(' ', '-'))
      mkdirSync(dir)
      const at = (file: string) => join(dir, file)
      const tool = (program: string, ...args: string[]) => ran(join(referenceBin(), program), '--timeout=30', ...args)
      const logs: string[] = []
      const start = (program: Program, file: string, ...args: string[]) => {
        const mine = ours.includes(program)
        if (mine) logs.push(`${file}.log`)
        const path = join(mine ? side.bin : referenceBin(), program)
        // Its devices are made in a network of its own.
        const within = program === 'ovs-vswitchd' && mine ? ['/usr/bin/unshare', '--net', path] : [path]
        const files = [`--pidfile=${side.at(`${file}.pid`)}`, `--unixctl=${at(`${file}.ctl`)}`]
        const [first = '', ...rest] = within
        return ran(
          first,
          ...rest,
          '--detach',
          '--no-chdir',
          ...files,
          `--log-file=${at(`${file}.log`)}`,
          '-vconsole:off',
          ...args,
        )
      }
      for (const [db, schema] of [
        ['nb', 'ovn-nb'],
        ['sb', 'ovn-sb'],
        ['ovs', 'vswitch'],
      ] as const) {
        await ran(join(referenceBin(), 'ovsdb-tool'), 'create', at(`${db}.db`), referenceSchema(schema))
        await start('ovsdb-server', db, `--remote=punix:${at(`${db}.sock`)}`, at(`${db}.db`))
      }
      const vsctl = (...args: string[]) => tool('ovs-vsctl', `--db=unix:${at('ovs.sock')}`, ...args)
      const nbctl = (...args: string[]) => tool('ovn-nbctl', `--db=unix:${at('nb.sock')}`, ...args)
      const sbctl = (...args: string[]) => tool('ovn-sbctl', `--db=unix:${at('sb.sock')}`, ...args)
      await vsctl('--no-wait', 'init')
      const ids = [
        'system-id=ch1',
        'ovn-encap-type=geneve',
        'ovn-encap-ip=127.0.0.1',
        `ovn-remote=unix:${at('sb.sock')}`,
      ]
      await vsctl('--no-wait', 'set', 'open', '.', ...ids.map((id) => `external_ids:${id}`))
      const dummy = ours.includes('ovs-vswitchd') ? [] : ['--enable-dummy=override', '--disable-system']
      // Where the controller looks for the switch.
      await start('ovs-vswitchd', 'vswitchd', ...dummy, `unix:${at('ovs.sock')}`)
      await start('ovn-northd', 'northd', `--ovnnb-db=unix:${at('nb.sock')}`, `--ovnsb-db=unix:${at('sb.sock')}`)
      await start('ovn-controller', 'controller', `unix:${at('ovs.sock')}`)

      await nbctl(
        ...['ls-add', 's', '--', 'lsp-add', 's', 'p1', '--', 'lsp-set-addresses', 'p1', '0a:00:00:00:00:01 10.0.0.11'],
        ...['--', 'lsp-add', 's', 'p2', '--', 'lsp-set-addresses', 'p2', '0a:00:00:00:00:02 10.0.0.12'],
        ...['--', 'lr-add', 'r', '--', 'lrp-add', 'r', 'r-s', '0a:00:00:00:00:99', '10.0.0.1/24'],
        ...['--', 'lsp-add-router-port', 's', 's-r', 'r-s', '--', 'lr-route-add', 'r', '0.0.0.0/0', '10.0.0.254'],
        ...['--', 'acl-add', 's', 'to-lport', '1000', 'ip4 && tcp', 'allow-related'],
        ...['--', 'lb-add', 'lb', '10.0.0.100:80', '10.0.0.11:80,10.0.0.12:80', '--', 'ls-lb-add', 's', 'lb'],
        ...['--', 'meter-add', 'm', 'drop', '100', 'pktps'],
      )
      await vsctl('--no-wait', 'wait-until', 'bridge', 'br-int')
      for (const p of ['p1', 'p2']) {
        const type = ours.includes('ovs-vswitchd') ? 'internal' : 'dummy'
        await vsctl(
          '--no-wait',
          'add-port',
          'br-int',
          p,
          '--',
          'set',
          'interface',
          p,
          `type=${type}`,
          `external_ids:iface-id=${p}`,
        )
      }
      await sbctl('wait-until', 'port_binding', 'p1', 'up=true', '--', 'wait-until', 'port_binding', 'p2', 'up=true')
      await sbctl('chassis-add', 'ch2', 'geneve', '127.0.0.2')
      await nbctl('--wait=hv', '--timeout=30', 'sync')
      await vsctl('--no-wait', 'del-port', 'p2')
      await sbctl('wait-until', 'port_binding', 'p2', 'chassis=[]')
      await nbctl('--wait=hv', 'lsp-del', 'p2', '--', 'lb-del', 'lb', '--', 'lr-del', 'r')
      await sbctl('chassis-del', 'ch2')
      await nbctl('--wait=hv', 'sync')
      const lines = (log: string) => readFileSync(at(log), 'utf8').split('\n')
      const warnings = logs.flatMap((log) =>
        lines(log)
          .filter((l) => /\|(WARN|ERR|EMER)\|/.test(l))
          .map((l) => `${log}: ${l}`),
      )
      expect(warnings).toEqual([])
      // Who is told to end before those it depends on has nothing to warn of, either.
      for (const [target, program] of [
        ['controller', 'ovn-controller'],
        ['northd', 'ovn-northd'],
        ['vswitchd', 'ovs-vswitchd'],
      ] as const) {
        await tool('ovs-appctl', '-t', at(`${target}.ctl`), 'exit')
        await until(() => !side.pid(`${target}.pid`), 30)
        if (ours.includes(program))
          expect(lines(`${target}.log`).filter((l) => /\|(WARN|ERR|EMER)\|/.test(l))).toEqual([])
      }
    },
    240_000,
  )
})
