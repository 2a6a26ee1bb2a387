import type { ACL } from '../../schema/northbound.ts'
import { type Context, supports } from '../context.ts'
import type { AddFlow } from '../pipeline/flow.ts'
import { lsIn, lsOut, type Stage } from '../pipeline/stage.ts'

type Where = 'from-lport' | 'from-lport after lb' | 'to-lport'

interface Place {
  readonly stage: Stage
  /** The stage that sees the replies. */
  readonly reply: Stage
  /** What `ct_mark.obs_stage` says of it. */
  readonly number: number
}

const PLACES: { readonly [W in Where]: Place } = {
  'from-lport': { stage: lsIn.acl_sample, reply: lsOut.acl_sample, number: 0 },
  'from-lport after lb': { stage: lsIn.acl_after_lb_sample, reply: lsOut.acl_sample, number: 1 },
  'to-lport': { stage: lsOut.acl_sample, reply: lsIn.acl_sample, number: 2 },
}

const ESTABLISHED = 'flags.pkt_sampled == 0 && ip && ct.trk && (ct.est || ct.rel) && ct_label.obs_unused == 0'

/** Samples of what an ACL decided (ovn-nb(5), Sample; ovn-northd(8), ACL sampling). */
export function sampleFlows(context: Context, flow: AddFlow, acl: ACL, where: Where): void {
  const { nb } = context
  const fresh = acl.sample_new === undefined ? undefined : nb.Sample.get(acl.sample_new)
  const established = acl.sample_est === undefined ? undefined : nb.Sample.get(acl.sample_est)
  if (!fresh && !established) return
  const place = PLACES[where]
  const domain = (option: string) => nb.Sampling_App.values().find((a) => a.type === option)?.id ?? 0
  const registers = supports(context, 'sampleWithRegisters')
  const collectorsOf = (uuids: readonly string[]) =>
    uuids.flatMap((uuid) => {
      const c = nb.Sample_Collector.get(uuid)
      return c ? [c] : []
    })
  // Without registers a sample says who it is for, or is none at all.
  const sample = (uuids: readonly string[], app: string, point: string | number) =>
    collectorsOf(uuids)
      .map(
        (c) =>
          `sample(probability=${c.probability},collector_set=${c.set_id},obs_domain=${domain(app)},obs_point=${point});`,
      )
      .join('')
  const whole = (app: string, text: string) =>
    nb.Sampling_App.values().some((a) => a.type === app) ? `flags.pkt_sampled = 1; ${text} next;` : ''
  const state = acl.action === 'allow-stateless' ? '' : where === 'to-lport' ? '(ct.new || !ct.trk) && ' : 'ct.new && '
  if (fresh) {
    const collector = collectorsOf(fresh.collectors)[0]
    if (collector && registers && fresh.collectors.length === 1)
      flow(
        place.stage,
        1000,
        `ip && ${state}reg8[0..7] == ${collector.id} && reg8[19..20] == ${place.number}`,
        `flags.pkt_sampled = 1; ${sample(fresh.collectors, 'acl-new', 'reg3')} next;`,
      )
    else
      flow(
        place.stage,
        1100,
        `ip && ${state}reg3 == ${acl.label || fresh.metadata}`,
        whole('acl-new', sample(fresh.collectors, 'acl-new', acl.label || fresh.metadata)),
      )
  }
  if (established && acl.action !== 'pass' && acl.action !== 'allow-stateless') {
    const collector = collectorsOf(established.collectors)[0]
    if (collector && registers && established.collectors.length === 1) {
      const actions = `flags.pkt_sampled = 1; ${sample(established.collectors, 'acl-est', 'ct_label.obs_point_id')} next;`
      const mark = `ct_mark.obs_collector_id == ${collector.id}`
      flow(place.stage, 1000, `${ESTABLISHED} && !ct.rpl && ${mark} && ct_mark.obs_stage == ${place.number}`, actions)
      flow(place.reply, 1000, `${ESTABLISHED} && ct.rpl && ${mark}`, actions)
    } else {
      const head = 'flags.pkt_sampled == 0 && ip && ct.trk && (ct.est || ct.rel)'
      const tail = `ct_label.obs_point_id == ${established.metadata} && ct_label.obs_unused == 0`
      const actions = whole('acl-est', sample(established.collectors, 'acl-est', established.metadata))
      flow(place.stage, 1200, `${head} && !ct.rpl && ${tail}`, actions)
      flow(place.reply, 1200, `${head} && ct.rpl && ${tail}`, actions)
    }
  }
}
