import { parseIpv4 } from '../address/ipv4.ts'
import { parseIpv6 } from '../address/ipv6.ts'
import { type Address, type Backend, type LbVerb, type LogicalAction, type NatVerb, PIPELINE_LENGTH } from './action.ts'
import { notLast } from './action-calls.ts'
import { LanguageError } from './match.ts'
import type { ActionParser } from './parse-actions.ts'

/** The present token as an address without mask; undefined if it is none. Does not move. */
function addressToken(p: ActionParser): Address | undefined {
  const { type, integer } = p.lexer.token
  if (type !== 'integer' || !integer) return undefined
  if (integer.format === 'ipv4') return { family: 4, value: integer.value }
  if (integer.format === 'ipv6') return { family: 6, value: integer.value }
  return undefined
}

/** `ct_snat`, `ct_snat(IP)`, `ct_snat(IP, port-port)`, and the other three. */
export function parseNat(p: ActionParser, type: NatVerb): LogicalAction {
  const lexer = p.lexer
  p.require('ip')
  notLast(p, type)
  if (!lexer.match('(')) return { type }
  const address = addressToken(p)
  if (!address) p.fail('expecting IPv4 or IPv6 address')
  lexer.next()
  if (!lexer.match(',')) {
    p.force(')')
    return { type, address }
  }
  const port = (): number => {
    const n = p.integerToken()
    if (n === undefined) p.fail('expecting Integer for port range')
    return Number(n & 0xffffn)
  }
  const min = port()
  if (min === 0) p.fail("range can't be 0")
  lexer.next()
  let max = min
  if (lexer.match('-')) {
    max = port()
    if (max <= min) p.fail('range high should be greater than range low')
    lexer.next()
  }
  p.force(')')
  return { type, address, ports: { min, max } }
}

/** `= "field,field"` behind `hash_fields`. */
export function parseHashFields(p: ActionParser): string {
  if (!p.lexer.match('=')) p.fail('invalid hash_fields')
  return p.string('invalid hash_fields')
}

/** `ct_lb_mark;`, `ct_lb_mark(backends=IP:port,...; hash_fields="..."; skip_snat);` */
export function parseBackends(p: ActionParser, type: LbVerb): LogicalAction {
  const lexer = p.lexer
  if (p.env.table >= (p.env.tables ?? PIPELINE_LENGTH)[p.env.pipeline]) {
    throw new LanguageError('"ct_lb" action not allowed in last table.')
  }
  p.require('ip')
  const backends: Backend[] = []
  if (!lexer.match('(') || lexer.match(')')) return { type, backends }
  if (!lexer.matchId('backends')) p.fail('expecting backends')
  if (!lexer.match('=')) p.fail("expecting `='")
  while (!lexer.is(';') && !lexer.is(')')) {
    backends.push(backend(p, type === 'ct_lb_mark_local'))
    lexer.match(',')
  }
  let hashFields: string | undefined
  let flag: 'skip_snat' | 'force_snat' | undefined
  while (lexer.match(';')) {
    if (lexer.matchId('hash_fields')) hashFields = parseHashFields(p)
    else flag = ctFlag(p)
  }
  p.force(')')
  return {
    type,
    backends,
    ...(hashFields === undefined ? {} : { hashFields }),
    ...(flag === undefined ? {} : { flag }),
  }
}

function ctFlag(p: ActionParser): 'skip_snat' | 'force_snat' {
  if (p.lexer.matchId('skip_snat')) return 'skip_snat'
  if (p.lexer.matchId('force_snat')) return 'force_snat'
  return p.fail("expecting `;'")
}

function backend(p: ActionParser, local: boolean): Backend {
  const lexer = p.lexer
  if (lexer.token.type === 'template') throw new LanguageError('Unexpanded template.')
  let lport: string | undefined
  if (local) {
    lport = p.string('expecting logical port name for distributed load balancer')
    p.force(':')
  }
  let address: Address | undefined
  const bracket = lexer.match('[')
  address = addressToken(p)
  if (bracket) {
    if (address?.family !== 6) p.fail('expecting IPv6 address')
    lexer.next()
    if (!lexer.match(']')) p.fail('no closing square bracket')
  } else {
    if (!address) p.fail('expecting IP address')
    lexer.next()
  }
  let port = 0
  if (lexer.match(':')) {
    if (address.family === 6 && !bracket) p.fail('IPv6 address needs square brackets if port is included')
    const n = p.integerToken()
    if (n === undefined || n > 65535n) p.fail('expecting port number')
    port = Number(n)
    lexer.next()
  }
  return lport === undefined ? { address, port } : { lport, address, port }
}

/** `commit_lb_aff(vip = "IP:port", backend = "IP:port", proto = tcp, timeout = 30)` */
export function parseLbAffinity(p: ActionParser): LogicalAction {
  const lexer = p.lexer
  p.force('(')
  const endpoint = (name: string) => {
    if (!lexer.matchId(name)) p.fail('invalid parameter')
    p.force('=')
    const text = lexer.token.text
    const found = lexer.token.type === 'string' ? parseEndpoint(text) : undefined
    if (!found) p.fail('invalid parameter')
    return found
  }
  const vip = endpoint('vip')
  lexer.next()
  p.force(',')
  const target = endpoint('backend')
  if (target.address.family !== vip.address.family) p.fail('invalid protocol family')
  lexer.next()
  p.force(',')
  let proto: 'tcp' | 'udp' | 'sctp' = 'tcp'
  if (vip.port) {
    if (!lexer.matchId('proto')) p.fail('invalid parameter')
    p.force('=')
    const text = lexer.token.text
    if (lexer.token.type !== 'id' || (text !== 'tcp' && text !== 'udp' && text !== 'sctp')) p.fail('invalid protocol')
    proto = text
    lexer.next()
    p.force(',')
  }
  if (!lexer.matchId('timeout')) p.fail('invalid parameter')
  p.force('=')
  const timeout = p.integerToken()
  if (timeout === undefined || timeout > 65535n) p.fail('expecting affinity timeout')
  lexer.next()
  p.force(')')
  return {
    type: 'commit_lb_aff',
    vip: vip.address,
    vipPort: vip.port,
    backend: target.address,
    backendPort: target.port,
    proto,
    timeout: Number(timeout),
  }
}

/** `10.0.0.1`, `10.0.0.1:80`, `fd00::1`, `[fd00::1]:80` */
function parseEndpoint(text: string): { address: Address; port: number } | undefined {
  const bracket = /^\[([^\]]+)\](?::([0-9]{1,5}))?$/.exec(text)
  const dotted = /^([0-9.]+)(?::([0-9]{1,5}))?$/.exec(text)
  const port = Number((bracket ?? dotted)?.[2] ?? 0)
  if (port > 65535) return undefined
  if (dotted) {
    const v4 = parseIpv4(dotted[1] as string)
    return v4 === undefined ? undefined : { address: { family: 4, value: BigInt(v4) }, port }
  }
  const v6 = parseIpv6(bracket ? (bracket[1] as string) : text)
  return v6 === undefined ? undefined : { address: { family: 6, value: v6 }, port }
}
