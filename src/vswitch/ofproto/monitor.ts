import type { ErrorName } from '../../openflow/messages/errors.ts'
import type { Message } from '../../openflow/messages/message.ts'
import type { FlowMonitorRequest, FlowUpdate, StatsRequest } from '../../openflow/messages/multipart.ts'
import { compileMatch, type Slots } from '../classifier/slots.ts'
import type { Rule } from '../pipeline/rule.ts'
import type { Bridge } from './bridge.ts'
import { filterFlows, outputsTo } from './flow-mod.ts'

const INITIAL = 1
const ADD = 2
const REMOVED = 4
const MODIFY = 8
const ACTIONS = 16
const ABBREV = 32

const PART = 50

interface Monitor {
  readonly request: FlowMonitorRequest
  readonly nicira: boolean
}

/** The flow monitors of one connection (OpenFlow 1.4 §7.3.5.17 and NXST_FLOW_MONITOR). */
export class FlowMonitors {
  private readonly monitors = new Map<number, Monitor>()
  private pending: FlowUpdate[] = []
  private own = false

  constructor(
    private readonly bridge: Bridge,
    private readonly slots: Slots,
    private readonly send: (m: Message) => void,
  ) {}

  add(xid: number, r: StatsRequest & { kind: 'flow_monitor' }): ErrorName | undefined {
    for (const m of r.monitors) {
      if (m.command === 1) {
        if (!this.monitors.has(m.id)) return 'OFPMOFC_UNKNOWN_MONITOR'
      } else if (m.command === 0 && this.monitors.has(m.id)) return 'OFPMOFC_MONITOR_EXISTS'
      if (m.command === 2) {
        if (!this.cancel(m.id)) return 'OFPMOFC_UNKNOWN_MONITOR'
      }
    }
    const initial: FlowUpdate[] = []
    for (const m of r.monitors) {
      if (m.command === 2) continue
      this.monitors.set(m.id, { request: m, nicira: r.nicira })
      if (!(m.flags & INITIAL)) continue
      const flows = filterFlows(this.bridge, this.slots, {
        match: m.match,
        table: m.table,
        outPort: m.outPort,
        outGroup: m.outGroup,
        cookie: 0n,
        cookieMask: 0n,
      })
      for (const rule of flows) initial.push(update(r.nicira ? 'added' : 'initial', rule, 0, (m.flags & ACTIONS) !== 0))
    }
    const parts = Math.max(1, Math.ceil(initial.length / PART))
    for (let i = 0; i < parts; i++) {
      this.send({
        type: 'multipart_reply',
        xid,
        flags: i < parts - 1 ? 1 : 0,
        reply: { kind: 'flow_monitor', nicira: r.nicira, updates: initial.slice(i * PART, (i + 1) * PART) },
      })
    }
    return undefined
  }

  cancel(id: number): boolean {
    return this.monitors.delete(id)
  }

  changed(event: 'added' | 'deleted' | 'modified', rule: Rule, reason: number, own: boolean): void {
    if (this.monitors.size === 0) return
    const flag = event === 'added' ? ADD : event === 'deleted' ? REMOVED : MODIFY
    for (const { request: m } of this.monitors.values()) {
      if (!(m.flags & flag) || (m.table !== 0xff && m.table !== rule.table)) continue
      if (!outputsTo(rule.actions, m.outPort, m.outGroup) || !covers(m, rule, this.slots)) continue
      if (own && m.flags & ABBREV) {
        this.own = true
        return
      }
      this.pending.push(update(event, rule, reason, (m.flags & ACTIONS) !== 0))
      break
    }
    if (!own) this.flush(0)
  }

  /** Sends what was gathered while one message was carried out. */
  flush(xid: number): void {
    const updates = this.pending
    if (this.own) updates.push({ event: 'abbrev', xid })
    if (updates.length === 0) return
    this.pending = []
    this.own = false
    const nicira = [...this.monitors.values()][0]?.nicira ?? false
    for (let i = 0; i < updates.length; i += PART) {
      this.send({
        type: 'multipart_reply',
        xid: 0,
        flags: 0,
        reply: { kind: 'flow_monitor', nicira, updates: updates.slice(i, i + PART) },
      })
    }
  }
}

function covers(m: FlowMonitorRequest, rule: Rule, slots: Slots): boolean {
  if (m.match.length === 0) return true
  const c = compileMatch(m.match, slots)
  if ('missing' in c) return false
  for (let i = 0; i < c.mask.words.length; i++) {
    const p = rule.mask.words.indexOf(c.mask.words[i] as number)
    const bits = c.mask.bits[i] as number
    if (p < 0 || (bits & ~(rule.mask.bits[p] as number)) !== 0) return false
    if ((((rule.values[p] as number) & bits) ^ (c.values[i] as number)) !== 0) return false
  }
  return true
}

function update(
  event: 'initial' | 'added' | 'deleted' | 'modified',
  rule: Rule,
  reason: number,
  actions: boolean,
): FlowUpdate {
  return {
    event,
    reason,
    priority: rule.priority,
    idleTimeout: rule.idleTimeout,
    hardTimeout: rule.hardTimeout,
    table: rule.table,
    cookie: rule.cookie,
    match: rule.match,
    actions: actions ? rule.actions : [],
  }
}
