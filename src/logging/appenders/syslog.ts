import { createSocket, type Socket } from 'node:dgram'
import { type UnixDatagrams, unixDatagrams } from '../../io/unix-datagram.ts'
import type { Appender, Layout, LogEvent } from '../event.ts'

/** Where a syslog daemon listens. */
export type SyslogTarget =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'udp'; readonly host: string; readonly port: number }

/** `libc`, `unix:FILE`, `udp:IP:PORT`, `null` (--syslog-method); undefined for something else. */
export function syslogMethod(text: string): SyslogTarget | 'null' | undefined {
  if (text === 'null') return 'null'
  if (text === 'libc') return { kind: 'unix', path: '/dev/log' }
  if (text.startsWith('unix:') && text.length > 5) return { kind: 'unix', path: text.slice(5) }
  return text.startsWith('udp:') ? syslogTarget(text.slice(4)) : undefined
}

/** `HOST:PORT` (--syslog-target), with brackets around an IPv6 address. */
export function syslogTarget(text: string): SyslogTarget | undefined {
  const m = /^(?:\[([^\]]+)\]|([^[\]]+)):(\d{1,5})$/.exec(text)
  const host = m?.[1] ?? m?.[2]
  const port = Number(m?.[3])
  return host && port > 0 && port < 65536 ? { kind: 'udp', host, port } : undefined
}

/** Sends lines to syslog daemons behind the head that their protocol wants; what cannot be sent is lost. */
export class SyslogAppender implements Appender {
  private local: UnixDatagrams | undefined
  private socket: Socket | undefined

  constructor(
    private readonly target: SyslogTarget,
    /** `<PRI>TIME [HOST] TAG: ` (RFC 3164 §4.1). */
    private readonly head: Layout,
  ) {
    this.open()
  }

  private open(): void {
    if (this.target.kind === 'unix') {
      this.local = unixDatagrams(this.target.path)
      return
    }
    this.socket = createSocket(this.target.host.includes(':') ? 'udp6' : 'udp4')
    // A port that refuses: the server may come back, and there is nowhere better to say so.
    this.socket.on('error', () => {})
    this.socket.unref()
  }

  append(line: string, event: LogEvent): void {
    const head = this.head(event)
    for (const part of line.split('\n')) {
      const bytes = Buffer.from(head + part)
      if (this.target.kind === 'unix') this.local?.send(bytes)
      else this.socket?.send(bytes, this.target.port, this.target.host, () => {})
    }
  }

  reopen(): void {}

  flush(): void {}

  close(): void {
    this.local?.close()
    this.socket?.close()
    this.local = undefined
    this.socket = undefined
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
