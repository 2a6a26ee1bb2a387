import type { Message } from '../appenders/message-queue.ts'
import { type LogEvent, loggerName } from '../event.ts'
import { levelName, levelNumber } from './levels.ts'
import { nestedContext } from './pattern.ts'

/** Turns a line and its event into what a server gets. */
export type MessageOf = (line: string, event: LogEvent) => Message

/** What the place in a program is that nobody knows. */
const NO_LINE = -1

/** Log4jUdpAppender: an event as log4j's XMLLayout writes it, for viewers such as Chainsaw. */
export function xmlMessage(pid: number): MessageOf {
  return (line, event) => {
    const logger = `logger="${xml(loggerName(event))}" level="${levelName(event.level)}"`
    const head = `<log4j:event ${logger} timestamp="${Math.floor(event.time)}" thread="${pid}">`
    const message = `<log4j:message>${xml(line)}</log4j:message>`
    const nested = `<log4j:NDC>${xml(nestedContext(event.fields))}</log4j:NDC>`
    const place = `<log4j:locationInfo class="" file="" method="" line="${NO_LINE}"/>`
    return `${head}${message}${nested}${place}</log4j:event>`
  }
}

const NAMES: Readonly<Record<string, string>> = { '<': 'lt', '>': 'gt', '&': 'amp', '"': 'quot', "'": 'apos' }

function xml(text: string): string {
  return text.replace(/[<>&"'\p{Cc}]/gu, (c) => {
    const name = NAMES[c]
    if (name) return `&${name};`
    return c > '\x7f' ? c : `&#x${c.charCodeAt(0).toString(16).padStart(2, '0')};`
  })
}

/** The format's version, and the bytes of a letter. */
const VERSION = [3, 1]

/**
 * SocketAppender: an event as log4cplus's own server reads it, as observed of release 2.0.8. Numbers have four bytes,
 * the most significant first; texts have their length in front, and so has the whole.
 */
export function binaryMessage(serverName: string, pid: number): MessageOf {
  return (_line, event) => {
    const micros = Math.floor(event.time * 1000)
    const parts = [
      ...[Buffer.from(VERSION), text(serverName), text(loggerName(event)), number(levelNumber(event.level))],
      ...[text(nestedContext(event.fields)), text(event.message), text(String(pid))],
      ...[number(Math.floor(micros / 1_000_000)), number(micros % 1_000_000)],
      ...[text(''), number(NO_LINE), text('')],
    ]
    const body = Buffer.concat(parts)
    return Buffer.concat([number(body.length), body])
  }
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([number(bytes.length), bytes])
}
