import type { Context } from '../context.ts'

/** Samples of dropped packets, for debugging (ovn-northd(8), DROP SAMPLING). */
export function dropSampling({ graph, nb, global, flows }: Context): void {
  graph.rule('features/drop-sampling', 2, global, ({ options }, out) => {
    const collectors = Number(options.get('debug_drop_collector_set') ?? '0')
    if (!Number.isInteger(collectors) || collectors <= 0) return
    const app = nb.Sampling_App.values().find((a) => a.type === 'drop')?.id
    const domain = app ?? Number(options.get('debug_drop_domain_id') ?? '0')
    out.emit(
      flows.dropAction,
      'drop',
      `sample(probability=65535,collector_set=${collectors},obs_domain=${domain},obs_point=$cookie); /* drop */`,
    )
  })
}
