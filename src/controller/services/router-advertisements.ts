import type { Timer } from '../../base/clock.ts'
import { below } from '../../base/random.ts'
import type { PortBinding } from '../../schema/southbound.ts'
import type { ControllerState } from '../controller.ts'
import { routerAdvertisement } from './advertisement.ts'
import { fromPort } from './out.ts'

/** Seconds (RFC 4861 §6.2.1). */
const MAX_INTERVAL = 600
const MIN_INTERVAL = 200

interface Advertiser {
  readonly options: string
  timer: Timer | undefined
}

/** Unsolicited router advertisements of local router ports (ovn-nb(5), ipv6_ra_configs:send_periodic). */
export class RouterAdvertisements {
  private readonly advertisers = new Map<string, Advertiser>()
  private readonly stops: (() => void)[] = []

  constructor(private readonly state: ControllerState) {
    const refresh = () => this.refresh()
    this.stops.push(
      state.options.sb.onChange((change) => {
        if (change.tables.Port_Binding) refresh()
      }),
      state.datapaths.local.subscribe(refresh),
    )
  }

  close(): void {
    for (const stop of this.stops) stop()
    for (const a of this.advertisers.values()) a.timer?.cancel()
    this.advertisers.clear()
  }

  private refresh(): void {
    const wanted = new Map<string, PortBinding>()
    for (const row of this.state.options.sb.table('Port_Binding').values()) {
      if (row.options.get('ipv6_ra_send_periodic') !== 'true') continue
      if (row.type !== 'patch' && row.type !== 'l3gateway') continue
      if (this.state.datapaths.local.peek(row.datapath)) wanted.set(row.logical_port, row)
    }
    for (const [name, a] of this.advertisers) {
      const row = wanted.get(name)
      if (row && optionsOf(row) === a.options) {
        wanted.delete(name)
        continue
      }
      a.timer?.cancel()
      this.advertisers.delete(name)
    }
    for (const [name, row] of wanted) {
      const advertiser: Advertiser = { options: optionsOf(row), timer: undefined }
      this.advertisers.set(name, advertiser)
      advertiser.timer = this.state.options.clock.after(0, () => this.advertise(name, advertiser))
    }
  }

  private advertise(name: string, advertiser: Advertiser): void {
    const { sb, clock, random } = this.state.options
    const byName = this.state.bindings.portsByName
    const row = byName.first(name)
    if (!row) return
    const peer = byName.first(row.options.get('peer') ?? '')
    const datapath = peer && sb.table('Datapath_Binding').get(peer.datapath)
    const packet = routerAdvertisement(row.options)
    if (peer && datapath && packet) {
      const message = fromPort(datapath.tunnel_key, peer.tunnel_key, packet)
      this.state.send({ ...message, xid: this.state.installer.nextXid() })
    }
    const max = Number(row.options.get('ipv6_ra_max_interval')) || MAX_INTERVAL
    const min = Math.min(max, Number(row.options.get('ipv6_ra_min_interval')) || MIN_INTERVAL)
    // RFC 4861 §6.2.4: at random, so that routers do not fall into step.
    const wait = 1000 * min + below(random, 1000 * (max - min) + 1)
    advertiser.timer = clock.after(wait, () => this.advertise(name, advertiser))
  }
}

function optionsOf(row: PortBinding): string {
  return [...row.options]
    .filter(([name]) => name.startsWith('ipv6_ra_') || name === 'peer')
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join('\n')
}
