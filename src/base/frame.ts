import type { Clock } from './clock.ts'

/** An Ethernet frame, destination address to payload, without preamble and frame check sequence. */
export type Frame = Uint8Array

/** One end of an Ethernet link. Frames are never modified after they were sent. */
export interface FramePort {
  send(frame: Frame): void
  onFrame: ((frame: Frame) => void) | undefined
}

/** A cable in memory: what goes in at one end comes out at the other in a later call of the clock. */
export function cable(clock: Clock): [FramePort, FramePort] {
  const a: FramePort = { send: (frame) => void clock.after(0, () => b.onFrame?.(frame)), onFrame: undefined }
  const b: FramePort = { send: (frame) => void clock.after(0, () => a.onFrame?.(frame)), onFrame: undefined }
  return [a, b]
}
