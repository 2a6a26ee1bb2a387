import { formatMac } from '../address/mac.ts'
import {
  applyToFields,
  type FieldRef,
  type FlowState,
  formatAction,
  formatField,
  LOG_INPORT,
  LOG_OUTPORT,
  type LogicalAction,
  type MatchEnv,
  type Pipeline,
} from '../logical/index.ts'
import { F } from '../openflow/fields/table.ts'
import { formatFlow } from './format-flow.ts'
import { formatHex, formatValue } from './format-value.ts'
import { forgetOriginal } from './packets.ts'
import { passesInbound, passesOutbound } from './port-security.ts'
import type { Datapath, TraceModel } from './southbound.ts'
import { add, type TraceNode } from './tree.ts'

export interface EffectPlace {
  readonly model: TraceModel
  readonly datapath: Datapath
  readonly pipeline: Pipeline
  readonly table: number
  readonly env: MatchEnv
}

/**
 * Actions that change the packet, or ask a table, and lead nowhere else. `end`: the packet ends
 * here; undefined: it is none of these.
 */
export function applyEffect(
  a: LogicalAction,
  state: FlowState,
  at: EffectPlace,
  siblings: TraceNode[],
): 'on' | 'end' | undefined {
  const { datapath, pipeline, env } = at
  switch (a.type) {
    case 'load':
      applyToFields(a, state, env)
      if (!isRegister(a.dst)) add(siblings, 'modify', formatAction(a, at).slice(0, -1))
      return 'on'
    case 'move': {
      const value = formatValue(a.src, state.get(a.src))
      applyToFields(a, state, env)
      if (!isRegister(a.dst)) add(siblings, 'modify', `${formatField(a.dst)} = ${value}`)
      return 'on'
    }
    case 'exchange': {
      const x = formatValue(a.a, state.get(a.a))
      const y = formatValue(a.b, state.get(a.b))
      applyToFields(a, state, env)
      if (!isRegister(a.a)) add(siblings, 'modify', `${formatField(a.a)} = ${y}`)
      if (!isRegister(a.b)) add(siblings, 'modify', `${formatField(a.b)} = ${x}`)
      return 'on'
    }
    case 'push':
      add(siblings, 'modify', `push(${formatField(a.field)}) -> ${formatHex(state.get(a.field))}`)
      state.push(state.get(a.field))
      return 'on'
    case 'pop': {
      const empty = state.stackDepth === 0
      if (!empty) applyToFields(a, state, env)
      const value = empty ? '/* empty stack */' : formatHex(state.get(a.field))
      add(siblings, 'modify', `pop(${formatField(a.field)}) <- ${value}`)
      return 'on'
    }
    case 'dec_ttl': {
      const type = state.read(F.eth_type)
      if (type !== 0x800n && type !== 0x86ddn) {
        add(siblings, 'error', '*** TTL decrement of non-IP packet')
        return 'on'
      }
      const ttl = state.read(F.nw_ttl)
      if (ttl === 0n) {
        add(siblings, 'error', '*** TTL underflow')
        return 'end'
      }
      state.write(F.nw_ttl, ttl - 1n)
      add(siblings, 'modify', 'ip.ttl--')
      return 'on'
    }
    case 'ct_clear':
      for (const f of [F.ct_state, F.ct_mark, F.ct_label, F.ct_zone]) state.write(f, 0n)
      forgetOriginal(state)
      return 'on'
    case 'get_arp':
    case 'get_nd': {
      const mac = binding(at.model, datapath, state.get(a.port), state.get(a.ip))
      state.write(F.eth_dst, BigInt(mac ?? 0))
      add(siblings, 'modify', `eth.dst = ${formatMac(mac ?? 0)}`)
      note(siblings, mac === undefined ? 'No MAC binding.' : `MAC binding to ${formatMac(mac)}.`)
      return 'on'
    }
    case 'lookup_arp':
    case 'lookup_nd': {
      const mac = binding(at.model, datapath, state.get(a.port), state.get(a.ip))
      const hit = mac !== undefined && BigInt(mac) === state.get(a.mac)
      state.set(a.dst, hit ? 1n : 0n)
      note(siblings, hit ? `MAC binding to ${formatMac(mac)} found.` : 'lookup failed - No MAC binding.')
      return 'on'
    }
    case 'lookup_arp_ip':
    case 'lookup_nd_ip': {
      const mac = binding(at.model, datapath, state.get(a.port), state.get(a.ip))
      state.set(a.dst, mac === undefined ? 0n : 1n)
      note(siblings, mac === undefined ? 'lookup failed - No MAC binding.' : 'MAC binding found.')
      return 'on'
    }
    case 'get_fdb': {
      const mac = Number(state.get(a.mac))
      const key = at.model.fdb.get(`${datapath.key} ${mac}`)
      state.set(a.dst, BigInt(key ?? 0))
      if (key !== undefined) note(siblings, `MAC lookup for ${formatMac(mac)} found in FDB.`)
      return 'on'
    }
    case 'get_remote_fdb':
      remark(siblings, 'The remote FDB table is different per each chassis.')
      return 'on'
    case 'lookup_fdb': {
      const mac = Number(state.get(a.mac))
      const hit = at.model.fdb.get(`${datapath.key} ${mac}`) === Number(state.get(a.port))
      state.set(a.dst, hit ? 1n : 0n)
      note(
        siblings,
        hit ? `MAC lookup for ${formatMac(mac)} found in FDB.` : 'lookup mac failed in mac learning table.',
      )
      return 'on'
    }
    case 'put_dhcp_opts':
    case 'put_dhcpv6_opts':
    case 'put_nd_ra_opts': {
      if (a.type !== 'put_nd_ra_opts') {
        add(siblings, 'error', '/* We assume that this packet is DHCPDISCOVER or DHCPREQUEST. */')
      }
      state.set(a.dst, 1n)
      add(
        siblings,
        'modify',
        formatAction(a, at)
          .replace(/^[^=]* = /, '')
          .slice(0, -1),
      )
      return 'on'
    }
    case 'dhcp_relay_req_chk':
    case 'dhcp_relay_resp_chk':
      state.set(a.dst, 1n)
      if (a.type === 'dhcp_relay_resp_chk') {
        state.write(F.eth_dst, 0xffff_ffff_ffffn)
        state.write(F.ip_dst, 0xffff_ffffn)
      }
      add(
        siblings,
        'error',
        a.type === 'dhcp_relay_req_chk'
          ? '/* We assume that this packet is DHCPDISCOVER or DHCPREQUEST. */'
          : '/* We assume that this packet is DHCPOFFER or DHCPACK and DHCP broadcast flag is set. Dest IP is set to broadcast. Dest MAC is set to broadcast but in real network this is unicast which is extracted from DHCP header. */',
      )
      return 'on'
    case 'dns_lookup':
      add(siblings, 'error', '*** dns_lookup action not implemented')
      return 'on'
    case 'log': {
      const name = a.name ?? '<unnamed>'
      const direction = pipeline === 'ingress' ? 'IN' : 'OUT'
      const packet = formatFlow(state)
      add(
        siblings,
        'transformation',
        `LOG: ACL name=${name}, direction=${direction}, verdict=${a.verdict}, severity=${a.severity}, packet="${packet}"`,
      )
      return 'on'
    }
    case 'icmp4.frag_mtu':
    case 'icmp6.frag_mtu':
      add(siblings, 'modify', `${a.type} = ${a.mtu}`)
      return 'on'
    case 'check_pkt_larger':
      state.set(a.dst, 0n)
      return 'on'
    case 'chk_lb_hairpin':
    case 'chk_lb_hairpin_reply':
      state.set(a.dst, 0n)
      add(siblings, 'modify', `${formatField(a.dst)} = 0`)
      return 'on'
    case 'ct_tp_dst':
    case 'ct_proto': {
      const proto = state.read(F.nw_proto)
      const port = proto === 6n ? F.tcp_dst : proto === 17n ? F.udp_dst : F.sctp_dst
      const value = a.type === 'ct_proto' ? proto : state.read(port)
      state.set(a.dst, value)
      add(siblings, 'modify', `${formatField(a.dst)} = ${value}`)
      return 'on'
    }
    case 'ct_state_save':
      state.set(a.dst, state.read(F.ct_state) & 0xffn)
      note(siblings, `${formatField(a.dst)} = ${state.get(a.dst)};`)
      return 'on'
    case 'check_in_port_sec':
    case 'check_out_port_sec': {
      const inbound = a.type === 'check_in_port_sec'
      const port = datapath.portsByKey.get(Number(state.read(inbound ? LOG_INPORT : LOG_OUTPORT)))
      const passes = (inbound ? passesInbound : passesOutbound)(port?.security ?? [], state)
      state.set(a.dst, passes ? 0n : 1n)
      return 'on'
    }
    case 'chk_ecmp_nh_mac':
    case 'chk_ecmp_nh':
    case 'chk_lb_aff':
      state.set(a.dst, 0n)
      return 'on'
    case 'flood_remote':
      remark(siblings, 'Flood to all remote chassis')
      return 'on'
    default:
      return undefined
  }
}

/** What came of an action. */
function note(siblings: TraceNode[], text: string): void {
  add(siblings, 'action', `/* ${text} */`)
}

/** What only a real network knows. */
function remark(siblings: TraceNode[], text: string): void {
  add(siblings, 'remark', `/* ${text} */`)
}

function binding(model: TraceModel, datapath: Datapath, port: bigint, ip: bigint): number | undefined {
  return model.macBindings.get(`${datapath.key} ${port} ${ip}`)
}

function isRegister(f: FieldRef): boolean {
  return /^x*reg\d+$/.test(f.symbol.root.field.name)
}
