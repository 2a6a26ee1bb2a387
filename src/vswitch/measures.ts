import type { Switch } from './switch.ts'

/** Events that a switch counts by itself, with the names that the real one counts them under (coverage/show). */
export function switchCounts(sw: Switch): Map<string, number> {
  const { cache, drops } = sw.datapath
  const counts = new Map([
    ['xlate_actions', cache.misses],
    ['dpif_flow_put', cache.misses],
    ['dp_cache_hit', cache.hits],
    ['conntrack_full', sw.conntrack.full],
  ])
  for (const [reason, n] of drops) counts.set(`drop_action_${reason}`, n)
  return counts
}

/** What a switch holds, as `memory/show` counts it. */
export function switchUsage(sw: Switch): Record<string, number> {
  let ports = 0
  let rules = 0
  for (const bridge of sw.bridges.values()) {
    ports += bridge.ports.size
    rules += bridge.flowCount()
  }
  const keys = sw.datapath.cache.size
  return { ofconns: sw.connections.size, ports, rules, ...(keys ? { 'udpif keys': keys } : {}) }
}
