import type { Graph, Node } from './graph.ts'
import type { Cell, Derived, Follower, Owner, Relation } from './relation.ts'

/** A wish for a number. */
export interface Request {
  /** Numbers are unique within a space: `datapath`, `port of DATAPATH` ... */
  readonly space: string
  /** A number asked for by the operator: granted before all others, the least key first. */
  readonly wanted?: number | undefined
  /** Of new requests that come together, these are served after the others. */
  readonly late?: boolean
}

export interface AllocateOptions {
  readonly first: number
  readonly last: number
  /** The number a key had before this process began: read from the column that persists it. */
  readonly previous?: (key: string) => number | undefined
  /**
   * Which free number a new request gets: the one after the last given out (around the range), the
   * least, or the one after the greatest in use.
   */
  readonly pick?: 'after last' | 'least' | 'after greatest'
  /** Told once for each key when a space is full. */
  readonly full?: (key: string, space: string) => void
}

interface Space {
  readonly taken: Map<number, string>
  next: number
}

const NO_READS: ReadonlySet<Cell> = new Set()

/**
 * Memory: which number a key holds. Explicit wishes are seated first, then holders (what was held
 * before, in this process or by `previous`), then new requests in the order of their keys, each
 * getting the number after the last one given out, around the range.
 */
export class Allocator implements Node, Follower<Request> {
  private readonly spaces = new Map<string, Space>()
  private readonly held = new Map<string, { space: string; number: number }>()
  private readonly pending = new Set<string>()
  private readonly owners = new Map<string, Owner>()
  private readonly waiting = new Map<string, Set<string>>()

  constructor(
    private readonly graph: Graph,
    readonly name: string,
    readonly stratum: number,
    private readonly rank: number,
    private readonly source: Relation<Request>,
    private readonly target: Derived<number>,
    private readonly options: AllocateOptions,
  ) {
    source.follow(this)
  }

  changed(key: string): void {
    this.pending.add(key)
    this.graph.wake(this)
  }

  /** All that is pending is seated at once: who comes first must not depend on the order of arrival. */
  step(): boolean {
    if (!this.pending.size) return false
    const keys = [...this.pending].sort()
    this.pending.clear()
    const granted: string[] = []
    const open: string[] = []
    const freed = new Set<string>()
    for (const key of keys) {
      const request = this.source.peek(key)
      const held = this.held.get(key)
      if (!request || (held && held.space !== request.space)) {
        if (held) freed.add(held.space)
        this.release(key)
      }
      if (request) (request.wanted === undefined ? open : granted).push(key)
    }
    for (const key of granted) this.grant(key, this.source.peek(key) as Request, open)
    const fresh: string[] = []
    for (const key of open) {
      if (this.held.has(key)) continue
      const request = this.source.peek(key) as Request
      const previous = this.options.previous?.(key)
      if (previous === undefined || !this.seat(key, request.space, previous)) fresh.push(key)
    }
    for (const space of freed)
      for (const key of this.waiting.get(space) ?? []) if (this.source.peek(key)) fresh.push(key)
    const late = (key: string) => Number(this.source.peek(key)?.late ?? false)
    fresh.sort((a, b) => late(a) - late(b))
    for (const key of fresh) if (!this.held.has(key)) this.draw(key, (this.source.peek(key) as Request).space)
    return true
  }

  reset(): void {
    // Memory is an input of recompute: what is held stays held.
    for (const key of this.source.contents.keys()) this.pending.add(key)
    for (const key of this.held.keys()) this.pending.add(key)
    this.graph.wake(this)
  }

  /** Seats a wish; who holds the number without having wished for it moves. */
  private grant(key: string, request: Request, open: string[]): void {
    const number = request.wanted as number
    const held = this.held.get(key)
    if (held?.number === number) return
    const space = this.space(request.space)
    const other = space.taken.get(number)
    if (other !== undefined && this.source.peek(other)?.wanted === number) {
      if (!held) open.push(key)
      return
    }
    if (other !== undefined) {
      this.release(other)
      open.push(other)
    }
    if (held) this.release(key)
    this.seat(key, request.space, number, true)
  }

  private seat(key: string, spaceName: string, number: number, explicit = false): boolean {
    const { first, last } = this.options
    if (!explicit && (number < first || number > last)) return false
    const space = this.space(spaceName)
    if (space.taken.has(number)) return false
    space.taken.set(number, key)
    if (number > space.next && number <= last && this.options.previous?.(key) === number) space.next = number
    this.held.set(key, { space: spaceName, number })
    this.waiting.get(spaceName)?.delete(key)
    this.target.claim(key, this.owner(key), number)
    return true
  }

  private draw(key: string, spaceName: string): void {
    const { first, last, pick } = this.options
    const space = this.space(spaceName)
    if (pick === 'least') space.next = first - 1
    else if (pick === 'after greatest') space.next = Math.min(last, Math.max(first - 1, ...space.taken.keys()))
    for (let i = 0; i <= last - first; i++) {
      const number = space.next >= last ? first : space.next + 1
      space.next = number
      if (this.seat(key, spaceName, number)) return
    }
    let waiting = this.waiting.get(spaceName)
    if (!waiting) {
      waiting = new Set()
      this.waiting.set(spaceName, waiting)
    }
    if (!waiting.has(key)) this.options.full?.(key, spaceName)
    waiting.add(key)
  }

  private release(key: string): void {
    const held = this.held.get(key)
    for (const waiting of this.waiting.values()) waiting.delete(key)
    if (!held) return
    this.held.delete(key)
    const space = this.space(held.space)
    space.taken.delete(held.number)
    // An empty space begins anew.
    if (!space.taken.size) this.spaces.delete(held.space)
    this.target.withdraw(key, this.owner(key))
    this.owners.delete(key)
  }

  private space(name: string): Space {
    let space = this.spaces.get(name)
    if (!space) {
      space = { taken: new Map(), next: this.options.first - 1 }
      this.spaces.set(name, space)
    }
    return space
  }

  private owner(key: string): Owner {
    let owner = this.owners.get(key)
    if (!owner) {
      owner = { rank: this.rank, key, label: `${this.name}(${key})`, reads: NO_READS }
      this.owners.set(key, owner)
    }
    return owner
  }
}
