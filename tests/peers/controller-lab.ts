import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Release, referenceBin, referenceSchema } from './reference.ts'

/** A logical flow to be put into the southbound database as it is. */
export interface LabFlow {
  readonly uuid: string
  readonly datapath: string
  readonly pipeline: 'ingress' | 'egress'
  readonly table: number
  readonly priority: number
  readonly match: string
  readonly actions: string
  readonly tags?: Readonly<Record<string, string>>
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/**
 * The real databases, northd, controller and switch (with a dummy datapath, so without privileges),
 * all in one folder: what the real programs make of a northbound network and of logical flows.
 */
export class ControllerLab {
  readonly dir: string
  readonly bin: string
  private readonly processes: ChildProcess[] = []
  private readonly env: NodeJS.ProcessEnv

  constructor(readonly release: Release = '26.03') {
    this.bin = referenceBin(release)
    this.dir = mkdtempSync(join(tmpdir(), 'lab-'))
    const dirs = Object.fromEntries(
      ['OVS', 'OVN'].flatMap((p) => ['RUNDIR', 'LOGDIR', 'DBDIR', 'SYSCONFDIR'].map((d) => [`${p}_${d}`, this.dir])),
    )
    this.env = { ...process.env, ...dirs }
  }

  start(program: string, args: readonly string[]): ChildProcess {
    const log = openSync(join(this.dir, 'out.log'), 'a')
    const child = spawn(join(this.bin, program), args, { stdio: ['ignore', log, log], env: this.env })
    this.processes.push(child)
    return child
  }

  run(program: string, args: readonly string[]): string {
    return execFileSync(join(this.bin, program), args, { encoding: 'utf8', env: this.env, maxBuffer: 1 << 30 })
  }

  nbctl(...args: string[]): string {
    return this.run('ovn-nbctl', [`--db=unix:${this.dir}/nb.sock`, '--timeout=90', ...args])
  }

  sbctl(...args: string[]): string {
    return this.run('ovn-sbctl', [`--db=unix:${this.dir}/sb.sock`, '--timeout=90', ...args])
  }

  vsctl(...args: string[]): string {
    return this.run('ovs-vsctl', [`--db=unix:${this.dir}/db.sock`, '--timeout=90', ...args])
  }

  transact(socket: 'nb' | 'sb' | 'db', operations: readonly unknown[]): unknown[] {
    return JSON.parse(
      this.run('ovsdb-client', ['transact', `unix:${this.dir}/${socket}.sock`, JSON.stringify(operations)]),
    )
  }

  async until(what: string, test: () => boolean, ms = 90_000): Promise<void> {
    for (const end = Date.now() + ms; Date.now() < end; await sleep(50)) if (test()) return
    throw new Error(`${what}: not within ${ms} ms, see ${this.dir}`)
  }

  /** Starts everything; chassis `hv1` with the ports named, each with an interface on br-int. */
  async up(interfaces: readonly string[], options: Readonly<Record<string, string>> = {}): Promise<void> {
    const databases = { nb: 'ovn-nb', sb: 'ovn-sb', db: 'vswitch' } as const
    for (const [name, schema] of Object.entries(databases)) {
      this.run('ovsdb-tool', ['create', join(this.dir, `${name}.db`), referenceSchema(schema, this.release)])
      this.start('ovsdb-server', [
        join(this.dir, `${name}.db`),
        `--remote=punix:${this.dir}/${name}.sock`,
        `--unixctl=${this.dir}/${name}.ctl`,
        '-vconsole:off',
        `--log-file=${this.dir}/${name}.log`,
      ])
    }
    await this.until('databases', () => Object.keys(databases).every((d) => existsSync(join(this.dir, `${d}.sock`))))
    this.vsctl('--no-wait', 'init')
    this.nbctl('init')
    this.sbctl('init')
    this.start('ovs-vswitchd', [
      '--enable-dummy=override',
      '--disable-system',
      `--unixctl=${this.dir}/vswitchd.ctl`,
      '-vconsole:off',
      `--log-file=${this.dir}/vswitchd.log`,
      `unix:${this.dir}/db.sock`,
    ])
    const external = {
      'system-id': 'hv1',
      'ovn-remote': `unix:${this.dir}/sb.sock`,
      'ovn-encap-type': 'geneve',
      'ovn-encap-ip': '127.0.0.1',
      'ovn-bridge-mappings': 'datacentre:br-ex',
      ...options,
    }
    this.vsctl(
      ...Object.entries(external)
        .flatMap(([k, v]) => ['--', 'set', 'open', '.', `external-ids:${k}="${v}"`])
        .slice(1),
      ...['--', 'add-br', 'br-int', '--', 'set', 'bridge', 'br-int', 'fail-mode=secure', 'datapath_type=dummy'],
      ...['--', 'add-br', 'br-ex', '--', 'set', 'bridge', 'br-ex', 'datapath_type=dummy'],
      ...interfaces.flatMap((name) => [
        ...['--', 'add-port', 'br-int', name, '--', 'set', 'interface', name, 'type=dummy'],
        `external-ids:iface-id=${name}`,
      ]),
    )
    this.start('ovn-northd', [
      `--ovnnb-db=unix:${this.dir}/nb.sock`,
      `--ovnsb-db=unix:${this.dir}/sb.sock`,
      `--unixctl=${this.dir}/northd.ctl`,
      '-vconsole:off',
      `--log-file=${this.dir}/northd.log`,
    ])
    this.startController()
    await this.until('chassis', () => this.sbctl('--bare', '--columns=name', 'list', 'chassis').includes('hv1'))
  }

  startController(): ChildProcess {
    return this.start('ovn-controller', [
      '-vconsole:off',
      `--log-file=${this.dir}/controller.log`,
      `unix:${this.dir}/db.sock`,
    ])
  }

  /** Waits until northd and the controller are through with what is in the databases. */
  sync(): void {
    this.nbctl('--wait=hv', 'sync')
  }

  /** From now on northd leaves the southbound alone. */
  pauseNorthd(): void {
    this.run('ovn-appctl', ['-t', join(this.dir, 'northd.ctl'), 'pause'])
  }

  /** Makes the controller log every complaint, however many there are. */
  quietRateLimits(): void {
    const socket = readdirSync(this.dir).find((f) => /^ovn-controller\..*\.ctl$/.test(f))
    if (socket) this.run('ovn-appctl', ['-t', join(this.dir, socket), 'vlog/disable-rate-limit'])
  }

  /** Uuid of the datapath of a switch or router of this name. */
  datapath(name: string): string {
    return this.sbctl('--bare', '--columns=_uuid', 'find', 'datapath_binding', `external_ids:name=${name}`).trim()
  }

  insertFlows(flows: readonly LabFlow[]): void {
    for (let i = 0; i < flows.length; i += 200) {
      const replies = this.transact('sb', [
        'OVN_Southbound',
        ...flows.slice(i, i + 200).map((f) => ({
          op: 'insert',
          table: 'Logical_Flow',
          uuid: f.uuid,
          row: {
            logical_datapath: ['uuid', f.datapath],
            pipeline: f.pipeline,
            table_id: f.table,
            priority: f.priority,
            match: f.match,
            actions: f.actions,
            tags: ['map', Object.entries(f.tags ?? {})],
          },
        })),
      ]) as { error?: string; details?: string }[]
      const bad = replies.find((r) => r?.error)
      if (bad) throw new Error(`${bad.error}: ${bad.details}`)
    }
  }

  /** Waits until the controller has installed all (with northd paused). */
  async settle(): Promise<void> {
    const cfg = Number(this.sbctl('--bare', 'get', 'sb_global', '.', 'nb_cfg')) + 1
    this.sbctl('set', 'sb_global', '.', `nb_cfg=${cfg}`)
    await this.until(
      'nb_cfg',
      () => this.sbctl('--bare', '--columns=nb_cfg', 'find', 'chassis_private', 'name=hv1').trim() === String(cfg),
    )
  }

  dumpFlows(...match: string[]): string[] {
    const out = this.run('ovs-ofctl', [
      '-O',
      'OpenFlow15',
      '--no-stats',
      '--no-names',
      'dump-flows',
      join(this.dir, 'br-int.mgmt'),
      ...match,
    ])
    return out.split('\n').flatMap((line) => (/cookie=/.test(line) ? [line.trim()] : []))
  }

  dumpGroups(): string[] {
    const out = this.run('ovs-ofctl', ['-O', 'OpenFlow15', 'dump-groups', join(this.dir, 'br-int.mgmt')])
    return out.split('\n').flatMap((line) => (/group_id=/.test(line) ? [line.trim()] : []))
  }

  controllerLog(): string {
    return readFileSync(join(this.dir, 'controller.log'), 'utf8')
  }

  async down(): Promise<void> {
    for (const child of this.processes.reverse()) child.kill('SIGTERM')
    await sleep(500)
    for (const child of this.processes) if (child.exitCode === null) child.kill('SIGKILL')
    rmSync(this.dir, { recursive: true, force: true })
  }
}

/** A command line's words, with '...' and "..." as a shell takes them. */
export function words(line: string): string[] {
  const out: string[] = []
  let word: string | undefined
  for (let i = 0; i < line.length; i++) {
    const c = line[i] as string
    if (c === "'" || c === '"') {
      word ??= ''
      for (i++; i < line.length && line[i] !== c; i++) {
        if (c === '"' && line[i] === '\\' && /["\\$]/.test(line[i + 1] ?? '')) i++
        word += line[i]
      }
    } else if (/\s/.test(c)) {
      if (word !== undefined) out.push(word)
      word = undefined
    } else if (c === '\\') word = (word ?? '') + (line[++i] ?? '')
    else word = (word ?? '') + c
  }
  if (word !== undefined) out.push(word)
  return out
}
