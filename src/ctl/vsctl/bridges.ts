import type { OVS } from '../../schema/index.ts'
import { CtlError, fatal } from '../error.ts'
import { type Bridge, MODEL, Model, printLines, type VsCall, type VsCommand } from './model.ts'

function add(call: VsCall): void {
  const [name = '', parentName, vlanText] = call.args
  if (parentName !== undefined && vlanText === undefined) {
    fatal("'add-br' command takes exactly 1 or 3 arguments")
  }
  const vlan = vlanText === undefined ? 0 : /^\d+$/.test(vlanText) ? Number(vlanText) : -1
  if (vlan < 0 || vlan > 4095) fatal('add-br: vlan must be between 0 and 4095')
  const model = new Model(call)
  const known = model.findBridge(name)
  if (known && call.has('may-exist')) {
    checkSame(call, known, parentName, vlan)
    return
  }
  model.checkFree(name, 'a bridge')
  if (parentName === undefined) {
    const iface = call.db.insert('Interface', { name, type: 'internal' })
    const port = call.db.insert('Port', { name, interfaces: [iface] })
    const bridge = call.db.insert('Bridge', { name, ports: [port] })
    call.db.addMember('Open_vSwitch', model.root._uuid, 'bridges', bridge)
    return
  }
  const parent = model.findBridge(parentName) ?? fatal(`parent bridge ${parentName} does not exist`)
  if (parent.fake) fatal('cannot create bridge with fake bridge as parent')
  const child = model.bridges.find((b) => b.fake && b.row === parent.row && b.vlan === vlan)
  if (child) fatal(`bridge ${parentName} already has a child VLAN bridge ${child.name} on VLAN ${vlan}`)
  const iface = call.db.insert('Interface', { name, type: 'internal' })
  const port = call.db.insert('Port', { name, interfaces: [iface], fake_bridge: true, tag: vlan })
  call.db.addMember('Bridge', parent.row._uuid, 'ports', port)
}

/** --may-exist is content only with the very bridge that was asked for. */
function checkSame(call: VsCall, known: Bridge, parent: string | undefined, vlan: number): void {
  const asked = `"--may-exist add-br ${call.args.join(' ')}"`
  if (parent === undefined) {
    if (known.fake) fatal(`${asked} but ${known.name} is a VLAN bridge for VLAN ${known.vlan}`)
    return
  }
  if (!known.fake) fatal(`${asked} but ${known.name} is not a VLAN bridge`)
  if (known.row.name !== parent) fatal(`${asked} but ${known.name} has the wrong parent ${known.row.name}`)
  if (known.vlan !== vlan) fatal(`${asked} but ${known.name} is a VLAN bridge for the wrong VLAN ${known.vlan}`)
}

function del(call: VsCall): void {
  const model = new Model(call)
  const bridge = call.has('if-exists') ? model.findBridge(call.arg(0)) : model.bridge(call.arg(0))
  if (!bridge) return
  if (bridge.fake) {
    const inside = model.ports.filter((p) => p.bridge === bridge).map((p) => p.row)
    for (const port of [...inside, bridge.fake]) model.deletePort(port, bridge.row)
    return
  }
  for (const uuid of bridge.row.ports) {
    const port = call.db.get('Port', uuid)
    if (port) model.deletePort(port, bridge.row)
  }
  call.db.removeMember('Open_vSwitch', model.root._uuid, 'bridges', bridge.row._uuid)
  call.db.delete('Bridge', bridge.row._uuid)
}

function list(call: VsCall): void {
  const [real, fake] = [call.has('real') || !call.has('fake'), call.has('fake') || !call.has('real')]
  printLines(
    call,
    new Model(call).bridges.filter((b) => (b.fake ? fake : real)).map((b) => b.name),
  )
}

const PREFIX = 'fake-bridge-'

function setExternalId(call: VsCall): void {
  const [name = '', key = '', value] = call.args
  const bridge = new Model(call).bridge(name)
  const [table, row, id] = bridge.fake
    ? (['Port', bridge.fake, PREFIX + key] as const)
    : (['Bridge', bridge.row, key] as const)
  if (value === undefined) call.db.removeKey(table, row._uuid, 'external_ids', id)
  else call.db.setKey(table, row._uuid, 'external_ids', id, value)
}

function externalIds(bridge: Bridge): ReadonlyMap<string, string> {
  if (!bridge.fake) return bridge.row.external_ids
  const own = [...bridge.fake.external_ids].filter(([k]) => k.startsWith(PREFIX))
  return new Map(own.map(([k, v]) => [k.slice(PREFIX.length), v]))
}

function getExternalId(call: VsCall): void {
  const [name = '', key] = call.args
  const ids = externalIds(new Model(call).bridge(name))
  if (key === undefined) for (const [k, v] of ids) call.print(`${k}=${v}\n`)
  else if (ids.has(key)) call.print(`${ids.get(key)}\n`)
}

/** Back to a clean state: what names no network stays (ovs-vsctl(8), emer-reset). */
function emergencyReset(call: VsCall): void {
  const { db } = call
  const none = new Map<string, string>()
  for (const root of db.rows('Open_vSwitch')) {
    db.update('Open_vSwitch', root._uuid, { manager_options: [], ssl: undefined, other_config: none })
  }
  for (const bridge of db.rows('Bridge')) {
    const hwaddr = bridge.other_config.get('hwaddr')
    db.update('Bridge', bridge._uuid, {
      ...{ controller: [], fail_mode: undefined, mirrors: [], netflow: undefined, sflow: undefined, ipfix: undefined },
      other_config: hwaddr === undefined ? none : new Map([['hwaddr', hwaddr]]),
    })
  }
  for (const port of db.rows('Port')) db.update('Port', port._uuid, { other_config: none })
  for (const iface of db.rows('Interface')) db.update('Interface', iface._uuid, { other_config: none })
  for (const table of ['Controller', 'Manager', 'Mirror', 'NetFlow', 'sFlow', 'SSL', 'IPFIX'] as const) {
    for (const row of db.rows(table)) db.delete(table, row._uuid)
  }
}

const one = (name: string, usage: string, print: (bridge: Bridge) => string): VsCommand => ({
  name,
  args: [1, 1],
  usage,
  access: 'ro',
  tables: MODEL,
  run: (call) => call.print(`${print(new Model(call).bridge(call.arg(0)))}\n`),
})

const failModeOf = (text: string): OVS.Bridge['fail_mode'] =>
  text === 'standalone' || text === 'secure' ? text : fatal('fail-mode must be "standalone" or "secure"')

export const bridgeCommands: readonly VsCommand[] = [
  {
    name: 'emer-reset',
    args: [0, 0],
    access: 'rw',
    tables: [...MODEL, 'Controller', 'Manager', 'Mirror', 'NetFlow', 'sFlow', 'SSL', 'IPFIX'],
    run: emergencyReset,
  },
  {
    name: 'add-br',
    args: [1, 3],
    usage: 'NEW-BRIDGE [PARENT] [NEW-VLAN]',
    options: ['may-exist'],
    access: 'rw',
    tables: MODEL,
    run: add,
  },
  { name: 'del-br', args: [1, 1], usage: 'BRIDGE', options: ['if-exists'], access: 'rw', tables: MODEL, run: del },
  { name: 'list-br', args: [0, 0], options: ['real', 'fake'], access: 'ro', tables: MODEL, run: list },
  {
    name: 'br-exists',
    args: [1, 1],
    usage: 'BRIDGE',
    access: 'ro',
    tables: MODEL,
    run: (call) => {
      if (!new Model(call).findBridge(call.arg(0))) throw new CtlError('', 2)
    },
  },
  one('br-to-vlan', 'BRIDGE', (b) => String(b.vlan)),
  one('br-to-parent', 'BRIDGE', (b) => b.row.name),
  {
    name: 'br-set-external-id',
    args: [2, 3],
    usage: 'BRIDGE KEY [VALUE]',
    access: 'rw',
    tables: MODEL,
    run: setExternalId,
  },
  { name: 'br-get-external-id', args: [1, 2], usage: 'BRIDGE [KEY]', access: 'ro', tables: MODEL, run: getExternalId },
  {
    name: 'get-fail-mode',
    args: [1, 1],
    usage: 'BRIDGE',
    access: 'ro',
    tables: MODEL,
    run: (call) => {
      const mode = new Model(call).bridge(call.arg(0)).row.fail_mode
      if (mode) call.print(`${mode}\n`)
    },
  },
  {
    name: 'set-fail-mode',
    args: [2, 2],
    usage: 'BRIDGE MODE',
    access: 'rw',
    tables: MODEL,
    run: (call) => {
      const bridge = new Model(call).realBridge(call.arg(0))
      call.db.update('Bridge', bridge.row._uuid, { fail_mode: failModeOf(call.arg(1)) })
    },
  },
  {
    name: 'del-fail-mode',
    args: [1, 1],
    usage: 'BRIDGE',
    access: 'rw',
    tables: MODEL,
    run: (call) => {
      const bridge = new Model(call).realBridge(call.arg(0))
      call.db.update('Bridge', bridge.row._uuid, { fail_mode: undefined })
    },
  },
]
