import type { Appender, LogEvent } from '../event.ts'
import type { MessageSocket } from './socket.ts'

/** Lines to a server, each as the messages that its protocol wants. */
export abstract class SocketAppender implements Appender {
  constructor(protected readonly socket: MessageSocket) {}

  abstract append(line: string, event: LogEvent): void

  reopen(): void {}

  flush(): void {
    this.socket.flush()
  }

  close(): void {
    this.socket.close()
  }
}
