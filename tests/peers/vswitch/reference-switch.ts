import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toHex } from '../../../src/base/bytes.ts'
import { referenceBin, referenceSchema } from '../reference.ts'

/** The real ovs-vswitchd with its dummy datapath, which needs no rights: br0 with ports p1 and p2. */
export class ReferenceSwitch {
  private readonly bin = referenceBin()
  private readonly folder = mkdtempSync(join(tmpdir(), 'vswitch-'))
  private readonly seen = new Map<number, number>()

  constructor() {
    const env = this.env
    const at = (f: string) => join(this.folder, f)
    const daemon = ['--detach', '--no-chdir', '-vconsole:off', '--log-file']
    this.run('ovsdb-tool', 'create', at('conf.db'), referenceSchema('vswitch'))
    execFileSync(
      join(this.bin, 'ovsdb-server'),
      [...daemon, `--pidfile=${at('ovsdb.pid')}`, `--remote=punix:${at('db.sock')}`, at('conf.db')],
      { env, stdio: 'ignore' },
    )
    this.vsctl('--no-wait', 'init')
    execFileSync(
      join(this.bin, 'ovs-vswitchd'),
      [
        ...daemon,
        '--enable-dummy=override',
        '--disable-system',
        `--pidfile=${at('vswitchd.pid')}`,
        `--unixctl=${at('ctl')}`,
        `unix:${at('db.sock')}`,
      ],
      { env, stdio: 'ignore' },
    )
    const port = (n: number) => [
      ...['--', 'add-port', 'br0', `p${n}`, '--', 'set', 'interface', `p${n}`, 'type=dummy', `ofport_request=${n}`],
      `options:tx_pcap=${at(`p${n}.pcap`)}`,
    ]
    this.vsctl(
      ...['add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath-type=dummy', 'fail-mode=secure'],
      'protocols=OpenFlow10,OpenFlow13,OpenFlow15',
      ...port(1),
      ...port(2),
    )
  }

  private get env(): Record<string, string> {
    const f = this.folder
    return { ...process.env, OVS_RUNDIR: f, OVS_LOGDIR: f, OVS_DBDIR: f, OVS_SYSCONFDIR: f } as Record<string, string>
  }

  private run(program: string, ...args: string[]): string {
    return execFileSync(join(this.bin, program), args, {
      encoding: 'utf8',
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }

  private vsctl(...args: string[]): void {
    this.run('ovs-vsctl', `--db=unix:${join(this.folder, 'db.sock')}`, ...args)
  }

  appctl(...args: string[]): string {
    return this.run('ovs-appctl', '-t', join(this.folder, 'ctl'), ...args)
  }

  /** Removes all flows, groups and connections. */
  reset(): void {
    const bridge = `unix:${join(this.folder, 'br0.mgmt')}`
    this.run('ovs-ofctl', '-OOpenFlow15', 'del-flows', bridge)
    this.run('ovs-ofctl', '-OOpenFlow15', 'del-groups', bridge)
    this.appctl('dpctl/flush-conntrack')
    this.appctl('revalidator/purge')
    this.transmitted(1)
    this.transmitted(2)
  }

  /** Adds a flow; the OpenFlow version (wire number) that took it. */
  addFlow(flow: string): 1 | 6 {
    const bridge = `unix:${join(this.folder, 'br0.mgmt')}`
    try {
      this.run('ovs-ofctl', '-OOpenFlow15', 'add-flow', bridge, flow)
      return 6
    } catch {
      // without a match on the protocol, 1.0 is what takes actions on it
      this.run('ovs-ofctl', 'add-flow', bridge, flow)
      return 1
    }
  }

  receive(port: number, frame: Uint8Array): void {
    this.appctl('netdev-dummy/receive', `p${port}`, toHex(frame))
  }

  /** The frames that came out of a port since the last call, in hexadecimal. */
  transmitted(port: number): string[] {
    const b = readFileSync(join(this.folder, `p${port}.pcap`))
    const out: string[] = []
    let at = this.seen.get(port) ?? 24
    while (at + 16 <= b.length) {
      const length = b.readUInt32LE(at + 8)
      if (at + 16 + length > b.length) break
      out.push(b.subarray(at + 16, at + 16 + length).toString('hex'))
      at += 16 + length
    }
    this.seen.set(port, at)
    return out
  }

  stop(): void {
    for (const f of ['vswitchd.pid', 'ovsdb.pid']) {
      try {
        process.kill(Number(readFileSync(join(this.folder, f), 'utf8')))
      } catch {
        // never started
      }
    }
    rmSync(this.folder, { recursive: true, force: true })
  }
}
