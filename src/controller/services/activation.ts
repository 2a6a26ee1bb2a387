import type { Operation } from '../../ovsdb/client/operation.ts'
import type { ControllerState } from '../controller.ts'
import { US } from '../interfaces.ts'

const ACTIVATED = 'additional-chassis-activated'

/** Records that a port being moved here was activated (ovn-sb(5), Port_Binding options:additional-chassis-activated). */
export class Activation {
  private readonly wanted = new Set<string>()

  constructor(private readonly state: ControllerState) {
    state.southbound.rows.watch('activation', (uuid) => this.operations(uuid))
  }

  /** Datapath and port by tunnel key. */
  activated(datapath: number, port: number): void {
    const { sb } = this.state.options
    for (const row of sb.table('Port_Binding').values()) {
      if (row.tunnel_key !== port || sb.table('Datapath_Binding').get(row.datapath)?.tunnel_key !== datapath) continue
      this.wanted.add(row._uuid)
      this.state.southbound.rows.mark('activation', row._uuid)
    }
  }

  private operations(uuid: string): readonly Operation[] {
    const row = this.state.options.sb.table('Port_Binding').get(uuid)
    const us = this.state.chassis.us.peek(US)?.name
    if (!this.wanted.has(uuid) || !row || us === undefined) return []
    const before = (row.options.get(ACTIVATED) ?? '').split(',').filter((name) => name !== '')
    if (before.includes(us)) {
      this.wanted.delete(uuid)
      return []
    }
    return [
      {
        op: 'mutate',
        table: 'Port_Binding',
        where: [['_uuid', '==', uuid]],
        mutations: [
          ['options', 'delete', [ACTIVATED]],
          ['options', 'insert', new Map([[ACTIVATED, [...before, us].join(',')]])],
        ],
      },
    ]
  }
}
