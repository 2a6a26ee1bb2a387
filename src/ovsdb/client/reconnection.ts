import type { Clock, Timer } from '../../base/clock.ts'
import { type Log, silent } from '../../base/log.ts'
import type { Result } from '../../base/result.ts'
import type { ByteStream } from '../../base/stream.ts'
import { NO_RESPONSE } from './probe.ts'
import { CLOSED_BY_PEER, DROPPED } from './rpc.ts'
import { ELSEWHERE, NO_DATABASE } from './server-state.ts'

/** Opens a stream to a remote as `tcp:127.0.0.1:6641` names it; returns how to give up. */
export type Dial = (remote: string, done: (result: Result<ByteStream>) => void) => () => void

export interface ReconnectionOptions {
  /** Tried in this order, over and over. */
  readonly remotes: readonly string[]
  readonly dial: Dial
  readonly clock: Clock
  readonly log?: Log
  /** Milliseconds between two attempts, at most; 8000 unless given. */
  readonly maxBackoff?: number
  /** Called when all remotes have failed once: for tools that do not try again. */
  readonly onUnreachable?: (error: string) => void
}

/** Milliseconds that a connection has to last to be a good one. */
const STEADY = 1000

/** Milliseconds that an attempt may take, at least; longer when the remotes are tried less often. */
const PATIENCE = 1000

/** The same for `ssl:`: a handshake takes several turns of a server that may be busy. */
const TLS_PATIENCE = 10_000

/** Connects to one of several remotes, and to the next when that is lost, with a wait that grows. */
export class Reconnection {
  private readonly log: Log
  /** For what is said of attempts to connect and of ends, in the module of the real programs. */
  private readonly attempts: Log
  private readonly longest: number
  private giveUp: (() => void) | undefined
  private timer: Timer | undefined
  private at = -1
  private failures = 0
  /** Milliseconds to wait before the remotes are tried again. */
  private backoff = 0
  private openedAt = 0
  /** Whether the last connection that was of use broke soon. */
  private shortBefore = false
  private closed = false

  constructor(
    private readonly options: ReconnectionOptions,
    private readonly opened: (stream: ByteStream) => void,
  ) {
    const log = options.log ?? silent
    this.log = log.child('ovsdb_cs')
    this.attempts = log.child('reconnect')
    this.longest = options.maxBackoff ?? 8000
    this.timer = options.clock.after(0, () => this.connect())
  }

  /** The remote that is, or is to be, connected to. */
  get remote(): string {
    return this.options.remotes[this.at] ?? ''
  }

  private connect(): void {
    if (this.closed) return
    this.at = (this.at + 1) % Math.max(1, this.options.remotes.length)
    const { remote } = this
    this.sayOnWay(`${remote}: connecting...`)
    let answered = false
    let timer: Timer | undefined
    const stop = this.options.dial(remote, (result) => {
      answered = true
      this.giveUp = undefined
      timer?.cancel()
      if (this.closed) {
        if (result.ok) result.value.close()
      } else if (result.ok) {
        this.openedAt = this.options.clock.monotonic()
        this.attempts.info(`${remote}: connected`)
        this.opened(result.value)
      } else {
        this.sayOnWay(`${remote}: connection attempt failed (${result.error})`)
        this.failed(`${remote}: database connection failed (${result.error})`)
      }
    })
    if (answered) return
    const expired = () => {
      stop()
      this.giveUp = undefined
      this.sayOnWay(`${remote}: connection attempt timed out`)
      this.failed(`${remote}: database connection failed (Connection timed out)`)
    }
    timer = this.options.clock.after(this.patience, () => {
      // an answer that came while the program was busy is read first
      timer = this.options.clock.after(0, expired)
    })
    this.giveUp = () => {
      timer?.cancel()
      stop()
    }
  }

  /** A host that is switched off answers nothing: its attempt would last for minutes, and another may do. */
  private get patience(): number {
    return Math.max(this.backoff, this.remote.startsWith('ssl:') ? TLS_PATIENCE : PATIENCE)
  }

  /** About attempts to connect, until there have been so many that no more is said. */
  private sayOnWay(text: string): void {
    if (this.backoff < this.longest) this.attempts.info(text, { remote: this.remote })
    else this.attempts.dbg(text)
  }

  /** The connection ended; `useful`: it got as far as the contents. */
  lost(reason: string, useful: boolean): void {
    // one short connection may be chance; a server that drops everybody is not to be stormed
    const short = this.options.clock.monotonic() - this.openedAt < STEADY
    const worked = useful && !(short && this.shortBefore)
    if (useful) this.shortBefore = short
    this.sayEnd(reason)
    if (!worked) {
      this.failed(`${this.remote}: ${reason}`)
      return
    }
    this.failures = 0
    this.backoff = 0
    this.timer = this.options.clock.after(0, () => this.connect())
  }

  private sayEnd(reason: string): void {
    const text = `${this.remote}: ${reason}`
    const about = { remote: this.remote }
    if (reason === CLOSED_BY_PEER) this.attempts.info(text, about)
    else if (reason.startsWith(DROPPED)) this.attempts.warn(text, { code: 'connection-dropped', remote: this.remote })
    else if (reason.startsWith(NO_RESPONSE)) {
      this.attempts.err(text, { code: 'no-probe-response', remote: this.remote })
    } else if (reason.endsWith(ELSEWHERE) || reason.startsWith(NO_DATABASE)) this.log.info(text, about)
    else this.log.warn(text, { code: 'database-unreachable', remote: this.remote })
  }

  private failed(text: string): void {
    this.failures++
    const { remotes, onUnreachable, clock } = this.options
    if (this.failures >= remotes.length) onUnreachable?.(text)
    if (this.closed) return
    // one wait for each round: of a cluster the next member may well do
    const round = this.failures % Math.max(1, remotes.length) === 0
    if (round) this.waitLonger()
    this.timer = clock.after(round ? this.backoff : 0, () => this.connect())
  }

  private waitLonger(): void {
    if (this.backoff === this.longest) return
    this.backoff = Math.min(this.backoff ? this.backoff * 2 : 1000, this.longest)
    if (this.backoff === this.longest) {
      this.attempts.info(`${this.remote}: continuing to reconnect in the background but suppressing further logging`)
    } else if (this.backoff > 1000) {
      this.attempts.info(`${this.remote}: waiting ${this.backoff / 1000} seconds before reconnect`)
    }
  }

  close(): void {
    this.closed = true
    this.timer?.cancel()
    this.giveUp?.()
  }
}
