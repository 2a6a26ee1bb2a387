import type { Message, Version } from '../messages/message.ts'

/**
 * One end of an OpenFlow connection after version negotiation: messages in, messages out. Over a
 * byte stream (`openChannel`), or in memory (`channelPair`), where the same objects pass.
 */
export interface OpenFlowChannel {
  /** The version agreed on. */
  readonly version: Version
  /** Who is at the other end: `unix`, `tcp:127.0.0.1:51312`, `memory`. */
  readonly peer: string
  /** Messages are never modified after they were sent. */
  send(message: Message): void
  /** How much was given to `send` and not yet taken by the other end: zero when nothing is. */
  readonly queued: number
  onMessage: ((message: Message) => void) | undefined
  /** Ends the connection; what was sent before still arrives, unless `error` is given. */
  close(error?: Error): void
  /** Called once, however the connection ended. */
  onClose: ((error?: Error) => void) | undefined
}
