import { formatIpv4 } from '../../address/ipv4.ts'
import { formatIpv6 } from '../../address/ipv6.ts'
import { formatMac } from '../../address/mac.ts'
import { uuid4 } from '../../base/random.ts'
import type { Operation } from '../../ovsdb/client/operation.ts'
import type { TableIndex } from '../../ovsdb/client/replica.ts'
import type { DatapathBinding, PortBinding } from '../../schema/southbound.ts'
import type { ControllerState } from '../controller.ts'
import { US } from '../interfaces.ts'
import type { DnsEntry, Effect, Ip } from '../packet-in/effect.ts'

type Learned = Extract<Effect, { type: 'mac_binding' | 'fdb' | 'bind_vport' }>

/** How long what was learned is tried to be written, in milliseconds: the next packet teaches it again. */
const GIVE_UP_MS = 10_000

const textOf = (ip: Ip): string => (typeof ip === 'number' ? formatIpv4(ip) : formatIpv6(ip))

/** Writes what packets teach into the southbound database, and finds there what handlers ask for. */
export class LearnedRows {
  private readonly wanted = new Map<string, { readonly what: Learned; readonly until: number }>()
  private readonly datapaths: TableIndex<DatapathBinding>
  private readonly ports: TableIndex<PortBinding>

  constructor(private readonly state: ControllerState) {
    const { sb } = state.options
    this.datapaths = sb.table('Datapath_Binding').index('tunnel_key', (d) => String(d.tunnel_key))
    this.ports = sb.table('Port_Binding').index('datapath tunnel_key', (p) => `${p.datapath} ${p.tunnel_key}`)
    state.southbound.rows.watch('learned', (key) => this.operations(key))
  }

  /** A logical port by tunnel keys. */
  port(datapath: number, port: number): PortBinding | undefined {
    const dp = this.datapaths.first(String(datapath))
    return dp && this.ports.first(`${dp._uuid} ${port}`)
  }

  /** The key of the port whose neighbours are learned: of a chassisredirect port, the port it stands for. */
  learningPort(datapath: number, port: number): number {
    const row = this.port(datapath, port)
    const stoodFor = row?.type === 'chassisredirect' ? row.options.get('distributed-port') : undefined
    const real = stoodFor === undefined ? undefined : this.state.bindings.portsByName.first(stoodFor)
    return real?.tunnel_key ?? port
  }

  /** A port by name, with its datapath's tunnel key. */
  portNamed(datapath: string, name: string): { port: PortBinding; datapath: number } | undefined {
    const dp = this.state.options.sb.table('Datapath_Binding').get(datapath)
    const port = this.state.bindings.portsByName.first(name)
    return dp && port ? { port, datapath: dp.tunnel_key } : undefined
  }

  dns(datapath: number, name: string): DnsEntry | undefined {
    const dp = this.datapaths.first(String(datapath))
    if (!dp) return undefined
    for (const row of this.state.options.sb.table('DNS').values()) {
      const value = row.datapaths.includes(dp._uuid) ? row.records.get(name) : undefined
      if (value !== undefined) return { value, owned: row.options.get('ovn-owned') === 'true' }
    }
    return undefined
  }

  learn(what: Learned): void {
    const key = keyOf(what)
    this.wanted.set(key, { what, until: this.state.options.clock.now() + GIVE_UP_MS })
    this.state.southbound.rows.mark('learned', key)
  }

  private operations(key: string): readonly Operation[] {
    const wish = this.wanted.get(key)
    if (!wish) return []
    const ops = this.state.options.clock.now() > wish.until ? [] : this.make(wish.what)
    if (!ops.length) this.wanted.delete(key)
    return ops
  }

  private make(what: Learned): readonly Operation[] {
    const { sb, clock, random, log } = this.state.options
    const timestamp = clock.now()
    switch (what.type) {
      case 'mac_binding': {
        const port = this.port(what.datapath, what.port)
        if (!port) return []
        const ip = textOf(what.ip)
        const mac = formatMac(what.mac)
        const index = sb.table('MAC_Binding').index('port ip', (m) => `${m.logical_port} ${m.ip}`)
        const row = index.first(`${port.logical_port} ${ip}`)
        if (!row) {
          const values = { logical_port: port.logical_port, datapath: port.datapath, ip, mac, timestamp }
          return [{ op: 'insert', table: 'MAC_Binding', uuid: uuid4(random), row: values }]
        }
        if (row.mac === mac) return []
        return [{ op: 'update', table: 'MAC_Binding', where: [['_uuid', '==', row._uuid]], row: { mac, timestamp } }]
      }
      case 'fdb': {
        const mac = formatMac(what.mac)
        const index = sb.table('FDB').index('mac dp', (f) => `${f.mac} ${f.dp_key}`)
        const row = index.first(`${mac} ${what.datapath}`)
        if (!row) {
          const values = { mac, dp_key: what.datapath, port_key: what.port, timestamp }
          return [{ op: 'insert', table: 'FDB', uuid: uuid4(random), row: values }]
        }
        if (row.port_key === what.port) return []
        const where = [['_uuid', '==', row._uuid]] as const
        return [{ op: 'update', table: 'FDB', where, row: { port_key: what.port, timestamp } }]
      }
      case 'bind_vport': {
        const vport = this.port(what.datapath, what.vport)
        const parent = this.port(what.datapath, what.parent)
        const us = this.state.chassis.us.peek(US)
        if (!vport || !parent || !us || vport.type !== 'virtual') return []
        if (vport.chassis === us.uuid && vport.virtual_parent === parent.logical_port) return []
        const names = `${vport.logical_port} for this chassis with the virtual parent ${parent.logical_port}`
        log.child('pinctrl').info(`Claiming virtual lport ${names}`, {
          port: vport.logical_port,
          chassis: us.name,
          datapath: vport.datapath,
          row: vport._uuid,
        })
        const row = { chassis: us.uuid, virtual_parent: parent.logical_port }
        return [{ op: 'update', table: 'Port_Binding', where: [['_uuid', '==', vport._uuid]], row }]
      }
    }
  }
}

function keyOf(what: Learned): string {
  switch (what.type) {
    case 'mac_binding':
      return `mac ${what.datapath} ${what.port} ${what.ip}`
    case 'fdb':
      return `fdb ${what.datapath} ${what.mac}`
    case 'bind_vport':
      return `vport ${what.datapath} ${what.vport}`
  }
}
