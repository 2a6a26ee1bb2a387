export { NativeDriver } from './devices.ts'
export { HostRoutes } from './routes.ts'
export { HostUnderlay } from './udp.ts'
