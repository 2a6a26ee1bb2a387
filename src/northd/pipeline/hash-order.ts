/**
 * Some flow texts list a set of texts in an order that looks random but is the same on every run of
 * the reference. Observed: the texts are ranked by the low bits of a MurmurHash3 (Appleby, public
 * domain) of their bytes, in which a last incomplete word is mixed like a whole one.
 */
export function textHash(text: string): number {
  const bytes = new TextEncoder().encode(text)
  let h = 0
  for (let i = 0; i < bytes.length; i += 4) {
    let k = 0
    for (let j = 0; j < 4 && i + j < bytes.length; j++) k |= (bytes[i + j] as number) << (8 * j)
    k = Math.imul(k, 0xcc9e2d51)
    k = (k << 15) | (k >>> 17)
    h ^= Math.imul(k, 0x1b873593)
    h = (h << 13) | (h >>> 19)
    h = (Math.imul(h, 5) + 0xe6546b64) | 0
  }
  h ^= bytes.length
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/**
 * Texts in the order flows list them; `texts` in the order they were added. Observed: the newest of
 * one rank comes first, until the set outgrows twice its number of ranks and is dealt out again.
 */
export function hashOrder(texts: readonly string[]): string[] {
  let ranks: { text: string; hash: number }[][] = [[]]
  let count = 0
  const put = (entry: { text: string; hash: number }) => ranks[entry.hash & (ranks.length - 1)]?.unshift(entry)
  for (const text of texts) {
    put({ text, hash: textHash(text) })
    count++
    if (count >> 1 < ranks.length) continue
    let size = 4
    while (size <= count >> 1) size *= 2
    const all = ranks.flat()
    ranks = Array.from({ length: size }, () => [])
    for (const entry of all) put(entry)
  }
  return ranks.flat().map((entry) => entry.text)
}
