import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { type Release, referenceBin } from './reference.ts'

/** Whose program it is: of this project, or of a release of the real one. */
export type Maker = 'ours' | Release

/** Our programs by the names they are known under, and where their sources are. */
const SOURCES: Readonly<Record<string, string>> = {
  'ovsdb-server': 'src/daemons/ovsdb-server.ts',
  'ovn-northd': 'src/daemons/ovn-northd.ts',
  'ovn-controller': 'src/daemons/ovn-controller.ts',
  'ovs-vswitchd': 'src/daemons/ovs-vswitchd.ts',
  'ovsdb-tool': 'src/cli/ovsdb-tool.ts',
  'ovsdb-client': 'src/cli/ovsdb-client.ts',
  'ovn-nbctl': 'src/cli/ovn-nbctl.ts',
  'ovn-sbctl': 'src/cli/ovn-sbctl.ts',
  'ovs-vsctl': 'src/cli/ovs-vsctl.ts',
}

export interface Output {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A running daemon. */
export interface Running {
  readonly child: ChildProcess
  /** Its control socket. */
  readonly control: string
  /** Its log so far. */
  log(): string
  /** Asks its control socket. */
  appctl(...words: string[]): Promise<Output>
  /** Ends it with a signal and waits for it. */
  end(signal?: NodeJS.Signals): Promise<void>
}

export const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

/** Asks again until the answer is taken; the last answer when it never is. */
export async function until<T>(ask: () => Promise<T>, taken: (answer: T) => boolean, seconds = 60): Promise<T> {
  const end = Date.now() + seconds * 1000
  for (;;) {
    const answer = await ask()
    if (taken(answer) || Date.now() > end) return answer
    await sleep(50)
  }
}

/** A folder with programs of ours and of the real releases side by side, for one test file. */
export class Lab {
  readonly dir = mkdtempSync(join(tmpdir(), 'ovsdb-lab-'))
  private dist = ''
  private readonly running = new Set<Running>()
  private count = 0

  /** Bundles those programs of ours that a test needs. */
  async prepare(...programs: string[]): Promise<void> {
    mkdirSync('build', { recursive: true })
    // Within the package, where optional packages are found.
    this.dist = mkdtempSync('build/ovsdb-lab-')
    await build({
      entryPoints: Object.fromEntries(programs.map((p) => [p, SOURCES[p] ?? p])),
      outdir: this.dist,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      external: ['koffi'],
      logLevel: 'error',
      banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
    })
  }

  at(name: string): string {
    return join(this.dir, name)
  }

  /** The file that node runs for one of our programs. */
  script(program: string): string {
    return join(process.cwd(), this.dist, `${program}.mjs`)
  }

  command(maker: Maker, program: string): string[] {
    return maker === 'ours' ? [process.execPath, this.script(program)] : [join(referenceBin(maker), program)]
  }

  /** Daemons and tools find each other's sockets in the lab's folder. */
  private get env(): NodeJS.ProcessEnv {
    return { ...process.env, OVS_RUNDIR: this.dir, OVN_RUNDIR: this.dir, TZ: 'UTC' }
  }

  /** Runs a program to its end. */
  run(maker: Maker, program: string, ...args: string[]): Promise<Output> {
    const [file = '', ...first] = this.command(maker, program)
    return execute(file, [...first, ...args], this.dir, this.env)
  }

  /** Starts a daemon and waits until its control socket answers. */
  async start(maker: Maker, program: string, ...args: string[]): Promise<Running> {
    const [file = '', ...first] = this.command(maker, program)
    const name = `${program}.${maker}.${this.count++}`
    // That of 23.03 has its own mind about where its control socket is.
    const fixed = program === 'ovn-controller' && maker === '23.03'
    const log = this.at(`${name}.log`)
    const own = [`--log-file=${log}`, '-vconsole:off', '-vfile:info']
    if (!fixed) own.push(`--unixctl=${this.at(`${name}.ctl`)}`)
    // The real daemons settle on their way to syslog with their first message: that the log file is open.
    const syslog = args.filter((a) => a.startsWith('--syslog-'))
    const others = args.filter((a) => !a.startsWith('--syslog-'))
    const child = spawn(file, [...first, ...syslog, ...own, ...others], {
      stdio: 'ignore',
      cwd: this.dir,
      env: this.env,
    })
    const control = this.at(fixed ? `${program}.${child.pid}.ctl` : `${name}.ctl`)
    const ended = new Promise<void>((done) => child.once('exit', () => done()))
    const appctl = join(referenceBin('26.03'), 'ovs-appctl')
    const running: Running = {
      child,
      control,
      log: () => readFileSync(log, 'utf8'),
      appctl: (...words) => execute(appctl, ['-T', '60', '-t', control, ...words], this.dir, this.env),
      end: async (signal = 'SIGTERM') => {
        this.running.delete(running)
        if (child.exitCode === null && child.signalCode === null) child.kill(signal)
        await ended
      },
    }
    this.running.add(running)
    const up = await until(
      () => running.appctl('version'),
      (o) => o.code === 0 || child.exitCode !== null,
    )
    if (up.code !== 0) throw new Error(`${name} did not start: ${up.stderr}`)
    return running
  }

  async close(): Promise<void> {
    for (const running of [...this.running]) await running.end('SIGKILL')
    for (const dir of [this.dir, this.dist]) if (dir) rmSync(dir, { recursive: true, force: true })
  }
}

function execute(file: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<Output> {
  return new Promise((done) => {
    execFile(file, [...args], { timeout: 120_000, cwd, env, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      done({ code: error ? Number(error.code ?? 124) : 0, stdout, stderr })
    })
  })
}
