import type { Operation } from '../../ovsdb/client/operation.ts'
import type { OpenVSwitchRow } from '../../schema/open-vswitch.ts'
import { mapChanges } from './map-changes.ts'

const WAIT = 'flow-restore-wait'
/** Says that the wait was set by a controller and not by whoever restarts the switch. */
const MANAGED = 'ovn-managed-flow-restore-wait'

/**
 * Keeps a switch that starts anew from forwarding (and from answering BFD, which would draw a
 * gateway's traffic) before it has its flows: `other_config:flow-restore-wait` stands at true all
 * the time, so that the switch finds it there, and is false for a moment once the flows of a
 * connection are installed. ovs-vswitchd.conf.db(5), ovn-controller(8).
 *
 * A wait that somebody else set is left to them.
 */
export class RestoreWait {
  private installed = false
  /** The value of `next_cfg` that came with the false, which the switch must reach. */
  private target: number | undefined
  private ended = false

  /** The switch connected: whatever it had, it may have started anew. */
  connected(): void {
    this.installed = false
    this.target = undefined
    this.ended = false
  }

  flowsInstalled(): void {
    this.installed = true
  }

  /** The next step from what stands in the row; `log` hears of it. */
  operations(row: OpenVSwitchRow, log: (text: string) => void, nbCfg: number): readonly Operation[] {
    if (!this.installed) return []
    const wait = row.other_config.get(WAIT)
    const managed = row.external_ids.get(MANAGED) === 'true'
    if (wait === 'true') {
      if (!managed || this.ended) return []
      return this.release(row, log, nbCfg)
    }
    if (wait !== 'false' || managed) {
      // Cleared by somebody after us: from the beginning.
      this.ended = false
      this.target = undefined
      return this.release(row, log, nbCfg)
    }
    this.target ??= row.next_cfg
    if (row.cur_cfg < this.target) return []
    this.ended = true
    log(`Setting ${WAIT}=true`)
    return write(row, 'true', 'true')
  }

  private release(row: OpenVSwitchRow, log: (text: string) => void, nbCfg: number): readonly Operation[] {
    log(`Setting ${WAIT}=false (cur_cfg=${nbCfg})`)
    return write(row, 'false', undefined)
  }
}

/** With a new `next_cfg`, by which the switch says that it has taken note. */
function write(row: OpenVSwitchRow, wait: string, managed: string | undefined): readonly Operation[] {
  const mutations = [
    ...mapChanges('other_config', row.other_config, new Map([[WAIT, wait]])),
    ...mapChanges('external_ids', row.external_ids, new Map([[MANAGED, managed]])),
    ['next_cfg', '+=', 1] as const,
  ]
  return [{ op: 'mutate', table: 'Open_vSwitch', where: [['_uuid', '==', row._uuid]], mutations }]
}
