import type { Learn, LearnSpec } from '../openflow/actions/action.ts'
import type { Field, Subfield } from '../openflow/fields/field.ts'
import { F } from '../openflow/fields/table.ts'
import type { LogicalAction } from './action.ts'
import { flagBit, TABLE } from './registers.ts'

const whole = (field: Field): Subfield => ({ field, offset: 0, bits: field.bits })

/** The new flow matches the field with the packet's value of `from`. */
const matchField = (dst: Field, from: Field = dst): LearnSpec => ({
  source: whole(from),
  bits: dst.bits,
  target: { kind: 'match', dst: whole(dst) },
})

const matchValue = (dst: Field, value: bigint): LearnSpec => ({
  source: { value },
  bits: dst.bits,
  target: { kind: 'match', dst: whole(dst) },
})

const load = (dst: Subfield, value: bigint): LearnSpec => ({
  source: { value },
  bits: dst.bits,
  target: { kind: 'load', dst },
})

function learn(table: number, specs: readonly LearnSpec[], more: Partial<Learn>): Learn {
  return {
    type: 'learn',
    idleTimeout: 0,
    hardTimeout: 0,
    priority: 32768,
    cookie: 0n,
    sendFlowRemoved: false,
    deleteLearned: true,
    table,
    finIdleTimeout: 0,
    finHardTimeout: 0,
    specs,
    limit: 0,
    ...more,
  }
}

const PROTOCOL = {
  tcp: { number: 6n, src: F.tcp_src, dst: F.tcp_dst },
  udp: { number: 17n, src: F.udp_src, dst: F.udp_dst },
  sctp: { number: 132n, src: F.sctp_src, dst: F.sctp_dst },
} as const

const network = (ipv6: boolean) =>
  ipv6 ? { type: 0x86ddn, src: F.ipv6_src, dst: F.ipv6_dst } : { type: 0x800n, src: F.ip_src, dst: F.ip_dst }

/** commit_ecmp_nh: remembers the next hop's address and, turned round, the connection. Seconds. */
const ECMP_TIMEOUT = { idleTimeout: 20, hardTimeout: 30 } as const

export function learnEcmpNextHop(ipv6: boolean, proto: keyof typeof PROTOCOL): readonly [Learn, Learn] {
  const ip = network(ipv6)
  const l4 = PROTOCOL[proto]
  const found = load(flagBit('lookup_ecmp_nh'), 1n)
  const forth = [
    matchField(F.metadata),
    matchField(F.eth_src),
    matchValue(F.eth_type, ip.type),
    matchField(ip.src),
    matchField(ip.dst),
    matchValue(F.nw_proto, l4.number),
    matchField(l4.src),
    matchField(l4.dst),
    found,
  ]
  const back = [
    matchField(F.metadata),
    matchValue(F.eth_type, ip.type),
    matchField(ip.src, ip.dst),
    matchField(ip.dst, ip.src),
    matchValue(F.nw_proto, l4.number),
    matchField(l4.src, l4.dst),
    matchField(l4.dst, l4.src),
    found,
  ]
  return [learn(TABLE.ECMP_NH_MAC, forth, ECMP_TIMEOUT), learn(TABLE.ECMP_NH, back, ECMP_TIMEOUT)]
}

/** commit_lb_aff: the client's later connections to the address find the same backend. */
export function learnLbAffinity(a: Extract<LogicalAction, { type: 'commit_lb_aff' }>, cookie: number): Learn {
  const ipv6 = a.vip.family === 6
  const ip = network(ipv6)
  const l4 = PROTOCOL[a.proto]
  const specs = [
    matchField(F.metadata),
    matchValue(F.eth_type, ip.type),
    matchField(ip.src),
    matchValue(ip.dst, a.vip.value),
  ]
  if (a.vipPort) specs.push(matchValue(F.nw_proto, l4.number), matchValue(l4.dst, BigInt(a.vipPort)))
  specs.push(load(flagBit('use_lb_aff_session'), 1n))
  specs.push(load(whole(ipv6 ? F.xxreg1 : F.reg4), a.backend.value))
  if (a.vipPort && a.backendPort) specs.push(load({ field: F.reg2, offset: 0, bits: 16 }, BigInt(a.backendPort)))
  return learn(TABLE.CHK_LB_AFFINITY, specs, { idleTimeout: a.timeout, cookie: BigInt(cookie >>> 0) })
}
