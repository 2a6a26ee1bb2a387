import type { Level } from '../../base/log.ts'
import type { Appender, Layout, LogEvent } from '../event.ts'
import { MessageSocket, type SocketTarget } from './socket.ts'
import { SocketAppender } from './socket-appender.ts'

/** Severity by level (RFC 5424 §6.2.1). */
export const SYSLOG_SEVERITY: Readonly<Record<Level, number>> = { emer: 2, err: 3, warn: 4, info: 6, dbg: 7 }

/** Where a syslog daemon listens. */
export type SyslogTarget = SocketTarget

/** `libc`, `unix:FILE`, `udp:IP:PORT`, `null` (--syslog-method); undefined for something else. */
export function syslogMethod(text: string): SyslogTarget | 'null' | undefined {
  if (text === 'null') return 'null'
  if (text === 'libc') return { kind: 'unix', path: '/dev/log' }
  if (text.startsWith('unix:') && text.length > 5) return { kind: 'unix', path: text.slice(5) }
  return text.startsWith('udp:') ? syslogTarget(text.slice(4)) : undefined
}

/** `HOST:PORT` (--syslog-target), with brackets around an IPv6 address. */
export function syslogTarget(text: string, kind: 'udp' | 'tcp' = 'udp'): SyslogTarget | undefined {
  const m = /^(?:\[([^\]]+)\]|([^[\]]+)):(\d{1,5})$/.exec(text)
  const host = m?.[1] ?? m?.[2]
  const port = Number(m?.[3])
  return host && port > 0 && port < 65536 ? { kind, host, port } : undefined
}

/** `/dev/log` or another socket's path, `HOST:PORT` (UDP), `udp:HOST:PORT`, `tcp:HOST:PORT` (`syslog_address`). */
export function syslogAddress(text: string): SyslogTarget | undefined {
  if (/^[/@]/.test(text)) return { kind: 'unix', path: text }
  const m = /^(udp|tcp):(.*)$/.exec(text)
  const [kind, at] = m ? [m[1] as 'udp' | 'tcp', m[2] ?? ''] : ['udp' as const, text]
  return /^[^[].*:.*:/.test(at) ? undefined : syslogTarget(at, kind)
}

/** Sends lines to a syslog daemon behind the head that its protocol wants; what cannot be sent is lost. */
export class SyslogAppender extends SocketAppender {
  /** On a stream the end of a line is the end of a message (RFC 6587 §3.4.2). */
  private readonly end: string

  constructor(
    target: SyslogTarget,
    /** `<PRI>TIME [HOST] TAG: ` (RFC 3164 §4.1). */
    private readonly head: Layout,
    onTrouble?: (message: string) => void,
  ) {
    super(new MessageSocket(target, onTrouble))
    this.end = target.kind === 'tcp' ? '\n' : ''
  }

  append(line: string, event: LogEvent): void {
    const head = this.head(event)
    for (const part of line.split('\n')) this.socket.send(head + part + this.end, event.time)
  }
}

/** One line to several places. */
export class Both implements Appender {
  constructor(private readonly appenders: readonly Appender[]) {}

  append(line: string, event: LogEvent): void {
    for (const a of this.appenders) a.append(line, event)
  }

  reopen(): void {
    for (const a of this.appenders) a.reopen()
  }

  flush(): void {
    for (const a of this.appenders) a.flush()
  }

  close(): void {
    for (const a of this.appenders) a.close()
  }
}
