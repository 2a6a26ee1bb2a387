import type { Clock, Timer } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { type Bfd, BfdFlag, BfdState } from '../../packet/bfd.ts'

export type BfdStatus = 'admin_down' | 'down' | 'init' | 'up'

/** Milliseconds, as in ovn-sb(5), BFD. */
export interface BfdParameters {
  readonly discriminator: number
  readonly minTx: number
  readonly minRx: number
  readonly detectMult: number
}

export interface BfdParts {
  readonly clock: Clock
  readonly random: Random
  readonly parameters: BfdParameters
  readonly send: (packet: Bfd) => void
  readonly report: (status: BfdStatus) => void
}

/** While a session is not up, nobody is asked more than once a second (RFC 5880 §6.8.3). */
const SLOW_TX = 1000
const US_PER_MS = 1000

/** One session of asynchronous mode without authentication and echo (RFC 5880 §6.8). Knows no addresses. */
export class BfdSession {
  private state: 'down' | 'init' | 'up' = 'down'
  private remoteDiscriminator = 0
  /** What the other side wants to send and can take, in milliseconds. */
  private remoteMinTx = 0
  private remoteMinRx = 1
  private transmission: Timer | undefined
  private detection: Timer | undefined

  constructor(private readonly parts: BfdParts) {}

  get status(): BfdStatus {
    return this.state
  }

  start(): void {
    this.transmit()
  }

  close(): void {
    this.transmission?.cancel()
    this.detection?.cancel()
  }

  /** RFC 5880 §6.8.6, after the checks that need the rest of the packet. */
  receive(p: Bfd): void {
    const { discriminator } = this.parts.parameters
    if (p.version !== 1 || p.multiplier === 0 || p.myDiscriminator === 0) return
    if (p.flags & (BfdFlag.multipoint | BfdFlag.authenticated)) return
    if (p.yourDiscriminator !== 0 && p.yourDiscriminator !== discriminator) return
    if (p.yourDiscriminator === 0 && p.state !== BfdState.down && p.state !== BfdState.adminDown) return
    this.remoteDiscriminator = p.myDiscriminator
    this.remoteMinTx = p.desiredMinTx / US_PER_MS
    const slowerBefore = this.interval()
    this.remoteMinRx = p.requiredMinRx / US_PER_MS
    this.detect(p.multiplier)
    this.step(p.state)
    if (p.flags & BfdFlag.poll) this.emit(BfdFlag.final)
    // A peer that can take packets more often again is not kept waiting for the old interval.
    if (this.interval() < slowerBefore) this.schedule()
  }

  private step(remote: number): void {
    switch (remote) {
      case BfdState.adminDown:
        this.become('down')
        return
      case BfdState.down:
        if (this.state === 'down') this.become('init')
        else if (this.state === 'up') this.become('down')
        return
      case BfdState.init:
        this.become('up')
        return
      case BfdState.up:
        if (this.state === 'init') this.become('up')
        return
      default:
    }
  }

  private become(state: 'down' | 'init' | 'up'): void {
    if (this.state === state) return
    this.state = state
    this.parts.report(state)
  }

  private detect(multiplier: number): void {
    const { clock, parameters } = this.parts
    this.detection?.cancel()
    const time = multiplier * Math.max(parameters.minRx, this.remoteMinTx)
    this.detection = clock.after(time, () => {
      this.remoteDiscriminator = 0
      this.remoteMinRx = 1
      this.become('down')
    })
  }

  private interval(): number {
    const { minTx } = this.parts.parameters
    const own = this.state === 'up' ? minTx : Math.max(SLOW_TX, minTx)
    return Math.max(own, this.remoteMinRx)
  }

  private schedule(): void {
    const { clock, random, parameters } = this.parts
    this.transmission?.cancel()
    // RFC 5880 §6.8.7: up to a quarter less, and with a multiplier of one never less than a tenth.
    const least = parameters.detectMult === 1 ? 0.1 : 0
    const jitter = least + (0.25 - least) * (random.u32() / 0x1_0000_0000)
    this.transmission = clock.after(this.interval() * (1 - jitter), () => this.transmit())
  }

  private transmit(): void {
    // Zero asks for no periodic packets at all.
    if (this.remoteMinRx > 0) this.emit(0)
    this.schedule()
  }

  private emit(flags: number): void {
    const { discriminator, minTx, minRx, detectMult } = this.parts.parameters
    this.parts.send({
      version: 1,
      diagnostic: 0,
      state: BfdState[this.state],
      flags,
      multiplier: detectMult,
      myDiscriminator: discriminator,
      yourDiscriminator: this.remoteDiscriminator,
      desiredMinTx: minTx * US_PER_MS,
      requiredMinRx: minRx * US_PER_MS,
      requiredMinEchoRx: 0,
      authentication: new Uint8Array(),
    })
  }
}
