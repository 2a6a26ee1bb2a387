/**
 * A command of a daemon's control socket (`ovs-appctl -t DAEMON NAME ARGS...`), as data: each part
 * exports its own and the daemon gathers them.
 */
export interface ControlCommand {
  readonly name: string
  /** Usage as `list-commands` prints it behind the name; empty for none. */
  readonly usage: string
  readonly minArgs: number
  readonly maxArgs: number
  /** Replies once, now or later, through `reply`; an error is what appctl prints on stderr. */
  run(args: readonly string[], reply: ControlReply): void
}

export interface ControlReply {
  ok(text: string): void
  error(text: string): void
}

/** A command that answers at once: a text, or an Error whose message is the error reply. */
export function command(
  name: string,
  usage: string,
  [minArgs, maxArgs]: readonly [number, number],
  answer: (args: readonly string[]) => string | Error,
): ControlCommand {
  return {
    name,
    usage,
    minArgs,
    maxArgs,
    run(args, reply) {
      const text = answer(args)
      if (text instanceof Error) reply.error(text.message)
      else reply.ok(text)
    },
  }
}
