import { VirtualClock } from '../base/clock.ts'
import { keptLog } from '../base/log.ts'
import { seeded } from '../base/random.ts'
import type { OpenFlowChannel } from '../openflow/connection/channel.ts'
import { channelPair } from '../openflow/connection/pair.ts'
import type { GroupMod, Message, MeterMod } from '../openflow/messages/message.ts'
import type { FlowStats } from '../openflow/messages/multipart.ts'
import { LocalReplica } from '../ovsdb/client/local.ts'
import type { Operation } from '../ovsdb/client/operation.ts'
import { Database } from '../ovsdb/transaction/index.ts'
import { openVSwitch } from '../schema/open-vswitch.ts'
import { southbound } from '../schema/southbound.ts'
import { createController } from './controller.ts'
import { flowKey } from './flow.ts'

/** A switch that takes flows, groups and meters, answers as one does, and forwards nothing. */
export class FakeSwitch {
  readonly flows = new Map<string, FlowStats>()
  readonly groups = new Map<number, GroupMod>()
  readonly meters = new Map<number, MeterMod>()
  readonly received: Message[] = []
  /** Modifications of the present connection. */
  modifications = 0
  channel: OpenFlowChannel | undefined
  private readonly bundles = new Map<number, Message[]>()

  accept(channel: OpenFlowChannel): void {
    this.channel = channel
    this.modifications = 0
    channel.onMessage = (m) => this.receive(m)
  }

  private receive(m: Message): void {
    const channel = this.channel
    if (!channel) return
    const { xid } = m
    this.received.push(m)
    switch (m.type) {
      case 'tlv_table_request':
        channel.send({ type: 'tlv_table_reply', xid, maxSpace: 256, maxFields: 64, maps: [] })
        return
      case 'barrier_request':
        channel.send({ type: 'barrier_reply', xid })
        return
      case 'multipart_request': {
        const { kind } = m.request
        if (kind === 'flow') {
          channel.send({ type: 'multipart_reply', xid, flags: 0, reply: { kind, flows: [...this.flows.values()] } })
        } else if (kind === 'group_desc') {
          channel.send({ type: 'multipart_reply', xid, flags: 0, reply: { kind, groups: [...this.groups.values()] } })
        } else if (kind === 'meter_config') {
          channel.send({ type: 'multipart_reply', xid, flags: 0, reply: { kind, meters: [...this.meters.values()] } })
        }
        return
      }
      case 'bundle_control':
        if (m.control === 'open_request') this.bundles.set(m.bundle, [])
        if (m.control === 'commit_request') for (const x of this.bundles.get(m.bundle) ?? []) this.apply(x)
        return
      case 'bundle_add':
        this.bundles.get(m.bundle)?.push(m.message)
        return
      default:
        this.apply(m)
    }
  }

  private apply(m: Message): void {
    if (m.type === 'flow_mod') {
      this.modifications++
      const key = flowKey(m.table, m.priority, m.match)
      if (m.command === 'delete_strict') this.flows.delete(key)
      else {
        const { match, priority, table, cookie, actions } = m
        this.flows.set(key, {
          match,
          priority,
          table,
          cookie,
          actions,
          durationSec: 0,
          durationNsec: 0,
          idleTimeout: 0,
          hardTimeout: 0,
          importance: 0,
          flags: 0,
          packets: 0n,
          bytes: 0n,
        })
      }
    } else if (m.type === 'group_mod') {
      this.modifications++
      if (m.command === 'delete') this.groups.delete(m.group)
      else this.groups.set(m.group, m)
    } else if (m.type === 'meter_mod') {
      this.modifications++
      if (m.command === 'delete') this.meters.delete(m.meter)
      else this.meters.set(m.meter, m)
    }
  }
}

/** A southbound database, with one controller, its local database and a switch, on virtual time. */
export function makeWorld(options: { seed?: number; clock?: VirtualClock; southbound?: Database } = {}) {
  const clock = options.clock ?? new VirtualClock()
  const random = seeded(options.seed ?? 1)
  const sbDb = options.southbound ?? new Database(southbound, clock, random)
  const ovsDb = new Database(openVSwitch, clock, random)
  const { log, lines } = keptLog()
  const sw = new FakeSwitch()
  const run = (db: Database, operations: readonly Operation[]) => {
    const r = db.transact(operations)
    if (r.error) throw new Error(JSON.stringify(r.error))
    clock.settle()
    return r
  }
  run(ovsDb, [
    {
      op: 'insert',
      table: 'Open_vSwitch',
      row: {
        bridges: [],
        iface_types: ['geneve', 'patch'],
        external_ids: new Map([
          ['hostname', 'host1'],
          ['ovn-bridge-mappings', 'physnet:br-ex'],
          ['ovn-encap-ip', '192.0.2.1'],
          ['ovn-encap-type', 'geneve'],
          ['system-id', 'hv1'],
        ]),
      },
    },
  ])
  // What ovs-vswitchd does for the controller: numbers for ports.
  const vswitchd = new LocalReplica(ovsDb, openVSwitch, { clock })
  let port = 0
  vswitchd.onChange((change) => {
    const ops: Operation[] = []
    for (const { new: row } of change.tables.Interface?.values() ?? []) {
      if (row && row.ofport === undefined && vswitchd.table('Interface').get(row._uuid)?.ofport === undefined) {
        ops.push({ op: 'update', table: 'Interface', where: [['_uuid', '==', row._uuid]], row: { ofport: ++port } })
      }
    }
    if (ops.length) ovsDb.transact(ops)
  })
  let controller = start()
  function start() {
    const sb = new LocalReplica(sbDb, southbound, { clock })
    const ovs = new LocalReplica(ovsDb, openVSwitch, { clock })
    const c = createController({
      sb,
      ovs,
      clock,
      log,
      random,
      openflow: (_bridge, done) => {
        const [near, far] = channelPair(clock)
        sw.accept(far)
        done(near)
      },
    })
    c.start()
    return c
  }
  const table = (db: Database, name: string) => [...db.rows(name)]
  return {
    clock,
    sbDb,
    ovsDb,
    sw,
    lines,
    get controller() {
      return controller
    },
    restart() {
      controller.close()
      clock.settle()
      controller = start()
      clock.settle()
    },
    sb: (...ops: Operation[]) => run(sbDb, ops),
    ovs: (...ops: Operation[]) => run(ovsDb, ops),
    rows: (name: string) => table(sbDb, name),
    localRows: (name: string) => table(ovsDb, name),
    /** Adds an interface to the integration bridge. */
    plug(name: string, ids: Record<string, string>) {
      const bridge = table(ovsDb, 'Bridge').find((b) => b['name'] === 'br-int')
      run(ovsDb, [
        {
          op: 'insert',
          table: 'Interface',
          uuid: uuidOf(`if-${name}`),
          row: { name, external_ids: new Map(Object.entries(ids)) },
        },
        {
          op: 'insert',
          table: 'Port',
          uuid: uuidOf(`port-${name}`),
          row: { name, interfaces: [uuidOf(`if-${name}`)] },
        },
        {
          op: 'mutate',
          table: 'Bridge',
          where: [['_uuid', '==', bridge?._uuid as string]],
          mutations: [['ports', 'insert', [uuidOf(`port-${name}`)]]],
        },
      ])
    },
    unplug(name: string) {
      run(ovsDb, [
        {
          op: 'mutate',
          table: 'Bridge',
          where: [['name', '==', 'br-int']],
          mutations: [['ports', 'delete', [uuidOf(`port-${name}`)]]],
        },
      ])
    },
  }
}

/** A uuid that a name always has. */
export function uuidOf(name: string): string {
  let h = 0xcbf29ce484222325n
  for (const c of name) h = BigInt.asUintN(64, (h ^ BigInt(c.charCodeAt(0))) * 0x100000001b3n)
  const hex = h.toString(16).padStart(16, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8000-${hex.slice(4)}`
}

export const datapathRow = (
  name: string,
  key: number,
  type: 'logical-switch' | 'logical-router' = 'logical-switch',
): Operation => ({
  op: 'insert',
  table: 'Datapath_Binding',
  uuid: uuidOf(name),
  row: { tunnel_key: key, type, external_ids: new Map([['name', name]]) },
})

export const portRow = (
  name: string,
  datapath: string,
  key: number,
  rest: { [column: string]: string | number | boolean | readonly string[] | ReadonlyMap<string, string> } = {},
): Operation => ({
  op: 'insert',
  table: 'Port_Binding',
  uuid: uuidOf(`pb-${name}`),
  row: { logical_port: name, datapath: uuidOf(datapath), tunnel_key: key, type: '', up: false, ...rest },
})

export const flowRow = (
  datapath: string,
  pipeline: 'ingress' | 'egress',
  table: number,
  priority: number,
  match: string,
  actions: string,
): Operation => ({
  op: 'insert',
  table: 'Logical_Flow',
  uuid: uuidOf(`lf-${datapath}-${pipeline}-${table}-${priority}-${match}`),
  row: { logical_datapath: uuidOf(datapath), pipeline, table_id: table, priority, match, actions },
})
