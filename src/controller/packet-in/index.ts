export * from './effect.ts'
export { formatFrameFlow } from './flow-text.ts'
export { handlePacketIn } from './handle.ts'
export { packetOut, resume } from './metadata.ts'
