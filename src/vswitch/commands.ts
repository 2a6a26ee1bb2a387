import { formatMac, parseMac } from '../address/mac.ts'
import { type ControlCommand, command } from '../base/command.ts'
import { OFPP } from '../openflow/actions/action.ts'
import { formatFlow } from '../openflow/text/flow.ts'
import { absentFeatureCommands } from './absent-features.ts'
import { dpctlCommands } from './dpctl.ts'
import type { BridgePort } from './ofproto/port.ts'
import { flowStats } from './ofproto/stats.ts'
import { parseState, trace } from './ofproto/trace.ts'
import { lookUpRoute } from './route-lookup.ts'
import type { Switch } from './switch.ts'

/** What `dpif/show` calls a port. */
export function portType(p: BridgePort): string {
  switch (p.kind) {
    case 'internal':
      return 'internal'
    case 'patch':
      return `patch: peer=${p.peer ?? ''}`
    case 'tunnel': {
      const t = p.tunnel
      if (!t) return 'tunnel'
      const parts: string[] = []
      if (t.inKey === 'flow' || t.outKey === 'flow') parts.push('key=flow')
      else if (t.inKey !== undefined) parts.push(`key=${t.inKey}`)
      if (t.csum) parts.push('csum=true')
      if (t.localIp) parts.push(`local_ip=${t.localIp}`)
      parts.push(`remote_ip=${t.remoteIp}`)
      return `${t.type}: ${parts.join(', ')}`
    }
    default:
      return 'system'
  }
}

function unknownBridge(name: string): Error {
  return new Error(`${name}: no such bridge`)
}

/** The control commands of a switch (ovs-vswitchd(8), "RUNTIME MANAGEMENT COMMANDS"). */
export function switchCommands(sw: Switch): ControlCommand[] {
  const megaflows = (on: boolean): string => {
    sw.datapath.flushFlows()
    sw.datapath.megaflows = on
    return `megaflows ${on ? 'enabled' : 'disabled'}`
  }
  const portName = (p: BridgePort) => (p.number === OFPP.LOCAL ? 'LOCAL' : String(p.number))
  return [
    command('fdb/show', '[bridge...]', [0, Number.POSITIVE_INFINITY], (names) => {
      const bridges = names.length ? names : [...sw.bridges.keys()].slice(0, 1)
      const out: string[] = []
      for (const name of bridges) {
        const b = sw.bridge(name)
        if (!b) return unknownBridge(name)
        sw.datapath.flushStatistics()
        out.push(' Port  VLAN  MAC                Age\n')
        const now = sw.clock.monotonic()
        for (const e of b.macs.all()) {
          const age = e.fixed ? 'static' : String(Math.floor((now - e.used) / 1000)).padStart(3)
          out.push(`${portName(e.port).padStart(5)}  ${String(e.vlan).padStart(4)}  ${formatMac(e.mac)}  ${age}\n`)
        }
      }
      return out.join('')
    }),
    command('fdb/flush', '[bridge]', [0, 1], ([name]) => {
      if (name === undefined) for (const b of sw.bridges.values()) b.macs.flush()
      else {
        const b = sw.bridge(name)
        if (!b) return unknownBridge(name)
        b.macs.flush()
      }
      return 'table successfully flushed\n'
    }),
    command('fdb/add', 'bridge port vlan mac', [4, 4], ([name, port, vlan, mac]) => {
      const b = sw.bridge(name ?? '')
      if (!b) return unknownBridge(name ?? '')
      const p = b.portByName(port ?? '') ?? b.ports.get(Number(port))
      const m = parseMac(mac ?? '')
      const v = Number(vlan)
      if (!p) return new Error(`${port}: no such port`)
      if (m === undefined || !Number.isInteger(v) || v < 0 || v > 4095) return new Error('bad VLAN or MAC address')
      b.macs.add(v, m, p)
      return ''
    }),
    command('fdb/del', 'bridge vlan mac', [3, 3], ([name, vlan, mac]) => {
      const b = sw.bridge(name ?? '')
      if (!b) return unknownBridge(name ?? '')
      const m = parseMac(mac ?? '')
      return m !== undefined && b.macs.delete(Number(vlan), m) ? '' : new Error('no such MAC entry')
    }),
    command('fdb/stats-show', 'bridge', [1, 1], ([name = '']) => {
      const macs = sw.bridge(name)?.macs
      if (!macs) return new Error('no such bridge')
      const all = macs.all()
      const { learned, expired, evicted, moved } = macs.statistics
      return [
        `Statistics for bridge "${name}":`,
        `  Current/maximum MAC entries in the table: ${all.length}/${macs.limit}`,
        `  Current static MAC entries in the table : ${all.filter((e) => e.fixed).length}`,
        `  Total number of learned MAC entries     : ${learned}`,
        `  Total number of expired MAC entries     : ${expired}`,
        `  Total number of evicted MAC entries     : ${evicted}`,
        `  Total number of port moved MAC entries  : ${moved}\n`,
      ].join('\n')
    }),
    command('fdb/stats-clear', '[bridge]', [0, 1], ([name]) => {
      const bridge = name === undefined ? undefined : sw.bridge(name)
      if (name !== undefined && !bridge) return new Error('no such bridge')
      for (const b of bridge ? [bridge] : sw.bridges.values()) {
        Object.assign(b.macs.statistics, { learned: 0, expired: 0, evicted: 0, moved: 0 })
      }
      return 'statistics successfully cleared\n'
    }),
    command('ofproto/list', '', [0, 0], () => [...sw.bridges.keys()].map((n) => `${n}\n`).join('')),
    command('ofproto/list-tunnels', '', [0, 0], () =>
      [...sw.bridges.values()]
        .flatMap((b) => b.sortedPorts())
        .filter((p) => p.kind === 'tunnel')
        .map((p) => `port ${p.datapath?.number ?? '?'}: ${p.name} (${portType(p)})\n`)
        .join(''),
    ),
    command(
      'ofproto/trace',
      '{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet]',
      [1, Number.POSITIVE_INFINITY],
      (args) => traceCommand(sw, args),
    ),
    command('bridge/dump-flows', '[--offload-stats] bridge', [1, 2], (args) => {
      const b = sw.bridge(args[args.length - 1] ?? '')
      if (!b) return new Error('Unknown bridge')
      sw.datapath.flushStatistics()
      const now = sw.clock.monotonic()
      const rules = [...b.rules()].sort((x, y) => x.table - y.table || y.priority - x.priority)
      return rules.map((r) => `${bridgeFlow(formatFlow(flowStats(r, now)), r.table)}\n`).join('')
    }),
    command('bridge/reconnect', '[bridge]', [0, 1], ([name]) => {
      for (const c of [...sw.connections]) if (name === undefined || c.bridge.name === name) c.close()
      return ''
    }),
    command('bfd/show', '[interface]', [0, 1], ([name]) => sw.bfd.show(name) ?? new Error('no such bfd object')),
    command('bfd/set-forwarding', '[interface] normal|false|true', [1, 2], (args) => {
      const state = args[args.length - 1] ?? ''
      const name = args.length > 1 ? args[0] : undefined
      if (!['normal', 'true', 'false'].includes(state)) return new Error('unknown argument')
      return sw.bfd.setForwarding(name, state) ? '' : new Error('no such BFD object')
    }),
    command('revalidator/purge', '', [0, 0], () => {
      sw.datapath.flushFlows()
      return ''
    }),
    command('revalidator/wait', '', [0, 0], () => {
      sw.datapath.flushStatistics()
      return ''
    }),
    command('upcall/show', '', [0, 0], () => {
      const n = sw.datapath.cache.size
      return `system@ovs-system:\n  flows         : (current ${n}) (avg ${n}) (max ${n}) (limit ${sw.datapath.flowLimit})\n  dump duration : 1ms\n  ufid enabled : true\n\n  0: (keys ${n})\n`
    }),
    command('upcall/set-flow-limit', 'flow-limit-number', [1, 1], ([n]) => {
      sw.datapath.flowLimit = Math.max(1, Number(n) || 1)
      return `set flow_limit to ${sw.datapath.flowLimit}\n`
    }),
    command('upcall/disable-megaflows', '', [0, 0], () => megaflows(false)),
    command('upcall/enable-megaflows', '', [0, 0], () => megaflows(true)),
    command('tnl/ports/show', '-v', [0, 1], () => {
      const names = sw.datapath
        .allPorts()
        .filter((p) => p.name.includes('_sys_'))
        .map((p) => `${p.name} (${p.number})\n`)
      return `Listening ports:\n${names.join('')}`
    }),
    command('ovs/route/show', '[table=all|id]', [0, 1], () => {
      const lines = [...sw.routes()].map((r) => `Cached: ${r}\n`)
      return `Route Table:\n${lines.join('')}`
    }),
    command('ovs/route/lookup', 'ip_addr [pkt_mark=mark] [src=src_ip]', [1, 3], (args) =>
      lookUpRoute(sw.routes(), args),
    ),
    ...absentFeatureCommands(sw),
    ...dpctlCommands(sw),
  ]
}

/** `bridge/dump-flows` leaves out the cookie and says the table first. */
function bridgeFlow(line: string, table: number): string {
  const m = /^cookie=(0x[0-9a-f]+), duration=([0-9]+)(?:\.[0-9]+)?s, table=[^,]+, (.*)$/.exec(line)
  if (!m) return line
  const at = table === 0 ? '' : `table_id=${table}, `
  return `${at}duration=${m[2]}s, ${m[3]}`
}

function traceCommand(sw: Switch, args: readonly string[]): string | Error {
  const rest: string[] = []
  const ctNext: number[] = []
  let names = false
  for (let i = 0; i < args.length; i++) {
    const a = args[i] as string
    if (a === '--ct-next' || a.startsWith('--ct-next=')) {
      const text = a === '--ct-next' ? (args[++i] ?? '') : a.slice('--ct-next='.length)
      const state = parseState(text)
      if (state === undefined) return new Error(`${text}: unknown state`)
      ctNext.push(state)
    } else if (a === '--names') names = true
    else if (a === '--no-names') names = false
    else if (a === '-generate' || a === '--generate' || a === '-consistent' || a === '--consistent') continue
    else rest.push(a)
  }
  const [bridge, flow] = rest
  if (bridge === undefined || flow === undefined)
    return new Error('Syntax error: ofproto/trace wants a bridge and a flow')
  return trace(sw, { bridge, flow, ctNext, names })
}
