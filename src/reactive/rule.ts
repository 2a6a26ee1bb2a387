import type { Graph, Node } from './graph.ts'
import {
  type AnyRelation,
  type Cell,
  type Derived,
  type Follower,
  type Owner,
  type Reader,
  type Relation,
  sameValue,
} from './relation.ts'

/** `R` as something else says it, never inferred from here: NoInfer, for TypeScript before 5.4 too. */
type Stated<R> = [R][R extends unknown ? 0 : never]

/** Where a run puts what it derives. */
export interface Emit {
  /** A row under a key. The same run may say the same twice; of two different values the first stays. */
  emit<R>(relation: Derived<R>, key: string, value: Stated<R>): void
}

/** Must be a pure function of the row and of what it reads from relations. */
export type RuleBody<R> = (row: R, out: Emit, key: string) => void
export type PairBody<P> = (key: string, member: string, picked: P, out: Emit) => void

export interface PairOptions<R, P> {
  /** The members of a row, by key. */
  readonly members: (row: R) => Iterable<string>
  /** What of the row the body sees besides; only when this changes do all members run again. */
  readonly pick: (row: R) => P
}
export type OnceBody = (out: Emit) => void

type Staged = Map<AnyRelation, Map<string, unknown>>

/** One run of a rule: for one row, or one (row, member). */
export class Run implements Reader, Owner {
  readonly reads = new Set<Cell>()
  private outputs: Staged = new Map()
  dirty = true
  queued = false

  constructor(
    private readonly node: RunNode,
    readonly key: string,
  ) {}

  get stratum(): number {
    return this.node.stratum
  }

  get rank(): number {
    return this.node.rank
  }

  get label(): string {
    return `${this.node.name}(${this.key})`
  }

  invalidate(): void {
    if (this.dirty) return
    this.dirty = true
    this.node.enqueue(this)
  }

  /** Runs the body, then lets only the difference of its output go on. */
  execute(graph: Graph, body: (out: Emit) => void): void {
    graph.release(this)
    this.dirty = false
    const staged: Staged = new Map()
    const out: Emit = {
      emit: (relation, key, value) => {
        if (relation.stratum < this.node.stratum) {
          throw new Error(
            `${this.label} (stratum ${this.node.stratum}) emits into ${relation.name} (stratum ${relation.stratum})`,
          )
        }
        let rows = staged.get(relation)
        if (!rows) {
          rows = new Map()
          staged.set(relation, rows)
        }
        if (!rows.has(key)) rows.set(key, value)
      },
    }
    graph.runs.set(this.node.name, (graph.runs.get(this.node.name) ?? 0) + 1)
    graph.reader = this
    try {
      body(out)
    } catch (e) {
      // A run that throws withdraws its output; the rest goes on.
      staged.clear()
      const why = e instanceof Error ? (e.stack ?? e.message) : String(e)
      graph.log.err(`rule ${this.label} failed: ${why}`, { code: 'rule-failed', rule: this.node.name, row: this.key })
    } finally {
      graph.reader = undefined
    }
    for (const [relation, rows] of this.outputs) {
      const next = staged.get(relation)
      for (const key of rows.keys()) if (!next?.has(key)) (relation as Derived<unknown>).withdraw(key, this)
    }
    for (const [relation, rows] of staged) {
      const before = this.outputs.get(relation)
      for (const [key, value] of rows) {
        const old = before?.get(key)
        if (old !== undefined && (old === value || relation.equal(old, value))) rows.set(key, old)
        else (relation as Derived<unknown>).claim(key, this, value)
      }
    }
    this.outputs = staged
  }

  /** Takes back everything: its row is gone. */
  withdraw(graph: Graph): void {
    graph.release(this)
    for (const [relation, rows] of this.outputs) {
      for (const key of rows.keys()) (relation as Derived<unknown>).withdraw(key, this)
    }
    this.outputs = new Map()
  }
}

/** What all nodes of runs share: the queue of dirty runs. */
abstract class RunNode implements Node {
  protected queue: Run[] = []
  private head = 0

  constructor(
    protected readonly graph: Graph,
    readonly name: string,
    readonly stratum: number,
    readonly rank: number,
  ) {}

  enqueue(run: Run): void {
    if (run.queued) return
    run.queued = true
    this.queue.push(run)
    this.graph.wake(this)
  }

  step(): boolean {
    const run = this.queue[this.head++]
    if (!run) {
      this.clearQueue()
      return false
    }
    run.queued = false
    this.run(run)
    return true
  }

  protected clearQueue(): void {
    for (let i = this.head; i < this.queue.length; i++) (this.queue[i] as Run).queued = false
    this.queue = []
    this.head = 0
  }

  protected abstract run(run: Run): void
  abstract reset(): void
}

/** map: one run a row. */
export class Rule<R> extends RunNode implements Follower<R> {
  private readonly runs = new Map<string, Run>()

  constructor(
    graph: Graph,
    name: string,
    stratum: number,
    rank: number,
    private readonly source: Relation<R>,
    private readonly body: RuleBody<R>,
  ) {
    super(graph, name, stratum, rank)
    source.follow(this)
  }

  changed(key: string, _before: R | undefined, after: R | undefined): void {
    const run = this.runs.get(key)
    if (run) {
      run.dirty = true
      this.enqueue(run)
    } else if (after !== undefined) {
      const made = new Run(this, key)
      this.runs.set(key, made)
      this.enqueue(made)
    }
  }

  protected run(run: Run): void {
    const row = this.source.peek(run.key)
    if (row === undefined) {
      run.withdraw(this.graph)
      this.runs.delete(run.key)
    } else run.execute(this.graph, (out) => this.body(row, out, run.key))
  }

  reset(): void {
    for (const run of this.runs.values()) run.withdraw(this.graph)
    this.runs.clear()
    this.clearQueue()
    for (const [key, row] of this.source.contents) this.changed(key, undefined, row)
  }
}

/** Separates the parts of a composed key. No name or address holds it. */
export const SEPARATOR = '\u0000'

/** pair: one run for each (row, member); a new member costs one run. */
export class Pair<R, P> extends RunNode implements Follower<R> {
  private readonly rows = new Map<string, { picked: P; runs: Map<string, Run> }>()
  private readonly owner = new Map<Run, { key: string; member: string }>()

  constructor(
    graph: Graph,
    name: string,
    stratum: number,
    rank: number,
    private readonly source: Relation<R>,
    private readonly options: PairOptions<R, P>,
    private readonly body: PairBody<P>,
  ) {
    super(graph, name, stratum, rank)
    source.follow(this)
  }

  changed(key: string, _before: R | undefined, after: R | undefined): void {
    const held = this.rows.get(key)
    const runs = held?.runs ?? new Map<string, Run>()
    const wanted = after === undefined ? undefined : new Set(this.options.members(after))
    for (const [member, run] of runs) {
      if (wanted?.has(member)) continue
      runs.delete(member)
      this.owner.delete(run)
      this.enqueue(run)
    }
    if (!wanted || after === undefined) {
      this.rows.delete(key)
      return
    }
    const picked = this.options.pick(after)
    const all = !held || !sameValue(held.picked, picked)
    this.rows.set(key, { picked: all ? picked : held.picked, runs })
    for (const member of wanted) {
      const run = runs.get(member)
      if (run && !all) continue
      const due = run ?? new Run(this, `${key}${SEPARATOR}${member}`)
      due.dirty = true
      runs.set(member, due)
      this.owner.set(due, { key, member })
      this.enqueue(due)
    }
  }

  protected run(run: Run): void {
    const at = this.owner.get(run)
    const held = at && this.rows.get(at.key)
    if (!at || !held) run.withdraw(this.graph)
    else run.execute(this.graph, (out) => this.body(at.key, at.member, held.picked, out))
  }

  reset(): void {
    for (const { runs } of this.rows.values()) for (const run of runs.values()) run.withdraw(this.graph)
    for (const run of this.queue) run.withdraw(this.graph)
    this.rows.clear()
    this.owner.clear()
    this.clearQueue()
    for (const [key, row] of this.source.contents) this.changed(key, undefined, row)
  }
}

/** One run in all. */
export class Once extends RunNode {
  private readonly single: Run

  constructor(
    graph: Graph,
    name: string,
    stratum: number,
    rank: number,
    private readonly body: OnceBody,
  ) {
    super(graph, name, stratum, rank)
    this.single = new Run(this, '')
    this.enqueue(this.single)
  }

  protected run(run: Run): void {
    run.execute(this.graph, this.body)
  }

  reset(): void {
    this.single.withdraw(this.graph)
    this.single.dirty = true
    this.enqueue(this.single)
  }
}
