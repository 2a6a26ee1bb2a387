import { spawn } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import type { ByteStream } from '../base/stream.ts'
import { CtlError } from '../ctl/error.ts'
import { parseInvocation } from '../ctl/grammar.ts'
import { runCtl } from '../ctl/run.ts'
import { SystemClock } from '../io/clock.ts'
import { systemRandom } from '../io/random.ts'
import { listen } from '../io/socket.ts'
import { isArray, isObject, type Json, printJson } from '../jsonrpc/json.ts'
import { JsonError } from '../jsonrpc/parser.ts'
import { MessageReader } from '../jsonrpc/reader.ts'
import { RemoteReplica } from '../ovsdb/client/remote.ts'
import { type CtlMain, databaseOf, remotesOf } from './_ctl.ts'
import { dialer } from './_dial.ts'

/** Set in the process that goes to the background: it reports over its IPC channel. */
const CHILD = 'OVN_TS_CTL_DAEMON'

/**
 * `--detach`: a process in the background keeps a replica and runs commands that come to its
 * control socket. Prints the socket's name once that is open (ovn-nbctl(8), Daemon Mode).
 */
export function runDaemon<T>(main: CtlMain<T>, globals: ReadonlyMap<string, string>): void {
  if (process.env[CHILD]) serve(main, globals)
  else background(main.program.name)
}

function background(name: string): void {
  const child = spawn(process.execPath, process.argv.slice(1), {
    detached: true,
    env: { ...process.env, [CHILD]: '1' },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  child.on('message', (message: { socket?: string; error?: string }) => {
    if (message.socket !== undefined) process.stdout.write(`${message.socket}\n`, () => process.exit(0))
    else process.stderr.write(`${name}: ${message.error ?? 'failed'}\n`, () => process.exit(1))
  })
  child.on('exit', (code) => {
    process.stderr.write(`${name}: the daemon ended with status ${code}\n`, () => process.exit(1))
  })
}

function serve<T>(main: CtlMain<T>, globals: ReadonlyMap<string, string>): void {
  const { program } = main
  const clock = new SystemClock()
  const rundir = process.env['OVN_RUNDIR'] || '/var/run/ovn'
  const path = globals.get('unixctl') ?? `${rundir}/${program.name}.${process.pid}.ctl`
  const report = (message: { socket?: string; error?: string }, then?: () => void) => {
    process.send?.(message, () => {
      process.disconnect?.()
      then?.()
    })
  }
  const replica = new RemoteReplica<T>({
    ...{ schema: program.schema, dial: dialer(globals), clock },
    remotes: remotesOf(databaseOf(main, globals), globals, systemRandom),
    leaderOnly: !globals.has('no-leader-only'),
  })
  const pidfile = pidfileOf(globals, rundir, program.name)
  const run: Handler = (args, reply) => {
    try {
      parseInvocation(program, args)
    } catch (e) {
      if (!(e instanceof CtlError)) throw e
      reply(e.message, true)
      return undefined
    }
    return runCtl(program, args, { replica, clock, random: systemRandom }, (r) => {
      if (r.status === 0) reply(r.stdout, false)
      else reply(lastError(r.stderr, program.name), true)
    })
  }
  let close = () => {}
  const end = () => {
    close()
    if (pidfile) rmSync(pidfile, { force: true })
    process.exit(0)
  }
  const commands: Readonly<Record<string, Handler>> = {
    run,
    exit: (_args, reply) => {
      reply('', false)
      clock.after(1, end)
      return undefined
    },
    version: (_args, reply) => {
      reply(program.version, false)
      return undefined
    },
    'list-commands': (_args, reply) => {
      reply(
        `The available commands are:\n${Object.keys(commands)
          .sort()
          .map((c) => `  ${c}\n`)
          .join('')}`,
        false,
      )
      return undefined
    },
  }
  listen(
    { kind: 'unix', path },
    (stream) => answer(stream, commands),
    (result) => {
      if (!result.ok) {
        report({ error: `${path}: could not initialize control socket (${result.error})` }, () => process.exit(1))
        return
      }
      close = () => result.value.close()
      if (pidfile) writeFileSync(pidfile, `${process.pid}\n`)
      if (!globals.has('no-chdir')) process.chdir('/')
      process.on('SIGTERM', end)
      process.on('SIGINT', end)
      report({ socket: path })
    },
  )
}

function pidfileOf(globals: ReadonlyMap<string, string>, rundir: string, name: string): string | undefined {
  const text = globals.get('pidfile')
  if (text === undefined) return undefined
  return text.startsWith('/') ? text : `${rundir}/${text || `${name}.pid`}`
}

/** The message of a run that failed, without the program's name and the log lines before it. */
function lastError(stderr: string, name: string): string {
  const line = stderr.trimEnd().split('\n').at(-1) ?? ''
  return line.startsWith(`${name}: `) ? line.slice(name.length + 2) : line
}

type Reply = (text: string, error: boolean) => void
/** Answers, now or later; returns how to give up before that. */
type Handler = (args: readonly string[], reply: Reply) => (() => void) | undefined

/** The answering side of a control socket: JSON-RPC 1.0, strings in, a string out. */
function answer(stream: ByteStream, commands: Readonly<Record<string, Handler>>): void {
  const encoder = new TextEncoder()
  const pending = new Set<() => void>()
  const send = (json: Json) => stream.write(encoder.encode(printJson(json)))
  const reader = new MessageReader(
    (json) => {
      const { id = null, method, params } = isObject(json) ? json : {}
      const args = isArray(params) && params.every((p) => typeof p === 'string') ? (params as string[]) : undefined
      const command = typeof method === 'string' && Object.hasOwn(commands, method) ? commands[method] : undefined
      if (!command || !args) {
        const error = `"${String(method)}" is not a valid command (use "list-commands" to see a list of valid commands)`
        send({ result: null, error, id })
        return
      }
      let giveUp: (() => void) | undefined
      giveUp = command(args, (text, error) => {
        if (giveUp) pending.delete(giveUp)
        send(error ? { result: null, error: text, id } : { result: text, error: null, id })
      })
      if (giveUp) pending.add(giveUp)
    },
    { size: 16 << 20 },
  )
  stream.onData = (bytes) => {
    try {
      reader.push(bytes)
    } catch (e) {
      if (!(e instanceof JsonError)) throw e
      stream.close(e)
    }
  }
  // a command that waits for something waits for nobody any more
  stream.onClose = () => {
    for (const giveUp of pending) giveUp()
  }
}
