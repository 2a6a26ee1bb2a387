import type { Derived, Graph } from '../../reactive/index.ts'
import type { SouthboundTables } from './tables.ts'

/** What every chassis can do, by the names controllers advertise it under in `Chassis.other_config`. */
export interface ChassisFeatures {
  readonly ctCommitNatV2: boolean
  readonly ctCommitToZone: boolean
  readonly ctNextZone: boolean
  readonly ctStateSave: boolean
  readonly lsDpgColumn: boolean
  readonly sampleWithRegisters: boolean
}

/** One row, under the key `all`: flows may use only what the oldest chassis understands. */
export function chassisFeatures(graph: Graph, sb: SouthboundTables): Derived<ChassisFeatures> {
  const features = graph.derived<ChassisFeatures>('chassis features', 1)
  graph.once('chassis features', 1, (out) => {
    const chassis = sb.Chassis.values().filter((c) => c.other_config.get('is-remote') !== 'true')
    const all = (name: string) => chassis.every((c) => c.other_config.get(name) === 'true')
    out.emit(features, 'all', {
      ctCommitNatV2: all('ct-commit-nat-v2'),
      ctCommitToZone: all('ct-commit-to-zone'),
      ctNextZone: all('ct-next-zone'),
      ctStateSave: all('ct-state-save'),
      lsDpgColumn: all('ls-dpg-column'),
      sampleWithRegisters: all('ovn-sample-with-registers'),
    })
  })
  return features
}
