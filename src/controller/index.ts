export { Controller, type ControllerOptions, type ControllerState, type DialSwitch } from './controller.ts'
export { conditionsFor, SOUTHBOUND_REQUESTS } from './inputs/conditions.ts'
export { OFTABLE } from './tables.ts'
