import type { Timer } from '../../base/clock.ts'
import { OFPP } from '../../openflow/actions/action.ts'
import type { Message } from '../../openflow/messages/message.ts'
import { type FlowStats, MORE } from '../../openflow/messages/multipart.ts'
import type { ControllerState } from '../controller.ts'
import { cookieOf } from '../flow.ts'
import { OFTABLE } from '../tables.ts'
import { parseThresholds, thresholdOf } from './threshold.ts'

/** Whatever is asked for in less is asked for in this many milliseconds. */
const SHORTEST_PAUSE_MS = 1000

/**
 * Keeps alive what is in use: northd forgets a MAC binding or FDB row whose timestamp is older than
 * its threshold, so the controller, which alone sees the packets, moves the timestamp of those that
 * packets still pass by (table 79 for neighbours, 72 for Ethernet addresses).
 */
export class Aging {
  private timer: Timer | undefined
  private readonly asked = new Map<number, 'MAC_Binding' | 'FDB'>()
  private readonly stops: (() => void)[] = []
  private flows: FlowStats[] = []

  constructor(private readonly state: ControllerState) {
    const { sb } = state.options
    this.stops.push(
      sb.onChange((change) => {
        const { Datapath_Binding, MAC_Binding, FDB } = change.tables
        if (Datapath_Binding || MAC_Binding || FDB) this.plan()
      }),
      state.datapaths.local.subscribe(() => this.plan()),
    )
    state.southbound.rows.watch('used', (key) => {
      const [table, uuid, timestamp] = key.split(' ') as ['MAC_Binding' | 'FDB', string, string]
      const row = sb.table(table).get(uuid)
      if (!row || row.timestamp >= Number(timestamp)) return []
      return [{ op: 'update', table, where: [['_uuid', '==', uuid]], row: { timestamp: Number(timestamp) } }]
    })
  }

  close(): void {
    this.timer?.cancel()
    for (const stop of this.stops) stop()
  }

  /** Whether the message was an answer to our question. */
  receive(message: Message): boolean {
    if (message.type !== 'multipart_reply') return false
    const table = this.asked.get(message.xid)
    if (!table || message.reply.kind !== 'flow') return false
    this.flows.push(...message.reply.flows)
    if (message.flags & MORE) return true
    this.asked.delete(message.xid)
    this.take(table, this.flows)
    this.flows = []
    return true
  }

  /** Seconds after which a row is forgotten; 0: never. */
  private threshold(table: 'MAC_Binding' | 'FDB', datapath: string, ip: string): number {
    const ids = this.state.options.sb.table('Datapath_Binding').get(datapath)?.external_ids
    if (table === 'FDB') return Number(ids?.get('fdb_age_threshold')) || 0
    return thresholdOf(parseThresholds(ids?.get('mac_binding_age_threshold')), ip)
  }

  private *rows(table: 'MAC_Binding' | 'FDB'): Generator<{ uuid: string; timestamp: number; seconds: number }> {
    const { sb } = this.state.options
    if (table === 'MAC_Binding') {
      for (const m of sb.table(table).values()) {
        if (!this.state.datapaths.local.contents.has(m.datapath)) continue
        const seconds = this.threshold(table, m.datapath, m.ip)
        if (seconds) yield { uuid: m._uuid, timestamp: m.timestamp, seconds }
      }
      return
    }
    const byKey = new Map([...this.state.datapaths.local.contents.values()].map((d) => [d.key, d.uuid]))
    for (const f of sb.table(table).values()) {
      const datapath = byKey.get(f.dp_key)
      const seconds = datapath === undefined ? 0 : this.threshold(table, datapath, '')
      if (seconds) yield { uuid: f._uuid, timestamp: f.timestamp, seconds }
    }
  }

  /** Looks often enough for the shortest threshold: several times before it has passed. */
  private plan(): void {
    if (this.timer) return
    let shortest = Number.POSITIVE_INFINITY
    for (const table of ['MAC_Binding', 'FDB'] as const) {
      for (const { seconds } of this.rows(table)) shortest = Math.min(shortest, seconds)
    }
    if (!Number.isFinite(shortest)) return
    this.timer = this.state.options.clock.after(Math.max(SHORTEST_PAUSE_MS, shortest * 250), () => {
      this.timer = undefined
      this.ask()
      this.plan()
    })
  }

  private ask(): void {
    this.asked.clear()
    for (const [table, number] of [
      ['MAC_Binding', OFTABLE.MAC_CACHE_USE],
      ['FDB', OFTABLE.LOOKUP_FDB],
    ] as const) {
      if (this.rows(table).next().done) continue
      const xid = this.state.installer.nextXid()
      this.asked.set(xid, table)
      this.state.send({
        type: 'multipart_request',
        xid,
        flags: 0,
        request: {
          kind: 'flow',
          match: [],
          table: number,
          outPort: OFPP.NONE,
          outGroup: 0xffffffff,
          cookie: 0n,
          cookieMask: 0n,
        },
      })
    }
  }

  private take(table: 'MAC_Binding' | 'FDB', flows: readonly FlowStats[]): void {
    const idle = new Map<number, number>()
    for (const f of flows) {
      if (f.packets === 0n || f.idleAge === undefined || f.idleAge === 0) continue
      const cookie = Number(f.cookie & 0xffffffffn)
      // idleAge is one more than the seconds since the last packet.
      idle.set(cookie, Math.min(idle.get(cookie) ?? Number.POSITIVE_INFINITY, f.idleAge - 1))
    }
    const now = this.state.options.clock.now()
    for (const { uuid, timestamp, seconds } of this.rows(table)) {
      const since = idle.get(cookieOf(uuid))
      if (since === undefined) continue
      const used = now - 1000 * since
      // A row that will live long yet is not written again: each write goes to every chassis.
      if (used > timestamp && now - timestamp >= 250 * seconds) {
        this.state.southbound.rows.mark('used', `${table} ${uuid} ${used}`)
      }
    }
  }
}
