import { formatIpv4 } from '../../address/ipv4.ts'
import { formatIpv6 } from '../../address/ipv6.ts'
import { formatMac } from '../../address/mac.ts'
import { toHex } from '../../base/bytes.ts'
import * as K from '../classifier/key.ts'
import type { DpAction, DpNat, SetAction, TunnelInfo } from './action.ts'

/** As printf's `%#x`: zero has no prefix. */
const hex = (v: number | bigint): string => (v === 0 || v === 0n ? '0' : `0x${v.toString(16)}`)

/** Actions of the datapath in the text of `ovs-appctl ofproto/trace` and `dpctl/dump-flows`; none is `drop`. */
export function formatDpActions(actions: readonly DpAction[]): string {
  const out: string[] = []
  for (let i = 0; i < actions.length; i++) {
    const a = actions[i] as DpAction
    if (a.type === 'drop') out.push('drop')
    else out.push(formatOne(a))
  }
  return out.length ? out.join(',') : 'drop'
}

function formatOne(a: DpAction): string {
  switch (a.type) {
    case 'output':
      return String(a.port)
    case 'tunnel':
      return `set(tunnel(${formatTunnel(a.info)}))`
    case 'set':
      return formatSet(a)
    case 'push_vlan': {
      const vid = a.tci & 0xfff
      const pcp = a.tci >> 13
      const tpid = a.tpid === K.ETH_VLAN ? '' : `tpid=0x${a.tpid.toString(16).padStart(4, '0')},`
      return `push_vlan(${tpid}vid=${vid},pcp=${pcp})`
    }
    case 'pop_vlan':
      return 'pop_vlan'
    case 'push_mpls':
      return `push_mpls(label=${a.label >>> 12},tc=${(a.label >> 9) & 7},ttl=${a.label & 0xff},bos=${(a.label >> 8) & 1},eth_type=0x${a.ethertype.toString(16)})`
    case 'pop_mpls':
      return `pop_mpls(eth_type=0x${a.ethertype.toString(16)})`
    case 'ct': {
      const parts: string[] = []
      if (a.commit) parts.push(a.force ? 'force_commit' : 'commit')
      if (a.zone) parts.push(`zone=${a.zone}`)
      if (a.mark) parts.push(`mark=${hex(a.mark.value)}/${hex(a.mark.mask)}`)
      if (a.label) parts.push(`label=${hex(a.label.value)}/${hex(a.label.mask)}`)
      if (a.helper) parts.push(`helper=${a.helper}`)
      if (a.nat) parts.push(formatNat(a.nat))
      return parts.length ? `ct(${parts.join(',')})` : 'ct'
    }
    case 'ct_clear':
      return 'ct_clear'
    case 'recirc':
      return `recirc(${hex(a.id)})`
    case 'hash':
      return `hash(${a.algorithm}(${a.basis}))`
    case 'userspace':
      return `userspace(pid=0,controller(reason=${a.reason},dont_send=${a.dontSend ? 1 : 0},continuation=${a.pause ? 1 : 0},recirc_id=${a.recircId},rule_cookie=${hex(a.cookie)},controller_id=${a.controllerId},max_len=${a.maxLen}))`
    case 'clone':
      return `clone(${formatDpActions(a.actions)})`
    case 'check_pkt_len':
      return `check_pkt_len(size=${a.size},gt(${formatDpActions(a.greater)}),le(${formatDpActions(a.lessEqual)}))`
    case 'meter':
      return `meter(${a.id})`
    case 'trunc':
      return `trunc(${a.maxLen})`
    case 'sample':
      return `sample(sample=${((a.probability / 0xffffffff) * 100).toFixed(1)}%,actions(${formatDpActions(a.actions)}))`
    case 'slow':
      return `userspace(pid=0,slow_path(${a.protocol}))`
    case 'drop':
      return 'drop'
  }
}

export function formatNat(n: DpNat): string {
  if (!n.kind) return 'nat'
  let s = n.kind
  if (n.min !== undefined) {
    const text = (v: bigint) => (n.family === 4 ? formatIpv4(Number(v)) : formatIpv6(v))
    const six = (t: string) => (n.family === 6 && n.minPort ? `[${t}]` : t)
    s += `=${six(text(n.min))}`
    if (n.max !== undefined && n.max !== n.min) s += `-${six(text(n.max))}`
    if (n.minPort) {
      s += `:${n.minPort}`
      if (n.maxPort !== n.minPort) s += `-${n.maxPort}`
    }
  } else if (n.minPort) {
    s += `=:${n.minPort}`
    if (n.maxPort !== n.minPort) s += `-${n.maxPort}`
  }
  if (n.persistent) s += ',persistent'
  if (n.hash) s += ',hash'
  if (n.random) s += ',random'
  return `nat(${s})`
}

function formatTunnel(t: TunnelInfo): string {
  const parts: string[] = []
  if (t.key) parts.push(`tun_id=${hex(t.id)}`)
  const v6 = t.dst.includes(':')
  if (t.src) parts.push(`${v6 ? 'ipv6_' : ''}src=${t.src}`)
  parts.push(`${v6 ? 'ipv6_' : ''}dst=${t.dst}`)
  if (t.tos) parts.push(`tos=${hex(t.tos)}`)
  parts.push(`ttl=${t.ttl}`, `tp_dst=${t.port}`)
  if (t.options.length) {
    const options = t.options.map(
      (o) =>
        `{class=${hex(o.class)},type=${hex(o.type)},len=${o.data.length},0x${toHex(o.data).replace(/^0+(?=.)/, '')}}`,
    )
    parts.push(`geneve(${options.join('')})`)
  }
  if (t.gbpId || t.gbpFlags) parts.push(`vxlan(gbp(id=${t.gbpId},flags=${hex(t.gbpFlags)}))`)
  const flags = [t.df && 'df', t.csum && 'csum', t.key && 'key', t.oam && 'oam'].filter((f) => f)
  if (flags.length) parts.push(`flags(${flags.join('|')})`)
  return parts.join(',')
}

/** One field of a `set`: name, first of its words, how many, how its value is written. */
type SetField = readonly [name: string, word: number, words: number, kind: 'mac' | 'ip4' | 'ip6' | 'dec' | 'hex']

const SET_FIELDS: Readonly<Record<SetAction['group'], readonly SetField[]>> = {
  eth: [
    ['src', K.DL_SRC_HIGH, 2, 'mac'],
    ['dst', K.DL_DST_HIGH, 2, 'mac'],
  ],
  ipv4: [
    ['src', K.NW_SRC, 1, 'ip4'],
    ['dst', K.NW_DST, 1, 'ip4'],
    ['tos', K.NW_TOS, 1, 'hex'],
    ['ttl', K.NW_TTL, 1, 'dec'],
  ],
  ipv6: [
    ['src', K.IPV6_SRC, 4, 'ip6'],
    ['dst', K.IPV6_DST, 4, 'ip6'],
    ['label', K.IPV6_LABEL, 1, 'hex'],
    ['tclass', K.NW_TOS, 1, 'hex'],
    ['hlimit', K.NW_TTL, 1, 'dec'],
  ],
  arp: [
    ['sip', K.NW_SRC, 1, 'ip4'],
    ['tip', K.NW_DST, 1, 'ip4'],
    ['op', K.NW_PROTO, 1, 'dec'],
    ['sha', K.ARP_SHA_HIGH, 2, 'mac'],
    ['tha', K.ARP_THA_HIGH, 2, 'mac'],
  ],
  tcp: [
    ['src', K.TP_SRC, 1, 'dec'],
    ['dst', K.TP_DST, 1, 'dec'],
  ],
  udp: [
    ['src', K.TP_SRC, 1, 'dec'],
    ['dst', K.TP_DST, 1, 'dec'],
  ],
  sctp: [
    ['src', K.TP_SRC, 1, 'dec'],
    ['dst', K.TP_DST, 1, 'dec'],
  ],
  icmp: [
    ['type', K.TP_SRC, 1, 'dec'],
    ['code', K.TP_DST, 1, 'dec'],
  ],
  icmpv6: [
    ['type', K.TP_SRC, 1, 'dec'],
    ['code', K.TP_DST, 1, 'dec'],
  ],
  nd: [
    ['target', K.ND_TARGET, 4, 'ip6'],
    ['sll', K.ARP_SHA_HIGH, 2, 'mac'],
    ['tll', K.ARP_THA_HIGH, 2, 'mac'],
  ],
  nd_ext: [
    ['nd_reserved', K.ND_RESERVED, 1, 'hex'],
    ['nd_options_type', K.ND_OPTIONS_TYPE, 1, 'dec'],
  ],
  mpls: [],
  skb_mark: [],
  skb_priority: [],
}

/** All ones for a field that takes no whole word. */
const WIDTH: ReadonlyMap<number, number> = new Map([
  [K.DL_SRC_HIGH, 0xffff],
  [K.DL_DST_HIGH, 0xffff],
  [K.ARP_SHA_HIGH, 0xffff],
  [K.ARP_THA_HIGH, 0xffff],
  [K.NW_TOS, 0xff],
  [K.NW_TTL, 0xff],
  [K.NW_PROTO, 0xff],
  [K.TP_SRC, 0xffff],
  [K.TP_DST, 0xffff],
  [K.IPV6_LABEL, 0xfffff],
  [K.ND_OPTIONS_TYPE, 0xff],
])

function formatSet(a: SetAction): string {
  const value = (w: number) => a.values[a.words.indexOf(w)] as number
  const icmp = a.group === 'icmp' || a.group === 'icmpv6'
  const width = (w: number) => (icmp ? 0xff : (WIDTH.get(w) ?? 0xffffffff))
  const mask = (w: number) => ((a.masks[a.words.indexOf(w)] as number) & width(w)) >>> 0
  if (a.group === 'skb_mark' || a.group === 'skb_priority') {
    const w = a.words[0] as number
    const m = mask(w)
    return `set(${a.group}(${hex(value(w))}${m === 0xffffffff ? '' : `/${hex(m)}`}))`
  }
  if (a.group === 'mpls') {
    const v = value(K.MPLS0)
    return `set(mpls(label=${v >>> 12},tc=${(v >> 9) & 7},ttl=${v & 0xff},bos=${(v >> 8) & 1}))`
  }
  const parts: string[] = []
  for (const [name, first, words, kind] of SET_FIELDS[a.group]) {
    if (!a.words.includes(first)) continue
    let all = true
    let v = 0n
    let m = 0n
    for (let i = 0; i < words; i++) {
      v = (v << 32n) | BigInt(value(first + i))
      m = (m << 32n) | BigInt(mask(first + i))
      if (mask(first + i) !== width(first + i)) all = false
    }
    const text = (x: bigint): string => {
      switch (kind) {
        case 'mac':
          return formatMac(Number(x))
        case 'ip4':
          return formatIpv4(Number(x))
        case 'ip6':
          return formatIpv6(x)
        case 'dec':
          return String(x)
        case 'hex':
          return x === 0n ? '0' : hex(x)
      }
    }
    const maskText = kind === 'dec' ? hex(m) : text(m)
    parts.push(`${name}=${text(v & m)}${all ? '' : `/${maskText}`}`)
  }
  return `set(${a.group}(${parts.join(',')}))`
}
