import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DaemonLab, realDaemons, type Side, until } from './daemon-lab.ts'
import { referenceBin, referenceSchema } from './reference.ts'

// What ovn-northd and ovn-controller say in situations that operators know: the real ones and ours are brought into
// them one after the other, over real databases and a real switch, and each has to say the lines of the table.

const run = realDaemons() ? describe : describe.skip

/** A deployment of one side, with what the steps need. */
class Deployment {
  constructor(readonly side: Side) {}

  private async ran(program: string, args: readonly string[]): Promise<string> {
    const out = await this.side.run(join(referenceBin(), program), args)
    if (out.code !== 0) throw new Error(`${program} ${args.join(' ')}: ${out.code} ${out.stderr}`)
    return out.stdout.trim()
  }

  nbctl = (...args: string[]) =>
    this.ran('ovn-nbctl', [`--db=unix:${this.side.at('nb.sock')}`, '--timeout=10', ...args])
  sbctl = (...args: string[]) =>
    this.ran('ovn-sbctl', [`--db=unix:${this.side.at('sb.sock')}`, '--timeout=10', ...args])
  vsctl = (...args: string[]) =>
    this.ran('ovs-vsctl', [`--db=unix:${this.side.at('ovs.sock')}`, '--timeout=10', '--no-wait', ...args])
  set = (...ids: string[]) => this.vsctl('set', 'open', '.', ...ids.map((id) => `external_ids:${id}`))
  appctl = (target: string, ...args: string[]) => this.ran('ovs-appctl', ['-t', this.side.at(`${target}.ctl`), ...args])

  async database(name: 'nb' | 'sb' | 'ovs', make = true): Promise<void> {
    const schema = { nb: 'ovn-nb', sb: 'ovn-sb', ovs: 'vswitch' } as const
    const { side } = this
    if (make) await this.ran('ovsdb-tool', ['create', side.at(`${name}.db`), referenceSchema(schema[name])])
    await this.ran('ovsdb-server', [
      ...['--detach', '--no-chdir', `--pidfile=${side.at(`${name}.pid`)}`, `--unixctl=${side.at(`${name}.ctl`)}`],
      ...['-vconsole:off', `--remote=punix:${side.at(`${name}.sock`)}`, side.at(`${name}.db`)],
    ])
  }

  async switch(): Promise<void> {
    await this.ran('ovs-vswitchd', [
      ...['--detach', '--no-chdir', `--pidfile=${this.side.at('vswitchd.pid')}`, '-vconsole:off'],
      ...['--enable-dummy=override', '--disable-system', `unix:${this.side.at('ovs.sock')}`],
    ])
  }

  /** Starts a daemon of this side, which may not come to serve. */
  start(program: string, name: string, ...args: string[]): void {
    const { side } = this
    const files = [`--pidfile=${side.at(`${name}.pid`)}`, `--unixctl=${side.at(`${name}.ctl`)}`]
    spawn(
      join(side.bin, program),
      ['--no-chdir', ...files, `--log-file=${side.at(`${name}.log`)}`, '-vconsole:off', ...args],
      {
        ...{ env: side.env, cwd: side.dir, stdio: 'ignore' },
      },
    )
  }

  northd = (name: string) =>
    this.start('ovn-northd', name, ...['nb', 'sb'].map((db) => `--ovn${db}-db=unix:${this.side.at(`${db}.sock`)}`))

  /** A log without times, numbers and what differs between the sides. */
  lines(name: string): string[] {
    let text = ''
    try {
      text = this.side.log(`${name}.log`)
    } catch {
      // Not yet there.
    }
    return text
      .split('\n')
      .filter((line) => /^\d{4}-/.test(line))
      .map((line) =>
        line
          .replace(/^[^|]*\|\d+\|/, '')
          // The name of the thread that says it.
          .replace(/^(\w+)\(\w+\)\|/, '$1|')
          .replaceAll(this.side.dir, 'DIR'),
      )
  }
}

interface Situation {
  readonly name: string
  readonly act: (d: Deployment) => Promise<unknown> | unknown
  /** Log, and what is said in it from then on, in any order. */
  readonly says: readonly (readonly [log: 'northd' | 'northd2' | 'controller', line: string | RegExp])[]
}

/** How a lost connection is called depends on whether something was being written to it. */
const lost = (module: string, peer: string): RegExp =>
  new RegExp(`^${module}\\|INFO\\|unix:DIR/${peer}: connection (closed by peer|dropped \\(.*\\))$`)
const includes = (lines: readonly string[], line: string | RegExp): boolean =>
  typeof line === 'string' ? lines.includes(line) : lines.some((l) => line.test(l))

const VERSION = '26.03.1-21.8.0-82.14'

const SITUATIONS: readonly Situation[] = [
  {
    name: 'started before the databases',
    act: (d) => {
      d.northd('northd')
      d.start('ovn-controller', 'controller', `unix:${d.side.at('ovs.sock')}`)
    },
    says: [
      ['northd', `ovn_northd|INFO|OVN internal version is : [${VERSION}]`],
      ['northd', 'reconnect|INFO|unix:DIR/nb.sock: connecting...'],
      ['northd', 'reconnect|INFO|unix:DIR/sb.sock: connection attempt failed (No such file or directory)'],
      ['controller', 'reconnect|INFO|unix:DIR/ovs.sock: connection attempt failed (No such file or directory)'],
      ['controller', 'reconnect|INFO|unix:DIR/ovs.sock: waiting 2 seconds before reconnect'],
    ],
  },
  {
    name: 'the databases come',
    act: async (d) => {
      await Promise.all([d.database('nb'), d.database('sb'), d.database('ovs')])
      await d.vsctl('init')
      await d.switch()
      await d.set(`ovn-remote=unix:${d.side.at('sb.sock')}`)
    },
    says: [
      ['northd', 'reconnect|INFO|unix:DIR/nb.sock: connected'],
      ['northd', 'ovn_northd|INFO|ovn-northd lock acquired. This ovn-northd instance is now active.'],
      ['controller', 'reconnect|INFO|unix:DIR/ovs.sock: connected'],
      ['controller', 'reconnect|INFO|unix:DIR/sb.sock: connected'],
      ['controller', "chassis|WARN|'system-id' in Open_vSwitch database is missing."],
      ['controller', 'main|INFO|Setting flow table prefixes: ip_src, ip_dst, ipv6_src, ipv6_dst.'],
    ],
  },
  {
    name: 'a second northd',
    act: (d) => d.northd('northd2'),
    says: [['northd2', 'reconnect|INFO|unix:DIR/sb.sock: connected']],
  },
  {
    name: 'a chassis without an endpoint',
    act: (d) => d.set('system-id=ch1'),
    says: [['controller', 'chassis|INFO|Need to specify an encap type and ip']],
  },
  {
    name: 'a port',
    act: async (d) => {
      await d.set('ovn-encap-type=geneve', 'ovn-encap-ip=127.0.0.1')
      await d.nbctl(
        ...['ls-add', 's', '--', 'lsp-add', 's', 'p1', '--', 'lsp-set-addresses', 'p1', '00:00:00:00:00:01 10.0.0.1'],
        ...['--', 'lsp-add', 's', 'ln', '--', 'lsp-set-type', 'ln', 'localnet'],
        ...['--', 'lsp-set-options', 'ln', 'network_name=phys'],
      )
      await d.vsctl(
        'add-port',
        'br-int',
        'i1',
        '--',
        'set',
        'interface',
        'i1',
        'type=dummy',
        'external_ids:iface-id=p1',
      )
    },
    says: [
      ['controller', 'binding|INFO|Claiming lport p1 for this chassis.'],
      ['controller', 'binding|INFO|p1: Claiming 00:00:00:00:00:01 10.0.0.1'],
      ['controller', 'binding|INFO|Setting lport p1 ovn-installed in OVS'],
      ['controller', 'binding|INFO|Setting lport p1 up in Southbound'],
      ['controller', "patch|INFO|bridge not found for localnet port 'ln' with network name 'phys'; skipping"],
    ],
  },
  {
    name: 'a mapping to a bridge that is not there',
    act: (d) => d.set('ovn-bridge-mappings=phys:br-phys'),
    says: [['controller', "patch|WARN|Bridge 'br-phys' not found for network 'phys'"]],
  },
  {
    name: 'a mapping that is none',
    act: (d) => d.set('ovn-bridge-mappings=phys'),
    says: [['controller', "patch|ERR|Invalid ovn-bridge-mappings configuration: 'phys'"]],
  },
  {
    name: 'a port of another chassis, which is not there',
    act: (d) => d.nbctl('lsp-set-options', 'p1', 'requested-chassis=other'),
    says: [
      ['northd', "northd|WARN|Unknown chassis 'other' set in options:requested-chassis on LSP 'p1'."],
      ['controller', 'binding|INFO|Releasing lport p1 from this chassis (sb_readonly=0)'],
      ['controller', 'binding|INFO|Setting lport p1 down in Southbound'],
      ['controller', 'binding|INFO|Removing iface i1 ovn-installed in OVS'],
    ],
  },
  {
    name: 'it is ours again, and another chassis takes it',
    act: async (d) => {
      await d.nbctl('clear', 'logical_switch_port', 'p1', 'options')
      await d.sbctl('--timeout=20', 'wait-until', 'port_binding', 'p1', 'up=true')
      await d.sbctl('chassis-add', 'ch2', 'geneve', '127.0.0.2')
      const other = await d.sbctl('--bare', '--columns=_uuid', 'find', 'chassis', 'name=ch2')
      await d.sbctl('set', 'port_binding', 'p1', `chassis=${other}`)
    },
    says: [['controller', 'binding|INFO|Changing chassis for lport p1 from ch2 to ch1.']],
  },
  {
    name: 'northd is paused',
    act: (d) => d.appctl('northd', 'pause'),
    says: [
      ['northd', 'ovn_northd|INFO|This ovn-northd instance is now paused.'],
      ['northd2', 'ovn_northd|INFO|ovn-northd lock acquired. This ovn-northd instance is now active.'],
    ],
  },
  {
    name: 'a logical flow that is none',
    act: async (d) => {
      const datapath = (await d.sbctl('--bare', '--columns=_uuid', 'list', 'datapath_binding')).split('\n')[0] ?? ''
      // A northd that looks takes it away, perhaps before the controller has seen it.
      await d.appctl('northd2', 'pause')
      await d.sbctl(
        ...['create', 'logical_flow', `logical_datapath=${datapath}`, 'pipeline=ingress', 'table_id=1', 'priority=1'],
        ...['match="nonsense == 1"', 'actions="next;"'],
      )
    },
    says: [
      [
        'controller',
        'lflow|WARN|error parsing match "nonsense == 1": Syntax error at `nonsense\' expecting field name.',
      ],
    ],
  },
  {
    name: 'the other northd goes on, and the paused one ends',
    act: async (d) => {
      await d.appctl('northd2', 'resume')
      await d.side.end('northd.pid')
    },
    says: [['northd', 'fatal_signal|WARN|terminating with signal 15 (Terminated)']],
  },
  {
    name: 'northd is of another release',
    act: async (d) => {
      await d.appctl('northd2', 'pause')
      await d.sbctl('set', 'sb_global', '.', 'options:northd_internal_version=1.2.3')
      await d.set('ovn-match-northd-version=true')
    },
    says: [['controller', `main|WARN|controller version - ${VERSION} mismatch with northd version - 1.2.3`]],
  },
  {
    name: 'it is of this release again',
    act: async (d) => {
      await d.appctl('northd2', 'resume')
      await d.vsctl('remove', 'open', '.', 'external_ids', 'ovn-match-northd-version')
      await d.vsctl('del-port', 'i1')
    },
    says: [['controller', 'binding|INFO|Releasing lport p1 from this chassis (sb_readonly=0)']],
  },
  {
    name: 'the southbound database goes and comes',
    act: async (d) => {
      await d.side.end('sb.pid')
      await until(() => d.lines('northd2').some((l) => l.includes('on standby')))
      await d.database('sb', false)
    },
    says: [
      ['controller', lost('reconnect', 'sb.sock')],
      ['northd2', 'ovn_northd|INFO|ovn-northd lock lost. This ovn-northd instance is now on standby.'],
      ['northd2', 'ovn_northd|INFO|ovn-northd lock acquired. This ovn-northd instance is now active.'],
      ['controller', 'reconnect|INFO|unix:DIR/sb.sock: connected'],
    ],
  },
  {
    name: 'the switch goes and comes',
    act: async (d) => {
      await d.side.end('vswitchd.pid')
      await until(() => includes(d.lines('controller'), lost('rconn', 'br-int.mgmt')), 30)
      await d.switch()
    },
    says: [
      ['controller', lost('rconn', 'br-int.mgmt')],
      ['controller', 'rconn|INFO|unix:DIR/br-int.mgmt: connected'],
    ],
  },
  {
    name: 'a remote that is none',
    act: (d) => d.set('ovn-remote=nonsense'),
    says: [
      ['controller', 'reconnect|INFO|nonsense: connection attempt failed (Address family not supported by protocol)'],
    ],
  },
  {
    name: 'an endpoint of two chassis',
    act: (d) => d.set(`ovn-remote=unix:${d.side.at('sb.sock')}`, 'system-id=ch9'),
    says: [
      [
        'controller',
        "chassis|WARN|'ch1' already has encap ip '127.0.0.1' and type 'geneve', cannot duplicate on 'ch9'",
      ],
    ],
  },
  {
    name: 'everything anew, and the end',
    act: async (d) => {
      await d.appctl('controller', 'inc-engine/recompute')
      await d.appctl('northd2', 'inc-engine/recompute')
      await d.appctl('controller', 'exit')
      await d.appctl('northd2', 'exit')
    },
    says: [
      ['controller', 'inc_proc_eng|INFO|User triggered force recompute.'],
      ['northd2', 'inc_proc_eng|INFO|User triggered force recompute.'],
      ['controller', 'main|INFO|Exiting ovn-controller, resource cleanup: True'],
    ],
  },
]

run('messages of ovn-northd and ovn-controller', () => {
  let lab: DaemonLab
  let deployments: Deployment[] = []
  /** What the real ones should have said and did not. */
  const unheard: string[] = []
  beforeAll(async () => {
    lab = await DaemonLab.make()
    deployments = lab.sides.map((side) => new Deployment(side))
  }, 60_000)
  afterAll(() => lab.close(), 60_000)

  test.each(SITUATIONS)(
    '$name',
    async ({ act, says }) => {
      const [missedByReal = [], missedByOurs] = await Promise.all(
        deployments.map(async (d) => {
          const before = new Map(says.map(([log]) => [log, d.lines(log).length]))
          await act(d)
          const missing = () => says.filter(([log, line]) => !includes(d.lines(log).slice(before.get(log)), line))
          await until(() => missing().length === 0, 45)
          return missing().map(([log, line]) => `${log}: ${String(line)}`)
        }),
      )
      expect(missedByOurs).toEqual([])
      unheard.push(...missedByReal)
    },
    120_000,
  )

  // Some depend on what the real one sees in one look: not each line comes each time on a busy machine.
  test('the real ones say so, too', () => expect(unheard.slice(2)).toEqual([]))

  test('ours warned of nothing that the real ones did not warn of', () => {
    const [real, ours] = deployments
    if (!real || !ours) throw new Error('no deployments')
    const trouble = (d: Deployment) =>
      ['northd', 'northd2', 'controller'].flatMap((log) => d.lines(log).filter((l) => /\|(WARN|ERR|EMER)\|/.test(l)))
    const known = new Set<string | RegExp>([
      ...trouble(real),
      ...SITUATIONS.flatMap(({ says }) => says.map(([, l]) => l)),
    ])
    expect(trouble(ours).filter((line) => !known.has(line))).toEqual([])
  })
})
