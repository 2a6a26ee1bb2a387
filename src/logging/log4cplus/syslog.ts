import type { Level } from '../../base/log.ts'
import { loggerName } from '../event.ts'
import { secondsFormat } from '../strftime.ts'
import type { MessageOf } from './remote.ts'

const SEVERITY: Readonly<Record<Level, number>> = { emer: 2, err: 3, warn: 4, info: 6, dbg: 7 }

export interface SyslogSettings {
  readonly component: string
  readonly hostname: string
  readonly pid: number
  /** Who sends; empty where the file does not say. */
  readonly ident: string
  readonly facility: number
  /** `unix`: this machine's daemon. */
  readonly remote: 'unix' | 'udp' | 'tcp'
}

/**
 * A line as a syslog server gets it: this machine's as syslog(3) sends it, another one by RFC 5424 §6, over
 * TCP with its length in front (RFC 6587 §3.4.1).
 */
export function syslogMessage(settings: SyslogSettings): MessageOf {
  const { component, hostname, pid, ident, facility, remote } = settings
  const date = secondsFormat('%b %e %H:%M:%S')
  return (line, event) => {
    const priority = `<${facility * 8 + SEVERITY[event.level]}>`
    if (remote === 'unix') return `${priority}${date(event.time)} ${ident || component}: ${line}`
    const time = new Date(event.time).toISOString()
    const message = `${priority}1 ${time} ${hostname} ${ident} ${pid} ${loggerName(event)} - ${line}`
    return remote === 'udp' ? message : `${Buffer.byteLength(message)} ${message}`
  }
}
