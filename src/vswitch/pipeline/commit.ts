import * as K from '../classifier/key.ts'
import type { DpAction, SetGroup } from '../datapath/action.ts'

interface GroupWords {
  readonly group: SetGroup
  readonly words: readonly number[]
}

const span = (at: number, n: number): number[] => Array.from({ length: n }, (_, i) => at + i)

const ETH: GroupWords = { group: 'eth', words: [K.DL_SRC_HIGH, K.DL_SRC_LOW, K.DL_DST_HIGH, K.DL_DST_LOW] }
const IPV4: GroupWords = { group: 'ipv4', words: [K.NW_SRC, K.NW_DST, K.NW_TOS, K.NW_TTL] }
const IPV6: GroupWords = {
  group: 'ipv6',
  words: [...span(K.IPV6_SRC, 4), ...span(K.IPV6_DST, 4), K.IPV6_LABEL, K.NW_TOS, K.NW_TTL],
}
const ARP: GroupWords = {
  group: 'arp',
  words: [K.NW_SRC, K.NW_DST, K.NW_PROTO, K.ARP_SHA_HIGH, K.ARP_SHA_LOW, K.ARP_THA_HIGH, K.ARP_THA_LOW],
}
const PORTS = [K.TP_SRC, K.TP_DST]
const ND: GroupWords = {
  group: 'nd',
  words: [...span(K.ND_TARGET, 4), K.ARP_SHA_HIGH, K.ARP_SHA_LOW, K.ARP_THA_HIGH, K.ARP_THA_LOW],
}
const ND_EXT: GroupWords = { group: 'nd_ext', words: [K.ND_RESERVED, K.ND_OPTIONS_TYPE] }

/** Words that are one field in two or four: if one differs, all are written. */
const WHOLE: ReadonlyMap<number, readonly number[]> = new Map(
  [
    [K.DL_SRC_HIGH, K.DL_SRC_LOW],
    [K.DL_DST_HIGH, K.DL_DST_LOW],
    [K.ARP_SHA_HIGH, K.ARP_SHA_LOW],
    [K.ARP_THA_HIGH, K.ARP_THA_LOW],
    span(K.IPV6_SRC, 4),
    span(K.IPV6_DST, 4),
    span(K.ND_TARGET, 4),
  ].flatMap((words) => words.map((w) => [w, words] as const)),
)

/**
 * Appends what turns packets that look like `base` into such that look like `key`, and makes `base`
 * equal to it. Only bits in `wildcards` are written: others may differ from packet to packet.
 */
export function commit(key: K.Key, base: K.Key, wildcards: K.Key, out: DpAction[]): void {
  set(ETH, key, base, wildcards, out)
  // without a protocol there is nothing to set
  const ip = key[K.DL_TYPE] === K.ETH_IPV4 || key[K.DL_TYPE] === K.ETH_IPV6
  if (ip && key[K.NW_PROTO] === 0 && IPV4.words.some((w) => key[w] !== base[w])) wildcards[K.NW_PROTO] = 0xffffffff
  switch (key[K.NW_PROTO] === 0 ? 0 : key[K.DL_TYPE]) {
    case K.ETH_IPV4:
      set(IPV4, key, base, wildcards, out)
      transport(key, base, wildcards, out)
      break
    case K.ETH_IPV6:
      set(IPV6, key, base, wildcards, out)
      transport(key, base, wildcards, out)
      break
    case K.ETH_ARP:
      set(ARP, key, base, wildcards, out)
      break
  }
  mpls(key, base, wildcards, out)
  vlan(key, base, wildcards, out)
  set({ group: 'skb_priority', words: [K.SKB_PRIORITY] }, key, base, wildcards, out)
  set({ group: 'skb_mark', words: [K.PKT_MARK] }, key, base, wildcards, out)
}

/** Neighbour discovery comes before the ICMP header that it is behind, as Open vSwitch has it. */
function transport(key: K.Key, base: K.Key, w: K.Key, out: DpAction[]): void {
  switch (key[K.NW_PROTO]) {
    case K.IP_TCP:
      set({ group: 'tcp', words: PORTS }, key, base, w, out)
      break
    case K.IP_UDP:
      set({ group: 'udp', words: PORTS }, key, base, w, out)
      break
    case K.IP_SCTP:
      set({ group: 'sctp', words: PORTS }, key, base, w, out)
      break
    case K.IP_ICMP:
      icmp('icmp', key, base, w, out)
      break
    case K.IP_ICMPV6:
      if (base[K.TP_SRC] === 135 || base[K.TP_SRC] === 136) {
        set(ND, key, base, w, out)
        set(ND_EXT, key, base, w, out)
      }
      icmp('icmpv6', key, base, w, out)
      break
  }
}

/** Type and code go together. */
function icmp(group: 'icmp' | 'icmpv6', key: K.Key, base: K.Key, w: K.Key, out: DpAction[]): void {
  if (key[K.TP_SRC] === base[K.TP_SRC] && key[K.TP_DST] === base[K.TP_DST]) return
  w[K.TP_SRC] = (w[K.TP_SRC] as number) | 0xff
  w[K.TP_DST] = (w[K.TP_DST] as number) | 0xff
  set({ group, words: PORTS }, key, base, w, out)
}

function set(g: GroupWords, key: K.Key, base: K.Key, wildcards: K.Key, out: DpAction[]): void {
  let words: number[] | undefined
  for (const at of g.words) {
    if (key[at] === base[at]) continue
    words ??= []
    const whole = g.group === 'icmp' || g.group === 'icmpv6' ? PORTS : (WHOLE.get(at) ?? [at])
    for (const w of whole) if (!words.includes(w)) words.push(w)
  }
  if (!words) return
  if (g.group === 'ipv4' || g.group === 'ipv6') wildcards[K.NW_PROTO] = 0xffffffff
  const values: number[] = []
  const masks: number[] = []
  for (const at of words) {
    values.push(key[at] as number)
    // a changed bit was looked at, or the change would not be known
    masks.push(((wildcards[at] as number) | ((key[at] as number) ^ (base[at] as number))) >>> 0)
    base[at] = key[at] as number
  }
  out.push({ type: 'set', group: g.group, words, values, masks })
}

function vlan(key: K.Key, base: K.Key, wildcards: K.Key, out: DpAction[]): void {
  if (key[K.VLAN0] === base[K.VLAN0] && key[K.VLAN1] === base[K.VLAN1]) return
  wildcards[K.VLAN0] = 0xffffffff
  const have = tags(base)
  const want = tags(key)
  if (have.length > 1 || want.length > 1) wildcards[K.VLAN1] = 0xffffffff
  let same = 0
  while (same < have.length && same < want.length && have[have.length - 1 - same] === want[want.length - 1 - same])
    same++
  for (let i = same; i < have.length; i++) out.push({ type: 'pop_vlan' })
  for (let i = want.length - 1 - same; i >= 0; i--) {
    const t = want[i] as number
    out.push({ type: 'push_vlan', tpid: t >>> 16, tci: t & 0xffff })
  }
  base[K.VLAN0] = key[K.VLAN0] as number
  base[K.VLAN1] = key[K.VLAN1] as number
}

function tags(key: K.Key): number[] {
  const out: number[] = []
  for (const at of [K.VLAN0, K.VLAN1]) {
    if (((key[at] as number) & K.VLAN_PRESENT) === 0) break
    out.push(key[at] as number)
  }
  return out
}

const isMpls = (key: K.Key): boolean => key[K.DL_TYPE] === K.ETH_MPLS || key[K.DL_TYPE] === K.ETH_MPLS_MC

function labels(key: K.Key): number[] {
  const out: number[] = []
  if (!isMpls(key)) return out
  for (let i = 0; i < 3; i++) {
    const e = key[K.MPLS0 + i] as number
    out.push(e)
    if (e & 0x100) break
  }
  return out
}

function mpls(key: K.Key, base: K.Key, wildcards: K.Key, out: DpAction[]): void {
  if (!isMpls(key) && !isMpls(base)) return
  const have = labels(base)
  const want = labels(key)
  if (have.length === want.length) {
    if (have.slice(1).every((e, i) => e === want[i + 1])) {
      set({ group: 'mpls', words: [K.MPLS0] }, key, base, wildcards, out)
      return
    }
  }
  let same = 0
  while (same < have.length && same < want.length && have[have.length - 1 - same] === want[want.length - 1 - same])
    same++
  for (let i = 0; i < 3; i++) wildcards[K.MPLS0 + i] = 0xffffffff
  for (let i = same; i < have.length; i++) {
    const last = i === have.length - 1 && want.length === 0
    out.push({ type: 'pop_mpls', ethertype: last ? (key[K.DL_TYPE] as number) : K.ETH_MPLS })
  }
  for (let i = want.length - 1 - same; i >= 0; i--)
    out.push({ type: 'push_mpls', label: want[i] as number, ethertype: key[K.DL_TYPE] as number })
  for (let i = 0; i < 3; i++) base[K.MPLS0 + i] = key[K.MPLS0 + i] as number
  base[K.DL_TYPE] = key[K.DL_TYPE] as number
}
