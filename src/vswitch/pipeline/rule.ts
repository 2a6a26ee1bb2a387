import type { Action } from '../../openflow/actions/action.ts'
import type { Match } from '../../openflow/fields/field.ts'
import { FLOW_FLAG } from '../../openflow/messages/message.ts'
import type { Classified, Conjunction } from '../classifier/classifier.ts'
import type { Mask } from '../classifier/mask.ts'
import type { Effect } from '../datapath/dependency.ts'

export interface RuleSpec {
  readonly table: number
  readonly priority: number
  readonly match: Match
  readonly mask: Mask
  readonly values: Uint32Array
  readonly actions: readonly Action[]
  readonly cookie: bigint
  /** Seconds; 0 is never. */
  readonly idleTimeout: number
  readonly hardTimeout: number
  readonly importance: number
  readonly flags: number
}

/** A flow of a table. Times are monotonic milliseconds. */
export class Rule implements Classified, Effect {
  readonly table: number
  readonly priority: number
  readonly match: Match
  readonly mask: Mask
  readonly values: Uint32Array
  conjunctions: readonly Conjunction[]
  actions: readonly Action[]
  cookie: bigint
  idleTimeout: number
  hardTimeout: number
  importance: number
  flags: number
  packets = 0
  bytes = 0
  used: number
  modified: number
  removed = false
  /** Not for controllers to see or to touch. */
  hidden = false

  constructor(
    spec: RuleSpec,
    public created: number,
  ) {
    this.table = spec.table
    this.priority = spec.priority
    this.match = spec.match
    this.mask = spec.mask
    this.values = spec.values
    this.actions = spec.actions
    this.conjunctions = conjunctionsOf(spec.actions)
    this.cookie = spec.cookie
    this.idleTimeout = spec.idleTimeout
    this.hardTimeout = spec.hardTimeout
    this.importance = spec.importance
    this.flags = spec.flags
    this.used = created
    this.modified = created
  }

  credit(packets: number, bytes: number, now: number): void {
    if (!(this.flags & FLOW_FLAG.NO_PACKET_COUNTS)) this.packets += packets
    if (!(this.flags & FLOW_FLAG.NO_BYTE_COUNTS)) this.bytes += bytes
    if (now > this.used) this.used = now
  }
}

/** The clauses of a flow whose actions are `conjunction` (and `note`) alone. */
export function conjunctionsOf(actions: readonly Action[]): readonly Conjunction[] {
  const out: Conjunction[] = []
  for (const a of actions) {
    if (a.type === 'conjunction') out.push({ id: a.id, clause: a.clause, count: a.clauses })
  }
  return out
}
