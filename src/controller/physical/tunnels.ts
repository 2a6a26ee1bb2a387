import { FLAG } from '../../logical/registers.ts'
import type { Action } from '../../openflow/actions/action.ts'
import type { FieldMatch } from '../../openflow/fields/field.ts'
import { F } from '../../openflow/fields/table.ts'
import { type Flow, is, match, move, output, resubmit, set, sub } from '../flow.ts'
import type { Tunnel } from '../interfaces.ts'
import { OFTABLE } from '../tables.ts'

/** Multicast keys in the 12 bits that VXLAN has for an output port (ovn-architecture(7)). */
const VXLAN_MULTICAST = 0x800
const VXLAN_MASK = 0x7ff
const MULTICAST = 0x8000

/** Puts datapath and ports into the tunnel's metadata; the datapath's number and output port are constants. */
export function encapsulate(type: Tunnel['type'], datapath: number, outport: number): Action[] {
  if (type === 'vxlan') {
    const port = outport >= MULTICAST ? (outport & VXLAN_MASK) | VXLAN_MULTICAST : outport
    return [set(F.tun_id, BigInt(datapath) | (BigInt(port) << 12n), 0xffffff)]
  }
  return [
    set(F.tun_id, datapath, 0xffffff),
    { type: 'set_field', field: F.tun_metadata0, value: BigInt(outport), mask: 0xffffffffn, bytes: 4 },
    move(sub(F.reg14, 0, 15), sub(F.tun_metadata0, 16, 15)),
  ]
}

/** Copies to several tunnels at once: the metadata is set again only where the kind of tunnel changes. */
export function sendTo(tunnels: readonly Tunnel[], datapath: number, outport: number): Action[] {
  const out: Action[] = []
  for (const type of ['geneve', 'vxlan'] as const) {
    const some = tunnels.filter((t) => t.type === type)
    if (some.length) out.push(...encapsulate(type, datapath, outport), ...some.map((t) => output(t.ofport)))
  }
  return out
}

function decapsulate(tunnel: Tunnel): Action[] {
  if (tunnel.type === 'vxlan') {
    return [
      move(sub(F.tun_id, 12, 12), sub(F.reg15, 0, 12)),
      move(sub(F.tun_id, 0, 12), sub(F.metadata, 0, 12)),
      resubmit(OFTABLE.LOCAL_OUTPUT),
    ]
  }
  return [
    move(sub(F.tun_id, 0, 24), sub(F.metadata, 0, 24)),
    move(sub(F.tun_metadata0, 16, 15), sub(F.reg14, 0, 15)),
    move(sub(F.tun_metadata0, 0, 16), sub(F.reg15, 0, 16)),
    set(F.reg5, tunnel.ofport << 16, 0xffff0000),
    resubmit(OFTABLE.LOCAL_OUTPUT),
  ]
}

/** A multicast group's key got a bit of its own in the 12 that VXLAN has. */
const VXLAN_MULTICAST_BIT = VXLAN_MULTICAST << 12
const VXLAN_MULTICAST_ACTIONS: readonly Action[] = [
  set(F.reg15, MULTICAST, MULTICAST),
  move(sub(F.tun_id, 12, 11), sub(F.reg15, 0, 11)),
  move(sub(F.tun_id, 0, 12), sub(F.metadata, 0, 12)),
  resubmit(OFTABLE.LOCAL_OUTPUT),
]

const TOO_BIG: readonly (readonly FieldMatch[])[] = [
  // ICMP "fragmentation needed" and ICMPv6 "packet too big".
  [is(F.eth_type, 0x800), is(F.nw_proto, 1), is(F.icmp_type, 3), is(F.icmp_code, 4)],
  [is(F.eth_type, 0x86dd), is(F.nw_proto, 58), is(F.icmpv6_type, 2), is(F.icmpv6_code, 0)],
]

/**
 * What comes in by a tunnel goes on where it left the sender's pipeline, at the output port. An
 * ICMP error about the tunnel's own size is for the sender besides: it enters the pipeline anew.
 */
export function tunnelFlows(tunnel: Tunnel): Flow[] {
  const from = is(F.in_port, tunnel.ofport)
  const actions = decapsulate(tunnel)
  const flow = (priority: number, parts: readonly FieldMatch[], more: readonly Action[]): Flow => ({
    table: OFTABLE.PHY_TO_LOG,
    priority,
    match: match(from, ...parts),
    actions: [...actions, ...more],
    cookie: 0,
  })
  const received = 1 << FLAG.tunnel_rx
  const again = [set(F.reg10, received, received), resubmit(OFTABLE.CT_ZONE_LOOKUP)]
  const out = [flow(100, [], [])]
  for (const error of TOO_BIG) out.push(flow(120, error, again))
  if (tunnel.type === 'vxlan') {
    const multicast = is(F.tun_id, VXLAN_MULTICAST_BIT, VXLAN_MULTICAST_BIT)
    out.push({ ...flow(105, [multicast], []), actions: VXLAN_MULTICAST_ACTIONS })
  }
  return out
}

/** The tunnel to use to a chassis: from one endpoint of ours to one of its own. */
export function chooseTunnel(
  tunnels: readonly Tunnel[],
  localIp: string | undefined,
  remoteIp: string | undefined,
): Tunnel | undefined {
  const score = (t: Tunnel) =>
    (remoteIp !== undefined && t.remoteIp === remoteIp ? 2 : 0) +
    (localIp !== undefined && t.localIp === localIp ? 1 : 0)
  let best: Tunnel | undefined
  for (const t of tunnels) if (!best || score(t) > score(best)) best = t
  return best
}
