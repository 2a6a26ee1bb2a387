import type { Clock } from '../../base/clock.ts'
import type { FramePort } from '../../base/frame.ts'

/** A network device that a port of the switch sends and receives by. */
export interface Device {
  readonly name: string
  /** A number of 48 bits. */
  readonly mac: number
  mtu: number
  readonly up: boolean
  /** Interface number of the host's, where it has one. */
  readonly index: number
  /** What `Interface.status:driver_name` says. */
  readonly driver: string
  send(frame: Uint8Array): void
  onFrame: ((frame: Uint8Array) => void) | undefined
  /** Link or address changed. */
  onChange: (() => void) | undefined
  setUp?(up: boolean): void
  setMtu?(mtu: number): void
  close(): void
}

/** Opens devices of a type (`system`, `internal`, `tap`) by name; an error's text is for Interface.error. */
export interface DeviceDriver {
  readonly types: readonly string[]
  open(
    name: string,
    type: string,
    options: { readonly mac: number; readonly mtu: number | undefined },
  ): Device | { readonly error: string }
}

/** A device over one end of a cable in memory. */
export class FrameDevice implements Device {
  mtu = 1500
  up = true
  readonly driver = 'memory'
  onFrame: ((frame: Uint8Array) => void) | undefined
  onChange: (() => void) | undefined

  constructor(
    readonly name: string,
    readonly port: FramePort,
    readonly mac: number,
    readonly index: number,
  ) {
    port.onFrame = (frame) => {
      if (this.up) this.onFrame?.(frame)
    }
  }

  send(frame: Uint8Array): void {
    if (this.up) this.port.send(frame)
  }

  setUp(up: boolean): void {
    if (this.up === up) return
    this.up = up
    this.onChange?.()
  }

  setMtu(mtu: number): void {
    this.mtu = mtu
  }

  close(): void {
    this.port.onFrame = undefined
  }
}

/** An internal port: a device whose other end is the host itself, in memory. */
export class InternalDevice extends FrameDevice {
  /** The host's end. */
  readonly host: FramePort

  constructor(name: string, mac: number, index: number, clock: Clock) {
    const host: FramePort = {
      send: (frame) => void clock.after(0, () => inner.onFrame?.(frame)),
      onFrame: undefined,
    }
    const inner: FramePort = {
      send: (frame) => void clock.after(0, () => host.onFrame?.(frame)),
      onFrame: undefined,
    }
    super(name, inner, mac, index)
    this.host = host
  }
}
