import type { Context } from '../context.ts'

/** Which meter a packet sent to the controller passes, and the meters themselves. */
export interface MeterNames {
  /** The meter of a protocol in a control plane protection policy (ovn-nb(5), Copp). */
  of(copp: string | undefined, protocol: string): string | undefined
  /** The southbound name of a meter as one northbound row uses it: its own where shares are fair. */
  named(name: string | undefined, user: string): string | undefined
}

export function meterNames({ nb }: Pick<Context, 'nb'>): MeterNames {
  const byName = nb.Meter.index('name', (m) => m.name)
  return {
    of(copp, protocol) {
      if (copp === undefined) return undefined
      return nb.Copp.get(copp)?.meters.get(protocol)
    },
    named(name, user) {
      if (name === undefined) return undefined
      const meter = byName.first(name)
      return meter?.fair ? `${name}__${user}` : name
    },
  }
}

export function meters({ graph, nb, outputs }: Context): void {
  const byName = nb.Meter.index('name', (m) => m.name)
  const put = (out: Parameters<Parameters<typeof graph.once>[2]>[0], name: string, row: string) => {
    const meter = nb.Meter.get(row)
    if (!meter) return
    const bands: string[] = []
    for (const uuid of meter.bands) {
      const band = nb.Meter_Band.get(uuid)
      if (!band) continue
      const key = `${name} ${band.action} ${band.rate} ${band.burst_size}`
      out.emit(outputs.Meter_Band, key, { action: band.action, rate: band.rate, burst_size: band.burst_size })
      bands.push(key)
    }
    out.emit(outputs.Meter, name, { name, unit: meter.unit, bands: bands.sort() })
  }
  graph.rule('features/meter', 10, nb.Meter, (meter, out) => put(out, meter.name, meter._uuid))
  graph.rule('features/meter of acl', 10, nb.ACL, (acl, out) => {
    if (acl.meter === undefined || !acl.log) return
    const meter = byName.first(acl.meter)
    if (meter?.fair) put(out, `${acl.meter}__${acl._uuid}`, meter._uuid)
  })
}
