import type { ControlCommand } from '../base/command.ts'
import type { ParsedOptions } from '../daemons/_options.ts'
import { DaemonProcess, Detaching } from '../daemons/_process.ts'

const NAME = 'ovsdb-client'

/** The background of `--detach`: printing goes on, and commands come to a control socket. */
export interface Background {
  /** What was asked for first is printed: whoever started the program may go on. */
  settled(commands: readonly ControlCommand[], end: () => void): void
}

/** Goes to the background; undefined in the process that only started the one there. */
export async function goToBackground(options: ParsedOptions, version: string): Promise<Background | undefined> {
  const daemon = new DaemonProcess(NAME, version, options, [], 'ovs', { prints: true })
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
