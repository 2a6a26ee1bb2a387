import type { Clock, Timer } from '../base/clock.ts'
import { type Log, silent } from '../base/log.ts'
import { invariant } from '../base/result.ts'
import { type AllocateOptions, Allocator, type Request } from './allocate.ts'
import { Fold, type FoldOptions } from './fold.ts'
import {
  type AnyRelation,
  type Cell,
  Derived,
  Input,
  type Reader,
  type Relation,
  type RelationOptions,
} from './relation.ts'
import { Once, type OnceBody, Pair, type PairBody, type PairOptions, Rule, type RuleBody } from './rule.ts'

/** A node of the graph: has work at its stratum until it has none. */
export interface Node {
  readonly name: string
  readonly stratum: number
  /** Does one piece of the pending work; false when there is none left. */
  step(): boolean
  /** Forgets what was derived and takes all of its source as new. */
  reset(): void
}

/** Stops a pass for now: true when the slice's time is used up. */
export type Budget = () => boolean

/**
 * Relations and rules: code that reads like a full recomputation and runs incrementally, since the
 * graph watches what each run reads. Rules of stratum n read relations of strata below n and emit
 * into relations of stratum n or above, so that one pass upwards settles everything.
 */
export class Graph {
  reader: Reader | undefined
  private readonly inputs: AnyRelation[] = []
  private readonly relations = new Map<string, AnyRelation>()
  private readonly deriveds: AnyRelation[] = []
  private readonly nodes: Node[] = []
  private readonly ready: Set<Node>[] = []
  private readonly staged = new Map<AnyRelation, Map<string, unknown>>()
  private announced: AnyRelation[] = []
  private passing = false
  private rank = 0
  private readonly timers = new Map<number, Timer>()
  private times: Input<true> | undefined
  private workListener: (() => void) | undefined
  /** Called after each finished pass, when all subscribers have had their changes. */
  onSettled: (() => void) | undefined
  /** How many runs there have been, by rule: for tests, statistics and `why`. */
  readonly runs = new Map<string, number>()

  constructor(readonly options: { readonly clock?: Clock; readonly log?: Log } = {}) {}

  /** Called when there is work and no pass under way: the owner arranges for `settle`. Work that waits already is told at once. */
  set onWork(listener: (() => void) | undefined) {
    this.workListener = listener
    if (this.busy) listener?.()
  }

  get log(): Log {
    return this.options.log ?? silent
  }

  /** A relation fed from outside. */
  input<R>(name: string, options?: RelationOptions<R>): Input<R> {
    const relation = new Input<R>(this, name, 0, options)
    this.addRelation(relation)
    this.inputs.push(relation)
    return relation
  }

  /** A relation that rules of stratum at most `stratum` emit into. */
  derived<R>(name: string, stratum: number, options?: RelationOptions<R>): Derived<R> {
    invariant(stratum >= 1, `${name}: derived relations start at stratum 1`)
    const relation = new Derived<R>(this, name, stratum, options)
    this.addRelation(relation)
    this.deriveds.push(relation)
    return relation
  }

  /** map: runs once for each row of `source`. */
  rule<R>(name: string, stratum: number, source: Relation<R>, body: RuleBody<R>): void {
    this.addNode(new Rule(this, name, stratum, this.rank++, source, body))
  }

  /** pair: runs once for each (row, member), where `members` names the row's members. */
  pair<R, P>(name: string, stratum: number, source: Relation<R>, options: PairOptions<R, P>, body: PairBody<P>): void {
    this.addNode(new Pair(this, name, stratum, this.rank++, source, options, body))
  }

  /** Runs once, for what has no row of its own. */
  once(name: string, stratum: number, body: OnceBody): void {
    this.addNode(new Once(this, name, stratum, this.rank++, body))
  }

  /** fold: an aggregate of the rows of `source` that share a key, with add and remove. */
  fold<R, A, O>(name: string, stratum: number, source: Relation<R>, options: FoldOptions<R, A, O>): Derived<O> {
    const target = this.derived<O>(name, stratum, options)
    this.addNode(new Fold(this, name, stratum, this.rank++, source, target, options))
    return target
  }

  /** Gives each request a number of its own within its group, and remembers it. */
  allocate(name: string, stratum: number, source: Relation<Request>, options: AllocateOptions): Derived<number> {
    const target = this.derived<number>(name, stratum)
    this.addNode(new Allocator(this, name, stratum, this.rank++, source, target, options))
    return target
  }

  /**
   * Whether the moment `at` (milliseconds since 1970) has come: a recorded read of time. The run
   * that asked too early runs again then.
   */
  reached(at: number): boolean {
    const clock = this.options.clock
    invariant(clock, 'a graph without a clock was asked for the time')
    if (clock.now() >= at) return true
    const reader = this.reader
    if (!reader) return false
    if (!this.times) this.times = this.input<true>('(time)')
    const times = this.times
    const key = String(at)
    times.get(key)
    if (!this.timers.has(at)) {
      const timer = clock.after(at - clock.now(), () => {
        this.timers.delete(at)
        for (const past of times.contents.keys()) times.delete(past)
        times.set(key, true)
      })
      this.timers.set(at, timer)
    }
    return false
  }

  /** Cancels the timers of `reached`: the graph is not used any more. */
  close(): void {
    for (const timer of this.timers.values()) timer.cancel()
    this.timers.clear()
  }

  relation(name: string): AnyRelation | undefined {
    return this.relations.get(name)
  }

  get allRelations(): readonly AnyRelation[] {
    return [...this.relations.values()]
  }

  /** Whether a pass is under way or there is anything to do. */
  get busy(): boolean {
    return this.passing || this.staged.size > 0 || this.ready.some((s) => s && s.size > 0)
  }

  /**
   * One pass: takes the staged inputs, runs what they touch, stratum by stratum, and tells the
   * subscribers what changed. With a budget it may stop between two runs; call again to go on.
   * Inputs that arrive meanwhile wait for the next pass. Returns whether the pass is finished.
   */
  settle(budget?: Budget): boolean {
    invariant(!this.reader, 'settle called from within a rule')
    if (!this.passing) {
      this.passing = true
      const staged = [...this.staged]
      this.staged.clear()
      for (const [relation, rows] of staged) for (const [key, row] of rows) relation.apply(key, row)
    }
    let count = 0
    for (let s = 0; s < this.ready.length; s++) {
      const set = this.ready[s]
      if (!set) continue
      for (const node of set) {
        while (node.step()) if (budget && (++count & 15) === 0 && budget()) return false
        set.delete(node)
      }
    }
    this.passing = false
    const announced = this.announced
    this.announced = []
    for (const relation of announced) relation.flush()
    this.onSettled?.()
    if (this.staged.size) this.workListener?.()
    return true
  }

  /** Settles pass after pass until no work is left. */
  settleAll(limit = 1000): void {
    for (let i = 0; this.busy; i++) {
      invariant(i < limit, `${limit} passes and no end: an output feeds back into an input`)
      this.settle()
    }
  }

  /**
   * The oracle: forgets everything derived but the memory of allocators, and builds it again from
   * the inputs. Subscribers see only what came out different: nothing, when the rules are right.
   */
  recompute(): void {
    if (this.passing) this.settle()
    for (const node of this.nodes) node.reset()
    this.settle()
  }

  /** Every derived row by relation, for comparing one state with another. */
  snapshot(): Map<string, Map<string, unknown>> {
    return new Map(this.deriveds.map((r) => [r.name, new Map(r.contents)]))
  }

  record(cell: Cell, reader: Reader): void {
    const relation = cell.relation
    if (relation.stratum >= reader.stratum) {
      throw new Error(
        `${reader.label} (stratum ${reader.stratum}) reads ${relation.name} (stratum ${relation.stratum})`,
      )
    }
    if (reader.reads.has(cell)) return
    reader.reads.add(cell)
    cell.readers ??= new Set()
    cell.readers.add(reader)
  }

  /** Forgets what a reader has read. */
  release(reader: Reader): void {
    for (const cell of reader.reads) {
      const readers = cell.readers
      if (!readers) continue
      readers.delete(reader)
      if (readers.size === 0) {
        cell.readers = undefined
        cell.relation.forget(cell)
      }
    }
    reader.reads.clear()
  }

  stage(relation: AnyRelation, key: string, row: unknown): void {
    const idle = !this.busy
    let rows = this.staged.get(relation)
    if (!rows) {
      rows = new Map()
      this.staged.set(relation, rows)
    }
    rows.set(key, row)
    if (idle) this.workListener?.()
  }

  wake(node: Node): void {
    const idle = !this.busy
    let set = this.ready[node.stratum]
    if (!set) {
      set = new Set()
      this.ready[node.stratum] = set
    }
    set.add(node)
    if (idle) this.workListener?.()
  }

  announce(relation: AnyRelation): void {
    this.announced.push(relation)
  }

  private addRelation(relation: AnyRelation): void {
    invariant(!this.relations.has(relation.name), `two relations are called ${relation.name}`)
    this.relations.set(relation.name, relation)
  }

  private addNode(node: Node): void {
    this.nodes.push(node)
  }
}
