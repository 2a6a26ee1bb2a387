import type { ControlCommand } from '../base/command.ts'
import { eventCounter } from '../base/event-counter.ts'
import { type Log, silent } from '../base/log.ts'
import type { ByteStream } from '../base/stream.ts'
import { isArray, isObject, type Json, printJson, printString } from '../jsonrpc/json.ts'
import { MessageLog } from '../jsonrpc/message-log.ts'
import { MessageReader } from '../jsonrpc/reader.ts'
import { listen } from './socket.ts'

const received = eventCounter('unixctl_received')
const replied = eventCounter('unixctl_replied')

/** The control socket of a daemon, as ovs-appctl(8) speaks with it: JSON-RPC 1.0. */
export interface ControlServer {
  add(commands: readonly ControlCommand[]): void
  close(): void
}

function listCommands(commands: ReadonlyMap<string, ControlCommand>): string {
  const lines = [...commands.values()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((c) => `  ${c.name.padEnd(23)} ${c.usage}\n`)
  return `The available commands are:\n${lines.join('')}`
}

/** Commands that every control socket has. */
function ownCommands(commands: ReadonlyMap<string, ControlCommand>): ControlCommand[] {
  return [
    {
      name: 'list-commands',
      usage: '',
      minArgs: 0,
      maxArgs: 0,
      run: (_, reply) => reply.ok(listCommands(commands)),
    },
  ]
}

/** Why a command cannot be run with these arguments, or the command. */
function chosen(
  commands: ReadonlyMap<string, ControlCommand>,
  name: string,
  args: readonly string[],
): ControlCommand | string {
  const command = commands.get(name)
  if (!command) return `"${name}" is not a valid command (use "list-commands" to see a list of valid commands)`
  if (args.length < command.minArgs) return `"${name}" command requires at least ${command.minArgs} arguments`
  if (args.length > command.maxArgs) return `"${name}" command takes at most ${command.maxArgs} arguments`
  return command
}

/** Serves one connection: requests one after the other, each answered before the next is read. */
function serve(stream: ByteStream, commands: ReadonlyMap<string, ControlCommand>, log: Log): void {
  const messages = new MessageLog(log, stream.peer)
  let json = false
  const queue: Json[] = []
  let busy = false
  const next = () => {
    const message = busy ? undefined : queue.shift()
    if (message === undefined) return
    if (!isObject(message) || typeof message['method'] !== 'string' || !isArray(message['params'])) {
      stream.close(new Error('bad request'))
      return
    }
    if (messages.enabled) messages.received(message)
    const { method, params, id = null } = message
    received.hit()
    busy = true
    let done = false
    const answer = (member: 'result' | 'error', text: string) => {
      if (done) return
      done = true
      replied.hit()
      const value =
        json && member === 'result' ? `{"reply-format":"plain","reply":${printString(text)}}` : printString(text)
      const other = member === 'result' ? ',"error":null' : ''
      const bytes = Buffer.from(`{"id":${printJson(id)},"${member}":${value}${other}}`)
      if (messages.enabled) messages.sentBytes(bytes)
      stream.write(bytes)
      busy = false
      next()
    }
    const reply = { ok: (text: string) => answer('result', text), error: (text: string) => answer('error', text) }
    const args = params.map((p) => (typeof p === 'string' ? p : printJson(p)))
    const command = chosen(commands, method, args)
    if (typeof command === 'string') reply.error(command)
    else if (method === 'set-options') {
      const format = args[0] === '--format' ? args[1] : undefined
      if (format !== 'json' && format !== 'text') reply.error('--format takes "text" or "json"')
      else {
        json = format === 'json'
        reply.ok('')
      }
    } else command.run(args, reply)
  }
  const reader = new MessageReader(
    (message) => {
      queue.push(message)
      next()
    },
    { size: 1 << 20 },
  )
  stream.onData = (bytes) => {
    try {
      reader.push(bytes)
    } catch (e) {
      stream.close(e instanceof Error ? e : new Error(String(e)))
    }
  }
}

/** Listens at a path; `ready` is told why when it can not, in the words of the C library. */
export function serveControl(
  path: string,
  initial: readonly ControlCommand[],
  ready: (error?: string) => void,
  log: Log = silent,
): ControlServer {
  const commands = new Map<string, ControlCommand>()
  for (const c of [...ownCommands(commands), ...initial]) commands.set(c.name, c)
  commands.set('set-options', {
    name: 'set-options',
    usage: '[--format text|json]',
    minArgs: 1,
    maxArgs: 2,
    // Answered where the connection is known.
    run: (_, reply) => reply.ok(''),
  })
  let close = () => {}
  let closed = false
  listen(
    { kind: 'unix', path },
    (stream) => serve(stream, commands, log),
    (result) => {
      if (!result.ok) {
        ready(result.error)
        return
      }
      close = () => result.value.close()
      if (closed) close()
      ready()
    },
  )
  return {
    add(more) {
      for (const c of more) commands.set(c.name, c)
    },
    close() {
      closed = true
      close()
    },
  }
}
