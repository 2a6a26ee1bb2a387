import type { err } from '../base/result.ts'
import { type CtlResult, TIMED_OUT } from '../ctl/run.ts'
import { SystemClock } from '../io/clock.ts'
import { dial } from '../io/socket.ts'
import { RpcClient } from '../ovsdb/client/rpc.ts'

/** Global options that count at the tool itself, not at its daemon. */
const OWN = new Set(['timeout', 'unixctl', 'verbose', 'log-file', 'syslog-method', 'syslog-target', 'no-syslog'])

export interface DaemonCall {
  readonly socket: string
  /** The environment variable that named the socket, for the error. */
  readonly variable: string | undefined
  readonly program: string
  readonly globals: ReadonlyMap<string, string>
  /** The commands, from after the global options on. */
  readonly commands: readonly string[]
}

/** Lets a daemon run the commands: method `run` of its control socket (ovn-nbctl(8), Daemon Commands). */
export function runAtDaemon(call: DaemonCall, done: (result: CtlResult) => void): void {
  const { program, socket } = call
  const clock = new SystemClock()
  const seconds = Number(call.globals.get('timeout') ?? 0)
  if (seconds > 0) clock.after(seconds * 1000, () => done({ stdout: '', stderr: '', status: TIMED_OUT }))
  const failed = (text: string) => done({ stdout: '', stderr: `${program}: ${text}\n`, status: 1 })
  dial({ kind: 'unix', path: socket }, (result) => {
    const { ok } = result
    if (!ok) {
      const hint = call.variable ? `; unset ${call.variable} to avoid using daemon` : ''
      failed(
        `${socket}: could not connect to ${program} daemon (${(result as ReturnType<typeof err<string>>).error})${hint}`,
      )
      return
    }
    const rpc = new RpcClient(result.value, () => clock.monotonic())
    const lost = () => failed(`${socket}: transaction error (connection closed)`)
    const forwarded = [...call.globals]
      .filter(([name]) => !OWN.has(name))
      .map(([name, value]) => (value === '' ? `--${name}` : `--${name}=${value}`))
    rpc.request(
      'run',
      [...forwarded, '--', ...call.commands],
      (reply) => {
        if (reply.error === null) done({ stdout: String(reply.result ?? ''), stderr: '', status: 0 })
        else failed(String(reply.error).replace(/\n$/, ''))
      },
      lost,
    )
  })
}
