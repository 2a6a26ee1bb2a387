import type { ReplicaChange } from '../../ovsdb/client/replica.ts'
import type { OpenVSwitch } from '../../schema/index.ts'

/** Columns that the switch writes: what it wrote itself is no news to it. */
const OUTPUT: { readonly [T in keyof OpenVSwitch]?: ReadonlySet<string> } = {
  Open_vSwitch: new Set(['cur_cfg', 'ovs_version', 'iface_types', 'datapath_types']),
  Bridge: new Set(['datapath_id', 'datapath_version', 'status', 'rstp_status']),
  Port: new Set(['status', 'statistics', 'rstp_status', 'rstp_statistics']),
  Interface: new Set([
    'ofport',
    'mac_in_use',
    'admin_state',
    'link_state',
    'link_resets',
    'link_speed',
    'duplex',
    'ifindex',
    'mtu',
    'error',
    'status',
    'statistics',
    'bfd_status',
  ]),
  Controller: new Set(['is_connected', 'role', 'status']),
  Datapath: new Set(['datapath_version', 'capabilities']),
  Mirror: new Set(['statistics']),
}

/** Whether a change of the database is one of what it asks for, not only of what the switch answered. */
export function asksForMore(change: ReplicaChange<OpenVSwitch>): boolean {
  for (const [table, rows] of Object.entries(change.tables)) {
    const output = OUTPUT[table as keyof OpenVSwitch]
    for (const { old, new: now } of rows.values()) {
      if (!old || !now || !output) return true
      const [a, b] = [old, now] as unknown as [Record<string, unknown>, Record<string, unknown>]
      for (const column of Object.keys(b)) if (a[column] !== b[column] && !output.has(column)) return true
    }
  }
  return false
}
