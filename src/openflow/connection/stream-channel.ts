import type { Clock, Timer } from '../../base/clock.ts'
import { eventCounter } from '../../base/event-counter.ts'
import { type Log, silent } from '../../base/log.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { ByteStream } from '../../base/stream.ts'
import { decodeMessage, encodeMessage, encodeParts, SUPPORTED_VERSIONS } from '../messages/codec.ts'
import type { WireContext } from '../messages/context.ts'
import type { OpenFlowError } from '../messages/errors.ts'
import type { Hello, Message, Version } from '../messages/message.ts'
import { formatMessageBytes, versionList } from '../text/message.ts'
import type { OpenFlowChannel } from './channel.ts'
import { Framer } from './framing.ts'
import { helloOf, negotiate, offered, versionsText } from './version.ts'

export interface ChannelOptions {
  readonly clock: Clock
  /** What this side speaks; all that the codec does by default. */
  readonly versions?: readonly Version[]
  /** Milliseconds of silence after which an echo request goes out, and again as many until the connection is dead; 0: never. */
  readonly probeInterval?: number
  /** Milliseconds in which the hello of the other side must come; 0: for ever. */
  readonly helloTimeout?: number
  /** Sees bytes that are no message this codec accepts; the error has been sent already. */
  readonly onFault?: (error: OpenFlowError, bytes: Uint8Array) => void
  /** Told of each message at DBG, as the module `vconn` of the real programs tells. */
  readonly log?: Log
}

/** An open channel to the other side of a stream, or why there is none (the stream is closed then). */
export type ChannelReady = (result: Result<OpenFlowChannel>) => void

const sent = eventCounter('vconn_sent')
const received = eventCounter('vconn_received')

/** How many bytes of a message at fault an error quotes: all of it, if there is room. */
const QUOTED = 0xffff - 16
/** How many received messages are remembered to quote in errors. */
const REMEMBERED = 64

/** Says hello on a stream, agrees on a version, and hands over the channel. */
export function openChannel(stream: ByteStream, options: ChannelOptions, ready: ChannelReady): void {
  new StreamChannel(stream, options, ready)
}

function supported(versions: number[]): string {
  return `version${versions.length === 1 ? '' : 's'} ${versionList(versions.sort((a, b) => a - b))}`
}

class StreamChannel implements OpenFlowChannel {
  version: Version = 1
  readonly peer: string
  onMessage: ((message: Message) => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  private ready: ChannelReady | undefined
  private readonly framer = new Framer()
  private readonly versions: readonly Version[]
  private readonly clock: Clock
  private readonly log: Log
  private tableId = false
  private closed = false
  private heard: number
  private probing = false
  private timer: Timer | undefined
  private nextXid = 1
  private readonly recent = new Map<number, Uint8Array>()
  /** Messages that came before the owner set `onMessage`. */
  private readonly early: Message[] = []
  private draining = false

  constructor(
    private readonly stream: ByteStream,
    private readonly options: ChannelOptions,
    ready: ChannelReady,
  ) {
    this.ready = ready
    this.peer = stream.peer
    this.clock = options.clock
    this.log = (options.log ?? silent).child('vconn')
    this.versions = options.versions ?? SUPPORTED_VERSIONS
    this.heard = this.clock.monotonic()
    stream.onData = (bytes) => this.receive(bytes)
    stream.onClose = (error) => this.ended(error)
    this.write(encodeMessage(helloOf(this.nextXid++, this.versions), Math.max(...this.versions)))
    if (options.helloTimeout)
      this.timer = this.clock.after(options.helloTimeout, () => this.fail('no hello from the other side'))
  }

  get queued(): number {
    return this.stream.queued
  }

  private get context(): WireContext {
    return { version: this.version, flowModTableId: this.tableId }
  }

  send(message: Message): void {
    if (this.closed) return
    let m = message
    if (m.type === 'error' && m.data.length === 0) {
      const quoted = this.recent.get(m.xid)
      if (quoted) m = { ...m, data: quoted.subarray(0, QUOTED) }
    }
    for (const bytes of encodeParts(m, this.context)) this.write(bytes)
    sent.hit()
    if (m.type === 'flow_mod_table_id') this.tableId = m.enabled
  }

  private write(bytes: Uint8Array): void {
    if (this.log.enabled('dbg')) this.tell('sent (Success)', bytes)
    this.stream.write(bytes)
  }

  private tell(what: string, bytes: Uint8Array): void {
    this.log.dbg(`${this.peer}: ${what}: ${formatMessageBytes(bytes, { flowModTableId: this.tableId })}`)
  }

  close(error?: Error): void {
    if (this.closed) return
    this.stream.close(error)
    this.ended(error)
  }

  private ended(error: Error | undefined): void {
    if (this.closed) return
    this.closed = true
    this.timer?.cancel()
    if (this.ready) {
      const ready = this.ready
      this.ready = undefined
      ready(err(error?.message ?? 'connection closed by peer'))
      return
    }
    this.clock.after(0, () => this.onClose?.(error))
  }

  private fail(why: string): void {
    this.close(new Error(why))
  }

  private receive(bytes: Uint8Array): void {
    this.heard = this.clock.monotonic()
    this.probing = false
    const whole = this.framer.push(bytes, (message) => {
      if (!this.closed) this.message(message)
    })
    if (!whole && !this.closed) this.fail('received too-short OpenFlow message')
  }

  private message(bytes: Uint8Array): void {
    received.hit()
    if (this.log.enabled('dbg')) this.tell('received', bytes)
    if (this.ready) {
      this.hello(bytes)
      return
    }
    const xid = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4)
    const version = bytes[0]
    const type = bytes[1]
    if (version !== this.version && type !== 0 && type !== 1) {
      this.refuse(xid, 'OFPBRC_BAD_VERSION', bytes)
      return
    }
    const decoded = decodeMessage(bytes, { flowModTableId: this.tableId })
    if (!decoded.ok) {
      this.options.onFault?.(decoded.error, bytes)
      // Never an error about an error: two sides would not stop (OpenFlow 1.5 §7.5.4).
      if (type !== 1) this.refuse(xid, decoded.error, bytes)
      return
    }
    const { message } = decoded.value
    switch (message.type) {
      case 'hello':
        return
      case 'echo_request':
        this.send({ type: 'echo_reply', xid, data: message.data })
        return
      case 'echo_reply':
        return
      case 'flow_mod_table_id':
        this.tableId = message.enabled
        break
      default:
    }
    this.remember(xid, bytes)
    this.deliver(message)
  }

  private remember(xid: number, bytes: Uint8Array): void {
    this.recent.delete(xid)
    this.recent.set(xid, bytes)
    if (this.recent.size > REMEMBERED) {
      for (const first of this.recent.keys()) {
        this.recent.delete(first)
        break
      }
    }
  }

  private deliver(message: Message): void {
    if (this.onMessage && !this.early.length) this.onMessage(message)
    else {
      this.early.push(message)
      this.drain()
    }
  }

  private drain(): void {
    if (this.draining) return
    this.draining = true
    this.clock.after(0, () => {
      this.draining = false
      while (this.onMessage && this.early.length) {
        const m = this.early.shift()
        if (m) this.onMessage(m)
      }
      if (this.early.length) this.drain()
    })
  }

  private refuse(xid: number, error: OpenFlowError, bytes: Uint8Array): void {
    this.send({ type: 'error', xid, error, data: bytes.slice(0, QUOTED) })
  }

  private hello(bytes: Uint8Array): void {
    const decoded = decodeMessage(bytes)
    const message = decoded.ok ? decoded.value.message : undefined
    if (message?.type === 'error') {
      this.fail(`received OpenFlow error message before hello`)
      return
    }
    if (message?.type !== 'hello') {
      this.fail('extra-long hello or other message before version negotiation')
      return
    }
    const version = negotiate(this.versions, message)
    if (version === undefined) {
      this.incompatible(message)
      return
    }
    this.version = version
    this.log.dbg(() => {
      const [ours, theirs] = [this.versions, offered(message)].map((versions) => supported([...versions]))
      const agreed = versionList([version])
      return `${this.peer}: negotiated OpenFlow version ${agreed} (we support ${ours}, peer supports ${theirs})`
    })
    this.timer?.cancel()
    this.timer = undefined
    const ready = this.ready
    this.ready = undefined
    if (this.options.probeInterval) this.watch(this.options.probeInterval)
    ready?.(ok(this))
  }

  private incompatible(hello: Hello): void {
    const why = `We support ${versionsText(this.versions)}, you support ${versionsText(offered(hello))}, no common versions.`
    const version = Math.max(...this.versions)
    this.write(
      encodeMessage(
        { type: 'error', xid: hello.xid, error: 'OFPHFC_INCOMPATIBLE', data: new TextEncoder().encode(why) },
        version,
      ),
    )
    this.stream.close()
    this.ended(new Error(`version negotiation failed (${why})`))
  }

  /** Sends a probe after a silence, and gives up when a second one as long follows. */
  private watch(interval: number): void {
    const silent = this.clock.monotonic() - this.heard
    if (silent >= 2 * interval && this.probing) {
      this.fail(`no response to inactivity probe after ${interval / 1000} seconds, disconnecting`)
      return
    }
    if (silent >= interval && !this.probing) {
      this.probing = true
      this.send({ type: 'echo_request', xid: 0, data: new Uint8Array() })
    }
    const due = (this.probing ? 2 : 1) * interval - (this.clock.monotonic() - this.heard)
    this.timer = this.clock.after(Math.max(1, due), () => this.watch(interval))
  }
}
