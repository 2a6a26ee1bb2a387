import type { Fields, Level } from '../base/log.ts'

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
  /** Writes what is waiting, at once: before the program ends. */
  flush(): void
  close(): void
}

/** One way of logging: Open vSwitch's own, or one made from a configuration file. */
export interface Backend {
  /** Whether an event of this level would go anywhere: asked before a message is even built. */
  enabled(level: Level, component: string, module: string): boolean
  write(event: LogEvent): void
  reopen(): void
  flush(): void
  close(): void
}
