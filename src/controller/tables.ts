import { TABLE } from '../logical/registers.ts'

/**
 * The OpenFlow tables of a chassis, as ovn-controller 26.03 lays them out (docs/CONTROLLER.md has
 * the map). Tables that lowered logical actions name come from the logical language; the others
 * are the physical ones around the two logical pipelines.
 */
export const OFTABLE = {
  ...TABLE,
  /** Physical to logical: which logical port a packet came from. */
  PHY_TO_LOG: 0,
  /** Answers to packets too big for the way they would take. */
  OUTPUT_LARGE_PKT_PROCESS: 43,
  /** Between the remote and the local copies of a multicast: EVPN's flood. */
  REMOTE_VTEP_OUTPUT: 45,
  /** Ports on this chassis. */
  LOCAL_OUTPUT: 46,
  /** Drops what would leave by the port it came in. */
  CHECK_LOOPBACK: 47,
  /** Zones of a packet made, or brought, by something else than a port: sets them and enters the pipeline. */
  CT_ZONE_LOOKUP: 80,
} as const

/** Conjunction that joins "from another chassis' own MAC address" with "on this localnet port". */
export const CHASSIS_MAC_CONJUNCTION = 100

/** Geneve option that carries the logical ports (ovn-architecture(7), Tunnel Encapsulations). */
export const GENEVE_OPTION = { class: 0x102, type: 0x80, length: 4 } as const
