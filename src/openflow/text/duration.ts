/**
 * A time as Open vSwitch prints it: nanoseconds without zeros at their end, but milliseconds at least; whole seconds
 * without either.
 */
export function formatDuration(time: { readonly durationSec: number; readonly durationNsec: number }): string {
  if (time.durationNsec === 0) return `${time.durationSec}s`
  const fraction = String(time.durationNsec).padStart(9, '0')
  return `${time.durationSec}.${fraction.slice(0, 3)}${fraction.slice(3).replace(/0+$/, '')}s`
}
