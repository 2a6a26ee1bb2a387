import { formatIpv4, parseIpv4 } from '../../address/ipv4.ts'
import { formatIpv6, parseIpv6 } from '../../address/ipv6.ts'
import { parseMac } from '../../address/mac.ts'
import { below } from '../../base/random.ts'
import type { Operation } from '../../ovsdb/client/operation.ts'
import { echo4, isIcmp4Error } from '../../packet/icmp4.ts'
import { echo6, isIcmp6Error } from '../../packet/icmp6.ts'
import { craft, decodeFrame, decodeIp, type Packet, type PacketSpec } from '../../packet/packet.ts'
import { TcpFlag } from '../../packet/tcp.ts'
import type { PortBinding, ServiceMonitor } from '../../schema/southbound.ts'
import type { ControllerState } from '../controller.ts'
import { HEALTH_CHECK_DEFAULTS, HealthCheck } from './health-check.ts'
import { toPort } from './out.ts'

const TTL = 63
const WINDOW = 65160
const FIRST_PORT = 1024
/** What a probe over UDP carries. */
const NOTHING_MUCH = new Uint8Array(8)
const ECHO_ID = 0xc0de

interface Target {
  readonly row: ServiceMonitor
  readonly datapath: number
  readonly port: number
  /** Ethernet, and addresses in the family of the service. */
  readonly ends: Pick<PacketSpec, 'eth' | 'ip4' | 'ip6'>
}

interface Monitor {
  readonly target: Target
  readonly check: HealthCheck
  sourcePort: number
  sequence: number
  status: 'online' | 'offline' | 'error' | undefined
}

/** The health checks of services whose logical port is here (ovn-sb(5), Service_Monitor). */
export class ServiceMonitors {
  private readonly monitors = new Map<string, Monitor>()
  private readonly stops: (() => void)[] = []

  constructor(private readonly state: ControllerState) {
    const { sb } = state.options
    state.southbound.rows.watch('service monitor', (uuid) => this.operations(uuid))
    const refresh = () => this.refresh()
    this.stops.push(
      sb.onChange((change) => {
        if (change.tables.Service_Monitor) refresh()
      }),
      state.bindings.all.subscribe(refresh),
    )
  }

  close(): void {
    for (const stop of this.stops) stop()
    for (const m of this.monitors.values()) m.check.close()
    this.monitors.clear()
  }

  /** A packet from a port that answers a probe of ours. */
  answer(datapath: number, port: number, frame: Uint8Array): void {
    const packet = decodeFrame(frame)
    if (!packet.ok) return
    for (const m of this.monitors.values()) {
      if (m.target.datapath === datapath && m.target.port === port) this.match(m, packet.value)
    }
  }

  private refresh(): void {
    const wanted = new Map<string, Target>()
    for (const row of this.state.options.sb.table('Service_Monitor').values()) {
      const target = this.target(row)
      if (target) wanted.set(row._uuid, target)
    }
    for (const [uuid, m] of this.monitors) {
      const target = wanted.get(uuid)
      if (target && same(target.row, m.target.row)) {
        wanted.delete(uuid)
        continue
      }
      m.check.close()
      this.monitors.delete(uuid)
    }
    for (const [uuid, target] of wanted) this.begin(uuid, target)
  }

  private target(row: ServiceMonitor): Target | undefined {
    const binding = this.state.bindings.all.peek(row.logical_port)
    const port = this.state.bindings.portsByName.first(row.logical_port)
    if (!binding?.claim || !port || row.ic_learned || row.type === 'network-function') return undefined
    const datapath = this.state.options.sb.table('Datapath_Binding').get(port.datapath)
    const src = parseMac(row.src_mac)
    const dst = macOf(port, row.ip)
    if (!datapath || src === undefined || dst === undefined) return undefined
    const eth = { src, dst }
    const [src4, dst4] = [parseIpv4(row.src_ip), parseIpv4(row.ip)]
    const [src6, dst6] = [parseIpv6(row.src_ip), parseIpv6(row.ip)]
    if (src4 !== undefined && dst4 !== undefined) {
      const ip4 = { src: src4, dst: dst4, ttl: TTL }
      return { row, datapath: datapath.tunnel_key, port: port.tunnel_key, ends: { eth, ip4 } }
    }
    if (src6 !== undefined && dst6 !== undefined) {
      const ip6 = { src: src6, dst: dst6, hopLimit: TTL }
      return { row, datapath: datapath.tunnel_key, port: port.tunnel_key, ends: { eth, ip6 } }
    }
    return undefined
  }

  private begin(uuid: string, target: Target): void {
    const { clock, random } = this.state.options
    const number = (name: string, otherwise: number) => {
      const n = Number(target.row.options.get(name))
      return n > 0 ? n : otherwise
    }
    const monitor: Monitor = {
      target,
      sourcePort: FIRST_PORT + below(random, 65536 - FIRST_PORT),
      sequence: 0,
      status: target.row.status,
      check: new HealthCheck({
        clock,
        options: {
          interval: number('interval', HEALTH_CHECK_DEFAULTS.interval),
          timeout: number('timeout', HEALTH_CHECK_DEFAULTS.timeout),
          successCount: number('success_count', HEALTH_CHECK_DEFAULTS.successCount),
          failureCount: number('failure_count', HEALTH_CHECK_DEFAULTS.failureCount),
        },
        silence: target.row.protocol === 'udp' ? 'success' : 'failure',
        probe: () => this.probe(monitor),
        report: (status) => {
          if (monitor.status === status) return
          monitor.status = status
          this.state.southbound.rows.mark('service monitor', uuid)
        },
      }),
    }
    this.monitors.set(uuid, monitor)
    monitor.check.start()
  }

  private send(m: Monitor, layers: Partial<PacketSpec>): void {
    const { datapath, port, ends } = m.target
    const message = toPort(datapath, port, craft({ ...ends, ...layers }))
    this.state.send({ ...message, xid: this.state.installer.nextXid() })
  }

  private probe(m: Monitor): void {
    const { random } = this.state.options
    const { row, ends } = m.target
    switch (row.protocol) {
      case 'udp':
        this.send(m, { udp: { src: m.sourcePort, dst: row.port, payload: NOTHING_MUCH } })
        return
      case 'icmp':
        m.sequence = (m.sequence + 1) & 0xffff
        this.send(
          m,
          ends.ip4
            ? { icmp4: echo4('request', ECHO_ID, m.sequence, NOTHING_MUCH) }
            : { icmp6: echo6('request', ECHO_ID, m.sequence, NOTHING_MUCH) },
        )
        return
      default:
        // Another port each time: the service may still know the last connection.
        m.sourcePort = FIRST_PORT + below(random, 65536 - FIRST_PORT)
        m.sequence = random.u32()
        this.send(m, this.segment(m, m.sequence, TcpFlag.syn))
    }
  }

  private segment(m: Monitor, seq: number, flags: number): Partial<PacketSpec> {
    return {
      tcp: {
        ...{ src: m.sourcePort, dst: m.target.row.port, seq, ack: 0, flags, window: WINDOW, urgent: 0 },
        ...{ options: new Uint8Array(), payload: new Uint8Array() },
      },
    }
  }

  private match(m: Monitor, p: Packet): void {
    const { row } = m.target
    const source = p.ip4 ? formatIpv4(p.ip4.src) : p.ip6 ? formatIpv6(p.ip6.src) : undefined
    if (source !== row.ip) return
    if (row.protocol === 'tcp' || row.protocol === undefined) {
      const { tcp } = p
      if (!tcp || tcp.src !== row.port || tcp.dst !== m.sourcePort) return
      if (tcp.ack !== (m.sequence + 1) >>> 0) return
      if (tcp.flags & TcpFlag.rst) m.check.answered(false)
      else if (tcp.flags & TcpFlag.syn && tcp.flags & TcpFlag.ack) {
        // The connection is not wanted, only the proof that it could be had.
        this.send(m, this.segment(m, tcp.ack, TcpFlag.rst))
        m.check.answered(true)
      }
      return
    }
    const error = (p.icmp4 && isIcmp4Error(p.icmp4.type)) || (p.icmp6 && isIcmp6Error(p.icmp6.type))
    if (error) {
      const about = decodeIp((p.icmp4 ?? p.icmp6)?.payload ?? new Uint8Array())
      const ours = row.protocol === 'icmp' || (about.udp?.dst === row.port && about.udp.src === m.sourcePort)
      if (ours) m.check.answered(false)
    } else if (row.protocol === 'icmp') {
      const reply = p.icmp4?.type === 0 ? p.icmp4 : p.icmp6?.type === 129 ? p.icmp6 : undefined
      if (reply && reply.rest === ((ECHO_ID << 16) | m.sequence) >>> 0) m.check.answered(true)
    } else if (p.udp && p.udp.src === row.port && p.udp.dst === m.sourcePort) m.check.answered(true)
  }

  private operations(uuid: string): readonly Operation[] {
    const status = this.monitors.get(uuid)?.status
    const row = this.state.options.sb.table('Service_Monitor').get(uuid)
    if (!row || status === undefined || row.status === status) return []
    return [{ op: 'update', table: 'Service_Monitor', where: [['_uuid', '==', uuid]], row: { status } }]
  }
}

/** The port's Ethernet address that goes with an IP address, or its first one. */
function macOf(port: PortBinding, ip: string): number | undefined {
  for (const text of port.mac) {
    const [mac = '', ...ips] = text.split(/\s+/)
    if (ips.includes(ip)) return parseMac(mac)
  }
  return parseMac(port.mac[0]?.split(/\s+/)[0] ?? '')
}

/** Whether a monitor may go on as it is; its status is our own writing. */
function same(a: ServiceMonitor, b: ServiceMonitor): boolean {
  return (
    a.ip === b.ip &&
    a.port === b.port &&
    a.protocol === b.protocol &&
    a.logical_port === b.logical_port &&
    a.src_mac === b.src_mac &&
    a.src_ip === b.src_ip &&
    [...a.options].join() === [...b.options].join()
  )
}
