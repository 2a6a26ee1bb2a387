import { type LogicalAction, PIPELINE_LENGTH, type ResultVerb, type Severity, type Verdict } from './action.ts'
import { parseBackends, parseHashFields, parseLbAffinity, parseNat } from './action-nat.ts'
import { parseEvent, parseOptions } from './action-options.ts'
import { ND_RA_OPTIONS } from './dhcp-options.ts'
import { type FieldRef, LanguageError } from './match.ts'
import { type ActionParser, describe } from './parse-actions.ts'

/**
 * What the real parser gives up without a word: no action, and a complaint only if there is no
 * semicolon where it stopped.
 */
export const NOTHING = 'nothing'

/** `verb;` or `verb(...);` where the lexer is at the verb; undefined if it is none. */
export function parseCall(p: ActionParser, verb: string): LogicalAction | typeof NOTHING | undefined {
  const read = CALLS[verb]
  if (!read) return undefined
  p.lexer.next()
  return read(p)
}

/** `R = verb(...)` where the lexer is at the verb; undefined if it is none. */
export function parseArguments(
  p: ActionParser,
  verb: string,
  dst: FieldRef,
): LogicalAction | typeof NOTHING | undefined {
  const read = ANSWERS[verb]
  if (!read) return undefined
  p.lexer.next()
  p.lexer.next()
  return read(p, dst)
}

type Parsed = LogicalAction | typeof NOTHING
type Call = (p: ActionParser) => Parsed
type Answer = (p: ActionParser, dst: FieldRef) => Parsed

/** A field of this width, then a comma or the closing parenthesis. */
function argument(p: ActionParser, bits: number, last: boolean): FieldRef {
  const field = p.fieldOf(bits)
  p.force(last ? ')' : ',')
  return field
}

function start(p: ActionParser): void {
  p.force('(')
}

/** Not in a pipeline's last table: the packet goes on in the next. */
export function notLast(p: ActionParser, verb: string): void {
  const length = (p.env.tables ?? PIPELINE_LENGTH)[p.env.pipeline]
  if (p.env.table >= length) throw new LanguageError(`"${verb}" action not allowed in last table.`)
}

const get =
  (type: 'get_arp' | 'get_nd', bits: number): Call =>
  (p) => {
    start(p)
    return { type, port: argument(p, 0, false), ip: argument(p, bits, true) }
  }

const put =
  (type: 'put_arp' | 'put_nd', bits: number): Call =>
  (p) => {
    start(p)
    return { type, port: argument(p, 0, false), ip: argument(p, bits, false), mac: argument(p, 48, true) }
  }

const CALLS: Readonly<Record<string, Call>> = {
  ct_next: (p) => {
    p.require('ip')
    notLast(p, 'ct_next')
    if (!p.lexer.match('(')) return { type: 'ct_next', zone: 'dnat' }
    const zone = p.zone('ct_next')
    p.force(')')
    return { type: 'ct_next', zone }
  },
  ct_commit_to_zone: (p) => {
    p.require('ip')
    notLast(p, 'ct_commit_to_zone')
    start(p)
    const zone = p.zone('ct_commit_to_zone')
    p.force(')')
    return { type: 'ct_commit_to_zone', zone }
  },
  ct_commit_nat: (p) => {
    p.require('ip')
    notLast(p, 'ct_commit_nat')
    if (!p.lexer.match('(')) return { type: 'ct_commit_nat', zone: 'dnat' }
    const zone = p.zone('ct_commit_nat')
    p.force(')')
    return { type: 'ct_commit_nat', zone }
  },
  ct_dnat: (p) => parseNat(p, 'ct_dnat'),
  ct_snat: (p) => parseNat(p, 'ct_snat'),
  ct_dnat_in_czone: (p) => parseNat(p, 'ct_dnat_in_czone'),
  ct_snat_in_czone: (p) => parseNat(p, 'ct_snat_in_czone'),
  ct_lb: (p) => parseBackends(p, 'ct_lb'),
  ct_lb_mark: (p) => parseBackends(p, 'ct_lb_mark'),
  ct_lb_mark_local: (p) => parseBackends(p, 'ct_lb_mark_local'),
  get_arp: get('get_arp', 32),
  get_nd: get('get_nd', 128),
  put_arp: put('put_arp', 32),
  put_nd: put('put_nd', 128),
  put_fdb: (p) => {
    start(p)
    return { type: 'put_fdb', port: argument(p, 0, false), mac: argument(p, 48, true) }
  },
  set_queue: (p: ActionParser) => {
    start(p)
    const queue = p.integerToken()
    if (queue === undefined || queue > 0x7fffffffn) return NOTHING
    p.lexer.next()
    p.force(')')
    if (queue > 61440n) {
      throw new LanguageError(`Queue ID ${queue} for set_queue is not in valid range 0 to 61440.`)
    }
    return { type: 'set_queue', queue: Number(queue) }
  },
  log: parseLog,
  set_meter: parseMeter,
  trigger_event: parseEvent,
  bind_vport: (p) => {
    start(p)
    const vport = p.string('expecting port name string')
    p.force(',')
    return { type: 'bind_vport', vport, parent: argument(p, 0, true) }
  },
  handle_svc_check: (p) => {
    start(p)
    return { type: 'handle_svc_check', port: argument(p, 0, true) }
  },
  handle_bfd_msg: (p) => {
    start(p)
    p.force(')')
    return { type: 'handle_bfd_msg' }
  },
  fwd_group: parseForwardGroup,
  commit_ecmp_nh: parseEcmp,
  commit_lb_aff: parseLbAffinity,
  sample: parseSample,
  mirror: (p) => {
    start(p)
    const port = p.string('expecting port name string')
    p.force(')')
    return { type: 'mirror', port }
  },
}

/** A result action without arguments, the width of its answer, and what it requires. */
const simple =
  (type: ResultVerb, bits: number, condition?: string): Answer =>
  (p, dst) => {
    if (!p.lexer.match(')')) throw new LanguageError(`${type} doesn't take any parameters`)
    if (condition) p.require(condition)
    return { type, dst: p.result(dst, bits) }
  }

const lookup =
  (type: 'lookup_arp' | 'lookup_nd', bits: number): Answer =>
  (p, dst) => ({
    type,
    dst: p.result(dst, 1),
    port: argument(p, 0, false),
    ip: argument(p, bits, false),
    mac: argument(p, 48, true),
  })

const lookupIp =
  (type: 'lookup_arp_ip' | 'lookup_nd_ip', bits: number): Answer =>
  (p, dst) => ({ type, dst: p.result(dst, 1), port: argument(p, 0, false), ip: argument(p, bits, true) })

/** Where a port is left: a port field, or 32 bits. */
function portResult(p: ActionParser, dst: FieldRef): FieldRef {
  return dst.bits === 0 ? dst : p.result(dst, 32)
}

const relay =
  (type: 'dhcp_relay_req_chk' | 'dhcp_relay_resp_chk'): Answer =>
  (p: ActionParser, dst) => {
    p.result(dst, 1)
    const { type: t, integer } = p.lexer.token
    if (t !== 'integer' || integer?.format !== 'ipv4') p.fail('expecting IPv4 dhcp relay and server ips')
    const first = Number(integer.value)
    p.lexer.next()
    p.lexer.match(',')
    const second = p.lexer.token
    if (second.type === 'integer' && second.integer?.format !== 'ipv4') p.fail('expecting IPv4 dhcp server ip')
    const server = Number(second.integer?.value ?? 0n)
    p.lexer.next()
    p.force(')')
    return { type, dst, relay: first, server }
  }

const ANSWERS: Readonly<Record<string, Answer>> = {
  put_dhcp_opts: (p, dst) => parseOptions(p, 'put_dhcp_opts', dst, p.dhcpOptions, 'DHCPv4'),
  put_dhcpv6_opts: (p, dst) => parseOptions(p, 'put_dhcpv6_opts', dst, p.dhcpv6Options, 'DHCPv6'),
  put_nd_ra_opts: (p, dst) => parseOptions(p, 'put_nd_ra_opts', dst, ND_RA_OPTIONS, 'IPv6 ND RA'),
  dns_lookup: simple('dns_lookup', 1, 'udp'),
  chk_lb_hairpin: simple('chk_lb_hairpin', 1),
  chk_lb_hairpin_reply: simple('chk_lb_hairpin_reply', 1),
  check_in_port_sec: simple('check_in_port_sec', 1),
  check_out_port_sec: simple('check_out_port_sec', 1),
  chk_ecmp_nh_mac: simple('chk_ecmp_nh_mac', 1),
  chk_ecmp_nh: simple('chk_ecmp_nh', 1),
  chk_lb_aff: simple('chk_lb_aff', 1),
  ct_nw_dst: simple('ct_nw_dst', 32),
  ct_ip6_dst: simple('ct_ip6_dst', 128),
  ct_tp_dst: simple('ct_tp_dst', 16),
  ct_proto: simple('ct_proto', 8),
  ct_state_save: simple('ct_state_save', 8),
  lookup_arp: lookup('lookup_arp', 32),
  lookup_nd: lookup('lookup_nd', 128),
  lookup_arp_ip: lookupIp('lookup_arp_ip', 32),
  lookup_nd_ip: lookupIp('lookup_nd_ip', 128),
  get_fdb: (p, dst) => ({ type: 'get_fdb', dst: portResult(p, dst), mac: argument(p, 48, true) }),
  get_remote_fdb: (p, dst) => ({ type: 'get_remote_fdb', dst: portResult(p, dst), mac: argument(p, 48, true) }),
  lookup_fdb: (p, dst) => ({
    type: 'lookup_fdb',
    dst: p.result(dst, 1),
    port: argument(p, 0, false),
    mac: argument(p, 48, true),
  }),
  check_pkt_larger: (p, dst) => {
    p.result(dst, 1)
    const length = p.integerToken()
    if (length === undefined || length > 0x7fffffffn) return NOTHING
    p.lexer.next()
    p.force(')')
    return { type: 'check_pkt_larger', dst, length: Number(length) & 0xffff }
  },
  select: parseSelect,
  dhcp_relay_req_chk: relay('dhcp_relay_req_chk'),
  dhcp_relay_resp_chk: relay('dhcp_relay_resp_chk'),
}

function parseSelect(p: ActionParser, dst: FieldRef): LogicalAction {
  const lexer = p.lexer
  p.checkWritable(dst)
  if (dst.bits < 16) {
    throw new LanguageError(`cannot use ${describe(dst)} for "select", which requires at least 16 bits.`)
  }
  notLast(p, 'select')
  let named = false
  if (lexer.matchId('values')) {
    named = true
    p.force('=')
    p.force('(')
  }
  const small = (what: string): number => {
    const n = p.integerToken()
    if (n === undefined || n > 65535n) p.fail(what)
    lexer.next()
    return Number(n)
  }
  const values: { id: number; weight: number }[] = []
  while (!lexer.match(')')) {
    const id = small('expecting id')
    let weight = 100
    if (lexer.match('=')) {
      weight = small('expecting weight')
      if (weight === 0) p.fail("weight can't be 0")
    }
    lexer.match(',')
    values.push({ id, weight })
  }
  if (values.length < 2) p.fail('expecting at least 2 group members')
  if (!named) return { type: 'select', dst, values }
  p.force(';')
  if (!lexer.matchId('hash_fields')) p.fail('expecting hash_fields')
  const hashFields = parseHashFields(p)
  p.force(')')
  return { type: 'select', dst, values, hashFields }
}

const VERDICTS: ReadonlySet<string> = new Set<Verdict>(['allow', 'drop', 'reject', 'pass'])
const SEVERITIES: ReadonlySet<string> = new Set<Severity>(['alert', 'warning', 'notice', 'info', 'debug'])

function parseLog(p: ActionParser): LogicalAction {
  const lexer = p.lexer
  let verdict: Verdict | undefined
  let severity: Severity = 'info'
  let name: string | undefined
  let meter: string | undefined
  if (lexer.match('(')) {
    while (!lexer.match(')')) {
      if (lexer.matchId('verdict')) {
        p.force('=')
        if (lexer.token.type !== 'id' || !VERDICTS.has(lexer.token.text)) p.fail('unknown verdict')
        verdict = lexer.token.text as Verdict
        lexer.next()
      } else if (lexer.matchId('name')) {
        p.force('=')
        if (lexer.token.type === 'string' && new TextEncoder().encode(lexer.token.text).length >= 64) {
          p.fail('name must be shorter than 64 characters')
        }
        name = p.string('expecting string')
      } else if (lexer.matchId('severity')) {
        p.force('=')
        if (lexer.token.type !== 'id') p.fail('expecting severity')
        if (!SEVERITIES.has(lexer.token.text)) p.fail('unknown severity')
        severity = lexer.token.text as Severity
        lexer.next()
      } else if (lexer.matchId('meter')) {
        p.force('=')
        meter = p.string('expecting string')
      } else p.fail('')
      lexer.match(',')
    }
  }
  if (!verdict) p.fail('expecting verdict')
  return {
    type: 'log',
    verdict,
    severity,
    ...(name === undefined ? {} : { name }),
    ...(meter === undefined ? {} : { meter }),
  }
}

/** `set_meter(rate)`, `set_meter(rate, burst)`: kbit/s and kbit. */
function parseMeter(p: ActionParser): LogicalAction {
  start(p)
  const number = () => {
    const n = p.lexer.token.integer?.value ?? 0n
    p.lexer.next()
    return n
  }
  const rate = number()
  const burst = p.lexer.match(',') ? number() : 0n
  p.force(')')
  if (rate === 0n) throw new LanguageError('Rate 0 for set_meter is not in valid.')
  return { type: 'set_meter', rate, burst }
}

function parseForwardGroup(p: ActionParser): Parsed {
  const lexer = p.lexer
  if (!lexer.match('(')) return NOTHING
  let liveness = false
  const ports: string[] = []
  if (lexer.matchId('liveness')) {
    p.force('=')
    const { type, text } = lexer.token
    if ((type !== 'id' && type !== 'string') || (text !== 'true' && text !== 'false')) p.fail('expecting true or false')
    liveness = text === 'true'
    lexer.next()
    p.force(',')
  }
  if (!lexer.matchId('childports')) return NOTHING
  p.force('=')
  while (!lexer.match(')')) {
    ports.push(p.string('expecting logical switch port'))
    lexer.match(',')
  }
  return { type: 'fwd_group', liveness, ports }
}

function parseEcmp(p: ActionParser): LogicalAction {
  const lexer = p.lexer
  start(p)
  if (!lexer.matchId('ipv6')) p.fail('invalid parameter')
  p.force('=')
  const ipv6 = lexer.matchId('true')
  if (!ipv6 && !lexer.matchId('false')) p.fail('expecting true or false')
  p.force(',')
  if (!lexer.matchId('proto')) p.fail('invalid parameter')
  p.force('=')
  const proto = lexer.token.text
  if (lexer.token.type !== 'id' || (proto !== 'tcp' && proto !== 'udp' && proto !== 'sctp')) p.fail('invalid protocol')
  lexer.next()
  p.force(')')
  return { type: 'commit_ecmp_nh', ipv6, proto }
}

function parseSample(p: ActionParser): LogicalAction {
  const lexer = p.lexer
  let probability = 0
  let collectorSet = 0
  let domain = 0
  let point: number | 'cookie' | FieldRef = 0
  const open = lexer.match('(')
  while (open && !lexer.match(')')) {
    const argumentName = lexer.token.type === 'id' ? lexer.token.text : ''
    // Anything but a number is passed over; behind `probability' it is read again as an argument.
    const number = (max: bigint, complaint: string, old: number): number => {
      lexer.next()
      p.force('=')
      const n = p.lexer.token.type === 'integer' ? p.lexer.token.integer?.value : undefined
      if (n === undefined) {
        if (argumentName !== 'probability') lexer.next()
        return old
      }
      if (n > max) p.fail(complaint)
      lexer.next()
      return Number(n)
    }
    switch (argumentName) {
      case 'probability':
        probability = number(65535n, 'expecting probability', probability)
        break
      case 'collector_set': {
        lexer.next()
        p.force('=')
        // A number that does not parse counts as none.
        collectorSet = Number(p.integerToken() ?? 0n)
        lexer.next()
        break
      }
      case 'obs_domain':
        domain = number(255n, 'obs_domain must be 8-bit long', domain)
        break
      case 'obs_point':
        lexer.next()
        p.force('=')
        if (lexer.token.type === 'macro' && lexer.token.text === 'cookie') {
          point = 'cookie'
          lexer.next()
        } else if (lexer.token.type === 'integer') {
          point = Number((p.integerToken() ?? 0n) & 0xffffffffn)
          lexer.next()
        } else point = p.fieldOf(32)
        break
      default:
        p.fail('unknown argument')
    }
    lexer.match(',')
  }
  if (probability === 0) throw new LanguageError('probability must be greater than zero')
  return { type: 'sample', probability, collectorSet, domain, point }
}
