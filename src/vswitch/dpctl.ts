import { parseIpv4 } from '../address/ipv4.ts'
import { parseIpv6 } from '../address/ipv6.ts'
import { type ControlCommand, command } from '../base/command.ts'
import * as K from './classifier/key.ts'
import { expandMask } from './classifier/mask.ts'
import { portType } from './commands.ts'
import { type FlushRequest, matchesFlush } from './conntrack/flush.ts'
import { formatConnection } from './conntrack/format.ts'
import { formatDpActions } from './datapath/format.ts'
import { formatMegaflow } from './ofproto/flow-text.ts'
import type { Switch } from './switch.ts'

const DATAPATH = 'system@ovs-system'

/** A leading datapath name, as dpctl commands may have, off; options too. */
function operands(args: readonly string[]): string[] {
  return args.filter((a) => !a.startsWith('-') && !/^(system|netdev)@/.test(a) && a !== 'ovs-system')
}

function zoneOf(args: readonly string[]): number | undefined {
  const z = args.find((a) => a.startsWith('zone='))
  return z === undefined ? undefined : Number(z.slice(5))
}

/** `dpctl/*` and `dpif/*`: what the datapath has. */
export function dpctlCommands(sw: Switch): ControlCommand[] {
  const ct = sw.conntrack
  const show = (): string => {
    const { cache } = sw.datapath
    let out = `${DATAPATH}: hit:${cache.hits} missed:${cache.misses}\n`
    for (const b of [...sw.bridges.values()].sort((x, y) => (x.name < y.name ? -1 : 1))) {
      out += `  ${b.name}:\n`
      for (const p of [...b.sortedPorts()].sort((x, y) => (x.name < y.name ? -1 : 1)))
        out += `    ${p.name} ${p.number}/${p.datapath?.number ?? 'none'}: (${portType(p)})\n`
    }
    return out
  }
  const flows = (): string => {
    sw.datapath.flushStatistics()
    const now = sw.clock.monotonic()
    let out = ''
    for (const f of sw.datapath.cache.flows()) {
      const full = expandMask(f.mask)
      const key = K.newKey()
      for (let i = 0; i < f.mask.words.length; i++) key[f.mask.words[i] as number] = f.values[i] as number
      const used = f.packets ? `${((now - f.used) / 1000).toFixed(3)}s` : 'never'
      out += `${formatMegaflow(key, full, sw.slots)}, packets:${f.packets}, bytes:${f.bytes}, used:${used}, actions:${formatDpActions(f.actions)}\n`
    }
    return out
  }
  const dump = (args: readonly string[]): string => {
    const zone = zoneOf(args)
    const seconds = args.includes('-s') || args.includes('-m')
    const now = sw.clock.monotonic()
    const lines: string[] = []
    for (const c of ct.connections()) {
      if (c.expires <= now || (zone !== undefined && c.zone !== zone)) continue
      lines.push(`${formatConnection(c, seconds ? now : undefined)}\n`)
    }
    return lines.join('')
  }
  return [
    command('dpif/show', '', [0, 0], show),
    command('dpif/dump-dps', '', [0, 0], () => `${DATAPATH}\n`),
    command('dpctl/dump-dps', '', [0, 0], () => `${DATAPATH}\n`),
    command('dpif/dump-flows', '[-m] [--names | --no-names] bridge', [1, Number.POSITIVE_INFINITY], flows),
    command('dpctl/dump-flows', '[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]', [0, 6], flows),
    command('dpctl/del-flows', '[dp] [file]', [0, 2], () => {
      sw.datapath.flushFlows()
      return ''
    }),
    command('dpctl/show', '[-s] [dp...]', [0, Number.POSITIVE_INFINITY], () => {
      const { cache } = sw.datapath
      let out = `${DATAPATH}:\n  lookups: hit:${cache.hits} missed:${cache.misses} lost:${sw.datapath.lost}\n  flows: ${cache.size}\n`
      for (const p of sw.datapath.allPorts()) out += `  port ${p.number}: ${p.name}\n`
      return out
    }),
    command('dpctl/dump-conntrack', '[-m] [-s] [dp] [zone=N]', [0, 4], dump),
    command('dpctl/dump-conntrack-exp', '[dp] [zone=N]', [0, 2], () => ''),
    command(
      'dpctl/flush-conntrack',
      '[dp] [zone=N] [mark=X[/M]] [labels=Y[/N]] [ct-orig-tuple [ct-reply-tuple]]',
      [0, 6],
      (args) => flushConntrack(sw, operands(args)),
    ),
    command('dpctl/ct-get-nconns', '[dp]', [0, 1], () => `${ct.size}\n`),
    command('dpctl/ct-get-maxconns', '[dp]', [0, 1], () => `${ct.maximum}\n`),
    command('dpctl/ct-set-maxconns', '[dp] maxconns', [1, 2], (args) => {
      const n = Number(operands(args)[0])
      if (!Number.isInteger(n) || n < 0) return new Error('maxconns missing or malformed')
      ct.maximum = n
      return 'setting maxconns successful\n'
    }),
    command('dpctl/ct-stats-show', '[dp] [zone=N]', [0, 3], (args) => {
      const zone = zoneOf(args)
      const by = new Map<string, number>()
      let total = 0
      for (const c of ct.connections()) {
        if (zone !== undefined && c.zone !== zone) continue
        const name = formatConnection(c, undefined).split(',')[0]?.toUpperCase() ?? ''
        by.set(name, (by.get(name) ?? 0) + 1)
        total++
      }
      let out = `Connections Stats:\n    Total: ${total}\n`
      for (const [name, n] of by) out += `\t${name}: ${n}\n`
      return out
    }),
    command('dpctl/ct-get-limits', '[dp] [zone=N1[,N2]...]', [0, 2], () => {
      let out = `default limit=${ct.defaultLimit}\n`
      for (const [zone, limit] of [...ct.zoneLimits()].sort((a, b) => a[0] - b[0]))
        out += `zone=${zone},limit=${limit},count=${ct.zoneCount(zone)}\n`
      return out
    }),
    command('dpctl/ct-set-limits', '[dp] [default=L] [zone=N,limit=L]...', [1, Number.POSITIVE_INFINITY], (args) => {
      for (const a of operands(args)) {
        const d = /^default=([0-9]+)$/.exec(a)
        const z = /^zone=([0-9]+),limit=([0-9]+)$/.exec(a)
        if (d) ct.defaultLimit = Number(d[1])
        else if (z) ct.setLimit(Number(z[1]), Number(z[2]))
        else return new Error(`invalid zone limit: ${a}`)
      }
      return ''
    }),
    command('dpctl/ct-del-limits', '[dp] [default] [zone=N1[,N2]...]', [1, 3], (args) => {
      for (const a of operands(args)) {
        if (a === 'default') ct.defaultLimit = 0
        else for (const z of a.replace('zone=', '').split(',')) ct.setLimit(Number(z), undefined)
      }
      return ''
    }),
  ]
}

/** A tuple as `ct_nw_src=10.0.0.1,ct_nw_proto=6,ct_tp_dst=80`. */
function parseTuple(
  text: string,
): { tuple: NonNullable<FlushRequest['original']>; protocol: number; family: 0 | 4 | 6 } | undefined {
  const t: Record<string, bigint | number> = {}
  let protocol = 0
  let family: 0 | 4 | 6 = 0
  for (const part of text.split(',')) {
    const [key, value = ''] = part.split('=')
    switch (key) {
      case 'ct_nw_src':
      case 'ct_nw_dst': {
        const a = parseIpv4(value)
        if (a === undefined) return undefined
        family = 4
        t[key === 'ct_nw_src' ? 'source' : 'destination'] = BigInt(a)
        break
      }
      case 'ct_ipv6_src':
      case 'ct_ipv6_dst': {
        const a = parseIpv6(value)
        if (a === undefined) return undefined
        family = 6
        t[key === 'ct_ipv6_src' ? 'source' : 'destination'] = a
        break
      }
      case 'ct_nw_proto':
        protocol = Number(value)
        break
      case 'ct_tp_src':
        t['sourcePort'] = Number(value)
        break
      case 'ct_tp_dst':
        t['destinationPort'] = Number(value)
        break
      case 'icmp_id':
        t['icmpId'] = Number(value)
        break
      case 'icmp_type':
        t['icmpType'] = Number(value)
        break
      case 'icmp_code':
        t['icmpCode'] = Number(value)
        break
      default:
        return undefined
    }
  }
  return { tuple: t as NonNullable<FlushRequest['original']>, protocol, family }
}

function flushConntrack(sw: Switch, args: readonly string[]): string | Error {
  let request: FlushRequest = { type: 'ct_flush', xid: 0, protocol: 0, family: 0 }
  let tuples = 0
  for (const a of args) {
    const masked = /^(mark|labels)=([^/]+)(?:\/(.+))?$/.exec(a)
    if (a.startsWith('zone=')) request = { ...request, zone: Number(a.slice(5)) }
    else if (masked) {
      try {
        const value = BigInt(masked[2] as string)
        if (masked[1] === 'mark') {
          const mask = masked[3] ? Number(BigInt(masked[3])) : 0xffffffff
          request = { ...request, mark: { value: Number(value), mask } }
        } else {
          const mask = masked[3] ? BigInt(masked[3]) : (1n << 128n) - 1n
          request = { ...request, label: { value, mask } }
        }
      } catch {
        return new Error(`failed to parse ${a}`)
      }
    } else {
      const t = parseTuple(a.replace(/^'|'$/g, ''))
      if (!t || tuples > 1) return new Error(`failed to parse ct-tuple: ${a}`)
      request =
        tuples++ === 0
          ? { ...request, original: t.tuple, protocol: t.protocol, family: t.family }
          : { ...request, reply: t.tuple }
    }
  }
  sw.conntrack.flush(request.zone, (c) => matchesFlush(c, request))
  return ''
}
