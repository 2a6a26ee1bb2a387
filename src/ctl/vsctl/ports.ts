import type { OVS } from '../../schema/index.ts'
import { fatal } from '../error.ts'
import { readColumnArgument } from '../records.ts'
import { readDatum, readWholeAtom } from '../value.ts'
import { MODEL, Model, printLines, type VsCall, type VsCommand } from './model.ts'

/** Makes a port of interfaces, with columns set by the arguments left. */
function create(
  call: VsCall,
  bridgeName: string,
  name: string,
  interfaces: readonly string[],
  settings: readonly string[],
) {
  const model = new Model(call)
  const known = model.findPort(name)
  if (call.has('may-exist') && known) {
    const asked = `"--may-exist ${interfaces.length > 1 ? 'add-bond' : 'add-port'} ${bridgeName} ${name}`
    const words = interfaces.length > 1 ? `${asked} ${interfaces.join(' ')}"` : `${asked}"`
    if (known.bridge.name !== bridgeName)
      fatal(`${words} but ${name} is actually attached to bridge ${known.bridge.name}`)
    const has = model
      .interfaces(known.row)
      .map((i) => i.name)
      .sort()
    if (has.join() !== [...interfaces].sort().join()) {
      fatal(`${words} but ${name} actually has interface(s) ${has.join(', ')}`)
    }
    return
  }
  model.checkFree(name, 'a port')
  const bridge = model.bridge(bridgeName)
  for (const i of interfaces) if (i !== name || interfaces.length > 1) model.checkFree(i, 'an interface')
  const uuids = interfaces.map((i) => call.db.insert('Interface', { name: i })).sort()
  const port = call.db.insert('Port', {
    name,
    interfaces: uuids,
    bond_fake_iface: call.has('fake-iface'),
    ...(bridge.fake ? { tag: bridge.vlan } : {}),
  })
  call.db.addMember('Bridge', bridge.row._uuid, 'ports', port)
  const table = call.db.schema.tables.get('Port')
  if (!table) return
  for (const text of settings) {
    const { column, key, value = '' } = readColumnArgument(table, text, ['='])
    const type = column.type
    if (key === undefined) {
      call.db.anyUpdate('Port', port, { [column.name]: readDatum(type, value, call.symbols) })
    } else if (!type.value) fatal(`cannot specify key to set for non-map column ${column.name}`)
    else {
      const at = readWholeAtom(type.key, key, call.symbols)
      call.db.anySetKey('Port', port, column.name, at, readWholeAtom(type.value, value, call.symbols))
    }
  }
}

function addBond(call: VsCall): void {
  const [bridge = '', name = '', ...rest] = call.args
  const at = rest.findIndex((a) => a.includes('='))
  const interfaces = at < 0 ? rest : rest.slice(0, at)
  if (interfaces.length < 2)
    fatal(`add-bond requires at least 2 interfaces, but only ${interfaces.length} were specified`)
  create(call, bridge, name, interfaces, at < 0 ? [] : rest.slice(at))
}

function del(call: VsCall): void {
  const model = new Model(call)
  const [bridgeName, name = ''] = call.args.length > 1 ? call.args : [undefined, call.arg(0)]
  const bridge = bridgeName === undefined ? undefined : model.bridge(bridgeName)
  const found = model.findPort(name) ?? (call.has('with-iface') ? model.findInterface(name)?.port : undefined)
  if (!found) {
    if (bridge?.row.name === name) {
      fatal(
        `cannot delete port ${name} because it is the local port for bridge ${name} (deleting this port requires deleting the entire bridge)`,
      )
    }
    if (call.has('if-exists')) return
    fatal(call.has('with-iface') ? `no port or interface named ${name}` : `no port named ${name}`)
  }
  if (bridge && found.bridge !== bridge) {
    const holder = found.bridge
    if (holder.fake && holder.row === bridge.row) {
      fatal(`bridge ${bridge.name} does not have a port ${name} (although its child bridge ${holder.name} does)`)
    }
    fatal(`bridge ${bridge.name} does not have a port ${name}`)
  }
  model.deletePort(found.row, found.bridge.row)
}

function addBondInterface(call: VsCall): void {
  const [portName = '', name = ''] = call.args
  const model = new Model(call)
  const known = model.findInterface(name)
  if (known && call.has('may-exist')) {
    if (known.port.row.name === portName) return
    fatal(
      `"--may-exist add-bond-iface ${portName} ${name}" but ${name} is actually attached to port ${known.port.row.name}`,
    )
  }
  const port = model.port(portName)
  model.checkFree(name, 'an interface')
  const uuid = call.db.insert('Interface', { name })
  call.db.addMember('Port', port.row._uuid, 'interfaces', uuid)
}

function delBondInterface(call: VsCall): void {
  const model = new Model(call)
  const [portName, name = ''] = call.args.length > 1 ? call.args : [undefined, call.arg(0)]
  const port = portName === undefined ? undefined : model.port(portName)
  const found = call.has('if-exists') ? model.findInterface(name) : model.interface(name)
  if (!found) return
  if (port && found.port.row !== port.row) fatal(`port ${portName} does not have an interface ${name}`)
  if (found.port.row.interfaces.length === 1) fatal(`cannot delete last interface from port ${found.port.row.name}`)
  call.db.removeMember('Port', found.port.row._uuid, 'interfaces', found.row._uuid)
  call.db.delete('Interface', found.row._uuid)
}

function listOf(names: (model: Model, rows: readonly OVS.Port[]) => readonly string[]): (call: VsCall) => void {
  return (call) => {
    const model = new Model(call)
    const bridge = model.bridge(call.arg(0))
    const rows = model.ports.filter((p) => p.bridge === bridge).map((p) => p.row)
    printLines(call, names(model, rows))
  }
}

const MANY = Number.POSITIVE_INFINITY

export const portCommands: readonly VsCommand[] = [
  {
    name: 'list-ports',
    args: [1, 1],
    usage: 'BRIDGE',
    access: 'ro',
    tables: MODEL,
    run: listOf((_model, rows) => rows.map((p) => p.name)),
  },
  {
    name: 'add-port',
    args: [2, MANY],
    usage: 'BRIDGE NEW-PORT [COLUMN[:KEY]=VALUE]...',
    options: ['may-exist'],
    access: 'rw',
    tables: MODEL,
    run: (call) => create(call, call.arg(0), call.arg(1), [call.arg(1)], call.args.slice(2)),
  },
  {
    name: 'add-bond',
    args: [4, MANY],
    usage: 'BRIDGE NEW-BOND-PORT INTERFACE... [COLUMN[:KEY]=VALUE]...',
    options: ['may-exist', 'fake-iface'],
    access: 'rw',
    tables: MODEL,
    run: addBond,
  },
  {
    name: 'del-port',
    args: [1, 2],
    usage: '[BRIDGE] PORT',
    options: ['if-exists', 'with-iface'],
    access: 'rw',
    tables: MODEL,
    run: del,
  },
  {
    name: 'port-to-br',
    args: [1, 1],
    usage: 'PORT',
    access: 'ro',
    tables: MODEL,
    run: (call) => call.print(`${new Model(call).port(call.arg(0)).bridge.name}\n`),
  },
  {
    name: 'list-ifaces',
    args: [1, 1],
    usage: 'BRIDGE',
    access: 'ro',
    tables: MODEL,
    run: listOf((model, rows) => rows.flatMap((p) => model.interfaces(p).map((i) => i.name))),
  },
  {
    name: 'iface-to-br',
    args: [1, 1],
    usage: 'INTERFACE',
    access: 'ro',
    tables: MODEL,
    run: (call) => call.print(`${new Model(call).interface(call.arg(0)).port.bridge.name}\n`),
  },
  {
    name: 'add-bond-iface',
    args: [2, 2],
    usage: 'PORT INTERFACE',
    options: ['may-exist'],
    access: 'rw',
    tables: MODEL,
    run: addBondInterface,
  },
  {
    name: 'del-bond-iface',
    args: [1, 2],
    usage: '[PORT] INTERFACE',
    options: ['if-exists'],
    access: 'rw',
    tables: MODEL,
    run: delBondInterface,
  },
]
