import { NX_VENDOR_ID } from '../nicira/message.ts'
import type { Version } from './message.ts'

// Error types and codes as `ovs-ofctl print-error` tells them, one column a version from 1.0 to 1.5:
// `type.code` of the standard, `n` Nicira's (type and code in 1.0 and 1.1, one number later), `o` the
// ONF's extension numbers, `-` where the version has no such error.
const ERRORS = {
  NXBAC_BAD_CONJUNCTION: 'n2.526 n2.526 n15 n15 n15 n15',
  NXBAC_BAD_ED_PROP: '- - - n41 n41 n41',
  NXBAC_BAD_HEADER_TYPE: '- - - n39 n39 n39',
  NXBAC_CT_DATAPATH_SUPPORT: 'n1.265 n1.265 n42 n42 n42 n42',
  NXBAC_MUST_BE_ZERO: 'n2.256 n2.256 n11 n11 n11 n11',
  NXBAC_UNKNOWN_ED_PROP: '- - - n40 n40 n40',
  NXBMC_CT_DATAPATH_SUPPORT: 'n1.264 n1.264 n43 n43 n43 n43',
  NXBRC_BAD_REASON: 'n1.516 n1.516 n5 n5 n5 n5',
  NXBRC_FM_BAD_EVENT: 'n1.520 n1.520 n9 n9 n9 n9',
  NXBRC_MUST_BE_ZERO: 'n1.515 n1.515 n4 n4 n4 n4',
  NXBRC_NXM_BAD_TYPE: 'n1.257 n1.257 n3 n3 n3 n3',
  NXBRC_NXM_INVALID: 'n1.256 n1.256 n2 n2 n2 n2',
  NXBRC_UNENCODABLE_ERROR: 'n1.521 n1.521 n10 n10 n10 n10',
  NXFMFC_BAD_TABLE_ID: 'n5.257 n5.257 n13 n13 n13 n13',
  NXFMFC_HARDWARE: 'n5.256 n5.256 n12 n12 n12 n12',
  NXFMFC_INVALID_TLV_FIELD: 'n1.536 n1.536 n37 n37 n37 n37',
  NXQOFC_QUEUE_ERROR: '- - - - n23 n23',
  NXR_NOT_SUPPORTED: 'n1.533 n1.533 n34 n34 n34 n34',
  NXR_STALE: 'n1.534 n1.534 n35 n35 n35 n35',
  NXST_NOT_CONFIGURED: 'n1.535 n1.535 n36 n36 n36 n36',
  NXTFFC_DUP_TABLE: '- - - n44 n44 n44',
  NXTTMFC_ALREADY_MAPPED: 'n1.531 n1.531 n20 n20 n20 n20',
  NXTTMFC_BAD_COMMAND: 'n1.527 n1.527 n16 n16 n16 n16',
  NXTTMFC_BAD_FIELD_IDX: 'n1.529 n1.529 n18 n18 n18 n18',
  NXTTMFC_BAD_OPT_LEN: 'n1.528 n1.528 n17 n17 n17 n17',
  NXTTMFC_DUP_ENTRY: 'n1.532 n1.532 n21 n21 n21 n21',
  NXTTMFC_INVALID_TLV_DEL: 'n1.537 n1.537 n38 n38 n38 n38',
  NXTTMFC_TABLE_FULL: 'n1.530 n1.530 n19 n19 n19 n19',
  OFPACFC_EPERM: '- - - o2372 15.2 15.2',
  OFPACFC_INVALID: '- - - o2370 15.0 15.0',
  OFPACFC_UNSUPPORTED: '- - - o2371 15.1 15.1',
  OFPBAC_BAD_ARGUMENT: '2.5 2.5 2.5 2.5 2.5 2.5',
  OFPBAC_BAD_LEN: '2.1 2.1 2.1 2.1 2.1 2.1',
  OFPBAC_BAD_METER: '- - - - - 2.17',
  OFPBAC_BAD_OUT_GROUP: 'n2.9 2.9 2.9 2.9 2.9 2.9',
  OFPBAC_BAD_OUT_PORT: '2.4 2.4 2.4 2.4 2.4 2.4',
  OFPBAC_BAD_QUEUE: '2.8 2.8 2.8 2.8 2.8 2.8',
  OFPBAC_BAD_SET_ARGUMENT: 'n1.525 n1.525 2.15 2.15 2.15 2.15',
  OFPBAC_BAD_SET_LEN: 'n1.524 n1.524 2.14 2.14 2.14 2.14',
  OFPBAC_BAD_SET_MASK: '- - - o4250 o4250 2.16',
  OFPBAC_BAD_SET_TYPE: 'n1.523 n1.523 2.13 2.13 2.13 2.13',
  OFPBAC_BAD_TAG: '- 2.12 2.12 2.12 2.12 2.12',
  OFPBAC_BAD_TYPE: '2.0 2.0 2.0 2.0 2.0 2.0',
  OFPBAC_BAD_VENDOR: '2.2 2.2 2.2 2.2 2.2 2.2',
  OFPBAC_BAD_VENDOR_TYPE: '2.3 2.3 2.3 2.3 2.3 2.3',
  OFPBAC_EPERM: '2.6 2.6 2.6 2.6 2.6 2.6',
  OFPBAC_MATCH_INCONSISTENT: 'n1.522 2.10 2.10 2.10 2.10 2.10',
  OFPBAC_TOO_MANY: '2.7 2.7 2.7 2.7 2.7 2.7',
  OFPBAC_UNSUPPORTED_ORDER: '- 2.11 2.11 2.11 2.11 2.11',
  OFPBFC_BAD_FLAGS: '- - - o2307 17.7 17.7',
  OFPBFC_BAD_ID: '- - - o2302 17.2 17.2',
  OFPBFC_BAD_TYPE: '- - - o2306 17.6 17.6',
  OFPBFC_BAD_VERSION: '- - - - n22 n22',
  OFPBFC_BUNDLE_CLOSED: '- - - o2304 17.4 17.4',
  OFPBFC_BUNDLE_EXIST: '- - - o2303 17.3 17.3',
  OFPBFC_BUNDLE_IN_PROGRESS: '- - - o2315 17.15 17.15',
  OFPBFC_EPERM: '- - - o2301 17.1 17.1',
  OFPBFC_MSG_BAD_LEN: '- - - o2308 17.8 17.8',
  OFPBFC_MSG_BAD_XID: '- - - o2309 17.9 17.9',
  OFPBFC_MSG_CONFLICT: '- - - o2311 17.11 17.11',
  OFPBFC_MSG_FAILED: '- - - o2313 17.13 17.13',
  OFPBFC_MSG_TOO_MANY: '- - - o2312 17.12 17.12',
  OFPBFC_MSG_UNSUP: '- - - o2310 17.10 17.10',
  OFPBFC_OUT_OF_BUNDLES: '- - - o2305 17.5 17.5',
  OFPBFC_SCHED_FUTURE: '- - - - - 17.17',
  OFPBFC_SCHED_NOT_SUPPORTED: '- - - - - 17.16',
  OFPBFC_SCHED_PAST: '- - - - - 17.18',
  OFPBFC_TIMEOUT: '- - - o2314 17.14 17.14',
  OFPBFC_UNKNOWN: '- - - o2300 17.0 17.0',
  OFPBIC_BAD_EXPERIMENTER: '- 3.5 3.5 3.5 3.5 3.5',
  OFPBIC_BAD_EXP_TYPE: '- 3.5 3.6 3.6 3.6 3.6',
  OFPBIC_BAD_LEN: '- - 3.7 3.7 3.7 3.7',
  OFPBIC_BAD_TABLE_ID: '- 3.2 3.2 3.2 3.2 3.2',
  OFPBIC_DUP_INST: '- n3.256 o2600 o2600 3.9 3.9',
  OFPBIC_EPERM: '- - 3.8 3.8 3.8 3.8',
  OFPBIC_UNKNOWN_INST: '- 3.0 3.0 3.0 3.0 3.0',
  OFPBIC_UNSUP_INST: 'n2.257 3.1 3.1 3.1 3.1 3.1',
  OFPBIC_UNSUP_METADATA: '- 3.3 3.3 3.3 3.3 3.3',
  OFPBIC_UNSUP_METADATA_MASK: '- 3.4 3.4 3.4 3.4 3.4',
  OFPBMC_BAD_DL_ADDR_MASK: '- 4.3 4.3 4.3 4.3 4.3',
  OFPBMC_BAD_FIELD: 'n0.263 4.6 4.6 4.6 4.6 4.6',
  OFPBMC_BAD_LEN: '- 4.1 4.1 4.1 4.1 4.1',
  OFPBMC_BAD_MASK: 'n1.259 n1.259 4.8 4.8 4.8 4.8',
  OFPBMC_BAD_NW_ADDR_MASK: '- 4.4 4.4 4.4 4.4 4.4',
  OFPBMC_BAD_PREREQ: 'n1.260 n1.260 4.9 4.9 4.9 4.9',
  OFPBMC_BAD_TAG: '- 4.2 4.2 4.2 4.2 4.2',
  OFPBMC_BAD_TYPE: '- 4.0 4.0 4.0 4.0 4.0',
  OFPBMC_BAD_VALUE: 'n1.258 4.7 4.7 4.7 4.7 4.7',
  OFPBMC_BAD_WILDCARDS: 'n1.262 4.5 4.5 4.5 4.5 4.5',
  OFPBMC_DUP_FIELD: 'n1.261 n1.261 4.10 4.10 4.10 4.10',
  OFPBMC_EPERM: '- - 4.11 4.11 4.11 4.11',
  OFPBPC_BAD_EXPERIMENTER: 'n14.5 n14.5 n30 o4445 14.5 14.5',
  OFPBPC_BAD_EXP_TYPE: 'n14.6 n14.6 n31 o4446 14.6 14.6',
  OFPBPC_BAD_EXP_VALUE: 'n14.7 n14.7 n32 o4447 14.7 14.7',
  OFPBPC_BAD_LEN: 'n13.3 n13.3 n26 13.3 14.1 14.1',
  OFPBPC_BAD_TYPE: 'n13.2 n13.2 n25 13.2 14.0 14.0',
  OFPBPC_BAD_VALUE: 'n13.4 n13.4 n27 13.4 14.2 14.2',
  OFPBPC_DUP_TYPE: 'n14.4 n14.4 n29 o4444 14.4 14.4',
  OFPBPC_EPERM: 'n14.8 n14.8 n33 o4448 14.8 14.8',
  OFPBPC_TOO_MANY: 'n14.3 n14.3 n28 o4443 14.3 14.3',
  OFPBRC_BAD_LEN: '1.6 1.6 1.6 1.6 1.6 1.6',
  OFPBRC_BAD_PACKET: '- - 1.12 1.12 1.12 1.12',
  OFPBRC_BAD_PORT: 'n1.514 n1.514 1.11 1.11 1.11 1.11',
  OFPBRC_BAD_STAT: '1.2 1.2 1.2 1.2 1.2 1.2',
  OFPBRC_BAD_SUBTYPE: '1.4 1.4 1.4 1.4 1.4 1.4',
  OFPBRC_BAD_TABLE_ID: 'n1.512 1.9 1.9 1.9 1.9 1.9',
  OFPBRC_BAD_TYPE: '1.1 1.1 1.1 1.1 1.1 1.1',
  OFPBRC_BAD_VENDOR: '1.3 1.3 1.3 1.3 1.3 1.3',
  OFPBRC_BAD_VERSION: '1.0 1.0 1.0 1.0 1.0 1.0',
  OFPBRC_BUFFER_EMPTY: '1.7 1.7 1.7 1.7 1.7 1.7',
  OFPBRC_BUFFER_UNKNOWN: '1.8 1.8 1.8 1.8 1.8 1.8',
  OFPBRC_EPERM: '1.5 1.5 1.5 1.5 1.5 1.5',
  OFPBRC_IS_SECONDARY: '1.5 1.5 1.10 1.10 1.10 1.10',
  OFPBRC_MULTIPART_BAD_SCHED: '- - - - - 1.16',
  OFPBRC_MULTIPART_BUFFER_OVERFLOW: '- - - 1.13 1.13 1.13',
  OFPBRC_MULTIPART_REPLY_TIMEOUT: '- - - o2641 1.15 1.15',
  OFPBRC_MULTIPART_REQUEST_TIMEOUT: '- - - o2640 1.14 1.14',
  OFPBRC_PIPELINE_FIELDS_ONLY: '- - - - - 1.17',
  OFPBRC_UNKNOWN: '- - - - - 1.18',
  OFPFMFC_BAD_COMMAND: '3.4 5.6 5.6 5.6 5.6 5.6',
  OFPFMFC_BAD_EMERG_TIMEOUT: '3.3 - - - - -',
  OFPFMFC_BAD_FLAGS: 'n3.258 n5.258 5.7 5.7 5.7 5.7',
  OFPFMFC_BAD_PRIORITY: '- - - o2360 5.9 5.9',
  OFPFMFC_BAD_TABLE_ID: '- 5.2 5.2 5.2 5.2 5.2',
  OFPFMFC_BAD_TIMEOUT: '- 5.5 5.5 5.5 5.5 5.5',
  OFPFMFC_CANT_SYNC: '- - - - 5.8 5.8',
  OFPFMFC_EPERM: '3.2 5.4 5.4 5.4 5.4 5.4',
  OFPFMFC_IS_SYNC: '- - - - 5.10 5.10',
  OFPFMFC_OVERLAP: '3.1 5.3 5.3 5.3 5.3 5.3',
  OFPFMFC_TABLE_FULL: '3.0 5.1 5.1 5.1 5.1 5.1',
  OFPFMFC_UNKNOWN: '- 5.0 5.0 5.0 5.0 5.0',
  OFPFMFC_UNSUPPORTED: '3.5 - - - - -',
  OFPGMFC_BAD_BUCKET: 'n6.12 - 6.12 6.12 6.12 6.12',
  OFPGMFC_BAD_COMMAND: 'n6.11 - 6.11 6.11 6.11 6.11',
  OFPGMFC_BAD_TYPE: 'n6.10 - 6.10 6.10 6.10 6.10',
  OFPGMFC_BAD_WATCH: 'n6.13 - 6.13 6.13 6.13 6.13',
  OFPGMFC_BUCKET_EXISTS: 'n6.16 - - - - 6.16',
  OFPGMFC_CHAINED_GROUP: 'n6.9 - 6.9 6.9 6.9 6.9',
  OFPGMFC_CHAINING_UNSUPPORTED: 'n6.5 6.5 6.5 6.5 6.5 6.5',
  OFPGMFC_EPERM: 'n6.14 - 6.14 6.14 6.14 6.14',
  OFPGMFC_GROUP_EXISTS: 'n6.0 6.0 6.0 6.0 6.0 6.0',
  OFPGMFC_INVALID_GROUP: 'n6.1 6.1 6.1 6.1 6.1 6.1',
  OFPGMFC_LOOP: 'n6.7 6.7 6.7 6.7 6.7 6.7',
  OFPGMFC_OUT_OF_BUCKETS: 'n6.4 6.4 6.4 6.4 6.4 6.4',
  OFPGMFC_OUT_OF_GROUPS: 'n6.3 6.3 6.3 6.3 6.3 6.3',
  OFPGMFC_UNKNOWN_BUCKET: 'n6.15 - - - - 6.15',
  OFPGMFC_UNKNOWN_GROUP: 'n6.8 6.8 6.8 6.8 6.8 6.8',
  OFPGMFC_WATCH_UNSUPPORTED: 'n6.6 6.6 6.6 6.6 6.6 6.6',
  OFPGMFC_WEIGHT_UNSUPPORTED: 'n6.2 6.2 6.2 6.2 6.2 6.2',
  OFPHFC_EPERM: '0.1 0.1 0.1 0.1 0.1 0.1',
  OFPHFC_INCOMPATIBLE: '0.0 0.0 0.0 0.0 0.0 0.0',
  OFPMMFC_BAD_BAND: '- - - 12.8 12.8 12.8',
  OFPMMFC_BAD_BAND_VALUE: '- - - 12.9 12.9 12.9',
  OFPMMFC_BAD_BURST: '- - - 12.7 12.7 12.7',
  OFPMMFC_BAD_COMMAND: '- - - 12.4 12.4 12.4',
  OFPMMFC_BAD_FLAGS: '- - - 12.5 12.5 12.5',
  OFPMMFC_BAD_RATE: '- - - 12.6 12.6 12.6',
  OFPMMFC_INVALID_METER: '- - - 12.2 12.2 12.2',
  OFPMMFC_METER_EXISTS: '- - - 12.1 12.1 12.1',
  OFPMMFC_OUT_OF_BANDS: '- - - 12.11 12.11 12.11',
  OFPMMFC_OUT_OF_METERS: '- - - 12.10 12.10 12.10',
  OFPMMFC_UNKNOWN: '- - - 12.0 12.0 12.0',
  OFPMMFC_UNKNOWN_METER: '- - - 12.3 12.3 12.3',
  OFPMOFC_BAD_COMMAND: '- - - - 16.4 16.4',
  OFPMOFC_BAD_FLAGS: 'n1.518 n1.518 n7 n7 16.5 16.5',
  OFPMOFC_BAD_OUT: '- - - - 16.7 16.7',
  OFPMOFC_BAD_TABLE_ID: '- - - - 16.6 16.6',
  OFPMOFC_INVALID_MONITOR: '- - - - 16.2 16.2',
  OFPMOFC_MONITOR_EXISTS: 'n1.517 n1.517 n6 n6 16.1 16.1',
  OFPMOFC_UNKNOWN: '- - - - 16.0 16.0',
  OFPMOFC_UNKNOWN_MONITOR: 'n1.519 n1.519 n8 n8 16.3 16.3',
  OFPPMFC_BAD_ADVERTISE: '- 7.3 7.3 7.3 7.3 7.3',
  OFPPMFC_BAD_CONFIG: '- 7.2 7.2 7.2 7.2 7.2',
  OFPPMFC_BAD_HW_ADDR: '4.1 7.1 7.1 7.1 7.1 7.1',
  OFPPMFC_BAD_PORT: '4.0 7.0 7.0 7.0 7.0 7.0',
  OFPPMFC_EPERM: '- - 7.4 7.4 7.4 7.4',
  OFPQOFC_BAD_PORT: '5.0 9.0 9.0 9.0 9.0 9.0',
  OFPQOFC_BAD_QUEUE: '5.1 9.1 9.1 9.1 9.1 9.1',
  OFPQOFC_EPERM: '5.2 9.2 9.2 9.2 9.2 9.2',
  OFPRRFC_BAD_ROLE: 'n1.513 n1.513 11.2 11.2 11.2 11.2',
  OFPRRFC_ID_IN_USE: '- - - - - 11.4',
  OFPRRFC_ID_UNSUP: '- - - - - 11.3',
  OFPRRFC_STALE: '- - 11.0 11.0 11.0 11.0',
  OFPRRFC_UNSUP: '- - 11.1 11.1 11.1 11.1',
  OFPSCFC_BAD_FLAGS: '- 10.0 10.0 10.0 10.0 10.0',
  OFPSCFC_BAD_LEN: '- 10.1 10.1 10.1 10.1 10.1',
  OFPSCFC_EPERM: '- - 10.2 10.2 10.2 10.2',
  OFPTFFC_BAD_CAPA: '- - - - - 13.6',
  OFPTFFC_BAD_COMMAND: '- - - - - 13.9',
  OFPTFFC_BAD_FEATURES: '- - - - - 13.8',
  OFPTFFC_BAD_MAX_ENT: '- - - - - 13.7',
  OFPTFFC_BAD_METADATA: '- - - 13.1 13.1 13.1',
  OFPTFFC_BAD_TABLE: '- - - 13.0 13.0 13.0',
  OFPTFFC_EPERM: '- - - 13.5 13.5 13.5',
  OFPTFFC_TOO_MANY: '- - - - - 13.10',
  OFPTMFC_BAD_CONFIG: '- 8.1 8.1 8.1 8.1 8.1',
  OFPTMFC_BAD_TABLE: '- 8.0 8.0 8.0 8.0 8.0',
  OFPTMFC_EPERM: '- - 8.2 8.2 8.2 8.2',
} as const

/** The name of an error, as Open vSwitch prints it. */
export type ErrorName = keyof typeof ERRORS

/** What went wrong: by name, or by numbers where the number has no name. */
export type OpenFlowError = ErrorName | ErrorNumber

export interface ErrorNumber {
  /** 0: the standard's. */
  readonly vendor: number
  readonly type: number
  readonly code: number
}

const ONF_VENDOR_ID = 0x4f4e4600

function parse(cell: string): ErrorNumber | undefined {
  if (cell === '-') return undefined
  const vendor = cell.startsWith('n') ? NX_VENDOR_ID : cell.startsWith('o') ? ONF_VENDOR_ID : 0
  const [type = 0, code = 0] = (vendor ? cell.slice(1) : cell).split('.').map(Number)
  return { vendor, type, code }
}

const NUMBERS = new Map<ErrorName, readonly (ErrorNumber | undefined)[]>()
const NAMES = new Map<string, ErrorName>()
for (const [name, row] of Object.entries(ERRORS)) {
  const numbers = row.split(' ').map(parse)
  NUMBERS.set(name as ErrorName, numbers)
  numbers.forEach((n, i) => {
    const key = n && `${i + 1} ${n.vendor} ${n.type} ${n.code}`
    if (key && !NAMES.has(key)) NAMES.set(key, name as ErrorName)
  })
}

/** The numbers of an error in a version; the nearest general error where the version has none. */
export function errorNumber(error: OpenFlowError, version: Version): ErrorNumber {
  if (typeof error !== 'string') return error
  // OFPBRC_BAD_TYPE stands in, as for a request the version does not know.
  return NUMBERS.get(error)?.[version - 1] ?? { vendor: 0, type: 1, code: 1 }
}

/** The error behind numbers from the wire. */
export function errorOf(number: ErrorNumber, version: Version): OpenFlowError {
  return NAMES.get(`${version} ${number.vendor} ${number.type} ${number.code}`) ?? number
}

/** `OFPBRC_BAD_LEN`, or the numbers in words. */
export function errorText(error: OpenFlowError): string {
  if (typeof error === 'string') return error
  return error.vendor
    ? `vendor 0x${error.vendor.toString(16)}, type ${error.type}, code ${error.code}`
    : `type ${error.type}, code ${error.code}`
}
