import type { Json } from '../../jsonrpc/json.ts'
import { fail } from '../schema/index.ts'

/** So many transactions of a client, in so many bytes, may wait for their end before the next is read. */
const MOST_PENDING = 1000
const MOST_PENDING_BYTES = 1 << 26
/** So many locks, and as many monitors, a client may have, and so many characters of names and conditions. */
const MOST = 1000
const MOST_CHARACTERS = 1 << 26

/** What a server remembers of one client as long as it is there: its locks and monitors. */
export class Remembered {
  private characters = 0

  /** Throws Failure when there are too many already, or these characters of a name or a condition are too many more. */
  allow(count: number, characters: number): void {
    if (count < MOST && this.characters + characters <= MOST_CHARACTERS) return
    fail('resources exhausted', 'too many locks or monitors of one client')
  }

  add(characters: number): void {
    this.characters += characters
  }

  remove(characters: number): void {
    this.characters -= characters
  }
}

/** A transaction that is not yet answered. */
export interface Pending {
  readonly id: Json
  /** Of its request. */
  readonly bytes: number
  readonly withdraw: () => boolean
}

/** The transactions of one client that are not yet answered, by their ids. */
export class PendingTransactions {
  private readonly pending = new Map<string, Pending>()
  private bytes = 0

  get size(): number {
    return this.pending.size
  }

  /** Whether they are so many that the next has to wait before it is read. One alone may be of any size. */
  get crowded(): boolean {
    return this.pending.size >= MOST_PENDING || (this.bytes > MOST_PENDING_BYTES && this.pending.size > 0)
  }

  get(key: string): Pending | undefined {
    return this.pending.get(key)
  }

  add(key: string, pending: Pending): void {
    this.pending.set(key, pending)
    this.bytes += pending.bytes
  }

  /** Nothing happens when there is none of this id. */
  delete(key: string): void {
    const pending = this.pending.get(key)
    if (!pending) return
    this.pending.delete(key)
    this.bytes -= pending.bytes
  }

  /** Withdraws all that can be withdrawn. */
  clear(): void {
    for (const { withdraw } of this.pending.values()) withdraw()
    this.pending.clear()
    this.bytes = 0
  }
}
