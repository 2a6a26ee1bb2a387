import { VirtualClock } from '../base/clock.ts'
import type { FramePort } from '../base/frame.ts'
import { type HostOptions, VirtualHost } from './host.ts'
import type { PingOptions, PingResult } from './ping.ts'
import { EthernetSwitch, type PortMode } from './switch.ts'

/** A switch with hosts, on virtual time (imported by tests only). */
export class Lab {
  readonly clock = new VirtualClock()
  readonly switch = new EthernetSwitch(this.clock)
  private macs = 0xfa163e000001

  host(name: string, addresses: string[], more: Partial<HostOptions> & { mode?: PortMode } = {}): VirtualHost {
    const port: FramePort = this.switch.port(name, more.mode)
    return new VirtualHost({ name, clock: this.clock, port, mac: this.macs++, addresses, ...more })
  }

  /** A ping's result, time moved on until it is there. */
  ping(host: VirtualHost, to: string, options: PingOptions = {}): PingResult {
    let result: PingResult | undefined
    host.ping(to, options, (r) => {
      result = r
    })
    for (let i = 0; i < 600 && !result; i++) this.clock.advance(100)
    if (!result) throw new Error('ping never ended')
    return result
  }
}
