import type { Clock, Timer } from '../../base/clock.ts'
import { below, type Random } from '../../base/random.ts'
import { type Bfd, BfdFlag, BfdState } from '../../packet/bfd.ts'

/** What Interface.bfd asks for (ovs-vswitchd.conf.db(5)); times in milliseconds. */
export interface BfdConfig {
  readonly minRx: number
  readonly minTx: number
  readonly mult: number
  readonly forwardingIfRx: boolean
  readonly cpathDown: boolean
}

/** What Interface.bfd_status says. */
export interface BfdStatus {
  readonly state: string
  readonly forwarding: boolean
  readonly diagnostic: string
  readonly remoteState: string
  readonly remoteDiagnostic: string
  readonly flapCount: number
}

const STATES = ['admin_down', 'down', 'init', 'up']

/** RFC 5880 §4.1, in Open vSwitch's words. */
const DIAGNOSTICS = [
  'No Diagnostic',
  'Control Detection Time Expired',
  'Echo Function Failed',
  'Neighbor Signaled Session Down',
  'Forwarding Plane Reset',
  'Path Down',
  'Concatenated Path Down',
  'Administratively Down',
  'Reverse Concatenated Path Down',
]

const TIMEOUT = 1
const NEIGHBOUR_DOWN = 3
const CONCATENATED_DOWN = 6

/** Without a session that is up, packets go once a second (RFC 5880 §6.8.3). */
const SLOW = 1000

/** A BFD session in asynchronous mode (RFC 5880 §6.8). */
export class BfdSession {
  state: number = BfdState.down
  diagnostic = 0
  remoteState: number = BfdState.down
  remoteDiagnostic = 0
  private remoteDiscriminator = 0
  /** Microseconds become milliseconds at the door. */
  private remoteMinRx = 1
  private remoteMinTx = 0
  private remoteMult = 0
  private polling = false
  private transmit: Timer | undefined
  private detect: Timer | undefined
  private flaps = 0
  private wasForwarding = false
  private lastReceived = Number.NEGATIVE_INFINITY
  private lastSent = 0
  private noted = ''
  /** Called with the states before and after, as the real switch logs them, when the state changed. */
  onState: ((change: string) => void) | undefined
  private forced: boolean | undefined

  constructor(
    private readonly clock: Clock,
    private readonly random: Random,
    private config: BfdConfig,
    readonly discriminator: number,
    private readonly send: (packet: Bfd) => void,
    private readonly changed: () => void,
  ) {
    this.schedule(0)
  }

  configure(config: BfdConfig): void {
    const before = this.config
    this.config = config
    // RFC 5880 §6.8.3: new intervals are announced with a poll
    if (before.minRx !== config.minRx || before.minTx !== config.minTx) {
      this.polling = this.state === BfdState.up
      this.schedule(0)
    }
    if (before.cpathDown !== config.cpathDown) {
      this.diagnostic = config.cpathDown ? CONCATENATED_DOWN : 0
      this.note()
    }
  }

  status(): BfdStatus {
    return {
      state: STATES[this.state] as string,
      forwarding: this.forwarding(),
      diagnostic: DIAGNOSTICS[this.diagnostic] ?? 'Unknown',
      remoteState: STATES[this.remoteState] as string,
      remoteDiagnostic: DIAGNOSTICS[this.remoteDiagnostic] ?? 'Unknown',
      flapCount: this.flaps,
    }
  }

  override(forwarding: boolean | undefined): void {
    this.forced = forwarding
    this.note()
  }

  forwarding(): boolean {
    if (this.forced !== undefined) return this.forced
    if (this.config.cpathDown || this.remoteDiagnostic === CONCATENATED_DOWN) return false
    return this.state === BfdState.up && this.remoteDiagnostic !== 8
  }

  /** Milliseconds between packets: ours or as fast as the other side takes them. */
  get txInterval(): number {
    return Math.max(
      this.state === BfdState.up ? this.config.minTx : Math.max(SLOW, this.config.minTx),
      this.remoteMinRx,
    )
  }

  /** How long silence lasts before the session is down (RFC 5880 §6.8.4). */
  get detectionTime(): number {
    return this.remoteMult * Math.max(this.config.minRx, this.remoteMinTx)
  }

  receive(p: Bfd): void {
    // RFC 5880 §6.8.6, in its order
    if (p.version !== 1 || p.multiplier === 0 || p.myDiscriminator === 0 || p.flags & BfdFlag.multipoint) return
    if (p.flags & BfdFlag.authenticated) return
    if (p.yourDiscriminator !== 0 ? p.yourDiscriminator !== this.discriminator : p.state > BfdState.down) return
    this.remoteDiscriminator = p.myDiscriminator
    this.remoteState = p.state
    this.remoteDiagnostic = p.diagnostic
    this.remoteMinRx = Math.max(1, Math.ceil(p.requiredMinRx / 1000))
    this.remoteMinTx = Math.ceil(p.desiredMinTx / 1000)
    this.remoteMult = p.multiplier
    this.lastReceived = this.clock.monotonic()
    if (p.flags & BfdFlag.final) this.polling = false
    this.armDetection()
    if (this.state !== BfdState.adminDown) {
      if (p.state === BfdState.adminDown) {
        if (this.state !== BfdState.down) this.enter(BfdState.down, NEIGHBOUR_DOWN)
      } else if (this.state === BfdState.down) {
        if (p.state === BfdState.down) this.enter(BfdState.init, this.diagnostic)
        else if (p.state === BfdState.init) this.enter(BfdState.up, this.diagnostic)
      } else if (this.state === BfdState.init) {
        if (p.state === BfdState.init || p.state === BfdState.up) this.enter(BfdState.up, this.diagnostic)
      } else if (p.state === BfdState.down) this.enter(BfdState.down, NEIGHBOUR_DOWN)
    }
    if (p.flags & BfdFlag.poll) this.emit(BfdFlag.final)
    this.note()
  }

  stop(): void {
    this.transmit?.cancel()
    this.detect?.cancel()
  }

  private enter(state: number, diagnostic: number): void {
    const before = this.state
    const was = this.status()
    this.state = state
    this.diagnostic = this.config.cpathDown ? CONCATENATED_DOWN : diagnostic
    if (state === BfdState.up) this.polling = true
    if (before !== state) {
      const now = this.status()
      const text = (s: typeof was) => `(bfd.SessionState: ${s.state}, bfd.LocalDiag: "${s.diagnostic}")`
      this.onState?.(`${text(was)} -> ${text(now)}`)
      this.schedule(0)
    }
    this.note()
  }

  private note(): void {
    const now = this.forwarding()
    if (now !== this.wasForwarding) {
      this.wasForwarding = now
      this.flaps++
    }
    const text = JSON.stringify(this.status())
    if (text === this.noted) return
    this.noted = text
    this.changed()
  }

  private armDetection(): void {
    this.detect?.cancel()
    const wait = this.detectionTime
    this.detect = this.clock.after(wait, () => {
      this.detect = undefined
      if (this.state !== BfdState.init && this.state !== BfdState.up) return
      this.remoteDiscriminator = 0
      this.remoteState = BfdState.down
      this.remoteMinRx = 1
      this.enter(BfdState.down, TIMEOUT)
    })
  }

  private schedule(delay: number): void {
    this.transmit?.cancel()
    // never faster than agreed, however often the state changes
    const earliest = this.lastSent === 0 ? 0 : Math.min(10, this.txInterval)
    const wait = Math.max(delay, this.lastSent + earliest - this.clock.monotonic())
    this.transmit = this.clock.after(Math.max(0, wait), () => {
      this.emit(this.polling ? BfdFlag.poll : 0)
      const interval = this.txInterval
      // RFC 5880 §6.8.7: less by up to a quarter; at least a tenth when one loss is enough
      const most = this.config.mult === 1 ? 0.9 : 1
      const jitter = interval * (0.75 + (most - 0.75) * (below(this.random, 1000) / 1000))
      this.schedule(Math.max(1, Math.round(jitter)))
    })
  }

  private emit(flags: number): void {
    this.lastSent = this.clock.monotonic()
    const tx = this.state === BfdState.up ? this.config.minTx : Math.max(SLOW, this.config.minTx)
    this.send({
      version: 1,
      diagnostic: this.diagnostic,
      state: this.state,
      flags,
      multiplier: this.config.mult,
      myDiscriminator: this.discriminator,
      yourDiscriminator: this.remoteDiscriminator,
      desiredMinTx: tx * 1000,
      requiredMinRx: this.config.minRx * 1000,
      requiredMinEchoRx: 0,
      authentication: new Uint8Array(0),
    })
  }

  /** As `bfd/show` prints it. */
  describe(): string {
    const s = this.status()
    const ago = (t: number) => (t === Number.NEGATIVE_INFINITY ? 0 : Math.round(t - this.clock.monotonic()))
    return [
      `  Forwarding: ${s.forwarding}`,
      `  Detect Multiplier: ${this.config.mult}`,
      `  Concatenated Path Down: ${this.config.cpathDown}`,
      `  TX Interval: Approx ${this.txInterval}ms`,
      `  RX Interval: Approx ${Math.max(this.config.minRx, this.remoteMinTx)}ms`,
      `  Detect Time: now ${ago(this.lastReceived + this.detectionTime)}ms`,
      `  Next TX Time: now +${Math.max(0, Math.round(this.lastSent + this.txInterval - this.clock.monotonic()))}ms`,
      `  Last TX Time: now ${ago(this.lastSent)}ms`,
      '',
      `  Local Flags: none`,
      `  Local Session State: ${s.state}`,
      `  Local Diagnostic: ${s.diagnostic}`,
      `  Local Discriminator: 0x${this.discriminator.toString(16)}`,
      `  Local Minimum TX Interval: ${this.config.minTx}ms`,
      `  Local Minimum RX Interval: ${this.config.minRx}ms`,
      '',
      `  Remote Flags: none`,
      `  Remote Session State: ${s.remoteState}`,
      `  Remote Diagnostic: ${s.remoteDiagnostic}`,
      `  Remote Discriminator: 0x${this.remoteDiscriminator.toString(16)}`,
      `  Remote Minimum TX Interval: ${this.remoteMinTx}ms`,
      `  Remote Minimum RX Interval: ${this.remoteMinRx}ms`,
      `  Remote Detect Multiplier: ${this.remoteMult}`,
      '',
    ].join('\n')
  }
}
