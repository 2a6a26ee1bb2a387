import { Classifier } from '../classifier/classifier.ts'
import { Dependency, type Effect, type Generation } from '../datapath/dependency.ts'
import type { Rule } from './rule.ts'

class Counter implements Effect {
  packets = 0
  credit(packets: number): void {
    this.packets += packets
  }
}

/** One of a bridge's flow tables. */
export class FlowTable {
  readonly classifier = new Classifier<Rule>()
  readonly dependency: Dependency
  /** Flows that expire. */
  readonly timed = new Set<Rule>()
  readonly lookups = new Counter()
  readonly matched = new Counter()
  name = ''
  /** How many flows it may have; undefined: as many as there is memory for. */
  limit: number | undefined = undefined
  /** Evict the flow that expires soonest, rather than refuse a new one. */
  evict = false

  constructor(
    readonly id: number,
    generation: Generation,
  ) {
    this.dependency = new Dependency(generation)
  }

  get size(): number {
    return this.classifier.size
  }

  insert(rule: Rule): void {
    this.classifier.insert(rule)
    if (rule.idleTimeout || rule.hardTimeout) this.timed.add(rule)
    this.dependency.changed()
  }

  remove(rule: Rule): void {
    this.classifier.remove(rule)
    this.timed.delete(rule)
    rule.removed = true
    this.dependency.changed()
  }
}
