import { ofLibc } from './libc.ts'

/** Numbers of linux/capability.h. */
const NUMBERS = {
  CAP_NET_BIND_SERVICE: 10,
  CAP_NET_BROADCAST: 11,
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_IPC_LOCK: 14,
} as const

export type Capability = keyof typeof NUMBERS

const PR_SET_KEEPCAPS = 8
const PR_CAP_AMBIENT = 47
const PR_CAP_AMBIENT_RAISE = 2
const VERSION_3 = 0x20080522

interface CapabilityCalls {
  prctl(option: number, ...rest: number[]): number
  capset(header: Uint8Array, data: Uint8Array): number
}

const calls = ofLibc<CapabilityCalls>(({ functions }) => {
  const prctl = functions.func('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)')
  return {
    prctl: (option, a = 0, b = 0, c = 0, d = 0) => Number(prctl(option, a, b, c, d)),
    capset: functions.func('int capset(void *, void *)') as unknown as CapabilityCalls['capset'],
  }
})

/** Lets the thread's permitted capabilities outlive a change of its user. */
export function keepCapabilities(): boolean {
  return calls()?.prctl(PR_SET_KEEPCAPS, 1) === 0
}

/**
 * Has exactly these capabilities in force, for this thread and for programs it starts. Only the calling thread
 * is changed: Node opens sockets and devices in its main thread.
 */
export function raiseCapabilities(names: readonly Capability[]): boolean {
  const call = calls()
  if (!call) return false
  const header = new Uint32Array([VERSION_3, 0])
  const low = names.reduce((mask, name) => mask | (1 << NUMBERS[name]), 0)
  // effective, permitted, inheritable of the capabilities 0 to 31, then of the others
  const data = new Uint32Array([low, low, low, 0, 0, 0])
  if (call.capset(new Uint8Array(header.buffer), new Uint8Array(data.buffer)) !== 0) return false
  return names.every((name) => call.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, NUMBERS[name]) === 0)
}
