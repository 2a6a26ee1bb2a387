import type { ControlCommand } from '../base/command.ts'
import { type Log, silent } from '../base/log.ts'
import { ControlSession } from './control-session.ts'
import { listen } from './socket.ts'

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
    (stream) => {
      new ControlSession(stream, commands, log)
    },
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
