import { execFile, execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { referenceBin, referenceSchema } from './reference.ts'

export const DAEMONS = ['ovsdb-server', 'ovs-vswitchd', 'ovn-northd', 'ovn-controller'] as const

export interface Output {
  readonly code: number | string
  readonly stdout: string
  readonly stderr: string
}

/** What the control socket at a path answers. */
export function ask(path: string, method: string, params: readonly string[] = []): Promise<Output> {
  return new Promise((done, fail) => {
    const socket = connect(path)
    let text = ''
    socket.setTimeout(60_000, () => {
      socket.destroy()
      done({ code: 'timeout', stdout: '', stderr: '' })
    })
    socket.on('error', fail)
    socket.on('close', () => done({ code: 'closed', stdout: '', stderr: '' }))
    socket.on('data', (bytes) => {
      text += bytes.toString()
      let reply: { result?: string; error?: string }
      try {
        reply = JSON.parse(text)
      } catch {
        return
      }
      done({ code: reply.error ? 1 : 0, stdout: reply.result ?? '', stderr: reply.error ?? '' })
      socket.destroy()
    })
    socket.write(JSON.stringify({ id: 0, method, params }))
  })
}

export const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

export async function until(holds: () => boolean | Promise<boolean>, seconds = 60): Promise<boolean> {
  for (const end = Date.now() + seconds * 1000; ; ) {
    if (await holds()) return true
    if (Date.now() > end) return false
    await sleep(50)
  }
}

export function alive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** Programs of one maker, with a directory of their own for everything. */
export class Side {
  readonly dir: string

  constructor(
    readonly name: 'real' | 'ours',
    /** The folder of the programs. */
    readonly bin: string,
    lab: string,
  ) {
    this.dir = join(lab, name)
    mkdirSync(this.dir)
  }

  at(file: string): string {
    return join(this.dir, file)
  }

  get env(): NodeJS.ProcessEnv {
    const names = ['RUNDIR', 'LOGDIR', 'DBDIR', 'SYSCONFDIR'].flatMap((d) => [`OVS_${d}`, `OVN_${d}`])
    return { ...process.env, ...Object.fromEntries(names.map((name) => [name, this.dir])) }
  }

  /** Runs a program to its end, or for so many seconds. */
  run(program: string, args: readonly string[], seconds = 120): Promise<Output> {
    return new Promise((done) => {
      const file = program.includes('/') ? program : join(this.bin, program)
      const options = { env: this.env, cwd: this.dir, timeout: seconds * 1000 }
      execFile(file, args, options, (e, stdout, stderr) => {
        done({ code: e ? (e.code ?? e.signal ?? 'killed') : 0, stdout, stderr })
      })
    })
  }

  pid(file: string): number {
    try {
      return Number(readFileSync(this.at(file), 'utf8'))
    } catch {
      return 0
    }
  }

  /** The control socket of a daemon, by the beginning of its name. */
  control(name: string): string {
    return this.at(readdirSync(this.dir).find((f) => f.startsWith(`${name}.`) && f.endsWith('.ctl')) ?? `${name}.ctl`)
  }

  log(name: string): string {
    return readFileSync(this.at(name), 'utf8')
  }

  /** Asks a process that wrote a pidfile to end, and waits for it. */
  async end(pidfile: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const pid = this.pid(pidfile)
    if (!pid || !alive(pid)) return
    process.kill(pid, signal)
    if (!(await until(() => !alive(pid), 20))) process.kill(pid, 'SIGKILL')
  }

  async endAll(): Promise<void> {
    for (const file of readdirSync(this.dir).filter((f) => f.endsWith('.pid'))) await this.end(file)
  }

  /** A whole deployment on this machine: three databases, switch, northd, controller. */
  async deploy(): Promise<void> {
    const real = referenceBin()
    const ran = async (program: string, ...args: string[]) => {
      const out = await this.run(program, args)
      if (out.code !== 0) throw new Error(`${program} ${args.join(' ')}: ${out.code} ${out.stderr}`)
    }
    for (const [name, schema] of [
      ['ovnnb_db', 'ovn-nb'],
      ['ovnsb_db', 'ovn-sb'],
      ['db', 'vswitch'],
    ] as const) {
      await ran(join(real, 'ovsdb-tool'), 'create', this.at(`${name}.db`), referenceSchema(schema))
      await ran(
        'ovsdb-server',
        ...['--detach', '--no-chdir', `--pidfile=${name}.pid`, `--unixctl=${name}.ctl`],
        ...[`--log-file=${this.at(`${name}.log`)}`, `--remote=punix:${this.at(`${name}.sock`)}`],
        this.at(`${name}.db`),
      )
    }
    const vsctl = (...args: string[]) => ran(join(real, 'ovs-vsctl'), '--no-wait', '--timeout=60', ...args)
    await vsctl('init')
    await vsctl(
      ...['set', 'open', '.', `external_ids:ovn-remote=unix:${this.at('ovnsb_db.sock')}`],
      ...['external_ids:ovn-encap-type=geneve', 'external_ids:ovn-encap-ip=127.0.0.1', 'external_ids:system-id=ch1'],
    )
    const background = ['--detach', '--no-chdir', '--pidfile', '--log-file']
    await ran('ovs-vswitchd', ...background, '--enable-dummy=override', '--disable-system')
    await ran('ovn-northd', ...background)
    await ran('ovn-controller', ...background)
  }
}

/** The real programs and ours, side by side. */
export class DaemonLab {
  readonly dir = mkdtempSync(join(tmpdir(), 'daemons-'))
  private readonly dist: string
  readonly real: Side
  readonly ours: Side

  private constructor(dist: string) {
    this.dist = dist
    // Other users are to reach what is theirs in it (--user).
    chmodSync(this.dir, 0o755)
    chmodSync(dist, 0o755)
    const bin = join(this.dir, 'bin')
    mkdirSync(bin)
    for (const daemon of DAEMONS) {
      writeFileSync(join(bin, daemon), `#!/bin/sh\nexec "${process.execPath}" "${this.script(daemon)}" "$@"\n`, {
        mode: 0o755,
      })
    }
    this.real = new Side('real', referenceBin(), this.dir)
    this.ours = new Side('ours', bin, this.dir)
  }

  static async make(): Promise<DaemonLab> {
    mkdirSync('build', { recursive: true })
    // Within the package, where optional packages are found.
    const dist = mkdtempSync('build/daemon-lab-')
    await build({
      entryPoints: Object.fromEntries(DAEMONS.map((d) => [d, `src/daemons/${d}.ts`])),
      ...{ outdir: dist, outExtension: { '.js': '.mjs' }, bundle: true, format: 'esm', platform: 'node' },
      ...{ target: 'node20', packages: 'external', logLevel: 'error' },
      banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
    })
    return new DaemonLab(dist)
  }

  /** The bundle of one of our daemons. */
  script(daemon: string): string {
    return join(process.cwd(), this.dist, `${daemon}.mjs`)
  }

  /** An empty northbound database. */
  get database(): string {
    const path = join(this.dir, 'empty.db')
    if (!existsSync(path)) {
      execFileSync(join(referenceBin(), 'ovsdb-tool'), ['create', path, referenceSchema('ovn-nb')])
    }
    return path
  }

  get sides(): readonly Side[] {
    return [this.real, this.ours]
  }

  async close(): Promise<void> {
    for (const side of this.sides) await side.endAll()
    rmSync(this.dir, { recursive: true, force: true })
    rmSync(this.dist, { recursive: true, force: true })
  }
}

/** Whether the real programs can be had on this machine; says what is left out where not. */
export function realDaemons(): boolean {
  try {
    execFileSync(join(referenceBin(), 'ovsdb-server'), ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    console.log('skipped: the real programs cannot be had here')
    return false
  }
}

/** Whether tests that change users or files of the system can run; says what is left out where not. */
export function asRootUser(): boolean {
  if (process.getuid?.() === 0) return true
  console.log('skipped: what needs root')
  return false
}
