import type { ControllerState } from '../controller.ts'
import type { Effect } from '../packet-in/effect.ts'
import { Activation } from './activation.ts'
import { BfdSessions } from './bfd.ts'
import { Events } from './events.ts'
import { Multicast } from './multicast.ts'
import { RouterAdvertisements } from './router-advertisements.ts'
import { ServiceMonitors } from './service-monitors.ts'

/** What a controller does of its own accord, besides flows: checks, queries, advertisements, reports. */
export class Services {
  private readonly activation: Activation
  private readonly bfd: BfdSessions
  private readonly events: Events
  private readonly monitors: ServiceMonitors
  private readonly multicast: Multicast
  private readonly advertisements: RouterAdvertisements

  constructor(state: ControllerState) {
    this.activation = new Activation(state)
    this.bfd = new BfdSessions(state)
    this.events = new Events(state)
    this.monitors = new ServiceMonitors(state)
    this.multicast = new Multicast(state)
    this.advertisements = new RouterAdvertisements(state)
  }

  /** Does what a packet-in asks for, if it is for one of the services. */
  apply(effect: Effect): boolean {
    switch (effect.type) {
      case 'activate':
        this.activation.activated(effect.datapath, effect.port)
        return true
      case 'bfd':
        this.bfd.received(effect)
        return true
      case 'event':
        this.events.report(effect)
        return true
      case 'multicast':
        this.multicast.seen(effect)
        return true
      case 'service_check':
        this.monitors.answer(effect.datapath, effect.port, effect.packet)
        return true
      default:
        return false
    }
  }

  close(): void {
    this.bfd.close()
    this.monitors.close()
    this.multicast.close()
    this.advertisements.close()
  }
}
