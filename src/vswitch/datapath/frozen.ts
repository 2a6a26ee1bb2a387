import type { Action } from '../../openflow/actions/action.ts'
import type { Key } from '../classifier/key.ts'
import { IN_PORT, METADATA_HIGH, TUN_METADATA, TUN_METADATA_WORDS } from '../classifier/key.ts'

/** Words of the key that no datapath carries, so that they are kept with a frozen pipeline. */
export const FROZEN_FROM = METADATA_HIGH
export const FROZEN_END = TUN_METADATA + TUN_METADATA_WORDS

/** What is left to do: an action, or a mark where the actions that follow belong to a rule further up. */
export type FrozenAction =
  | { readonly type: 'action'; readonly action: Action }
  | { readonly type: 'unroll'; readonly table: number; readonly cookie: bigint }

/**
 * An OpenFlow pipeline that stopped between two actions: for connection tracking and other things
 * that only the datapath knows (recirculation), or until a controller resumes it.
 */
export interface Frozen {
  /** The bridge's name. */
  readonly bridge: string
  /** Where a look-up starts, or the table that the actions belong to when there are any. */
  readonly table: number
  readonly cookie: bigint
  /** OpenFlow number of the port. */
  readonly inPort: number
  /** FROZEN_FROM to FROZEN_END of the key. */
  readonly words: Uint32Array
  readonly stack: readonly StackValue[]
  readonly conntracked: boolean
  /** Look up in `table`, before `actions` go on. */
  readonly lookup: boolean
  readonly actions: readonly FrozenAction[]
  readonly actionSet: readonly Action[]
  /** Where the packet came from in the datapath, for NORMAL and source filtering. */
  readonly ingress: number
}

/** A pushed value with its width in bits. */
export interface StackValue {
  readonly value: bigint
  readonly bits: number
}

export function freezeWords(key: Key): Uint32Array {
  return key.slice(FROZEN_FROM, FROZEN_END)
}

/** Puts the frozen words and the port back into a key. */
export function thaw(frozen: Frozen, key: Key): void {
  key.set(frozen.words, FROZEN_FROM)
  key[IN_PORT] = frozen.inPort
}

interface Entry {
  readonly id: number
  readonly frozen: Frozen
  readonly text: string
  /** Monotonic milliseconds of the last use. */
  used: number
}

const objects = new WeakMap<object, number>()
let nextObject = 1
const identity = (o: object): number => {
  let n = objects.get(o)
  if (n === undefined) {
    n = nextObject++
    objects.set(o, n)
  }
  return n
}

/** A text that is equal for states that go on in the same way. Actions compare by identity. */
function signature(f: Frozen): string {
  let s = `${f.bridge}|${f.table}|${f.cookie}|${f.inPort}|${f.ingress}|${f.lookup ? 1 : 0}${f.conntracked ? 1 : 0}|`
  for (let i = 0; i < f.words.length; i++) if (f.words[i] !== 0) s += `${i}=${(f.words[i] as number).toString(36)},`
  for (const v of f.stack) s += `|${v.bits}:${v.value.toString(36)}`
  s += '|'
  for (const a of f.actions) s += a.type === 'action' ? `${identity(a.action)},` : `u${a.table}/${a.cookie},`
  s += '|'
  for (const a of f.actionSet) s += `${identity(a)},`
  return s
}

/** Recirculation ids: equal states share one, so that flows which recirculate to the same place are equal. */
export class FrozenStates {
  private readonly byId = new Map<number, Entry>()
  private readonly byText = new Map<string, Entry>()
  private next = 1

  get size(): number {
    return this.byId.size
  }

  id(frozen: Frozen, now: number): number {
    const text = signature(frozen)
    let entry = this.byText.get(text)
    if (!entry) {
      while (this.byId.has(this.next) || this.next === 0) this.next = (this.next + 1) >>> 0
      entry = { id: this.next, frozen, text, used: now }
      this.next = (this.next + 1) >>> 0
      this.byId.set(entry.id, entry)
      this.byText.set(text, entry)
    }
    entry.used = now
    return entry.id
  }

  get(id: number): Frozen | undefined {
    return this.byId.get(id)?.frozen
  }

  /** Drops the states that no cached flow uses and that were last made before `before`. */
  collect(inUse: ReadonlySet<number>, before: number): void {
    for (const e of this.byId.values()) {
      if (e.used >= before || inUse.has(e.id)) continue
      this.byId.delete(e.id)
      this.byText.delete(e.text)
    }
  }
}
