import type { Bucket, GroupType, MeterBand, SelectionMethod } from '../../openflow/messages/message.ts'
import type { Flow } from '../flow.ts'

/** A group as it should be in the switch; its number is the key it goes by. */
export interface Group {
  readonly id: number
  readonly type: GroupType
  readonly buckets: readonly Bucket[]
  readonly selection?: SelectionMethod
}

/** A meter as it should be in the switch. */
export interface Meter {
  readonly id: number
  readonly flags: number
  readonly bands: readonly MeterBand[]
}

/** All that should be in the switch, by flow key, and by number as text. */
export interface Desired {
  readonly flows: ReadonlyMap<string, Flow>
  readonly groups: ReadonlyMap<string, Group>
  readonly meters: ReadonlyMap<string, Meter>
}

export type Kind = keyof Desired
