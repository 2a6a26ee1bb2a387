export { VirtualClock } from '../base/clock.ts'
export { SandboxTimeout } from './drive.ts'
export { Guest, type GuestLease, type GuestPing } from './guest.ts'
export { CommandFailed, type ExternalOptions, type PlugOptions, Sandbox, type SandboxOptions } from './sandbox.ts'
