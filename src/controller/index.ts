export {
  Controller,
  type ControllerOptions,
  type ControllerState,
  createController,
  type DialSwitch,
} from './controller.ts'
export { conditionsFor, SOUTHBOUND_REQUESTS } from './inputs/conditions.ts'
export { LOCAL_REQUESTS } from './inputs/inputs.ts'
export { OFTABLE } from './tables.ts'
