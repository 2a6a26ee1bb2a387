import type { Clock } from '../base/clock.ts'
import type { Replica } from '../ovsdb/client/replica.ts'
import type { Datum } from '../ovsdb/schema/index.ts'
import type { Northbound } from '../schema/northbound.ts'
import type { Southbound } from '../schema/southbound.ts'

/**
 * Tells the northbound how far its configuration has come (ovn-nb(5), NB_Global nb_cfg): `sb_cfg`
 * once the southbound has it, `hv_cfg` once the slowest chassis says so.
 */
export class Acknowledge {
  private inFlight = false
  private again = false

  constructor(
    private readonly nb: Replica<Northbound>,
    private readonly sb: Replica<Southbound>,
    private readonly clock: Clock,
    private readonly allowed: () => boolean,
  ) {}

  /** All that the last finished pass wants is in the southbound. */
  southboundWritten(): void {
    this.report(true)
  }

  southboundChanged(): void {
    this.report(false)
  }

  private report(written: boolean): void {
    if (!this.allowed() || this.nb.state !== 'synced' || this.sb.state !== 'synced') return
    if (this.inFlight) {
      this.again = true
      return
    }
    const [row] = this.nb.table('NB_Global').values()
    const [south] = this.sb.table('SB_Global').values()
    if (!row || !south) return
    const now = Math.floor(this.clock.now())
    const changes: Record<string, Datum> = {}
    let sbCfg = row.sb_cfg
    if (written && row.sb_cfg !== south.nb_cfg) {
      sbCfg = south.nb_cfg
      changes['sb_cfg'] = sbCfg
      changes['sb_cfg_timestamp'] = now
      changes['nb_cfg_timestamp'] = now
    }
    const slowest = this.slowest()
    const hvCfg = slowest?.cfg ?? sbCfg
    if (hvCfg <= sbCfg && row.hv_cfg !== hvCfg) {
      changes['hv_cfg'] = hvCfg
      changes['hv_cfg_timestamp'] = slowest?.timestamp ?? 0
    }
    if (!Object.keys(changes).length) return
    this.inFlight = true
    this.nb.transact(
      [{ op: 'update', table: 'NB_Global', where: [['_uuid', '==', row._uuid]], row: changes }],
      (outcome) => {
        this.inFlight = false
        const again = this.again
        this.again = false
        if (again || !outcome.ok) this.clock.after(outcome.ok ? 0 : 1000, () => this.report(written))
      },
    )
  }

  /** The least configuration that some chassis has, and when the last of those at it came there. */
  private slowest(): { readonly cfg: number; readonly timestamp: number } | undefined {
    let cfg: number | undefined
    let timestamp = 0
    for (const row of this.sb.table('Chassis_Private').values()) {
      const chassis = row.chassis === undefined ? undefined : this.sb.table('Chassis').get(row.chassis)
      if (chassis?.other_config.get('is-remote') === 'true') continue
      if (cfg === undefined || row.nb_cfg < cfg) {
        cfg = row.nb_cfg
        timestamp = row.nb_cfg_timestamp
      } else if (row.nb_cfg === cfg) timestamp = Math.max(timestamp, row.nb_cfg_timestamp)
    }
    return cfg === undefined ? undefined : { cfg, timestamp }
  }
}
