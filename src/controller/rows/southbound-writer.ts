import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import type { Replica } from '../../ovsdb/client/replica.ts'
import { Reconciler } from '../../ovsdb/relations/reconciler.ts'
import type { Derived, Relation } from '../../reactive/relation.ts'
import type { OpenVSwitch } from '../../schema/open-vswitch.ts'
import type { Southbound } from '../../schema/southbound.ts'
import type { Binding } from '../binding/binding.ts'
import { type ChassisName, US } from '../interfaces.ts'
import { chassisOperations, describeChassis, encapConflict, NO_ENCAP } from './chassis-row.ts'
import { portOperations } from './port-rows.ts'

/** A port is not taken from another chassis again before so many milliseconds. */
const CLAIM_INTERVAL_MS = 500

export interface SouthboundWriterParts {
  readonly sb: Replica<Southbound>
  readonly ovs: Replica<OpenVSwitch>
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
  readonly chassisName: string | undefined
  readonly hostname: string
  readonly us: Relation<ChassisName>
  readonly bindings: Derived<Binding>
  readonly installed: Relation<true>
  readonly enabled: () => boolean
  /** Whether all is known that a port might be here for: before, none is released. */
  readonly settled: () => boolean
}

/** What of nb_cfg is to be reported: the number, and when it was reached (milliseconds since 1970). */
export interface Acknowledgement {
  readonly nbCfg: number
  readonly at: number
}

/** Writes our rows of the southbound database. */
export class SouthboundWriter {
  readonly rows: Reconciler<Southbound>
  private acknowledged: Acknowledgement | undefined
  private complaint: string | undefined
  private readonly withheld = new Set<string>()
  private readonly claims = new Map<string, number>()

  constructor(private readonly parts: SouthboundWriterParts) {
    const { sb, ovs, bindings, us, installed } = parts
    const log = parts.log.child('binding')
    this.rows = new Reconciler(sb, {
      clock: parts.clock,
      log: parts.log.child('main'),
      comment: 'ovn-controller',
      enabled: parts.enabled,
    })
    this.rows.watch('chassis', () => this.chassis(), {
      on: { Chassis: () => ['us'], Encap: () => ['us'], Chassis_Private: () => ['us'] },
    })
    const byName = sb.table('Port_Binding').index('logical_port', (p) => p.logical_port)
    this.rows.watch(
      'port',
      (name) => {
        const row = byName.first(name)
        const own = us.peek(US)
        if (!row || !own) return []
        const binding = bindings.peek(name)
        if (!binding?.claim && !parts.settled()) {
          this.withheld.add(name)
          return []
        }
        if (this.postponed(name, binding, row.chassis, own.uuid)) return []
        return portOperations(sb, row, { us: own, binding, installed: installed.contents.has(name) }, log)
      },
      {
        on: {
          Port_Binding: ({ old, new: row }) => (row ? [row.logical_port] : old ? [old.logical_port] : []),
        },
      },
    )
    this.rows.watch('nb_cfg', () => this.nbCfg())
    bindings.subscribe((changes) => {
      for (const name of changes.keys()) this.rows.mark('port', name)
    })
    installed.subscribe((changes) => {
      for (const name of changes.keys()) this.rows.mark('port', name)
    })
    us.subscribe((changes) => {
      const now = changes.get(US)?.after
      if (!now) return
      for (const name of bindings.contents.keys()) this.rows.mark('port', name)
      this.rows.mark('nb_cfg', 'us')
    })
    ovs.onChange((change) => {
      if (change.tables.Open_vSwitch || change.tables.Bridge) this.rows.mark('chassis', 'us')
    })
    this.rows.mark('chassis', 'us')
  }

  /**
   * Whether a claim has to wait. Two chassis that both hold themselves for a port's place, as after a
   * restart, before BFD is up, would take it from each other without end: each waits half a second
   * from its last claim to the next.
   */
  private postponed(name: string, binding: Binding | undefined, held: string | undefined, us: string): boolean {
    if (binding?.claim !== 'chassis' || held === us) return false
    const { clock } = this.parts
    const wait = (this.claims.get(name) ?? Number.NEGATIVE_INFINITY) + CLAIM_INTERVAL_MS - clock.monotonic()
    if (held !== undefined && wait > 0) {
      clock.after(wait, () => this.rows.mark('port', name))
      return true
    }
    this.claims.set(name, clock.monotonic())
    return false
  }

  /** All is known now: ports that were not released before are looked at again. */
  release(): void {
    for (const name of this.withheld) this.rows.mark('port', name)
    this.withheld.clear()
  }

  acknowledge(what: Acknowledgement): void {
    this.acknowledged = what
    this.rows.mark('nb_cfg', 'us')
  }

  private chassis() {
    const { sb, ovs, chassisName, hostname, random } = this.parts
    const wanted = describeChassis(ovs, chassisName, hostname)
    const complaint = wanted === undefined || typeof wanted === 'string' ? wanted : encapConflict(sb, wanted)
    if (complaint !== undefined && complaint !== this.complaint) {
      const log = this.parts.log.child('chassis')
      if (complaint === NO_ENCAP) log.info(complaint, { chassis: chassisName })
      else log.warn(complaint, { code: 'chassis-not-configured', chassis: chassisName })
    }
    this.complaint = complaint
    if (complaint !== undefined || wanted === undefined || typeof wanted === 'string') return []
    return chassisOperations(sb, wanted, random)
  }

  private nbCfg() {
    const { us, sb } = this.parts
    const name = us.peek(US)?.name
    const what = this.acknowledged
    if (name === undefined || !what) return []
    for (const row of sb.table('Chassis_Private').values()) {
      if (row.name !== name || row.nb_cfg === what.nbCfg) continue
      return [
        {
          op: 'update' as const,
          table: 'Chassis_Private',
          where: [['_uuid', '==', row._uuid]] as const,
          row: { nb_cfg: what.nbCfg, nb_cfg_timestamp: what.at },
        },
      ]
    }
    return []
  }

  /** Takes our rows out; the server clears what refers to them. */
  withdraw(name: string, done: () => void): void {
    this.rows.close()
    const { sb } = this.parts
    if (sb.state !== 'synced') {
      done()
      return
    }
    sb.transact(
      [
        { op: 'delete', table: 'Chassis', where: [['name', '==', name]] },
        { op: 'delete', table: 'Chassis_Private', where: [['name', '==', name]] },
        { op: 'comment', comment: `ovn-controller: unregistering chassis '${name}'` },
      ],
      done,
    )
  }

  close(): void {
    this.rows.close()
  }
}
