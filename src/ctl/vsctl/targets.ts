import type { OVS } from '../../schema/index.ts'
import { fatal } from '../error.ts'
import { MODEL, Model, printLines, type VsCall, type VsCommand } from './model.ts'

/** The kinds of target that a switch can be managed from, or listens at for that. */
const METHODS = /^(p?(tcp|ssl|unix|fd)|pfd|none):?/

function probeOf(call: VsCall): { inactivity_probe?: number } {
  const text = call.options.get('inactivity-probe')
  if (text === undefined) return {}
  return /^\d+$/.test(text) ? { inactivity_probe: Number(text) } : fatal(`invalid inactivity probe ${text}`)
}

function warnAbout(call: VsCall, targets: readonly string[]): void {
  for (const target of targets) {
    if (!METHODS.test(target)) call.warn('vsctl', `target type "${target}" is possibly erroneous`)
  }
}

function setControllers(call: VsCall, bridge: OVS.Bridge, targets: readonly string[]): void {
  for (const uuid of bridge.controller) call.db.delete('Controller', uuid)
  const probe = probeOf(call)
  warnAbout(call, targets)
  const controller = targets.map((target) => call.db.insert('Controller', { target, ...probe })).sort()
  call.db.update('Bridge', bridge._uuid, { controller })
}

function setManagers(call: VsCall, targets: readonly string[]): void {
  const { root } = new Model(call)
  for (const uuid of root.manager_options) call.db.delete('Manager', uuid)
  const probe = probeOf(call)
  warnAbout(call, targets)
  const manager_options = targets.map((target) => call.db.insert('Manager', { target, ...probe })).sort()
  call.db.update('Open_vSwitch', root._uuid, { manager_options })
}

function setSsl(call: VsCall, values: Partial<Omit<OVS.SSL, '_uuid'>> | undefined): void {
  const { root } = new Model(call)
  if (root.ssl !== undefined) call.db.delete('SSL', root.ssl)
  call.db.update('Open_vSwitch', root._uuid, { ssl: values && call.db.insert('SSL', values) })
}

function getSsl(call: VsCall): void {
  const { root } = new Model(call)
  const ssl = root.ssl === undefined ? undefined : call.db.get('SSL', root.ssl)
  if (!ssl) return
  call.print(`Private key: ${ssl.private_key}\nCertificate: ${ssl.certificate}\n`)
  call.print(`CA Certificate: ${ssl.ca_cert}\nBootstrap: ${ssl.bootstrap_ca_cert}\n`)
}

function readNumber(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : fatal(`Invalid argument ${text}`)
}

function autoAttach(call: VsCall): { bridge: OVS.Bridge; row: OVS.AutoAttach | undefined } {
  const { row: bridge } = new Model(call).realBridge(call.arg(0))
  return { bridge, row: bridge.auto_attach === undefined ? undefined : call.db.get('AutoAttach', bridge.auto_attach) }
}

function addMapping(call: VsCall): void {
  const { bridge, row } = autoAttach(call)
  const [isid, vlan] = [readNumber(call.arg(1)), readNumber(call.arg(2))]
  if (row) call.db.setKey('AutoAttach', row._uuid, 'mappings', isid, vlan)
  else {
    const auto_attach = call.db.insert('AutoAttach', { mappings: new Map([[isid, vlan]]) })
    call.db.update('Bridge', bridge._uuid, { auto_attach })
  }
}

function delMapping(call: VsCall): void {
  const { row } = autoAttach(call)
  const [isid, vlan] = [readNumber(call.arg(1)), readNumber(call.arg(2))]
  if (row?.mappings.get(isid) === vlan) call.db.removeKey('AutoAttach', row._uuid, 'mappings', isid)
}

const CONTROLLERS = [...MODEL, 'Controller'] as const
const MANAGERS = [...MODEL, 'Manager'] as const
const KEYS = [...MODEL, 'SSL'] as const
const ATTACH = [...MODEL, 'AutoAttach'] as const
const MANY = Number.POSITIVE_INFINITY

export const targetCommands: readonly VsCommand[] = [
  {
    name: 'get-controller',
    args: [1, 1],
    usage: 'BRIDGE',
    access: 'ro',
    tables: CONTROLLERS,
    run: (call) => {
      const { row } = new Model(call).bridge(call.arg(0))
      const targets = row.controller.map((u) => call.db.get('Controller', u)?.target)
      printLines(
        call,
        targets.filter((t) => t !== undefined),
      )
    },
  },
  {
    name: 'del-controller',
    args: [1, 1],
    usage: 'BRIDGE',
    access: 'rw',
    tables: CONTROLLERS,
    run: (call) => setControllers(call, new Model(call).realBridge(call.arg(0)).row, []),
  },
  {
    name: 'set-controller',
    args: [1, MANY],
    usage: 'BRIDGE TARGET...',
    options: ['inactivity-probe='],
    access: 'rw',
    tables: CONTROLLERS,
    run: (call) => setControllers(call, new Model(call).realBridge(call.arg(0)).row, call.args.slice(1)),
  },
  {
    name: 'get-manager',
    args: [0, 0],
    access: 'ro',
    tables: MANAGERS,
    run: (call) => {
      const targets = new Model(call).root.manager_options.map((u) => call.db.get('Manager', u)?.target)
      printLines(
        call,
        targets.filter((t) => t !== undefined),
      )
    },
  },
  { name: 'del-manager', args: [0, 0], access: 'rw', tables: MANAGERS, run: (call) => setManagers(call, []) },
  {
    name: 'set-manager',
    args: [1, MANY],
    usage: 'TARGET...',
    options: ['inactivity-probe='],
    access: 'rw',
    tables: MANAGERS,
    run: (call) => setManagers(call, call.args),
  },
  { name: 'get-ssl', args: [0, 0], access: 'ro', tables: KEYS, run: getSsl },
  { name: 'del-ssl', args: [0, 0], access: 'rw', tables: KEYS, run: (call) => setSsl(call, undefined) },
  {
    name: 'set-ssl',
    args: [3, 3],
    usage: 'PRIVATE-KEY CERTIFICATE CA-CERT',
    options: ['bootstrap'],
    access: 'rw',
    tables: KEYS,
    run: (call) => {
      const [private_key = '', certificate = '', ca_cert = ''] = call.args
      setSsl(call, { private_key, certificate, ca_cert, bootstrap_ca_cert: call.has('bootstrap') })
    },
  },
  { name: 'add-aa-mapping', args: [3, 3], usage: 'BRIDGE I-SID VLAN', access: 'rw', tables: ATTACH, run: addMapping },
  { name: 'del-aa-mapping', args: [3, 3], usage: 'BRIDGE I-SID VLAN', access: 'rw', tables: ATTACH, run: delMapping },
  {
    name: 'get-aa-mapping',
    args: [1, 1],
    usage: 'BRIDGE',
    access: 'ro',
    tables: ATTACH,
    run: (call) => {
      for (const [isid, vlan] of autoAttach(call).row?.mappings ?? []) call.print(`${isid} ${vlan}\n`)
    },
  },
]
