// The entry of `ovn-ts/ovsdb`: the client and the server, with the schemas that ship with the package.
export * from '../ovsdb/index.ts'
export {
  defaults,
  type NB,
  type Northbound,
  northbound,
  type OpenVSwitch,
  type OVS,
  openVSwitch,
  type SB,
  type Southbound,
  southbound,
} from './index.ts'
