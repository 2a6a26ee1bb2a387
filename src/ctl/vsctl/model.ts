import type { OpenVSwitch, OVS } from '../../schema/index.ts'
import type { Call, Command } from '../command.ts'
import { fatal } from '../error.ts'

export type VsCall = Call<OpenVSwitch>
export type VsCommand = Command<OpenVSwitch>

/** A bridge, or a ``fake bridge'': a VLAN of a bridge with a port of its own (ovs-vsctl(8)). */
export interface Bridge {
  readonly name: string
  readonly row: OVS.Bridge
  /** Of a fake bridge: its VLAN and the port that makes it. */
  readonly vlan: number
  readonly fake: OVS.Port | undefined
}

export interface BridgePort {
  readonly row: OVS.Port
  readonly bridge: Bridge
}

const rowsOf = <R>(uuids: readonly string[], get: (uuid: string) => R | undefined): R[] =>
  uuids.map(get).filter((r): r is R => r !== undefined)

/** The tables as bridges with their ports; made anew for each command. */
export class Model {
  readonly root: OVS.OpenVSwitchRow
  readonly bridges: readonly Bridge[]
  readonly ports: readonly BridgePort[]

  constructor(private readonly call: VsCall) {
    const { db } = call
    this.root = db.rows('Open_vSwitch')[0] ?? fatal('the Open_vSwitch table has no row')
    const bridges: Bridge[] = []
    const ports: BridgePort[] = []
    for (const row of rowsOf(this.root.bridges, (u) => db.get('Bridge', u))) {
      const own = rowsOf(row.ports, (u) => db.get('Port', u))
      const real: Bridge = { name: row.name, row, vlan: 0, fake: undefined }
      const fakes = own
        .filter((p) => p.fake_bridge && p.tag !== undefined)
        .map((p): Bridge => ({ name: p.name, row, vlan: p.tag ?? 0, fake: p }))
      bridges.push(real, ...fakes)
      for (const port of own) {
        if (fakes.some((f) => f.fake === port)) continue
        const bridge = fakes.find((f) => f.vlan === port.tag) ?? real
        if (port.name !== row.name) ports.push({ row: port, bridge })
      }
    }
    this.bridges = bridges
    this.ports = ports
  }

  interfaces(port: OVS.Port): OVS.Interface[] {
    return rowsOf(port.interfaces, (u) => this.call.db.get('Interface', u))
  }

  findBridge(name: string): Bridge | undefined {
    return this.bridges.find((b) => b.name === name)
  }

  bridge(name: string): Bridge {
    return this.findBridge(name) ?? fatal(`no bridge named ${name}`)
  }

  realBridge(name: string): Bridge {
    const bridge = this.bridge(name)
    return bridge.fake ? fatal(`${name} is a fake bridge`) : bridge
  }

  findPort(name: string): BridgePort | undefined {
    return this.ports.find((p) => p.row.name === name)
  }

  port(name: string): BridgePort {
    return this.findPort(name) ?? fatal(`no port named ${name}`)
  }

  findInterface(name: string): { readonly row: OVS.Interface; readonly port: BridgePort } | undefined {
    for (const port of this.ports) {
      const row = this.interfaces(port.row).find((i) => i.name === name)
      if (row) return { row, port }
    }
    return undefined
  }

  interface(name: string): { readonly row: OVS.Interface; readonly port: BridgePort } {
    return this.findInterface(name) ?? fatal(`no interface named ${name}`)
  }

  /** Fails if something goes by a name already; `what` is what was to be made. */
  checkFree(name: string, what: string): void {
    const head = `cannot create ${what} named ${name} because `
    if (this.findBridge(name)) fatal(`${head}a bridge named ${name} already exists`)
    const port = this.findPort(name)
    if (port) fatal(`${head}a port named ${name} already exists on bridge ${port.bridge.name}`)
    const iface = this.findInterface(name)
    if (iface) fatal(`${head}an interface named ${name} already exists on bridge ${iface.port.bridge.name}`)
  }

  deletePort(port: OVS.Port, bridge: OVS.Bridge): void {
    this.call.db.removeMember('Bridge', bridge._uuid, 'ports', port._uuid)
    for (const iface of port.interfaces) this.call.db.delete('Interface', iface)
    this.call.db.delete('Port', port._uuid)
  }
}

/** The tables that a model is made of. */
export const MODEL = ['Open_vSwitch', 'Bridge', 'Port', 'Interface'] as const

export const printLines = (call: VsCall, lines: readonly string[]): void => {
  for (const line of [...lines].sort()) call.print(`${line}\n`)
}
