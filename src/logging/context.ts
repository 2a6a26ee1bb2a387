import type { Appender } from './event.ts'

/** What every way of logging is told of the program and the machine it runs on. */
export interface LoggingContext {
  /** The program: `ovn-northd`. */
  readonly component: string
  readonly hostname: string
  readonly pid: number
  /** Milliseconds since 1970. */
  now(): number
  /** An absolute path from one of the configuration. */
  resolve(path: string): string
  /** Called when lines begin to be lost, and when they are written again. */
  onTrouble(message: string): void
  /** Another console than the process's. */
  console?(fd: 1 | 2): Appender
}
