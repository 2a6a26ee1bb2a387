import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../src/base/clock.ts'
import { Logging, loadLogging } from '../src/logging/index.ts'

// The examples import the package as its users do: from dist/.
const built = existsSync('dist/logging.js') && existsSync('dist/ovsdb-server.js')

const cleanup: (() => void)[] = []
afterEach(() => {
  for (const done of cleanup.splice(0).reverse()) done()
})

async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 3000 && !what(); i++) await new Promise((done) => setTimeout(done, 10))
}

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'examples-'))
  cleanup.push(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

async function load(dir: string, logger: string, section: string, said: string[] = []): Promise<Logging> {
  const file = join(dir, 'logging.ini')
  writeFileSync(file, `[DEFAULT]\nlogger_class=${resolve('examples/logging', logger)}\n${section}`)
  const loaded = await loadLogging(file, {
    ...{ component: 'ovn-northd', hostname: 'host', pid: 42, now: () => 0, resolve: (p: string) => resolve(dir, p) },
    onTrouble: (message) => said.push(message.replace(/^.*#/, '')),
  })
  if (!loaded.ok) throw new Error(loaded.error)
  const hub = new Logging('ovn-northd', new VirtualClock(Date.UTC(2026, 10, 24, 8, 38, 31, 793)), [
    loaded.value.backend,
  ])
  cleanup.push(() => hub.close())
  return hub
}

/** A collector that keeps the lines it gets. */
function collector(port: number): Promise<{ readonly port: number; readonly lines: string[]; close(): void }> {
  const lines: string[] = []
  const peers: Socket[] = []
  const server: Server = createServer((socket) => {
    let rest = ''
    peers.push(socket)
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      const parts = (rest + bytes.toString()).split('\n')
      rest = parts.pop() ?? ''
      lines.push(...parts)
    })
  })
  const close = () => {
    server.close()
    for (const peer of peers) peer.destroy()
  }
  cleanup.push(close)
  return new Promise((done) => {
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      done({ port: typeof address === 'object' && address ? address.port : 0, lines, close })
    })
  })
}

function daemon(dir: string, ini: string): { readonly child: ChildProcess; readonly err: () => string } {
  writeFileSync(join(dir, 'logging.ini'), ini)
  const child = spawn(
    process.execPath,
    [
      resolve('bin/ovsdb-server'),
      '--no-dbs',
      '--unixctl=none',
      `--remote=punix:${join(dir, 'db.sock')}`,
      '--logging-config=logging.ini',
    ],
    { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  cleanup.push(() => child.kill('SIGKILL'))
  let text = ''
  child.stderr?.on('data', (bytes: Buffer) => {
    text += bytes.toString()
  })
  return { child, err: () => text }
}

/** Its exit status, or the signal that ended it. */
const ended = (child: ChildProcess) =>
  new Promise<number | string | null>((done) => {
    const end = child.exitCode ?? child.signalCode
    if (end !== null) done(end)
    else child.on('exit', (code, signal) => done(code ?? signal))
  })

describe.skipIf(!built)('examples/logging (needs npm run build)', () => {
  it('otel-tcp.mjs sends lines in OpenTelemetry’s log data model', async () => {
    const server = await collector(0)
    const hub = await load(folder(), 'otel-tcp.mjs#OtelTcpLogger', `[OtelTcpLogger]\nport=${server.port}\n`)
    hub.log('binding').warn('Claiming lport "a"', { port: 'a', n: 3 })
    hub.log('binding').dbg('too low')
    hub.log().emer('two\nlines')
    await until(() => server.lines.length >= 2)
    expect(server.lines.map((l) => JSON.parse(l) as unknown)).toEqual([
      {
        ...{
          Timestamp: '2026-11-24T08:38:31.793Z',
          SeverityNumber: 13,
          SeverityText: 'WARN',
          Body: 'Claiming lport "a"',
        },
        ...{ InstrumentationScope: { Name: 'ovn-northd.binding' }, Attributes: { port: 'a', n: 3 } },
        Resource: { 'service.name': 'ovn-northd', 'host.name': 'host', 'process.pid': 42 },
      },
      expect.objectContaining({ SeverityText: 'FATAL', Body: 'two\nlines', Attributes: {} }),
    ])
  })

  it('otel-tcp.mjs finds a collector again, and counts what its queue does not hold', async () => {
    const first = await collector(0)
    const { port } = first
    const said: string[] = []
    const hub = await load(folder(), 'otel-tcp.mjs#OtelTcpLogger', `[OtelTcpLogger]\nport=${port}\nqueue=5\n`, said)
    const log = hub.log('m')
    log.info('before')
    await until(() => first.lines.length === 1)
    first.close()
    await until(() => said.length === 1)
    expect(said).toEqual([`OtelTcpLogger: cannot send log to 127.0.0.1:${port}: the connection ended`])
    for (let i = 0; i < 12; i++) log.info(`away ${i}`)
    const second = await collector(port)
    await until(() => said.length === 2)
    expect(said[1]).toBe('OtelTcpLogger: connected again, 7 lines lost')
    log.info('after')
    await until(() => second.lines.length >= 6)
    const bodies = second.lines.map((l) => (JSON.parse(l) as { Body: string }).Body)
    expect(bodies).toEqual(['away 0', 'away 1', 'away 2', 'away 3', 'away 4', 'after'])
  })

  it('pino.mjs writes by pino, and opens its file again', async () => {
    const dir = folder()
    const path = join(dir, 'deep', 'p.json')
    const hub = await load(dir, 'pino.mjs#PinoLogger', '[PinoLogger]\nfile=deep/p.json\nlevel=debug\n')
    hub.log('lflow').dbg('one', { datapath: 'd1' })
    // A file that is there is not yet known to be open.
    await until(() => existsSync(path) && readFileSync(path, 'utf8') !== '')
    hub.flush()
    renameSync(path, `${path}.1`)
    hub.reopen()
    await until(() => existsSync(path))
    hub.log().err('two')
    hub.close()
    await until(() => existsSync(path) && readFileSync(path, 'utf8') !== '')
    const base = { pid: 42, hostname: 'host', component: 'ovn-northd', time: Date.UTC(2026, 10, 24, 8, 38, 31, 793) }
    expect(JSON.parse(readFileSync(`${path}.1`, 'utf8'))).toEqual({
      ...{ ...base, level: 20, logger: 'ovn-northd.lflow', datapath: 'd1', msg: 'one' },
    })
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ ...base, level: 50, logger: 'ovn-northd', msg: 'two' })
  })

  it('a daemon logs by one from its first line to its last', async () => {
    const dir = folder()
    const example = resolve('examples/logging/pino.mjs')
    const { child, err } = daemon(
      dir,
      `[DEFAULT]\nlogger_class=${example}#PinoLogger\nlog_level=SYS_DEBUG\n[PinoLogger]\nfile=p.json\n`,
    )
    const lines = () => (existsSync(join(dir, 'p.json')) ? readFileSync(join(dir, 'p.json'), 'utf8') : '')
    await until(() => existsSync(join(dir, 'db.sock')) && lines().includes('Open vSwitch'))
    child.kill('SIGTERM')
    expect(await ended(child)).toBe('SIGTERM')
    expect(err()).toBe('')
    const messages = lines()
      .trimEnd()
      .split('\n')
      .map((l) => JSON.parse(l) as { logger: string; msg: string })
    expect(messages.map((m) => `${m.logger}: ${m.msg}`)).toEqual([
      'ovsdb-server.vlog: logging.ini: logger_class is set, ignored: log_level',
      'ovsdb-server.ovsdb_server: ovsdb-server (Open vSwitch) 4.0.0',
      'ovsdb-server.fatal_signal: terminating with signal 15 (Terminated)',
    ])
  })

  it.each([
    [
      'export class My {\n  write( {\n}\n',
      /^ovsdb-server: logging\.ini:2: logger_class: \.\/my\.mjs cannot be loaded: .*'node --check'/,
    ],
    [
      "import { nope } from 'node:fs'\n",
      /my\.mjs:1: The requested module 'node:fs' does not provide an export named 'nope'/,
    ],
    [
      "import 'ovn-ts/logging'\n",
      /Cannot find package 'ovn-ts' imported from .*my\.mjs: install ovn-ts beside the module, or import .*dist\/logging\.js/,
    ],
    ['export class My {}\n', /logger_class: My does not extend BaseLogger of ovn-ts\/logging/],
  ])('a daemon does not start with %j', async (text, error) => {
    const dir = folder()
    writeFileSync(join(dir, 'my.mjs'), text)
    const { child, err } = daemon(dir, '[DEFAULT]\nlogger_class=./my.mjs#My\n')
    expect(await ended(child)).toBe(1)
    expect(err()).toMatch(error)
    expect(err().trimEnd().split('\n')).toHaveLength(1)
  })

  it('a daemon takes a class from another copy of the package, and keeps the old logger when a new one is bad', async () => {
    const dir = folder()
    const text = (file: string) => `import { appendFileSync } from 'node:fs'
import { BaseLogger } from '${resolve('dist/logging.js')}'
export class My extends BaseLogger {
  constructor(context) {
    super(context)
    appendFileSync('${join(dir, file)}', '')
  }
  write(e) { appendFileSync('${join(dir, file)}', e.logger + ' ' + e.message + '\\n') }
}\n`
    const path = join(dir, 'my.mjs')
    writeFileSync(path, text('a.log'))
    const { child } = daemon(dir, '[DEFAULT]\nlogger_class=./my.mjs#My\n')
    const read = (file: string) => (existsSync(join(dir, file)) ? readFileSync(join(dir, file), 'utf8') : '')
    await until(() => existsSync(join(dir, 'db.sock')))
    writeFileSync(path, 'export const My = 1')
    child.kill('SIGHUP')
    await until(() => read('a.log').includes('stays as it was'))
    expect(read('a.log')).toContain(
      'logging.ini:2: logger_class: My of ./my.mjs is not a class but a number: logging stays as it was',
    )
    writeFileSync(path, `${text('b.log')}\n`)
    child.kill('SIGHUP')
    await until(() => existsSync(join(dir, 'b.log')))
    child.kill('SIGTERM')
    await ended(child)
    expect(read('b.log')).toContain('logging.ini: logging is as it says now')
    expect(read('b.log')).toContain('terminating')
    expect(read('a.log')).not.toContain('terminating')
  })
})
