import type { Fields, Level } from '../base/log.ts'
import type { SetLevel } from './overrides.ts'

/** One message, before any layout. */
export interface LogEvent {
  /** Milliseconds since 1970, with a fraction where the clock has one. */
  readonly time: number
  readonly level: Level
  /** The program: `ovn-northd`. */
  readonly component: string
  /** The part of it: `lflow`; empty for the program itself. */
  readonly module: string
  readonly message: string
  readonly fields: Fields | undefined
  /** 1 for the first message of this run of the program. */
  readonly serial: number
  /** Milliseconds since the program started. */
  readonly elapsed: number
}

/** The logger's full name, as configuration files know it: `ovn-northd.lflow`. */
export function loggerName(event: { readonly component: string; readonly module: string }): string {
  return event.module ? `${event.component}.${event.module}` : event.component
}

/** Turns an event into the text of a line, without its end. */
export type Layout = (event: LogEvent) => string

/** Where lines go. Never throws and never blocks: trouble is counted and said once through `onTrouble`. */
export interface Appender {
  append(line: string, event: LogEvent): void
  /** Closes and opens again what is open: after a rotation by somebody else. */
  reopen(): void
  /** Closes what is a file until it is reopened; lines that come meanwhile are lost. */
  release?(): void
  /** Writes what is waiting, at once: before the program ends. */
  flush(): void
  close(): void
}

/** One way of logging: Open vSwitch's own, or one made from a configuration file. */
export interface Backend {
  /** Whether an event of this level would go anywhere: asked before a message is even built. */
  enabled(level: Level, component: string, module: string): boolean
  write(event: LogEvent): void
  /** Puts a level in the place of what a module, or all, have by the configuration. */
  setLevel?(module: string | undefined, level: SetLevel): void
  reopen(): void
  /** Closes files until they are reopened. */
  release?(): void
  flush(): void
  close(): void
}
