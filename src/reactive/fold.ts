import type { Graph, Node } from './graph.ts'
import type { Cell, Derived, Follower, Owner, Relation, RelationOptions } from './relation.ts'

export interface FoldOptions<R, A, O> extends RelationOptions<O> {
  /** The group a row belongs to. */
  readonly key: (row: R) => string
  readonly empty: (key: string) => A
  /** Adds a row to the aggregate, in place. */
  readonly add: (into: A, row: R, rowKey: string) => void
  /** Takes a row out again, in place. */
  readonly remove: (from: A, row: R, rowKey: string) => void
  /** The row that stands for the group; must not share mutable state with the aggregate. */
  readonly result: (aggregate: A, key: string) => O | undefined
}

interface Group<A> {
  readonly aggregate: A
  members: number
  dirty: boolean
  readonly owner: Owner
}

const NO_READS: ReadonlySet<Cell> = new Set()

/** An aggregate a group: the cost of a change follows the rows that changed, not the group's size. */
export class Fold<R, A, O> implements Node, Follower<R> {
  private readonly groups = new Map<string, Group<A>>()
  private dirty: Group<A>[] = []
  private head = 0

  constructor(
    private readonly graph: Graph,
    readonly name: string,
    readonly stratum: number,
    private readonly rank: number,
    private readonly source: Relation<R>,
    private readonly target: Derived<O>,
    private readonly options: FoldOptions<R, A, O>,
  ) {
    source.follow(this)
  }

  changed(rowKey: string, before: R | undefined, after: R | undefined): void {
    const { key: keyOf, add, remove } = this.options
    if (before !== undefined) {
      const key = keyOf(before)
      const group = this.groups.get(key)
      if (group) {
        remove(group.aggregate, before, rowKey)
        group.members--
        this.mark(group)
      }
    }
    if (after !== undefined) {
      const key = keyOf(after)
      let group = this.groups.get(key)
      if (!group) {
        group = {
          aggregate: this.options.empty(key),
          members: 0,
          dirty: false,
          owner: { rank: this.rank, key, label: `${this.name}(${key})`, reads: NO_READS },
        }
        this.groups.set(key, group)
      }
      add(group.aggregate, after, rowKey)
      group.members++
      this.mark(group)
    }
  }

  step(): boolean {
    const group = this.dirty[this.head++]
    if (!group) {
      this.dirty = []
      this.head = 0
      return false
    }
    group.dirty = false
    const key = group.owner.key
    const value = group.members > 0 ? this.options.result(group.aggregate, key) : undefined
    if (group.members === 0) this.groups.delete(key)
    if (value === undefined) this.target.withdraw(key, group.owner)
    else this.target.claim(key, group.owner, value)
    return true
  }

  reset(): void {
    for (const [key, group] of this.groups) this.target.withdraw(key, group.owner)
    this.groups.clear()
    this.dirty = []
    this.head = 0
    for (const [key, row] of this.source.contents) this.changed(key, undefined, row)
  }

  private mark(group: Group<A>): void {
    if (group.dirty) return
    group.dirty = true
    this.dirty.push(group)
    this.graph.wake(this)
  }
}
