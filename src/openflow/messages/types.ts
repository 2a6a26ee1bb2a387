/** Message types by their standard names, with the versions that have them. */
const TYPES = {
  // kind: [number in 1.0, number later, first version after 1.0]
  hello: [0, 0, 2],
  error: [1, 1, 2],
  echo_request: [2, 2, 2],
  echo_reply: [3, 3, 2],
  experimenter: [4, 4, 2],
  features_request: [5, 5, 2],
  features_reply: [6, 6, 2],
  get_config_request: [7, 7, 2],
  get_config_reply: [8, 8, 2],
  set_config: [9, 9, 2],
  packet_in: [10, 10, 2],
  flow_removed: [11, 11, 2],
  port_status: [12, 12, 2],
  packet_out: [13, 13, 2],
  flow_mod: [14, 14, 2],
  group_mod: [-1, 15, 2],
  port_mod: [15, 16, 2],
  table_mod: [-1, 17, 2],
  multipart_request: [16, 18, 2],
  multipart_reply: [17, 19, 2],
  barrier_request: [18, 20, 2],
  barrier_reply: [19, 21, 2],
  queue_get_config_request: [20, 22, 2],
  queue_get_config_reply: [21, 23, 2],
  role_request: [-1, 24, 3],
  role_reply: [-1, 25, 3],
  get_async_request: [-1, 26, 4],
  get_async_reply: [-1, 27, 4],
  set_async: [-1, 28, 4],
  meter_mod: [-1, 29, 4],
  role_status: [-1, 30, 5],
  table_status: [-1, 31, 5],
  requestforward: [-1, 32, 5],
  bundle_control: [-1, 33, 5],
  bundle_add: [-1, 34, 5],
  controller_status: [-1, 35, 6],
} as const satisfies Record<string, readonly [number, number, number]>

/** What the type number in a header means. */
export type Kind = keyof typeof TYPES

const FIRST = new Map<number, Kind>()
const LATER = new Map<number, Kind>()
for (const [kind, [first, later]] of Object.entries(TYPES)) {
  if (first >= 0) FIRST.set(first, kind as Kind)
  LATER.set(later, kind as Kind)
}

/** The kind behind a type number in a version (1 is OpenFlow 1.0). */
export function kindOf(number: number, version: number): Kind | undefined {
  if (version === 1) return FIRST.get(number)
  const kind = LATER.get(number)
  return kind && TYPES[kind][2] <= version ? kind : undefined
}

/** The type number of a kind in a version, if that has it. */
export function numberOf(kind: Kind, version: number): number | undefined {
  const [first, later, since] = TYPES[kind]
  if (version === 1) return first < 0 ? undefined : first
  return since <= version ? later : undefined
}
