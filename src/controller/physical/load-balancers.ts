import { parseIpv4 } from '../../address/ipv4.ts'
import { parseIpv6 } from '../../address/ipv6.ts'
import { CT_MARK, FLAG, LOG_SNAT_ZONE } from '../../logical/registers.ts'
import type { Action, LearnSpec } from '../../openflow/actions/action.ts'
import type { FieldMatch } from '../../openflow/fields/field.ts'
import { F } from '../../openflow/fields/table.ts'
import type { LoadBalancer } from '../../schema/southbound.ts'
import { bitsAre, cookieOf, type Flow, is, match, set, sub, whole } from '../flow.ts'
import { OFTABLE } from '../tables.ts'

/** An address of either family, with a port or without. */
export interface Endpoint {
  readonly family: 4 | 6
  readonly address: bigint
  readonly port: number | undefined
}

/** `10.0.0.200:80`, `[fd00::200]:80`, or an address alone. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const bracket = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text)
  const plain = bracket ? undefined : /^([0-9.]+)(?::(\d{1,5}))?$/.exec(text)
  const [, host, portText] = bracket ?? plain ?? [undefined, text, undefined]
  const port = portText === undefined ? undefined : Number(portText)
  if (port !== undefined && port > 65535) return undefined
  const v4 = parseIpv4(host ?? '')
  if (v4 !== undefined) return { family: 4, address: BigInt(v4), port }
  const v6 = parseIpv6(host ?? '')
  return v6 === undefined ? undefined : { family: 6, address: v6, port }
}

const PROTOCOL = {
  tcp: { number: 6, source: F.tcp_src, destination: F.tcp_dst },
  udp: { number: 17, source: F.udp_src, destination: F.udp_dst },
  sctp: { number: 132, source: F.sctp_src, destination: F.sctp_dst },
} as const

/**
 * Hairpin: a backend that talks to its own virtual address (chk_lb_hairpin, 68; chk_lb_hairpin_reply,
 * 69, which 68 teaches; ct_snat_to_vip, 70). `switches` are the keys of local switches with the load
 * balancer: an address of their own (options:hairpin_snat_ip) is theirs alone.
 */
export function hairpinFlows(row: LoadBalancer, switches: readonly number[]): Flow[] {
  const out: Flow[] = []
  const cookie = cookieOf(row._uuid)
  const protocol = PROTOCOL[row.protocol ?? 'tcp']
  const snat = (row.options.get('hairpin_snat_ip') ?? '').split(/\s+/).flatMap((t) => parseEndpoint(t) ?? [])
  for (const [vipText, backendText] of row.vips) {
    const vip = parseEndpoint(vipText)
    if (!vip) continue
    const ether = is(F.eth_type, vip.family === 4 ? 0x800 : 0x86dd)
    const original = vip.family === 4 ? is(F.reg4, vip.address) : is(F.xxreg1, vip.address)
    const tracked: FieldMatch[] = [ether, original]
    if (vip.port !== undefined) tracked.push(is(F.nw_proto, protocol.number), bitsAre(F.reg2, 0, 16, vip.port))
    const own = snat.find((s) => s.family === vip.family)?.address
    const as = own ?? vip.address
    for (const text of backendText.split(',')) {
      const backend = parseEndpoint(text)
      if (backend?.family === vip.family) out.push(toItself(cookie, vip, backend, as, protocol, tracked))
    }
    const priority = vip.port === undefined ? 90 : 100
    const translate: Omit<Flow, 'priority' | 'match'> = {
      table: OFTABLE.CT_SNAT_HAIRPIN,
      actions: [
        {
          type: 'ct',
          commit: true,
          force: false,
          zone: LOG_SNAT_ZONE,
          alg: 0,
          nat: { kind: 'src', addresses: { family: vip.family, min: as, max: as } },
          exec: [],
        },
      ],
      cookie,
    }
    if (own === undefined) out.push({ ...translate, priority, match: match(...tracked) })
    else {
      for (const key of switches) {
        out.push({ ...translate, priority: priority + 100, match: match(...tracked, is(F.metadata, key)) })
      }
    }
  }
  return out
}

function toItself(
  cookie: number,
  vip: Endpoint,
  backend: Endpoint,
  snat: bigint,
  protocol: (typeof PROTOCOL)['tcp' | 'udp' | 'sctp'],
  tracked: readonly FieldMatch[],
): Flow {
  const [source, destination] = vip.family === 4 ? [F.ip_src, F.ip_dst] : [F.ipv6_src, F.ipv6_dst]
  const natted = bitsAre(F.ct_mark, CT_MARK.natted[0], 1, 1)
  const parts = [natted, ...tracked, is(source, backend.address), is(destination, backend.address)]
  if (vip.port !== undefined && backend.port !== undefined) parts.push(is(protocol.destination, backend.port))
  const hairpin = 1 << FLAG.lookup_lb_hairpin
  const learn: Action = {
    type: 'learn',
    idleTimeout: 0,
    hardTimeout: 0,
    priority: 32768,
    cookie: BigInt(cookie),
    sendFlowRemoved: false,
    deleteLearned: true,
    table: OFTABLE.CHK_LB_HAIRPIN_REPLY,
    finIdleTimeout: 0,
    finHardTimeout: 0,
    limit: 0,
    specs: replySpecs(vip, snat, protocol),
  }
  return {
    table: OFTABLE.CHK_LB_HAIRPIN,
    priority: 100,
    match: match(...parts),
    actions: [set(F.reg10, hairpin, hairpin), learn],
    cookie,
  }
}

/** What the answer will look like: back to the address that the request was given. */
function replySpecs(vip: Endpoint, snat: bigint, protocol: (typeof PROTOCOL)['tcp' | 'udp' | 'sctp']): LearnSpec[] {
  const same = (field: typeof F.metadata): LearnSpec => ({
    source: whole(field),
    bits: field.bits,
    target: { kind: 'match', dst: whole(field) },
  })
  const equal = (field: typeof F.metadata, value: bigint): LearnSpec => ({
    source: { value },
    bits: field.bits,
    target: { kind: 'match', dst: whole(field) },
  })
  const [source, destination] = vip.family === 4 ? [F.ip_src, F.ip_dst] : [F.ipv6_src, F.ipv6_dst]
  const out = [
    same(F.metadata),
    equal(F.eth_type, vip.family === 4 ? 0x800n : 0x86ddn),
    same(source),
    equal(destination, snat),
  ]
  if (vip.port === undefined) out.push(same(F.nw_proto))
  else {
    out.push(equal(F.nw_proto, BigInt(protocol.number)), {
      source: whole(protocol.destination),
      bits: 16,
      target: { kind: 'match', dst: whole(protocol.source) },
    })
  }
  out.push({
    source: { value: 1n },
    bits: 1,
    target: { kind: 'load', dst: sub(F.reg10, FLAG.lookup_lb_hairpin, 1) },
  })
  return out
}
