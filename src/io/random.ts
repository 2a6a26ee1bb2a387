import { randomFillSync } from 'node:crypto'
import type { Random } from '../base/random.ts'

const pool = new Uint32Array(4096)
let left = 0

/** The system's randomness. */
export const systemRandom: Random = {
  u32() {
    if (left === 0) {
      randomFillSync(pool)
      left = pool.length
    }
    return pool[--left] as number
  },
}
