import type { Derived, Graph, Request } from '../../reactive/index.ts'
import type { ACL } from '../../schema/northbound.ts'
import type { Context } from '../context.ts'
import { globalOption } from '../context.ts'
import type { AddFlow } from '../pipeline/flow.ts'
import * as reg from '../pipeline/registers.ts'
import { lsIn, lsOut, type Stage } from '../pipeline/stage.ts'
import type { NorthboundTables } from '../topology/tables.ts'
import type { Topology } from '../topology/topology.ts'
import { sampleFlows } from './acl-sample.ts'

type Position = 'from-lport' | 'from-lport after lb' | 'to-lport'

/** An ACL on one switch, directly or through a port group. */
interface SwitchAcl {
  readonly switch: string
  readonly acl: string
}

/** What the ACLs of a switch ask of its pipeline. */
export interface AclFacts {
  readonly any: boolean
  /** Some ACL allows related traffic: connections are tracked. */
  readonly stateful: boolean
  readonly tiers: { readonly [P in Position]: number }
}

const NONE: AclFacts = {
  any: false,
  stateful: false,
  tiers: { 'from-lport': 0, 'from-lport after lb': 0, 'to-lport': 0 },
}

export interface AclRelations {
  readonly switchAcls: Derived<SwitchAcl>
  readonly facts: Derived<AclFacts>
  /** Whether connections are tracked for ACLs: a narrow view of `facts`. */
  readonly statefulSwitch: Derived<boolean>
  /** Port groups by switch: `PG SWITCH`. */
  readonly groupSwitches: Derived<{ readonly group: string; readonly switch: string }>
  readonly ids: Derived<number>
}

function position(acl: ACL): Position {
  if (acl.direction === 'to-lport') return 'to-lport'
  return acl.options.get('apply-after-lb') === 'true' ? 'from-lport after lb' : 'from-lport'
}

/** Which ACLs are on which switch, strata 1 to 6. */
export function aclRelations(graph: Graph, nb: NorthboundTables, topology: Topology): AclRelations {
  const switchAcls = graph.derived<SwitchAcl>('acl of switch', 4)
  const groupPorts = graph.derived<{ group: string; port: string }>('port of group', 1)
  const groupSwitches = graph.derived<{ group: string; switch: string }>('switch of group', 2)
  const groupAcls = graph.derived<readonly string[]>('acls of group', 1)
  const statefulSwitch = graph.derived<boolean>('stateful switch', 7)
  const idRequests = graph.derived<Request>('acl id request', 1)
  graph.pair(
    'acls of switch',
    1,
    nb.Logical_Switch,
    { members: (row) => row.acls, pick: () => undefined },
    (key, acl, _picked, out) => out.emit(switchAcls, `${key} ${acl}`, { switch: key, acl }),
  )
  graph.pair(
    'ports of group',
    1,
    nb.Port_Group,
    { members: (row) => row.ports, pick: () => undefined },
    (key, port, _picked, out) => out.emit(groupPorts, `${key} ${port}`, { group: key, port }),
  )
  graph.rule('acls of group', 1, nb.Port_Group, (row, out) => out.emit(groupAcls, row._uuid, row.acls))
  graph.rule('switches of group', 2, groupPorts, ({ group, port }, out) => {
    const owner = topology.switchOf.get(port)
    if (owner !== undefined) out.emit(groupSwitches, `${group} ${owner}`, { group, switch: owner })
  })
  graph.rule('acls of switch by group', 3, groupSwitches, ({ group, switch: owner }, out) => {
    for (const acl of groupAcls.get(group) ?? []) out.emit(switchAcls, `${owner} ${acl}`, { switch: owner, acl })
  })
  interface Contribution {
    readonly switch: string
    readonly stateful: boolean
    readonly position: Position
    readonly tier: number
  }
  const contributions = graph.derived<Contribution>('acl contribution', 5)
  graph.rule('acl contribution', 5, switchAcls, (row, out, key) => {
    const acl = nb.ACL.get(row.acl)
    if (!acl) return
    out.emit(contributions, key, {
      switch: row.switch,
      stateful: acl.action === 'allow-related',
      position: position(acl),
      tier: acl.tier,
    })
  })
  const facts = graph.fold<Contribution, Map<string, Contribution>, AclFacts>('acl facts', 6, contributions, {
    key: (row) => row.switch,
    empty: () => new Map(),
    add: (into, row, key) => into.set(key, row),
    remove: (from, _row, key) => from.delete(key),
    result: (rows) => {
      const tiers = { 'from-lport': 0, 'from-lport after lb': 0, 'to-lport': 0 }
      let stateful = false
      for (const row of rows.values()) {
        stateful ||= row.stateful
        tiers[row.position] = Math.max(tiers[row.position], row.tier)
      }
      return { any: rows.size > 0, stateful, tiers }
    },
  })
  graph.rule('stateful switch', 7, facts, (f, out, key) => {
    if (f.stateful) out.emit(statefulSwitch, key, true)
  })
  graph.rule('acl id request', 1, nb.ACL, (acl, out) => {
    if (acl.action === 'allow-related' && acl.options.get('persist-established') === 'true')
      out.emit(idRequests, acl._uuid, { space: 'acl' })
  })
  const ids = graph.allocate('acl id', 2, idRequests, { first: 1, last: 65535 })
  return { switchAcls, facts, statefulSwitch, groupSwitches, ids }
}

const STAGES: {
  readonly [P in Position]: { eval: Stage; sample: Stage; action: Stage; hint: Stage; pre: Stage; back: Stage }
} = {
  'from-lport': {
    eval: lsIn.acl_eval,
    sample: lsIn.acl_sample,
    action: lsIn.acl_action,
    hint: lsIn.acl_hint,
    pre: lsIn.pre_acl,
    back: lsOut.qos,
  },
  'from-lport after lb': {
    eval: lsIn.acl_after_lb_eval,
    sample: lsIn.acl_after_lb_sample,
    action: lsIn.acl_after_lb_action,
    hint: lsIn.acl_hint,
    pre: lsIn.pre_acl,
    back: lsOut.qos,
  },
  'to-lport': {
    eval: lsOut.acl_eval,
    sample: lsOut.acl_sample,
    action: lsOut.acl_action,
    hint: lsOut.acl_hint,
    pre: lsOut.pre_acl,
    back: lsIn.l2_lkup,
  },
}

const CLEAR = `${reg.ACL_VERDICT_ALLOW} = 0; ${reg.ACL_VERDICT_DROP} = 0; ${reg.ACL_VERDICT_REJECT} = 0;`
const ALLOW = `${reg.ACL_VERDICT_ALLOW} = 1; `
const NEIGHBOURS = 'nd || nd_ra || nd_rs || mldv1 || mldv2'
const NOT_TRACKED = 'nd || nd_rs || nd_ra || mldv1 || mldv2 || (udp && udp.src == 546 && udp.dst == 547)'

/** The stages around ACLs, as far as they follow from what ACLs and load balancers a switch has. */
export function aclPipeline(context: Context): void {
  const { graph, topology, flows, acl, lb } = context
  graph.rule('features/acl pipeline', 10, topology.switches, (ls, out) => {
    const flow = flows.on(out, ls.uuid, 'features/acl.ts')
    const facts = acl.facts.get(ls.uuid) ?? NONE
    const balanced = lb.switchHasVips.get(ls.uuid) === true
    const tracked = facts.stateful || balanced
    if (facts.stateful) preAcl(flow)
    hints(flow, facts.any || balanced, tracked)
    const invalid = globalOption(context, 'use_ct_inv_match') !== 'false' && !ls.statelessBalancing
    evaluation(flow, facts.any || balanced, tracked, invalid)
    const drop = globalOption(context, 'default_acl_drop') === 'true'
    for (const p of ['from-lport', 'from-lport after lb', 'to-lport'] as const)
      verdict(flow, STAGES[p], facts, facts.tiers[p], drop, context.meters.of(ls.copp, 'reject'))
  })
  graph.rule('features/acl ports', 10, topology.switchPorts, (port, out) => {
    if (port.type !== 'router' && port.type !== 'localnet') return
    if (!acl.statefulSwitch.get(port.switch)) return
    const gateway = topology.peerOfSwitchPort(port)?.distributedGateway === true
    if (gateway && port.options.get('enable_router_port_acl') === 'true') return
    const flow = flows.on(out, port.switch, 'features/acl.ts')
    const options = { hint: port.uuid, port: port.name }
    flow(lsIn.pre_acl, 110, `ip && inport == ${port.quoted}`, 'next;', options)
    flow(lsOut.pre_acl, 110, `ip && outport == ${port.quoted}`, 'next;', options)
  })
  acls(context)
}

function preAcl(flow: AddFlow): void {
  flow(lsIn.pre_acl, 110, `${reg.PKT_TOO_BIG} && ${reg.FROM_TUNNEL}`, 'next;')
  for (const stage of [lsIn.pre_acl, lsOut.pre_acl]) {
    flow(stage, 110, 'eth.mcast', 'next;')
    flow(stage, 110, NOT_TRACKED, 'next;')
    flow(stage, 100, 'ip', `${reg.CONNTRACK_DEFRAG} = 1; next;`)
  }
}

const N = reg.ACL_HINT_ALLOW_NEW
const A = reg.ACL_HINT_ALLOW
const D = reg.ACL_HINT_DROP
const B = reg.ACL_HINT_BLOCK

function hints(flow: AddFlow, any: boolean, tracked: boolean): void {
  for (const stage of [lsIn.acl_hint, lsOut.acl_hint]) {
    if (!any) {
      flow(stage, 65535, '1', 'next;')
      continue
    }
    flow(stage, 0, '1', 'next;')
    if (!tracked) continue
    const commit = `${N} = 1; ${D} = 1; ${reg.CONNTRACK_COMMIT} = 1; next;`
    flow(stage, 7, 'ct.new && !ct.est', commit)
    flow(stage, 6, '!ct.new && ct.est && !ct.rpl && ct_mark.blocked == 1', commit)
    flow(stage, 5, '!ct.trk', `${A} = 1; ${D} = 1; next;`)
    flow(stage, 4, '!ct.new && ct.est && !ct.rpl && ct_mark.blocked == 0', `${A} = 1; ${B} = 1; next;`)
    flow(stage, 3, '!ct.est', `${D} = 1; next;`)
    flow(stage, 2, 'ct.est && ct_mark.blocked == 1', `${D} = 1; next;`)
    flow(stage, 1, 'ct.est && ct_mark.blocked == 0', `${B} = 1; next;`)
  }
}

function evaluation(flow: AddFlow, any: boolean, tracked: boolean, invalid: boolean): void {
  const nf = `${reg.NF_ENABLED} = ct_label.nf; ${ALLOW}`
  for (const stage of [lsIn.acl_eval, lsOut.acl_eval]) {
    const ingress = stage === lsIn.acl_eval
    flow(stage, 65532, NEIGHBOURS, `${ALLOW}next;`)
    if (!any) {
      flow(stage, 65535, '1', 'next;')
      continue
    }
    flow(stage, 0, '1', 'next;')
    flow(stage, 34000, `eth.${ingress ? 'dst' : 'src'} == $svc_monitor_mac`, `${ALLOW}next;`)
    if (!tracked) continue
    flow(stage, 1, 'ip && !ct.est', 'next;')
    flow(stage, 1, 'ip && ct.est && ct_mark.blocked == 1', `${ALLOW}next;`)
    flow(
      stage,
      65532,
      `${invalid ? 'ct.inv || ' : ''}(ct.est && ct.rpl && ct_mark.blocked == 1)`,
      `${reg.ACL_VERDICT_DROP} = 1; next;`,
    )
    const replied = ingress ? `${D} = 0; ${B} = 0; ${reg.ACL_HINT_REPLY} = 1; ` : ''
    flow(stage, 65532, 'ct.est && !ct.rel && ct.rpl && ct_mark.blocked == 0', `${replied}${nf}next;`)
    const related = ingress ? `${reg.ACL_HINT_REPLY} = 1; ` : ''
    flow(stage, 65532, '!ct.est && ct.rel && !ct.new && ct_mark.blocked == 0', `${related}${nf}ct_commit_nat;`)
    const persisted = ingress ? 'reg0[21] = 1; ' : ''
    flow(stage, 65532, 'ct.est && ct_mark.allow_established == 1', `${persisted}${nf}next;`)
  }
  flow(lsIn.acl_after_lb_eval, 65532, NEIGHBOURS, `${ALLOW}next;`)
  flow(lsIn.acl_after_lb_eval, 0, '1', 'next;')
  if (tracked) {
    flow(lsIn.acl_after_lb_eval, 65532, `${reg.ACL_HINT_REPLY} == 1`, `${ALLOW}next;`)
    flow(lsIn.acl_after_lb_eval, 65532, 'reg0[21] == 1', `${ALLOW}next;`)
  }
}

function verdict(
  flow: AddFlow,
  stages: (typeof STAGES)[Position],
  facts: AclFacts,
  tiers: number,
  dropByDefault: boolean,
  meter: string | undefined,
): void {
  const { action, eval: evaluate, back } = stages
  if (!facts.any) {
    flow(action, 0, '1', 'next;')
    return
  }
  const clear = tiers > 0 ? `${CLEAR} ${reg.ACL_TIER} = 0;` : CLEAR
  flow(action, 1000, `${reg.ACL_VERDICT_ALLOW} == 1`, `${clear} next;`)
  flow(action, 1000, `${reg.ACL_VERDICT_DROP} == 1`, `${clear} /* drop */`)
  flow(
    action,
    1000,
    `${reg.ACL_VERDICT_REJECT} == 1`,
    `${clear} reg0 = 0; reject { /* eth.dst <-> eth.src; ip.dst <-> ip.src; is implicit. */ outport <-> inport; next(pipeline=${back.pipeline},table=${back.table}); };`,
    { meter },
  )
  flow(action, 0, '1', dropByDefault ? `${clear} /* drop */` : `${clear} next;`)
  for (let tier = 0; tier < tiers; tier++) {
    flow(
      action,
      500,
      `${reg.ACL_TIER} == ${tier}`,
      `${reg.ACL_TIER} = ${tier + 1}; next(pipeline=${evaluate.pipeline},table=${evaluate.table});`,
    )
  }
}

/** One ACL on one switch. */
function acls(context: Context): void {
  const { graph, nb, flows, acl: relations, lb, meters } = context
  graph.rule('features/acl', 10, relations.switchAcls, ({ switch: owner, acl: uuid }, out) => {
    const acl = nb.ACL.get(uuid)
    const facts = relations.facts.get(owner)
    if (!acl || !facts) return
    const flow = flows.on(out, owner, 'features/acl.ts')
    const p = position(acl)
    const stages = STAGES[p]
    const tracked = facts.stateful || lb.switchHasVips.get(owner) === true
    const priority = acl.priority + 1000
    const tier = facts.tiers[p] > 0 ? `${reg.ACL_TIER} == ${acl.tier} && ` : ''
    sampleFlows(context, flow, acl, p)
    const id = relations.ids.get(uuid)
    if (id !== undefined) out.emit(context.outputs.ACL_ID, uuid, { id })
    const log = logAction(acl, meters.named(acl.meter, acl._uuid))
    logRelated(flow, acl, p, log)
    if (acl.action === 'allow-stateless' && tracked)
      flow(stages.pre, priority, acl.match, `${reg.ACL_STATELESS} = 1; next;`, uuid)
    if (acl.action === 'pass' || acl.action === 'allow-stateless' || !tracked) {
      flow(
        stages.eval,
        priority,
        `${tier}(${acl.match})`,
        `${log}${verdictBit(acl.action)}${observation(context, acl, p, false)}next;`,
        uuid,
      )
    } else if (acl.action === 'allow' || acl.action === 'allow-related') {
      const observed = observation(context, acl, p, true)
      const persist = id === undefined ? '' : `reg2[16..31] = ${id}; ${reg.ACL_PERSIST_ID} = 1; `
      flow(
        stages.eval,
        priority,
        `${tier}${N} == 1 && (${acl.match})`,
        `${log}${ALLOW}${persist}${observed}next;`,
        uuid,
      )
      const again = observed ? `${reg.CONNTRACK_COMMIT} = 1; ${observed}` : ''
      flow(stages.eval, priority, `${tier}${A} == 1 && (${acl.match})`, `${log}${ALLOW}${again}next;`, uuid)
    } else {
      const bit = verdictBit(acl.action)
      const observed = observation(context, acl, p, false)
      const established = acl.sample_est === undefined ? 0 : (nb.Sample.get(acl.sample_est)?.metadata ?? 0)
      flow(stages.eval, priority, `${tier}${D} == 1 && (${acl.match})`, `${log}${bit}${observed}next;`, uuid)
      flow(
        stages.eval,
        priority,
        `${tier}${B} == 1 && (${acl.match})`,
        `${log}${bit}${observed}ct_commit { ct_mark.blocked = 1; ct_label.obs_point_id = ${established}; }; next;`,
        uuid,
      )
    }
  })
}

/** Replies and related traffic of connections that an ACL allowed are logged too, known by its label. */
function logRelated(flow: AddFlow, acl: ACL, p: Position, log: string): void {
  if (!log || acl.action !== 'allow-related' || acl.label === 0) return
  if (acl.options.get('log-related') !== 'true') return
  const stage = p === 'to-lport' ? lsIn.acl_eval : lsOut.acl_eval
  const label = `ct_mark.blocked == 0 && ct_label.label == ${acl.label}`
  const actions = `${log}${reg.NF_ENABLED} = ct_label.nf; ${ALLOW}next;`
  flow(stage, 65533, `ct.est && !ct.rel && ct.rpl && ${label}`, actions, acl._uuid)
  flow(stage, 65533, `!ct.est && ct.rel && !ct.new && ${label}`, actions, acl._uuid)
}

function verdictBit(action: ACL['action']): string {
  if (action === 'pass') return ''
  if (action === 'reject') return `${reg.ACL_VERDICT_REJECT} = 1; `
  if (action === 'drop') return `${reg.ACL_VERDICT_DROP} = 1; `
  return ALLOW
}

function logAction(acl: ACL, meter: string | undefined): string {
  if (!acl.log) return ''
  const parts: string[] = []
  if (acl.name !== undefined) parts.push(`name=${JSON.stringify(acl.name)}`)
  parts.push(`severity=${acl.severity ?? 'info'}`)
  const verdict = acl.action === 'drop' || acl.action === 'reject' || acl.action === 'pass' ? acl.action : 'allow'
  parts.push(`verdict=${verdict}`)
  if (meter !== undefined) parts.push(`meter=${JSON.stringify(meter)}`)
  return `log(${parts.join(', ')}); `
}

const OBS_STAGE: { readonly [P in Position]: number } = { 'from-lport': 0, 'from-lport after lb': 1, 'to-lport': 2 }

/** What is remembered of an ACL's label or samples, in registers; conntrack keeps it for what is allowed. */
function observation({ nb }: Context, acl: ACL, p: Position, kept: boolean): string {
  const fresh = acl.sample_new === undefined ? undefined : nb.Sample.get(acl.sample_new)
  const established = kept && acl.sample_est !== undefined ? nb.Sample.get(acl.sample_est) : undefined
  const label = kept ? acl.label : 0
  if (label === 0 && !fresh && !established) return ''
  const only = (collectors: readonly string[] | undefined) => {
    const [first, second] = collectors ?? []
    return first === undefined || second !== undefined ? 0 : (nb.Sample_Collector.get(first)?.id ?? 0)
  }
  const newPoint = label || (fresh?.metadata ?? 0)
  const estPoint = label || (established?.metadata ?? 0)
  return `${reg.ACL_LABEL} = 1; reg3 = ${newPoint}; reg9 = ${estPoint}; reg8[0..7] = ${only(fresh?.collectors)}; reg8[8..15] = ${only(established?.collectors)}; reg8[19..20] = ${OBS_STAGE[p]}; `
}
