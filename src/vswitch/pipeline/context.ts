import type { Clock } from '../../base/clock.ts'
import type { Action } from '../../openflow/actions/action.ts'
import type { Subfield } from '../../openflow/fields/field.ts'
import type { Key } from '../classifier/key.ts'
import { DL_TYPE, newKey } from '../classifier/key.ts'
import type { Slots } from '../classifier/slots.ts'
import type { DpAction, DropReason } from '../datapath/action.ts'
import type { Dependency, Effect } from '../datapath/dependency.ts'
import type { Frozen, FrozenAction, FrozenStates, StackValue } from '../datapath/frozen.ts'
import type { Bridge } from '../ofproto/bridge.ts'
import type { BridgePort } from '../ofproto/port.ts'
import type { LearnedFlow } from './learn.ts'
import type { Mirror } from './mirror.ts'
import type { Rule } from './rule.ts'

/** What the pipeline needs of the switch around it. */
export interface World {
  readonly clock: Clock
  readonly slots: Slots
  readonly frozen: FrozenStates
  bridge(name: string): Bridge | undefined
  /** The port that a packet of the datapath came in by: tunnels share a datapath port. */
  ingress(key: Key, wildcards: Key): BridgePort | undefined
  /** The other end of a patch port. */
  patchPeer(port: BridgePort): BridgePort | undefined
  /** Takes BFD and the like off the pipeline. True: it is ours. */
  special(port: BridgePort, key: Key, wildcards: Key): boolean
  learn(bridge: Bridge, flow: LearnedFlow): Rule | undefined
  /** A flow has got a timeout. */
  expires(): void
  /** The datapath's number of a meter. */
  meter(bridge: Bridge, meter: number): number | undefined
}

/** What a trace hears of a translation. Details are about the last action. */
export interface TraceSink {
  bridge(name: string): void
  /** Opens the table's node, which `end` closes. */
  table(table: number, rule: Rule | undefined): void
  thaw(table: number | undefined): void
  end(): void
  action(action: Action): void
  /** An action in words of its own: `drop`, `nat`. */
  step(text: string): void
  detail(text: string): void
  warning(text: string): void
  /** What a field has become. */
  field(field: Subfield, value: bigint): void
  /** A clause of the conjunction that a look-up matched. */
  clause(rule: Rule): void
  /** Actions in the set after an instruction changed it, or (`was`) before it was cleared. */
  actionSet(actions: readonly Action[], was: boolean): void
  /** Opens the node in which the action set runs, which `end` closes. */
  runActionSet(): void
  /** Opens a bucket's node, which `end` closes. */
  bucket(id: number): void
  error(text: string): void
}

export const MAX_DEPTH = 64
export const MAX_RESUBMITS = MAX_DEPTH * MAX_DEPTH
/** Look-ups within look-ups, in whichever direction: what the stack of the engine bears. */
export const MAX_NESTING = 1024

/** The state of one translation. */
export class Context {
  /** The packet's fields as the pipeline has changed them. */
  readonly key: Key
  /** As the datapath's actions so far have made the packet. */
  readonly base: Key
  readonly wildcards: Key = newKey()
  actions: DpAction[] = []
  stack: StackValue[] = []
  actionSet: Action[] = []
  readonly dependencies = new Set<Dependency>()
  readonly effects: Effect[] = []
  /** Mirrors that have had their copy. */
  readonly mirrored = new Set<Mirror>()
  table = 0
  cookie = 0n
  rule: Rule | undefined = undefined
  conntracked = false
  depth = 0
  nesting = 0
  resubmits = 0
  inGroup = 0
  inActionSet = false
  exit = false
  freezing = false
  frozenActions: FrozenAction[] = []
  /** The `controller(pause)` action that stopped the pipeline. */
  pause:
    | {
        readonly action: Action & { type: 'controller' }
        readonly table: number
        readonly cookie: bigint
        readonly rule: Rule | undefined
      }
    | undefined = undefined
  error: DropReason | undefined = undefined
  /** Whether it may learn, and send packets to controllers that are not the datapath's business. */
  readonly live: boolean
  cacheable = true
  readonly trace: TraceSink | undefined
  /** dl_type of the packet as it came. */
  readonly firstType: number
  /** Datapath number of the port that the packet came in by, 0 if none. */
  ingress = 0
  readonly now: number
  /** Outputs made: NORMAL of real bridges and tests look at it. */
  outputs = 0

  constructor(
    readonly world: World,
    public bridge: Bridge,
    key: Key,
    options: { readonly live: boolean; readonly trace?: TraceSink | undefined },
  ) {
    this.key = key.slice()
    this.base = key.slice()
    this.firstType = key[DL_TYPE] as number
    this.live = options.live
    this.trace = options.trace
    this.now = world.clock.monotonic()
  }

  /** Ends the translation: the packet is dropped. */
  fail(reason: DropReason, text: string): void {
    this.error ??= reason
    this.exit = true
    this.trace?.error(text)
  }

  frozenState(
    rest: Pick<Frozen, 'table' | 'lookup' | 'actions'>,
    words: Uint32Array,
    overrides: Partial<Frozen> = {},
  ): Frozen {
    return {
      bridge: this.bridge.name,
      cookie: this.cookie,
      inPort: this.key[1] as number,
      words,
      stack: [...this.stack],
      conntracked: this.conntracked,
      actionSet: [...this.actionSet],
      ingress: this.ingress,
      ...rest,
      ...overrides,
    }
  }
}
