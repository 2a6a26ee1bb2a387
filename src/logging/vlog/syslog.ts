import { MessageSocket } from '../appenders/socket.ts'
import { SocketAppender } from '../appenders/socket-appender.ts'
import { Both, SyslogAppender, type SyslogTarget } from '../appenders/syslog.ts'
import type { Appender, Layout, LogEvent } from '../event.ts'
import { patternLayout, severityOf } from './pattern.ts'

const DAEMON = 3
const LOCAL0 = 16

export interface VlogSyslog {
  /** --syslog-method; `libc` is the machine's own syslog daemon, by the form that syslog(3) gives a message. */
  readonly method: SyslogTarget | undefined
  readonly libc: boolean
  /** --syslog-target. */
  readonly target: SyslogTarget | undefined
  readonly hostname: string
  readonly pid: number
  /** What FACILITY: was set to. */
  facility(): number | undefined
  onTrouble?(message: string): void
}

/**
 * Where Open vSwitch's syslog lines go, as observed with release 4.0: bare lines to unix: and udp:, syslog(3)'s form to
 * libc, RFC 5424 to --syslog-target. Undefined when they go nowhere.
 */
export function vlogSyslog(way: VlogSyslog): Appender | undefined {
  const appenders: Appender[] = []
  const onTrouble = way.onTrouble?.bind(way)
  if (way.method) {
    const priority: Layout = (e) => `<${(way.facility() ?? DAEMON) * 8 + severityOf(e.level)}>`
    const rest = patternLayout('%d{%b %e %H:%M:%S} %A: ', { ...way, facility: () => DAEMON })
    const head: Layout = way.libc ? (e) => priority(e) + rest(e) : priority
    appenders.push(new SyslogAppender(way.method, head, onTrouble))
  }
  if (way.target) appenders.push(new Rfc5424Appender(new MessageSocket(way.target, onTrouble), way))
  return appenders.length ? new Both(appenders) : undefined
}

/** `<PRI>1 TIME HOST PROGRAM PID MODULE - ` and the bare message, whatever the pattern is (RFC 5424 §6). */
class Rfc5424Appender extends SocketAppender {
  private readonly head: Layout

  constructor(socket: MessageSocket, way: VlogSyslog) {
    super(socket)
    // The mark in front of the message says that it is UTF-8 (RFC 5424 §6.4).
    this.head = patternLayout('<%B>1 %D{%Y-%m-%dT%H:%M:%S.###Z} %E %A %P %c - \u{feff}', {
      ...way,
      facility: () => way.facility() ?? LOCAL0,
    })
  }

  append(_line: string, event: LogEvent): void {
    const head = this.head(event)
    for (const part of event.message.split('\n')) this.socket.send(head + part, event.time)
  }
}
