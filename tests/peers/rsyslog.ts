import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { sleep } from './ovsdb-lab.ts'

const DAEMON = '/usr/sbin/rsyslogd'

/** Why there is no rsyslogd to test with, if so. */
export function withoutRsyslog(): string | undefined {
  return existsSync(DAEMON) ? undefined : `the tests with syslog need rsyslogd (${DAEMON}): apt-get install rsyslog`
}

/** A message as rsyslogd understood it. */
export interface Received {
  /** How it came: `unix`, `udp`, `tcp`. */
  readonly input: string
  /** `local3.warning`. */
  readonly priority: string
  readonly program: string
  readonly text: string
}

function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    }),
  )
}

/** Debian's rsyslogd with a configuration of its own, a unix socket, and ports on the loopback. */
export class Rsyslog {
  readonly socket: string
  private child: ChildProcess | undefined
  private readonly output: string

  private constructor(
    private readonly dir: string,
    readonly udp: number,
    /** Messages end with a line's end, or with NUL, as Python sends them. */
    readonly tcp: number,
  ) {
    this.socket = join(dir, 'devlog')
    this.output = join(dir, 'received')
    writeFileSync(this.output, '')
    writeFileSync(
      join(dir, 'rsyslog.conf'),
      `global(workDirectory="${dir}" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="on")
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
module(load="imtcp" AddtlFrameDelimiter="0")
template(name="line" type="string" string="%$!in% %syslogfacility-text%.%syslogseverity-text% %programname% %msg%\\n")
ruleset(name="unix") { set $!in = "unix"; action(type="omfile" file="${this.output}" template="line") }
ruleset(name="udp") { set $!in = "udp"; action(type="omfile" file="${this.output}" template="line") }
ruleset(name="tcp") { set $!in = "tcp"; action(type="omfile" file="${this.output}" template="line") }
input(type="imuxsock" Socket="${this.socket}" ruleset="unix" RateLimit.Interval="0")
input(type="imudp" address="127.0.0.1" port="${udp}" ruleset="udp")
input(type="imtcp" address="127.0.0.1" port="${tcp}" ruleset="tcp")
`,
    )
  }

  static async in(dir: string): Promise<Rsyslog> {
    const [udp, tcp] = [await freePort(), await freePort()]
    const rsyslog = new Rsyslog(dir, udp, tcp)
    await rsyslog.start()
    return rsyslog
  }

  async start(): Promise<void> {
    const config = join(this.dir, 'rsyslog.conf')
    const checked = spawnSync(DAEMON, ['-N1', '-f', config], { encoding: 'utf8', timeout: 120_000 })
    if (checked.status !== 0) throw new Error(checked.stderr)
    this.child = spawn(DAEMON, ['-n', '-f', config, '-i', join(this.dir, 'rsyslog.pid')], { stdio: 'ignore' })
    for (let i = 0; i < 1200 && !(existsSync(this.socket) && (await this.listens())); i++) await sleep(50)
  }

  /** Whether the TCP port, which comes last, is open. */
  private listens(): Promise<boolean> {
    const hex = this.tcp.toString(16).toUpperCase().padStart(4, '0')
    return Promise.resolve(new RegExp(`0100007F:${hex} 00000000:0000 0A`).test(readFileSync('/proc/net/tcp', 'utf8')))
  }

  async stop(): Promise<void> {
    const { child } = this
    this.child = undefined
    if (!child || child.exitCode !== null) return
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    child.kill('SIGTERM')
    await ended
  }

  received(): Received[] {
    return readFileSync(this.output, 'utf8')
      .split('\n')
      .flatMap((line) => {
        const m = /^(\S+) (\S+) (\S+) ?(.*)$/.exec(line)
        return m ? [{ input: m[1] ?? '', priority: m[2] ?? '', program: m[3] ?? '', text: m[4] ?? '' }] : []
      })
  }

  /** Waits for a message with such a text; the messages so far when none comes. */
  async until(text: string | RegExp, seconds = 60): Promise<Received> {
    const end = Date.now() + seconds * 1000
    for (;;) {
      const all = this.received()
      const found = all.find((r) => (typeof text === 'string' ? r.text.includes(text) : text.test(r.text)))
      if (found) return found
      if (Date.now() > end) throw new Error(`no '${text}' came:\n${all.map((r) => r.text).join('\n')}`)
      await sleep(50)
    }
  }
}
