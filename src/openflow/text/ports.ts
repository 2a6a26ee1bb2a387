import { formatMac } from '../../address/mac.ts'
import type { FeaturesReply, PortDescription } from '../messages/message.ts'
import { formatPort } from './names.ts'

// Descriptions of ports and switches as `ovs-ofctl ofp-print` shows them, seen there.

type Bits = readonly (readonly [bit: number, name: string])[]

const CONFIG: Bits = [
  [0, 'PORT_DOWN'],
  [2, 'NO_RECV'],
  [5, 'NO_FWD'],
  [6, 'NO_PACKET_IN'],
]

const STATE: Bits = [
  [0, 'LINK_DOWN'],
  [1, 'BLOCKED'],
  [2, 'LIVE'],
]

const FEATURES: Bits = [
  ...['10MB-HD', '10MB-FD', '100MB-HD', '100MB-FD', '1GB-HD', '1GB-FD', '10GB-FD', '40GB-FD', '100GB-FD', '1TB-FD'],
  ...['OTHER', 'COPPER', 'FIBER', 'AUTO_NEG', 'AUTO_PAUSE', 'AUTO_PAUSE_ASYM'],
].map((name, bit) => [bit, name] as const)

const CAPABILITIES: Bits = [
  [0, 'FLOW_STATS'],
  [1, 'TABLE_STATS'],
  [2, 'PORT_STATS'],
  [3, 'GROUP_STATS'],
  [5, 'IP_REASM'],
  [6, 'QUEUE_STATS'],
  [7, 'ARP_MATCH_IP'],
  [8, 'PORT_BLOCKED'],
  [9, 'BUNDLES'],
  [10, 'FLOW_MONITORING'],
]

/** Names of the bits that are set and known, `0` where there are none. */
function names(bits: Bits, value: number): string {
  const set = bits.filter(([bit]) => value & (1 << bit)).map(([, name]) => name)
  return set.length ? set.join(' ') : '0'
}

/** One port, over several lines. */
export function portDescription(p: PortDescription): string {
  const lines = [
    `${formatPort(p.port)}(${p.name}): addr:${formatMac(p.mac)}`,
    `     config:     ${names(CONFIG, p.config)}`,
    `     state:      ${names(STATE, p.state)}`,
  ]
  const features = [
    ['current:    ', p.current],
    ['advertised: ', p.advertised],
    ['supported:  ', p.supported],
    ['peer:       ', p.peer],
  ] as const
  for (const [title, value] of features) {
    if (value & 0xffff) lines.push(`     ${title}${names(FEATURES, value)}`)
  }
  const mbps = (kbps: number) => Math.floor(kbps / 1000)
  lines.push(`     speed: ${mbps(p.currentSpeed)} Mbps now, ${mbps(p.maxSpeed)} Mbps max`)
  return lines.join('\n')
}

/** Ports in the order of their numbers, each on a line of its own. */
export function portDescriptions(ports: readonly PortDescription[]): string {
  return ports
    .toSorted((a, b) => (a.port >>> 0) - (b.port >>> 0))
    .map((port) => `\n ${portDescription(port)}`)
    .join('')
}

/** Actions of OpenFlow 1.0 by their bits in a features reply. */
const ACTIONS10: Bits = [
  ...['output', 'set_vlan_vid', 'set_vlan_pcp', 'strip_vlan', 'mod_dl_src', 'mod_dl_dst', 'mod_nw_src', 'mod_nw_dst'],
  ...['mod_nw_tos', 'mod_tp_src', 'mod_tp_dst', 'enqueue'],
].map((name, bit) => [bit, name] as const)

/** The order in which they are told is that of the actions, not of the bits. */
function actions10(bits: number): string {
  const order = ['output', 'enqueue', ...ACTIONS10.slice(1, -1).map(([, name]) => name)]
  const set = new Set(ACTIONS10.filter(([bit]) => bits & (1 << bit)).map(([, name]) => name))
  return order.filter((name) => set.has(name)).join(' ')
}

export function featuresReply(m: FeaturesReply): string {
  const id = m.datapathId.toString(16).padStart(16, '0')
  const auxiliary = m.auxiliary ? `, auxiliary_id:${m.auxiliary}` : ''
  const lines = [
    ` dpid:${id}`,
    `n_tables:${m.tables}, n_buffers:${m.buffers}${auxiliary}`,
    `capabilities: ${names(CAPABILITIES, m.capabilities)}`,
  ]
  if (m.actions !== undefined) lines.push(`actions: ${actions10(m.actions)}`)
  return `${lines.join('\n')}${portDescriptions(m.ports ?? [])}`
}
