import type { Bridge } from '../ofproto/bridge.ts'
import type { BridgePort } from '../ofproto/port.ts'
import type { Switch } from '../switch.ts'

/** Interface.status: what stands behind the port. */
export function interfaceStatus(sw: Switch, port: BridgePort): ReadonlyMap<string, string> {
  const device = sw.device(port)
  if (device) return new Map([['driver_name', device.driver]])
  if (port.tunnel && port.tunnel.remoteIp !== 'flow' && sw.localAddress(port.tunnel.remoteIp)) {
    return new Map([
      ['tunnel_egress_iface', 'underlay'],
      ['tunnel_egress_iface_carrier', 'up'],
    ])
  }
  return new Map()
}

/** Interface.statistics. */
export function interfaceStatistics(port: BridgePort): ReadonlyMap<string, number> {
  if (port.kind === 'patch' || port.kind === 'tunnel') {
    return new Map([
      ['rx_bytes', port.rxBytes],
      ['rx_packets', port.rxPackets],
      ['tx_bytes', port.txBytes],
      ['tx_packets', port.txPackets],
    ])
  }
  const c = port.datapath?.counters
  if (!c) return new Map()
  return new Map([
    ['collisions', 0],
    ['rx_bytes', c.rxBytes],
    ['rx_crc_err', 0],
    ['rx_dropped', c.rxDropped],
    ['rx_errors', c.rxErrors],
    ['rx_frame_err', 0],
    ['rx_missed_errors', 0],
    ['rx_over_err', 0],
    ['rx_packets', c.rxPackets],
    ['tx_bytes', c.txBytes],
    ['tx_dropped', c.txDropped],
    ['tx_errors', c.txErrors],
    ['tx_packets', c.txPackets],
  ])
}

const ROLES = ['other', 'other', 'master', 'slave'] as const

/** Columns of a Controller row: whether there is a connection to its target. */
export function controllerStatus(
  sw: Switch,
  bridge: Bridge,
  target: string,
): { readonly is_connected: boolean; readonly role: string | undefined; readonly status: ReadonlyMap<string, string> } {
  for (const c of sw.connections) {
    if (c.bridge === bridge && c.target === target)
      return { is_connected: true, role: ROLES[c.role], status: new Map([['state', 'ACTIVE']]) }
  }
  return { is_connected: false, role: undefined, status: new Map([['state', 'BACKOFF']]) }
}

const NO_BFD: ReadonlyMap<string, string> = new Map()

/** Interface.bfd_status. */
export function bfdStatus(sw: Switch, port: BridgePort): ReadonlyMap<string, string> {
  const s = sw.bfd.status(port)
  if (!s) return NO_BFD
  return new Map([
    ['diagnostic', s.diagnostic],
    ['flap_count', String(s.flapCount)],
    ['forwarding', String(s.forwarding)],
    ['remote_diagnostic', s.remoteDiagnostic],
    ['remote_state', s.remoteState],
    ['state', s.state],
  ])
}
