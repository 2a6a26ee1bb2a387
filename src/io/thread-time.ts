import { ofLibc } from './libc.ts'

/** Of linux/time.h. */
const CLOCK_THREAD_CPUTIME_ID = 3

const clockGettime = ofLibc(
  ({ functions }) =>
    functions.func('int clock_gettime(int, void *)') as unknown as (clock: number, time: BigInt64Array) => number,
)

const time = new BigInt64Array(2)

/**
 * Milliseconds of processor time that the calling thread took: what other programs and other threads of this one do is
 * not in it (clock_gettime(2)). Undefined where there is no such clock to be had.
 */
export function threadTime(): number | undefined {
  // struct timespec of 64 bits: seconds, nanoseconds
  if (process.arch === 'arm' || clockGettime()?.(CLOCK_THREAD_CPUTIME_ID, time) !== 0) return undefined
  return Number(time[0] ?? 0n) * 1000 + Number(time[1] ?? 0n) / 1e6
}
