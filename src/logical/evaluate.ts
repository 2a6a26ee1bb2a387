import type { Field, Match } from '../openflow/fields/field.ts'
import { registersOf } from '../openflow/fields/match.ts'
import { F, REGISTERS } from '../openflow/fields/table.ts'
import type { LogicalAction } from './action.ts'
import type { LoweredMatch } from './lower-match.ts'
import { compareValues, type Expression, type FieldRef } from './match.ts'
import { type MatchEnv, portKey } from './normalise.ts'

/**
 * A packet with its metadata as the values of OpenFlow fields. What was never set is zero. The
 * overlapping registers are one storage: xxreg0 is reg0 to reg3.
 */
export class FlowState {
  private readonly values = new Map<Field, bigint>()
  private readonly stack: bigint[] = []

  constructor(initial: Iterable<readonly [Field, bigint]> = []) {
    for (const [field, value] of initial) this.write(field, value)
  }

  read(field: Field): bigint {
    const regs = registersOf(field)
    if (!regs) return this.values.get(field) ?? 0n
    const [first, count] = regs
    let v = 0n
    for (let i = 0; i < count; i++) v = (v << 32n) | (this.values.get(REGISTERS[first + i] as Field) ?? 0n)
    return v
  }

  write(field: Field, value: bigint): void {
    const regs = registersOf(field)
    if (!regs) {
      this.values.set(field, value & field.ones)
      return
    }
    const [first, count] = regs
    for (let i = 0; i < count; i++) {
      this.values.set(REGISTERS[first + i] as Field, (value >> BigInt(32 * (count - 1 - i))) & 0xffffffffn)
    }
  }

  /** The bits of a field of the language, not shifted. */
  get(f: FieldRef): bigint {
    const root = f.symbol.root.field
    return f.bits === 0 ? this.read(root) : (this.read(root) >> BigInt(f.offset)) & ((1n << BigInt(f.bits)) - 1n)
  }

  /** Sets those bits that are in `mask`. */
  set(f: FieldRef, value: bigint, mask?: bigint): void {
    const root = f.symbol.root.field
    const bits = f.bits === 0 ? root.bits : f.bits
    const all = (1n << BigInt(bits)) - 1n
    const shift = f.bits === 0 ? 0n : BigInt(f.offset)
    const m = ((mask ?? all) & all) << shift
    this.write(root, (this.read(root) & ~m) | ((value << shift) & m))
  }

  push(value: bigint): void {
    this.stack.push(value)
  }

  get stackDepth(): number {
    return this.stack.length
  }

  /** Zero from an empty stack. */
  pop(): bigint {
    return this.stack.pop() ?? 0n
  }

  clone(): FlowState {
    const out = new FlowState(this.values)
    out.stack.push(...this.stack)
    return out
  }

  entries(): IterableIterator<[Field, bigint]> {
    return this.values.entries()
  }
}

/** Whether an expanded expression (`ParsedMatch.expression`) is true of a packet. */
export function evaluate(e: Expression, state: FlowState, env: MatchEnv): boolean {
  switch (e.type) {
    case 'boolean':
      return e.value
    case 'and':
      return e.of.every((x) => evaluate(x, state, env))
    case 'or':
      return e.of.some((x) => evaluate(x, state, env))
    case 'resident':
      return env.isChassisResident(e.port) !== e.negated
    case 'port': {
      const key = portKey(e.port, env)
      return key !== undefined && state.get(e.field) === BigInt(key)
    }
    case 'compare':
      return compareValues(e.relation, state.get(e.field), e.value, e.mask)
    case 'predicate':
      throw new Error(`predicate ${e.symbol.name} is not expanded`)
  }
}

export function matches(match: Match, state: FlowState): boolean {
  return match.every((m) => (state.read(m.field) & m.mask) === m.value)
}

/** Whether a switch with these flows would take the packet for the logical flow's. */
export function matchesLowered(lowered: LoweredMatch, state: FlowState): boolean {
  const holding = new Map<number, Set<number>>()
  const sizes = new Map<number, number>()
  for (const flow of lowered.flows) {
    for (const p of flow.parts ?? []) sizes.set(p.id, p.clauses)
    if (!flow.parts || !matches(flow.match, state)) continue
    for (const p of flow.parts) {
      const clauses = holding.get(p.id) ?? new Set()
      holding.set(p.id, clauses.add(p.clause))
    }
  }
  return lowered.flows.some((flow) => {
    if (flow.parts || !matches(flow.match, state)) return false
    return flow.conjunction === undefined || holding.get(flow.conjunction)?.size === sizes.get(flow.conjunction)
  })
}

/**
 * Does what an action does to the packet's fields alone: assignments, exchange, the stack, and
 * `ip.ttl--`. False: it is none of those. A TTL that cannot be decremented is left; the caller
 * stops there.
 */
export function applyToFields(a: LogicalAction, state: FlowState, env: Pick<MatchEnv, 'lookupPort'>): boolean {
  switch (a.type) {
    case 'load':
      if ('string' in a.value) state.set(a.dst, BigInt(portKey(a.value.string, env) ?? 0))
      else state.set(a.dst, a.value.value, a.value.mask)
      return true
    case 'move':
      state.set(a.dst, state.get(a.src))
      return true
    case 'exchange': {
      const x = state.get(a.a)
      state.set(a.a, state.get(a.b))
      state.set(a.b, x)
      return true
    }
    case 'push':
      state.push(state.get(a.field))
      return true
    case 'pop':
      state.set(a.field, state.pop())
      return true
    case 'dec_ttl': {
      const ttl = state.read(F.nw_ttl)
      if (ttl > 1n) state.write(F.nw_ttl, ttl - 1n)
      return true
    }
    default:
      return false
  }
}
