/**
 * The strata of the controller's graph: a rule of one stratum reads relations of lower ones. The
 * order is the way of the data: what the chassis is, what is plugged into it, which ports it
 * therefore has, which datapaths they lead to, and the flows of all that.
 */
export const S = {
  /** Open_vSwitch settings; which port and bridge an interface belongs to; facts of single southbound rows. */
  FACTS: 1,
  /** Interfaces of the integration bridge; our own Chassis row. */
  INTERFACES: 2,
  /** Interfaces by logical port; tunnels by chassis. */
  PLUGGED: 3,
  /** Chassis that answer BFD. */
  LIVE: 4,
  /** Which chassis each HA group is served by. */
  HA: 5,
  /** Logical ports that are here. */
  BINDINGS: 6,
  /** Datapaths that the walk starts from. */
  ROOTS: 7,
  /** Datapaths within reach. */
  REACH: 8,
  LOCAL: 9,
  /** Ports of local datapaths, seen from here; requests for connection tracking zones. */
  PORTS: 10,
  ZONES: 11,
  /** Logical flows translated, once for all datapaths. */
  LOWERED: 12,
  /** Numbers for conjunctions, groups and meters. */
  NUMBERS: 13,
  PLACED: 14,
  /** Flows that only lack the address of a set's member, with the members. */
  EXPANDED: 15,
  FLOWS: 16,
  /** Flows that several rows make together; what the databases should hold. */
  JOINED: 17,
  ALL_FLOWS: 18,
  ROWS: 18,
} as const
