import { formatMac } from '../../address/mac.ts'
import type { Operation } from '../../ovsdb/client/operation.ts'
import type { Replica } from '../../ovsdb/client/replica.ts'
import type { Datum } from '../../ovsdb/schema/index.ts'
import type { OpenVSwitch, OVS } from '../../schema/index.ts'
import { type BridgePort, LINK_DOWN } from '../ofproto/port.ts'
import type { Switch } from '../switch.ts'
import { CAPABILITIES } from './capabilities.ts'
import { DATAPATH_TYPES, INTERFACE_TYPES } from './desired.ts'
import { bfdStatus, controllerStatus, interfaceStatistics, interfaceStatus } from './status.ts'

const EMPTY: ReadonlyMap<string, string> = new Map()

/** What became of an Interface row. */
export interface Outcome {
  readonly port: BridgePort | undefined
  readonly error: string | undefined
}

/** Writes to the database what the switch made of it: only what differs, one transaction at a time. */
export class WriteBack {
  private inFlight = false
  private again = false
  /** Rows that say what the switch has to say, with the port's state then. */
  private readonly right = new WeakMap<object, number>()

  constructor(
    private readonly sw: Switch,
    private readonly db: Replica<OpenVSwitch>,
    private readonly outcome: (name: string) => Outcome | undefined,
  ) {}

  run(root: OVS.OpenVSwitchRow, statistics: boolean): void {
    if (this.inFlight) {
      this.again = true
      return
    }
    const operations: Operation[] = []
    for (const uuid of root.bridges) {
      const row = this.db.table('Bridge').get(uuid)
      if (row) this.bridge(operations, row, statistics)
    }
    for (const uuid of root.datapaths.values()) {
      const row = this.db.table('Datapath').get(uuid)
      if (row) update(operations, 'Datapath', row, { datapath_version: this.sw.version, capabilities: CAPABILITIES })
    }
    update(operations, 'Open_vSwitch', root, {
      cur_cfg: root.next_cfg,
      ovs_version: this.sw.version,
      iface_types: INTERFACE_TYPES,
      datapath_types: DATAPATH_TYPES,
    })
    if (operations.length === 0) return
    this.inFlight = true
    this.db.transact(operations, (outcome) => {
      this.inFlight = false
      if (!outcome.ok && outcome.error.kind === 'refused')
        this.sw.log.warn(`could not write to the database: ${outcome.error.error.error}`, { code: 'database-write' })
      if (!this.again) return
      this.again = false
      for (const now of this.db.table('Open_vSwitch').values()) this.run(now, false)
    })
  }

  private bridge(operations: Operation[], row: OVS.Bridge, statistics: boolean): void {
    const bridge = this.sw.bridge(row.name)
    if (!bridge) return
    update(operations, 'Bridge', row, {
      datapath_id: bridge.datapathId.toString(16).padStart(16, '0'),
      datapath_version: this.sw.version,
    })
    for (const u of row.controller) {
      const controller = this.db.table('Controller').get(u)
      if (controller) update(operations, 'Controller', controller, controllerStatus(this.sw, bridge, controller.target))
    }
    for (const p of row.ports) {
      for (const i of this.db.table('Port').get(p)?.interfaces ?? []) {
        const iface = this.db.table('Interface').get(i)
        if (iface) this.interface(operations, iface, statistics)
      }
    }
  }

  private interface(operations: Operation[], row: OVS.Interface, statistics: boolean): void {
    const outcome = this.outcome(row.name)
    const port = outcome?.port
    // whether a patch port has its other end does not show in the port itself
    if (port && port.kind !== 'patch' && !statistics && this.right.get(row) === port.revision) return
    const wrote = update(
      operations,
      'Interface',
      row,
      port ? this.columns(port, row, statistics) : { ...NOTHING, error: outcome?.error },
    )
    if (port && !wrote) this.right.set(row, port.revision)
  }

  private columns(port: BridgePort, row: OVS.Interface, statistics: boolean): Record<string, Datum> {
    const { sw } = this
    const device = sw.device(port)
    const peerless = port.kind === 'patch' && !sw.patchPeer(port)
    const up = (port.state & LINK_DOWN) === 0 ? 'up' : 'down'
    return {
      ofport: port.number,
      mac_in_use: formatMac(port.mac),
      admin_state: up,
      link_state: up,
      link_resets: 0,
      ifindex: device?.index ?? 0,
      mtu: device?.mtu,
      error: peerless ? `No usable peer '${port.peer ?? ''}' exists in 'system' datapath.` : undefined,
      status: interfaceStatus(sw, port),
      bfd_status: bfdStatus(sw, port),
      ...(statistics || row.statistics.size === 0 ? { statistics: interfaceStatistics(port) } : {}),
    }
  }
}

/** An Interface without a port. */
const NOTHING: Record<string, Datum> = {
  ofport: -1,
  mac_in_use: undefined,
  admin_state: undefined,
  link_state: undefined,
  ifindex: undefined,
  mtu: undefined,
  status: EMPTY,
  statistics: EMPTY,
  bfd_status: EMPTY,
}

/** Adds an operation that makes columns of a row what they should be; false: they are. */
function update(
  operations: Operation[],
  table: string,
  row: { readonly _uuid: string },
  columns: Record<string, Datum>,
): boolean {
  const changed: Record<string, Datum> = {}
  let any = false
  for (const [k, v] of Object.entries(columns)) {
    if (equalDatum((row as unknown as Record<string, Datum>)[k], v)) continue
    changed[k] = v
    any = true
  }
  if (any) operations.push({ op: 'update', table, where: [['_uuid', '==', row._uuid]], row: changed })
  return any
}

function equalDatum(a: Datum | undefined, b: Datum | undefined): boolean {
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((x, i) => x === b[i])
  if (a instanceof Map && b instanceof Map) {
    if (a.size !== b.size) return false
    for (const [k, v] of a) if (b.get(k) !== v) return false
    return true
  }
  return false
}
