import type { Context } from '../context.ts'
import { globalOption } from '../context.ts'
import type { AddFlow } from '../pipeline/flow.ts'
import * as reg from '../pipeline/registers.ts'
import { lrIn, lrOut, lsIn, lsOut } from '../pipeline/stage.ts'
import { arpSwap, neighbourAdvertisement } from '../router/port.ts'
import { reachableAddresses, routerSetName } from '../southbound/load-balancer.ts'
import type { RouterFacts } from '../topology/topology.ts'
import type { Balancer, Vip } from './load-balancer.ts'

const PROTOCOL_NUMBER = { tcp: 6, udp: 17, sctp: 132 } as const

/** Load balancing on switches and routers (ovn-northd(8), LB and DNAT tables). */
export function loadBalancerFlows(context: Context): void {
  const { graph, topology, flows, lb } = context
  graph.rule('features/load-balancer', 10, lb.attachments, (a, out) => {
    const balancer = lb.balancers.get(a.balancer)
    if (!balancer) return
    const flow = flows.on(out, a.datapath, 'features/load-balancer-flows.ts')
    if (a.kind === 'switch') {
      const ls = topology.switches.get(a.datapath)
      const copp = ls?.copp
      if (ls?.statelessBalancing && !a.inherited) for (const vip of balancer.vips) besideStateless(flow, balancer, vip)
      for (const vip of balancer.vips) onSwitch(context, flow, balancer, vip, copp)
      return
    }
    const facts = topology.routerFacts.get(a.datapath)
    if (!facts) return
    for (const vip of balancer.vips) onRouter(context, flow, balancer, vip, facts)
    if (balancer.skipSnat && balancer.vips.length) flow(lrOut.snat, 120, 'flags.skip_snat_for_lb == 1 && ip', 'next;')
  })
  answering(context)
  graph.rule('features/load-balancer switch', 10, lb.switchHasVips, (_has, out, key) => {
    if (!topology.switches.get(key)) return
    const flow = flows.on(out, key, 'features/load-balancer-flows.ts')
    switchPipeline(flow)
    if (topology.switches.get(key)?.statelessBalancing) {
      flow(lsOut.pre_lb, 115, `${reg.ACL_STATELESS} == 1`, `${reg.CONNTRACK_NAT} = 1; next;`)
      flow(lsOut.stateful, 110, `${reg.ACL_STATELESS} == 1 && ct.new`, 'next;')
    }
  })
  graph.rule('features/load-balancer router', 10, lb.routerHasVips, (_has, out, key) => {
    const facts = topology.routerFacts.get(key)
    if (!facts) return
    routerPipeline(flows.on(out, key, 'features/load-balancer-flows.ts'))
  })
}

function switchPipeline(flow: AddFlow): void {
  flow(lsIn.pre_lb, 100, 'ip', `${reg.CONNTRACK_NAT} = 1; next;`)
  flow(lsOut.pre_lb, 100, 'ip', `${reg.CONNTRACK_NAT} = 1; next;`)
  flow(lsIn.ct_extract, 100, 'ct.new && ip', `${reg.CT_PROTO} = ct_proto(); ${reg.CT_TP_DST} = ct_tp_dst(); next;`)
  const fragment = `ct.trk && ct.est && !ct.rpl && ${reg.IP_FRAG} == 1`
  flow(lsIn.lb, 110, `${fragment} && ip4`, 'reg4 = ct_nw_dst(); reg2[0..15] = ct_tp_dst(); next;')
  flow(lsIn.lb, 110, `${fragment} && ip6`, 'xxreg1 = ct_ip6_dst(); reg2[0..15] = ct_tp_dst(); next;')
  flow(
    lsIn.pre_hairpin,
    100,
    'ip && ct.trk',
    `${reg.HAIRPIN} = chk_lb_hairpin(); ${reg.HAIRPIN_REPLY} = chk_lb_hairpin_reply(); next;`,
  )
  flow(lsIn.nat_hairpin, 100, `ip && ct.new && ct.trk && ${reg.HAIRPIN} == 1`, 'ct_snat_to_vip; next;')
  flow(lsIn.nat_hairpin, 100, `ip && ct.est && ct.trk && ${reg.HAIRPIN} == 1`, 'ct_snat;')
  flow(lsIn.nat_hairpin, 90, `ip && ${reg.HAIRPIN_REPLY} == 1`, 'ct_snat;')
  flow(
    lsIn.hairpin,
    1,
    `(${reg.HAIRPIN} == 1 || ${reg.HAIRPIN_REPLY} == 1)`,
    'eth.dst <-> eth.src; outport = inport; flags.loopback = 1; output;',
  )
}

/** Original destination into the registers that hairpin and affinity look at. */
function saveVip(vip: Vip): string {
  const ip = vip.family === 4 ? `reg4 = ${vip.address}; ` : `xxreg1 = ${vip.address}; `
  return vip.port === undefined ? ip : `${ip}reg2[0..15] = ${vip.port}; `
}

function usable(vip: Vip) {
  return vip.backends.filter((b) => !b.down)
}

function backendList(lb: Balancer, vip: Vip): string {
  const list = `backends=${usable(vip)
    .map((b) => b.text)
    .join(',')}`
  return lb.fields.length ? `${list}; hash_fields="${hashFields(lb).join(',')}"` : list
}

function hashFields(lb: Balancer): string[] {
  return lb.fields.map((f) => (f === 'tp_src' || f === 'tp_dst' ? `${lb.protocol}_${f.slice(3)}` : f))
}

function connectionMatch(lb: Balancer, vip: Vip): string {
  if (vip.port === undefined) return ''
  return ` && ${reg.CT_PROTO} == ${PROTOCOL_NUMBER[lb.protocol]} && ${reg.CT_TP_DST} == ${vip.port}`
}

/** What happens where no backend is left: a refusal, an event, or nothing at all. */
type Outcome = 'balance' | 'reject' | 'event' | 'drop'

function outcome(context: Context, lb: Balancer, vip: Vip): Outcome {
  if (usable(vip).length) return 'balance'
  if (lb.reject) return 'reject'
  if (globalOption(context, 'controller_event') === 'true' || lb.event) return 'event'
  return 'drop'
}

/** Load balancing where stateless ACLs keep traffic away from tracking: by address alone, and back again. */
function besideStateless(flow: AddFlow, lb: Balancer, vip: Vip): void {
  const ip = `ip${vip.family}.dst == ${vip.address}`
  if (vip.port === undefined) return
  flow(lsIn.pre_stateful, 105, `${lb.protocol} && ${ip}`, 'ct_lb_mark;', lb.uuid)
  flow(lsIn.pre_stateful, 150, `${ip} && ${lb.protocol}.dst == ${vip.port}`, `${saveVip(vip)}ct_lb_mark;`, lb.uuid)
}

function eventMatch(lb: Balancer, vip: Vip): string {
  return vip.port === undefined ? '' : ` && ${lb.protocol} && ${lb.protocol}.dst == ${vip.port}`
}

function trigger(lb: Balancer, vip: Vip): string {
  return `trigger_event(event = "empty_lb_backends", vip = "${vip.key}", protocol = "${lb.protocol}", load_balancer = "${lb.uuid}");`
}

function onSwitch(context: Context, flow: AddFlow, lb: Balancer, vip: Vip, copp: string | undefined): void {
  const ip = `ip${vip.family}.dst == ${vip.address}`
  const l4 = vip.port === undefined ? '' : ` && ${lb.protocol}.dst == ${vip.port}`
  flow(lsIn.pre_stateful, 120, `${reg.CONNTRACK_NAT} == 1 && ${ip}${l4}`, `${saveVip(vip)}ct_lb_mark;`, lb.uuid)
  const priority = vip.port === undefined ? 110 : 120
  const match = `ct.new && ${ip}${connectionMatch(lb, vip)}`
  const result = outcome(context, lb, vip)
  if (result === 'event') {
    flow(lsIn.pre_lb, 130, `${ip}${eventMatch(lb, vip)}`, trigger(lb, vip), {
      hint: lb.uuid,
      meter: context.meters.of(copp, 'event-elb'),
    })
  }
  if (result === 'balance')
    flow(lsIn.lb, priority, match, `${saveVip(vip)}ct_lb_mark(${backendList(lb, vip)});`, lb.uuid)
  else if (result === 'reject')
    flow(
      lsIn.lb,
      priority,
      match,
      `reg0 = 0; reject { outport <-> inport; next(pipeline=egress,table=${lsOut.qos.table});};`,
      { hint: lb.uuid, meter: context.meters.of(copp, 'reject') },
    )
  else flow(lsIn.lb, priority, match, 'drop;', lb.uuid)
  if (lb.affinity !== undefined && result === 'balance') affinity(flow, lb, vip, 'switch', undefined)
}

function routerPipeline(flow: AddFlow): void {
  flow(lrIn.ct_extract, 100, 'ct.new && ip', `${reg.CT_PROTO} = ct_proto(); ${reg.CT_TP_DST} = ct_tp_dst(); next;`)
  const established = 'ct.est && !ct.rel && !ct.new && !ct.rpl && ct_mark.natted'
  const related = 'ct.rel && !ct.est && !ct.new && !ct.rpl'
  flow(lrIn.dnat, 50, established, 'next;')
  flow(lrIn.dnat, 50, related, 'ct_commit_nat;')
  for (const kind of ['skip_snat', 'force_snat']) {
    flow(lrIn.dnat, 70, `${established} && ct_mark.${kind} == 1`, `flags.${kind}_for_lb = 1; next;`)
    flow(lrIn.dnat, 70, `${related} && ct_mark.${kind} == 1`, `flags.${kind}_for_lb = 1; ct_commit_nat;`)
  }
}

function onRouter(context: Context, flow: AddFlow, lb: Balancer, vip: Vip, facts: RouterFacts): void {
  const router = facts.router
  const ip = `ip${vip.family}`
  flow(lrIn.defrag, 100, `ip && ${ip}.dst == ${vip.address}`, 'ct_dnat;', lb.uuid)
  const priority = vip.port === undefined ? 110 : 120
  const base = `ct.new && !ct.rel && ${ip} && ${ip}.dst == ${vip.address}${connectionMatch(lb, vip)}`
  const forced = router.options.get('lb_force_snat_ip')
  // The address of the port a packet leaves by is for gateway routers alone.
  const force = forced && (facts.isGateway || forced !== 'router_ip') ? 'force_snat' : undefined
  const kind = lb.skipSnat ? 'skip_snat' : force
  const mark = kind ? `flags.${kind}_for_lb = 1; ` : ''
  const result = outcome(context, lb, vip)
  const places = facts.gatewayPorts.length ? facts.gatewayPorts : [undefined]
  if (context.nat.snatIp(router.uuid, vip.address)) {
    const l4 = vip.port === undefined ? '' : ` && ${lb.protocol} && ${lb.protocol}.dst == ${vip.port}`
    flow(lrIn.unsnat, 120, `${ip} && ${ip}.dst == ${vip.address}${l4}`, 'next;', lb.uuid)
  }
  if (result === 'event') {
    flow(lrIn.dnat, 130, `${ip}.dst == ${vip.address}${eventMatch(lb, vip)}`, trigger(lb, vip), {
      hint: lb.uuid,
      meter: context.meters.of(router.copp, 'event-elb'),
    })
  }
  if (result === 'reject') {
    flow(
      lrIn.dnat,
      priority,
      base,
      `${mark}reg0 = 0; reject { outport <-> inport; next(pipeline=egress,table=${lrOut.snat.table});};`,
      { hint: lb.uuid, meter: context.meters.of(router.copp, 'reject') },
    )
  }
  for (const port of places) {
    const here = port ? ` && is_chassis_resident(${port.quotedRedirect})` : ''
    if (result === 'event' || result === 'drop') flow(lrIn.dnat, priority, `${base}${here}`, 'drop;', lb.uuid)
    if (result === 'balance') {
      const save = lb.affinity === undefined ? '' : saveVip(vip)
      const tail = kind ? `; ${kind}` : ''
      flow(lrIn.dnat, priority, `${base}${here}`, `${mark}${save}ct_lb_mark(${backendList(lb, vip)}${tail});`, lb.uuid)
    }
    if (!port || !vip.backends.length) continue
    const from = usable(vip)
      .map((b) =>
        b.port === undefined
          ? `(${ip}.src == ${b.address})`
          : `(${ip}.src == ${b.address} && ${lb.protocol}.src == ${b.port})`,
      )
      .join(' || ')
    if (!from) continue
    flow(
      lrOut.undnat,
      120,
      `${ip} && (${from}) && (inport == ${port.quoted} || outport == ${port.quoted})${here}`,
      kind ? `flags.${kind}_for_lb = 1; next;` : 'ct_dnat;',
      lb.uuid,
    )
    flow(
      lrIn.gw_redirect,
      200,
      `${ip} && (${from}) && outport == ${port.quoted}`,
      `outport = ${port.quotedRedirect}; next;`,
      lb.uuid,
    )
  }
  if (lb.affinity !== undefined) affinity(flow, lb, vip, 'router', kind)
}

/** Clients stay with their backend for a while (ovn-nb(5), Load_Balancer options:affinity_timeout). */
function affinity(flow: AddFlow, lb: Balancer, vip: Vip, where: 'switch' | 'router', kind: string | undefined): void {
  const ip = `ip${vip.family}`
  const router = where === 'router'
  const [check, balance, learn] = router
    ? [lrIn.lb_aff_check, lrIn.dnat, lrIn.lb_aff_learn]
    : [lsIn.lb_aff_check, lsIn.lb, lsIn.lb_aff_learn]
  const fresh = router ? `ct.new && !ct.rel && ${ip}` : `ct.new && ${ip}`
  flow(
    check,
    100,
    `${fresh} && ${ip}.dst == ${vip.address}${connectionMatch(lb, vip)}`,
    `${reg.KNOWN_LB_SESSION} = chk_lb_aff(); next;`,
    lb.uuid,
  )
  const saved = vip.family === 4 ? 'reg4' : 'xxreg1'
  for (const b of usable(vip)) {
    const known = `${saved} == ${b.address}${b.port === undefined ? '' : ` && reg2[0..15] == ${b.port}`}`
    const mark = kind ? `flags.${kind}_for_lb = 1; ` : ''
    const save = router ? '' : saveVip(vip)
    flow(
      balance,
      150,
      `${reg.KNOWN_LB_SESSION} == 1 && ct.new && ${ip}.dst == ${vip.address} && ${known}`,
      `${mark}${save}ct_lb_mark(backends=${b.text}${kind ? `; ${kind}` : ''});`,
      lb.uuid,
    )
    const original = `${vip.family === 4 ? 'reg4' : 'xxreg1'} == ${vip.address}${vip.port === undefined ? '' : ` && reg2[0..15] == ${vip.port}`}`
    const target = `${ip}.dst == ${b.address}${b.port === undefined ? '' : ` && ${lb.protocol}.dst == ${b.port}`}`
    const proto = vip.port === undefined ? '' : `, proto = ${lb.protocol}`
    flow(
      learn,
      100,
      `${reg.KNOWN_LB_SESSION} == 0 && ct.new && ${ip} && ${original} && ${target}`,
      `commit_lb_aff(vip = "${vip.key}", backend = "${b.text}"${proto}, timeout = ${lb.affinity}); /* drop */`,
      lb.uuid,
    )
  }
}

/** A router port answers ARP requests and solicitations for the router's virtual addresses. */
function answering(context: Context): void {
  const { graph, topology, flows, datapathKeys } = context
  graph.rule('features/load-balancer arp', 10, topology.routerPorts, (port, out) => {
    const key = datapathKeys.get(port.router)
    if (key === undefined || !context.lb.routerHasVips.get(port.router)) return
    const flow = flows.on(out, port.router, 'features/load-balancer-flows.ts')
    const here = port.distributedGateway ? ` && is_chassis_resident(${port.quotedRedirect})` : ''
    if (reachableAddresses(context, port.router, 4).length)
      flow(
        lrIn.ip_input,
        90,
        `inport == ${port.quoted} && arp.op == 1 && arp.tpa == $${routerSetName(key, 4)}${here}`,
        arpSwap(reg.INPORT_ETH_ADDR),
      )
    if (reachableAddresses(context, port.router, 6).length)
      flow(
        lrIn.ip_input,
        90,
        `inport == ${port.quoted} && nd_ns && nd.target == $${routerSetName(key, 6)}${here}`,
        neighbourAdvertisement('nd_na', reg.INPORT_ETH_ADDR),
        { meter: context.meters.of(topology.routers.get(port.router)?.copp, 'nd-na') },
      )
  })
}
