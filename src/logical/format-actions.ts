import { formatIpv4 } from '../address/ipv4.ts'
import { formatIpv6 } from '../address/ipv6.ts'
import type { Address, Backend, LogicalAction, OptionSetting, Pipeline } from './action.ts'
import { formatInteger } from './lexer.ts'
import type { FieldRef } from './match.ts'

/** Where the actions stand: the default of `next`. */
export interface FormatContext {
  readonly pipeline: Pipeline
  readonly table: number
}

/** Actions as ovn-trace prints them; the empty list is `drop;`. */
export function formatActions(actions: readonly LogicalAction[], at: FormatContext): string {
  return actions.length ? actions.map((a) => formatAction(a, at)).join(' ') : 'drop;'
}

export function formatField(f: FieldRef): string {
  const { symbol } = f
  const from = f.offset - symbol.offset
  if (f.bits === 0 || f.bits === symbol.width) return symbol.name
  return f.bits === 1 ? `${symbol.name}[${from}]` : `${symbol.name}[${from}..${from + f.bits - 1}]`
}

function ip(a: Address): string {
  return a.family === 4 ? formatIpv4(Number(a.value)) : formatIpv6(a.value)
}

function endpoint(a: Address, port: number): string {
  if (!port) return ip(a)
  return a.family === 6 ? `[${ip(a)}]:${port}` : `${ip(a)}:${port}`
}

function backend(b: Backend): string {
  return (b.lport === undefined ? '' : `"${b.lport}":`) + endpoint(b.address, b.port)
}

const quote = (text: string) => JSON.stringify(text)

function setting(o: OptionSetting): string {
  const values = o.values.map((v) => ('string' in v ? quote(v.string) : formatInteger(v)))
  return `${o.name} = ${values.length === 1 ? values[0] : `{${values.join(', ')}}`}`
}

export function formatAction(a: LogicalAction, at: FormatContext): string {
  const f = formatField
  switch (a.type) {
    case 'output':
    case 'ct_clear':
    case 'igmp':
    case 'handle_dhcpv6_reply':
    case 'ct_snat_to_vip':
    case 'mac_cache_use':
    case 'flood_remote':
      return `${a.type};`
    case 'handle_bfd_msg':
      return 'handle_bfd_msg();'
    case 'dec_ttl':
      return 'ip.ttl--;'
    case 'next':
      if (a.pipeline !== at.pipeline) return `next(pipeline=${a.pipeline}, table=${a.table});`
      return a.table === at.table + 1 ? 'next;' : `next(${a.table});`
    case 'load':
      return `${f(a.dst)} = ${'string' in a.value ? quote(a.value.string) : formatInteger(a.value)};`
    case 'move':
      return `${f(a.dst)} = ${f(a.src)};`
    case 'exchange':
      return `${f(a.a)} <-> ${f(a.b)};`
    case 'push':
    case 'pop':
      return `${a.type}(${f(a.field)});`
    case 'ct_next':
      return a.zone === 'dnat' ? 'ct_next(dnat);' : 'ct_next(snat);'
    case 'ct_commit':
      return a.actions.length === 0 ? 'ct_commit;' : `ct_commit { ${formatActions(a.actions, at)} };`
    case 'ct_commit_to_zone':
      return `ct_commit_to_zone(${a.zone});`
    case 'ct_commit_nat':
      return `ct_commit_nat(${a.zone});`
    case 'ct_dnat':
    case 'ct_snat':
    case 'ct_dnat_in_czone':
    case 'ct_snat_in_czone': {
      if (!a.address) return `${a.type};`
      const { ports } = a
      const range = ports ? `,${ports.min}${ports.max === ports.min ? '' : `-${ports.max}`}` : ''
      return `${a.type}(${ip(a.address)}${range});`
    }
    case 'ct_lb':
    case 'ct_lb_mark':
    case 'ct_lb_mark_local': {
      if (a.backends.length === 0) return `${a.type};`
      const hash = a.hashFields === undefined ? '' : `; hash_fields="${a.hashFields}"`
      const flag = a.flag === undefined ? '' : `; ${a.flag}`
      return `${a.type}(backends=${a.backends.map(backend).join(',')}${hash}${flag});`
    }
    case 'select': {
      const values = a.values.map((v) => `${v.id}=${v.weight}`).join(', ')
      return a.hashFields === undefined
        ? `${f(a.dst)} = select(${values});`
        : `${f(a.dst)} = select(values=(${values}); hash_fields="${a.hashFields}");`
    }
    case 'clone':
    case 'arp':
    case 'icmp4':
    case 'icmp4_error':
    case 'icmp6':
    case 'icmp6_error':
    case 'tcp_reset':
    case 'sctp_abort':
    case 'nd_na':
    case 'nd_na_router':
    case 'nd_ns':
    case 'reject':
      return `${a.type} { ${formatActions(a.actions, at)} };`
    case 'chk_lb_hairpin':
    case 'chk_lb_hairpin_reply':
    case 'check_in_port_sec':
    case 'check_out_port_sec':
    case 'chk_ecmp_nh_mac':
    case 'chk_ecmp_nh':
    case 'chk_lb_aff':
    case 'ct_nw_dst':
    case 'ct_ip6_dst':
    case 'ct_tp_dst':
    case 'ct_proto':
    case 'ct_state_save':
    case 'dns_lookup':
      return `${f(a.dst)} = ${a.type}();`
    case 'get_arp':
    case 'get_nd':
      return `${a.type}(${f(a.port)}, ${f(a.ip)});`
    case 'put_arp':
    case 'put_nd':
      return `${a.type}(${f(a.port)}, ${f(a.ip)}, ${f(a.mac)});`
    case 'lookup_arp':
    case 'lookup_nd':
      return `${f(a.dst)} = ${a.type}(${f(a.port)}, ${f(a.ip)}, ${f(a.mac)});`
    case 'lookup_arp_ip':
    case 'lookup_nd_ip':
      return `${f(a.dst)} = ${a.type}(${f(a.port)}, ${f(a.ip)});`
    case 'get_fdb':
    case 'get_remote_fdb':
      return `${f(a.dst)} = ${a.type}(${f(a.mac)});`
    case 'put_fdb':
      return `put_fdb(${f(a.port)}, ${f(a.mac)});`
    case 'lookup_fdb':
      return `${f(a.dst)} = lookup_fdb(${f(a.port)}, ${f(a.mac)});`
    case 'put_dhcp_opts':
    case 'put_dhcpv6_opts':
    case 'put_nd_ra_opts':
      return `${f(a.dst)} = ${a.type}(${a.options.map(setting).join(', ')});`
    case 'set_queue':
      return `set_queue(${a.queue});`
    case 'log': {
      const name = a.name === undefined ? '' : `name="${a.name}", `
      const meter = a.meter === undefined ? '' : `, meter="${a.meter}"`
      return `log(${name}verdict=${a.verdict}, severity=${a.severity}${meter});`
    }
    case 'set_meter':
      return a.burst ? `set_meter(${a.rate}, ${a.burst});` : `set_meter(${a.rate});`
    case 'icmp4.frag_mtu':
    case 'icmp6.frag_mtu':
      return `${a.type} = ${a.mtu};`
    case 'check_pkt_larger':
      return `${f(a.dst)} = check_pkt_larger(${a.length});`
    case 'trigger_event':
      return `trigger_event(event = "${a.event}"${a.options.map((o) => `, ${setting(o)}`).join('')});`
    case 'bind_vport':
      return `bind_vport("${a.vport}", ${f(a.parent)});`
    case 'handle_svc_check':
      return `handle_svc_check(${f(a.port)});`
    case 'fwd_group':
      return `fwd_group(${a.liveness ? 'liveness="true", ' : ''}childports=${a.ports.map(quote).join(', ')});`
    case 'commit_ecmp_nh':
      return `commit_ecmp_nh(ipv6 = ${a.ipv6}, proto = ${a.proto});`
    case 'commit_lb_aff': {
      const proto = a.vipPort ? `, proto = ${a.proto}` : ''
      const vip = endpoint(a.vip, a.vipPort)
      const target = endpoint(a.backend, a.backendPort)
      return `commit_lb_aff(vip = "${vip}", backend = "${target}"${proto}, timeout = ${a.timeout});`
    }
    case 'sample': {
      const point = a.point === 'cookie' ? '$cookie' : typeof a.point === 'number' ? String(a.point) : f(a.point)
      return `sample(probability=${a.probability},collector_set=${a.collectorSet},obs_domain=${a.domain},obs_point=${point});`
    }
    case 'dhcp_relay_req_chk':
    case 'dhcp_relay_resp_chk':
      return `${f(a.dst)} = ${a.type}(${formatIpv4(a.relay)}, ${formatIpv4(a.server)});`
    case 'mirror':
      return `mirror("${a.port}");`
  }
}
