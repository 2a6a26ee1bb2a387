import { unlinkSync } from 'node:fs'
import { type ControlCommand, command } from '../base/command.ts'
import type { Log } from '../base/log.ts'
import type { ByteStream } from '../base/stream.ts'
import { type Listener, listen } from '../io/socket.ts'
import { isArray, isObject, type Json, printJson } from '../jsonrpc/json.ts'
import { MessageReader } from '../jsonrpc/reader.ts'

/** `list-commands` over others, as ovs-appctl shows it. */
export function listCommands(commands: () => readonly ControlCommand[]): ControlCommand {
  return command('list-commands', '', [0, 0], () => {
    const lines = commands().map((c) => `  ${c.name.padEnd(23)} ${c.usage}\n`)
    return `The available commands are:\n${lines.sort().join('')}`
  })
}

/** Answers one request of a control socket (ovs-appctl(8)) through `answer`. */
export function answerControl(
  commands: readonly ControlCommand[],
  request: Json,
  answer: (result: string | null, error: string | null, id: Json) => void,
): void {
  if (!isObject(request)) return
  const { method, params, id = null } = request as { method?: Json; params?: Json; id?: Json }
  const args = params !== undefined && isArray(params) ? params.map(String) : []
  const c = commands.find((x) => x.name === method)
  if (!c) {
    const text = `"${String(method)}" is not a valid command (use "list-commands" to see a list of valid commands)`
    answer(null, `${text}\n`, id)
  } else if (args.length < c.minArgs) {
    answer(null, `"${c.name}" command requires at least ${c.minArgs} arguments\n`, id)
  } else if (args.length > c.maxArgs) {
    answer(null, `"${c.name}" command takes at most ${c.maxArgs} arguments\n`, id)
  } else {
    c.run(args, {
      ok: (text) => answer(text, null, id),
      error: (text) => answer(null, text.endsWith('\n') ? text : `${text}\n`, id),
    })
  }
}

/** Serves control commands on a unix socket. */
export function serveControl(path: string, commands: () => readonly ControlCommand[], log: Log): { close(): void } {
  try {
    unlinkSync(path)
  } catch {
    // there was none
  }
  let listener: Listener | undefined
  const encoder = new TextEncoder()
  const serve = (stream: ByteStream) => {
    const reader = new MessageReader((message) =>
      answerControl(commands(), message, (result, error, id) => {
        stream.write(encoder.encode(printJson({ id, result, error })))
      }),
    )
    stream.onData = (bytes) => {
      try {
        reader.push(bytes)
      } catch (e) {
        stream.close(e instanceof Error ? e : new Error(String(e)))
      }
    }
  }
  listen({ kind: 'unix', path }, serve, (r) => {
    if (r.ok) listener = r.value
    else log.err(`${path}: ${r.error}`)
  })
  return { close: () => listener?.close() }
}
