import type { ControlCommand } from '../base/command.ts'
import type { GlobalOption } from '../ctl/program.ts'
import { type OptionSpec, parseOptions } from '../daemons/_options.ts'
import { DaemonProcess, Detaching } from '../daemons/_process.ts'

const NAME = 'ovsdb-client'
const MODULES = ['daemon_unix', 'fatal_signal', 'jsonrpc', 'ovsdb_client', 'reconnect', 'unixctl', 'vlog']

/** The background of `--detach`: printing goes on, and commands come to a control socket. */
export interface Background {
  /** What was asked for first is printed: whoever started the program may go on. */
  settled(commands: readonly ControlCommand[], end: () => void): void
}

const specOf = (option: GlobalOption): OptionSpec => ({
  name: option.name,
  help: '',
  group: '',
  ...(option.short === undefined ? {} : { short: option.short }),
  ...(option.value === 'none' ? {} : { argument: 'X', optional: option.value === 'optional' }),
})

/** Goes to the background; undefined in the process that only started the one there. */
export async function goToBackground(
  argv: readonly string[],
  options: readonly GlobalOption[],
  version: string,
): Promise<Background | undefined> {
  const parsed = parseOptions(argv, options.map(specOf))
  if (!parsed.ok) throw new Error(parsed.error)
  const daemon = new DaemonProcess(NAME, version, parsed.value, MODULES, 'ovs', { prints: true })
  try {
    await daemon.detach()
  } catch (e) {
    if (e instanceof Detaching) return undefined
    throw e
  }
  return {
    settled: (commands, end) => daemon.start(commands, end, () => daemon.ready()),
  }
}
