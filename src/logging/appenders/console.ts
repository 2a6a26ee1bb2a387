import { writeSync } from 'node:fs'
import type { Appender, LogEvent } from '../event.ts'

/** Standard error or output, written at once: what a crash would lose is what one needs. */
export class ConsoleAppender implements Appender {
  constructor(
    private readonly fd: 1 | 2 = 2,
    private readonly end = '\n',
  ) {}

  append(line: string, _event?: LogEvent): void {
    try {
      writeSync(this.fd, line + this.end)
    } catch {
      // A closed or full terminal is no reason to end; there is nowhere to say so.
    }
  }

  reopen(): void {}
  flush(): void {}
  close(): void {}
}
