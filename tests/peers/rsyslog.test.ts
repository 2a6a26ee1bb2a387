import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Lab, type Maker, sleep } from './ovsdb-lab.ts'
import { referenceSchema } from './reference.ts'
import { Rsyslog, withoutRsyslog } from './rsyslog.ts'

// Messages of our daemon, and of the real one beside it, as a real rsyslogd understands them.

const reason = withoutRsyslog()
if (reason) console.log(`skipped: ${reason}`)

const lab = new Lab()
let rsyslog: Rsyslog
let count = 0

/** A database server that listens at a socket of its own. */
async function server(maker: Maker, ...args: string[]) {
  const name = `s${count++}`
  await lab.run('26.03', 'ovsdb-tool', 'create', lab.at(`${name}.db`), referenceSchema('vswitch'))
  const running = await lab.start(
    maker,
    'ovsdb-server',
    lab.at(`${name}.db`),
    `--remote=punix:${lab.at(name)}`,
    ...args,
  )
  /** Sends a message that is none: the server warns of it. */
  const bad = (word: string) =>
    new Promise<void>((resolve) => {
      const stream = connect(lab.at(name))
      stream.on('error', () => {})
      stream.on('close', () => resolve())
      stream.resume()
      stream.write(JSON.stringify({ [word]: 1 }))
    })
  return { ...running, bad }
}

/** A configuration file's path. */
function config(text: string): string {
  const path = lab.at(`logging${count++}.conf`)
  writeFileSync(path, text)
  return path
}

const plain = (address: string, more = '') =>
  config(`[DEFAULT]\nlog_local = false\nuse_syslog = true\nsyslog_address = ${address}\n${more}`)

const python = (args: string, more = '') => {
  const file = config(`[loggers]
keys = root
[handlers]
keys = s
[formatters]
keys = f
[logger_root]
level = INFO
handlers = s
[handler_s]
class = handlers.SysLogHandler
formatter = f
args = ${args}
${more}
[formatter_f]
format = %(name)s: %(message)s
`)
  return config(`[DEFAULT]\nlogging_conf = ${file}\nlogger_class = ConfigLogger\n`)
}

describe.skipIf(reason !== undefined)('a real rsyslogd', () => {
  beforeAll(async () => {
    await lab.prepare('ovsdb-server')
    mkdirSync(lab.at('r'))
    rsyslog = await Rsyslog.in(lab.at('r'))
  })

  afterAll(async () => {
    await rsyslog?.stop()
    await lab.close()
  })

  const METHODS: readonly (readonly [string, () => string[]])[] = [
    ['unix', () => [`--syslog-method=unix:${rsyslog.socket}`]],
    ['udp', () => [`--syslog-method=udp:127.0.0.1:${rsyslog.udp}`]],
    ['udp', () => ['--syslog-method=null', `--syslog-target=127.0.0.1:${rsyslog.udp}`]],
    ['udp', () => [`--syslog-method=udp:127.0.0.1:${rsyslog.udp}`, '-vFACILITY:local4', '-vsyslog:warn']],
    ['unix', () => [`--syslog-method=unix:${rsyslog.socket}`, '-vPATTERN:syslog:%c says %m']],
  ]
  test.each(METHODS.map(([input, args], i) => ({ input, args, i })))(
    'gets of ours what it gets of the real server: $i by $input',
    async ({ input, args, i }) => {
      const got: unknown[] = []
      for (const maker of ['26.03', 'ours'] as const) {
        const before = rsyslog.received().length
        const s = await server(maker, ...args())
        await s.bad(`bad-${i}-${maker}`)
        await rsyslog.until(`bad-${i}-${maker}`)
        await s.bad(`end-${i}-${maker}`)
        await rsyslog.until(`end-${i}-${maker}`)
        const lines = rsyslog.received().slice(before)
        await s.end()
        expect(lines.every((l) => l.input === input)).toBe(true)
        // Without a head of RFC 3164 rsyslogd takes the line's own beginning for the program's name.
        const all = lines.map((l) => `${l.priority} ${l.program} ${l.text}`)
        const about = all.filter((l) => /Open vSwitch|bad JSON-RPC|deprecated/.test(l))
        // The running number differs: the servers do not say the same at their start.
        got.push(about.map((l) => l.replace(/\|\d{5}\|/, '|N|').replaceAll(maker, 'X')))
      }
      expect(got[1]).toEqual(got[0])
      expect(got[1]).toHaveLength([3, 3, 4, 2, 3][i] ?? 0)
    },
  )

  test('the facility, the severity and the text of our own ways, by unix socket, UDP and TCP', async () => {
    const ways: readonly (readonly [string, string, string, string, RegExp])[] = [
      ['plain-unix', 'unix', plain(rsyslog.socket), 'user.warning', /^ ovs\|\d{5}\|jsonrpc\|WARN\|unix#\d+: received/],
      [
        ...(['plain-udp', 'udp', plain(`127.0.0.1:${rsyslog.udp}`, 'syslog_facility = local6\n')] as const),
        ...(['local6.warning', /^ ovs\|\d{5}\|jsonrpc\|WARN\|unix#\d+: received/] as const),
      ],
      [
        ...(['plain-tcp', 'tcp', plain(`tcp:127.0.0.1:${rsyslog.tcp}`, 'syslog_facility = LOG_DAEMON\n')] as const),
        ...(['daemon.warning', /^ ovs\|\d{5}\|jsonrpc\|WARN\|unix#\d+: received/] as const),
      ],
      [
        ...(['python-unix', 'unix', python(`('${rsyslog.socket}', handlers.SysLogHandler.LOG_LOCAL1)`)] as const),
        ...(['local1.warning', /^ unix#\d+: received bad/] as const),
      ],
      [
        ...(['python-udp', 'udp', python(`(('127.0.0.1', ${rsyslog.udp}), 'local2')`)] as const),
        ...(['local2.warning', /^ unix#\d+: received bad/] as const),
      ],
      [
        ...(['python-tcp', 'tcp', python(`(('127.0.0.1', ${rsyslog.tcp}), 'mail', socket.SOCK_STREAM)`)] as const),
        ...(['mail.warning', /^ unix#\d+: received bad/] as const),
      ],
    ]
    for (const [name, input, file, priority, text] of ways) {
      const s = await server('ours', `--logging-config=${file}`)
      await s.bad(name)
      const got = await rsyslog.until(name)
      await s.end()
      expect({ ...got, text: '' }).toEqual({ input, priority, program: got.program, text: '' })
      expect(got.program).toMatch(name.startsWith('python') ? /^ovsdb-server\.jsonrpc$/ : /^ovsdb-server$/)
      expect(got.text).toMatch(text)
    }
  })

  test('a long message comes whole', async () => {
    const word = `long${'x'.repeat(8000)}end`
    for (const file of [
      plain(rsyslog.socket),
      plain(`tcp:127.0.0.1:${rsyslog.tcp}`),
      plain(`127.0.0.1:${rsyslog.udp}`),
    ]) {
      const before = rsyslog.received().length
      const s = await server('ours', `--logging-config=${file}`)
      await s.bad(word)
      await rsyslog.until(/drop.*Protocol error/)
      await sleep(300)
      await s.end()
      const got = rsyslog.received().slice(before)
      expect(got.filter((l) => l.text.includes(word))).toHaveLength(1)
    }
  })

  test.each(['unix', 'udp', 'tcp'])(
    'goes on by %s after rsyslogd was away, and says once what was lost',
    async (kind) => {
      const address = { unix: rsyslog.socket, udp: `127.0.0.1:${rsyslog.udp}`, tcp: `tcp:127.0.0.1:${rsyslog.tcp}` }[
        kind
      ]
      const s = await server('ours', `--logging-config=${plain(address ?? '')}`)
      await s.bad(`${kind}-first`)
      await rsyslog.until(`${kind}-first`)
      await rsyslog.stop()
      await s.appctl('vlog/disable-rate-limit')
      for (let i = 0; i < 8; i++) {
        await s.bad(`${kind}-away-${i}`)
        await sleep(50)
      }
      // It serves on.
      expect((await s.appctl('version')).code).toBe(0)
      await rsyslog.start()
      await sleep(1200)
      for (let i = 0; i < 4; i++) {
        await s.bad(`${kind}-back-${i}`)
        await sleep(100)
      }
      await rsyslog.until(`${kind}-back-3`)
      const said = s
        .log()
        .split('\n')
        .filter((l) => /\|vlog\|WARN\|/.test(l))
      await s.end()
      expect(said.filter((l) => l.includes('cannot send log'))).toHaveLength(1)
      expect(said.filter((l) => /log sent again, \d+ messages lost/.test(l))).toHaveLength(1)
      const lost = Number(/again, (\d+) messages/.exec(said.join('\n'))?.[1])
      // Each bad message is two lines. What the kernel took for a peer that was gone is known to nobody.
      expect(lost).toBeGreaterThanOrEqual(kind === 'tcp' ? 12 : 15)
      expect(lost).toBeLessThanOrEqual(24)
    },
  )
})
