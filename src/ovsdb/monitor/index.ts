export { difference, writeDifference } from './encode.ts'
export { Monitor } from './monitor.ts'
export { type MonitorVersion, readConditionChange, readRequests, type TableRequests } from './request.ts'
