import type { LogicalAction, OptionSetting, OptionsVerb, OptionValue } from './action.ts'
import { EVENT_OPTIONS, type OptionTable } from './dhcp-options.ts'
import { type FieldRef, LanguageError } from './match.ts'
import type { ActionParser } from './parse-actions.ts'

/** `trigger_event(event = "NAME", option = "value", ...)` */
export function parseEvent(p: ActionParser): LogicalAction {
  const lexer = p.lexer
  p.force('(')
  if (!lexer.matchId('event')) p.fail("Expecting 'event' option")
  p.force('=')
  if (lexer.token.type !== 'string') p.fail('Expecting string')
  const event = lexer.token.text
  const table = EVENT_OPTIONS[event]
  if (!table) p.fail("Unknown event '-1'")
  lexer.next()
  lexer.match(',')
  const options = optionList(p, table, event)
  for (const o of options) {
    const value = (o.values[0] as { string: string }).string
    if (o.name === 'vip' && !/^(\[[0-9a-fA-F:.]+\]|[0-9.]+)(:[0-9]{1,5})?$/.test(value)) {
      throw new LanguageError(`Invalid load balancer VIP '${value}'`)
    }
    if (o.name === 'protocol' && value !== 'tcp' && value !== 'udp' && value !== 'sctp') {
      throw new LanguageError(`Load balancer protocol '${value}' is not 'tcp', 'udp', or 'sctp'`)
    }
    if (o.name === 'load_balancer' && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)) {
      throw new LanguageError(`Load balancer '${value}' is not a UUID`)
    }
  }
  return { type: 'trigger_event', event, options }
}

/** `name = value, ...)`: up to the closing parenthesis. */
function optionList(p: ActionParser, table: OptionTable, kind: string): OptionSetting[] {
  const lexer = p.lexer
  const out: OptionSetting[] = []
  while (!lexer.match(')')) {
    const name = lexer.token.text
    if (lexer.token.type !== 'id') p.fail('')
    const definition = table.get(name)
    if (!definition) p.fail(`expecting ${kind} option name`)
    lexer.next()
    p.force('=')
    const values = optionValues(p)
    const wantsString = STRING_TYPES.has(definition.type)
    for (const v of values) {
      const isString = 'string' in v
      if (definition.type === 'host_id') continue
      if (wantsString !== isString) {
        throw new LanguageError(`${kind} option ${name} requires ${wantsString ? 'string' : 'numeric'} value.`)
      }
    }
    lexer.match(',')
    out.push({ name, code: definition.code, type: definition.type, values })
  }
  return out
}

const STRING_TYPES: ReadonlySet<string> = new Set(['str', 'domains', 'domain'])

function optionValues(p: ActionParser): OptionValue[] {
  const lexer = p.lexer
  const out: OptionValue[] = []
  const one = () => {
    const { type, text, integer } = lexer.token
    const first = out[0]
    if (type === 'string') {
      if (first && !('string' in first)) p.fail('expecting integer')
      out.push({ string: text })
    } else if ((type === 'integer' || type === 'masked') && integer) {
      if (first && 'string' in first) p.fail('expecting string')
      out.push(integer)
    } else p.fail('expecting constant')
    lexer.next()
  }
  if (!lexer.match('{')) one()
  else {
    do {
      one()
      lexer.match(',')
    } while (!lexer.match('}'))
  }
  return out
}

/** `put_dhcp_opts(...)` and its like, behind the parenthesis. */
export function parseOptions(
  p: ActionParser,
  type: OptionsVerb,
  dst: FieldRef,
  table: OptionTable,
  kind: string,
): LogicalAction {
  p.result(dst, 1)
  const options = optionList(p, table, kind)
  if (type === 'put_dhcp_opts' && !options.some((o) => o.name === 'offerip' && o.code === 0)) {
    throw new LanguageError('put_dhcp_opts requires offerip to be specified.')
  }
  if (type === 'put_nd_ra_opts') {
    checkRouterAdvertisement(options)
    p.require('ip6')
  }
  return { type, dst, options }
}

const PREFERENCES: ReadonlySet<string> = new Set(['HIGH', 'MEDIUM', 'LOW'])
const MODES: ReadonlySet<string> = new Set(['slaac', 'dhcpv6_stateful', 'dhcpv6_stateless'])

/** ovn-sb(5), put_nd_ra_opts: which options must be there, and which values they may have. */
function checkRouterAdvertisement(options: readonly OptionSetting[]): void {
  const invalid = (o: OptionSetting) => new LanguageError(`Invalid value for "${o.name}" option`)
  let slla = false
  let prefix = false
  let needsPrefix = true
  for (const o of options) {
    const v = o.values[0]
    if (!v) throw invalid(o)
    switch (o.name) {
      case 'addr_mode':
        if (!('string' in v) || !MODES.has(v.string)) throw invalid(o)
        needsPrefix = v.string !== 'dhcpv6_stateful'
        break
      case 'slla':
        if ('string' in v || v.format !== 'ethernet') throw invalid(o)
        slla = true
        break
      case 'prefix':
        if ('string' in v || v.format !== 'ipv6' || v.mask === undefined) throw invalid(o)
        prefix = true
        break
      case 'mtu':
        if ('string' in v || v.format !== 'decimal') throw invalid(o)
        break
      case 'router_preference':
        if (!('string' in v) || !PREFERENCES.has(v.string)) throw invalid(o)
        break
      case 'rdnss':
        if ('string' in v || v.format !== 'ipv6' || v.mask !== undefined || o.values.length !== 1) throw invalid(o)
        break
    }
  }
  if (!slla) throw new LanguageError('slla option not present')
  if (needsPrefix && !prefix) {
    throw new LanguageError('prefix option needs to be set when address mode is slaac/dhcpv6_stateless.')
  }
}
