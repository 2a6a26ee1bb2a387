import { KEY_WORDS, type Key, STAGE_ENDS } from './key.ts'

/**
 * A mask over the flow key, compiled: only the words that have a bit set, in order, and where the
 * classifier's stages end among them.
 */
export interface Mask {
  /** Distinguishes masks: equal text, equal mask. */
  readonly id: string
  readonly words: Uint8Array
  readonly bits: Uint32Array
  /** Index into `words` where stages end; the last is always words.length. Empty stages are left out. */
  readonly stages: readonly number[]
}

const interned = new Map<string, Mask>()

/** The compiled form of a mask of KEY_WORDS words. */
export function compileMask(full: Uint32Array): Mask {
  const words: number[] = []
  for (let i = 0; i < KEY_WORDS; i++) if (full[i] !== 0) words.push(i)
  let id = ''
  for (const w of words) id += `${w.toString(36)}:${(full[w] as number).toString(36)} `
  const known = interned.get(id)
  if (known) return known
  const stages: number[] = []
  let before = 0
  for (const end of STAGE_ENDS) {
    let n = before
    while (n < words.length && (words[n] as number) < end) n++
    if (n > before) stages.push(n)
    before = n
  }
  if (!stages.length) stages.push(0)
  const mask: Mask = {
    id,
    words: Uint8Array.from(words),
    bits: Uint32Array.from(words, (w) => full[w] as number),
    stages,
  }
  // a mask is small, but hostile flow tables may have many: start afresh rather than grow for ever
  if (interned.size > 20_000) interned.clear()
  interned.set(id, mask)
  return mask
}

/** The mask with all its words again. */
export function expandMask(mask: Mask): Uint32Array {
  const full = new Uint32Array(KEY_WORDS)
  for (let i = 0; i < mask.words.length; i++) full[mask.words[i] as number] = mask.bits[i] as number
  return full
}

/** The words of a key that the mask looks at, masked. */
export function maskedValues(mask: Mask, key: Key): Uint32Array {
  const { words, bits } = mask
  const out = new Uint32Array(words.length)
  for (let i = 0; i < words.length; i++) out[i] = (key[words[i] as number] as number) & (bits[i] as number)
  return out
}

/** One step of the hash; words go in in order. */
export function hashStep(hash: number, value: number): number {
  const h = Math.imul(hash ^ value, 0x9e3779b1)
  return h ^ (h >>> 15)
}

/** Hash of masked values, as `hashKey` gives for a key that has them. */
export function hashValues(values: Uint32Array, end = values.length): number {
  let h = 0x2545f491
  for (let i = 0; i < end; i++) h = hashStep(h, values[i] as number)
  return h
}

/** Hash of a key under a mask. */
export function hashKey(mask: Mask, key: Key): number {
  const { words, bits } = mask
  let h = 0x2545f491
  for (let i = 0; i < words.length; i++) {
    const x = Math.imul(h ^ ((key[words[i] as number] as number) & (bits[i] as number)), 0x9e3779b1)
    h = x ^ (x >>> 15)
  }
  return h
}

export function matchesValues(mask: Mask, key: Key, values: Uint32Array): boolean {
  const { words, bits } = mask
  for (let i = words.length - 1; i >= 0; i--) {
    if ((((key[words[i] as number] as number) & (bits[i] as number)) ^ (values[i] as number)) !== 0) return false
  }
  return true
}

export function equalValues(a: Uint32Array, b: Uint32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return a.length === b.length
}

/** Notes in a wildcard mask that the first `end` words of the mask were looked at. */
export function unwildcard(into: Uint32Array, mask: Mask, end: number): void {
  const { words, bits } = mask
  for (let i = 0; i < end; i++) {
    const w = words[i] as number
    into[w] = (into[w] as number) | (bits[i] as number)
  }
}
