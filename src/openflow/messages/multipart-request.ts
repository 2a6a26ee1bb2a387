import type { Reader, Writer } from '../../base/bytes.ts'
import { OFPP } from '../actions/action.ts'
import { narrowPort, readFields, readMatch, widenPort, writeFields, writeMatch } from '../fields/oxm.ts'
import { NX_VENDOR_ID } from '../nicira/message.ts'
import type { WireContext } from './context.ts'
import { fault } from './fault.ts'
import { readPort } from './flow.ts'
import { readMatch10, writeMatch10 } from './match10.ts'
import { GROUP_ALL, GROUP_ANY } from './message.ts'
import type { FlowFilter, FlowMonitorRequest, MultipartRequest, StatsRequest } from './multipart.ts'

/** OFPMP_* (OFPST_* in 1.0), shared by requests and replies. */
export const OFPMP = {
  DESC: 0,
  FLOW: 1,
  AGGREGATE: 2,
  TABLE: 3,
  PORT: 4,
  QUEUE: 5,
  GROUP: 6,
  GROUP_DESC: 7,
  GROUP_FEATURES: 8,
  METER: 9,
  METER_CONFIG: 10,
  METER_FEATURES: 11,
  TABLE_FEATURES: 12,
  PORT_DESC: 13,
  TABLE_DESC: 14,
  QUEUE_DESC: 15,
  FLOW_MONITOR: 16,
  EXPERIMENTER: 0xffff,
} as const

/** NXST_*: Nicira's. Groups are Nicira's in 1.0, numbered one above OFPMP_*. */
export const NXST = { FLOW: 0, AGGREGATE: 1, FLOW_MONITOR: 2, IPFIX_BRIDGE: 3, IPFIX_FLOW: 4 } as const

/** Reads the header of a multipart body: type, flags, and Nicira's subtype if it is one. */
export function readStatsHeader(
  r: Reader,
  version: number,
): {
  type: number
  flags: number /** Where the body begins, vendor and all. */
  start: number
  subtype: number | undefined
} {
  const type = r.u16()
  const flags = r.u16()
  if (version !== 1) r.skip(4)
  const start = r.at
  if (type !== OFPMP.EXPERIMENTER) return { type, flags, start, subtype: undefined }
  if (r.u32() !== NX_VENDOR_ID) fault('OFPBRC_BAD_VENDOR')
  const subtype = r.u32()
  if (version === 1) r.skip(4)
  return { type, flags, start, subtype }
}

export function writeStatsHeader(
  w: Writer,
  type: number,
  flags: number,
  subtype: number | undefined,
  version: number,
): void {
  w.u16(type).u16(flags)
  if (version !== 1) w.zeros(4)
  if (subtype === undefined) return
  w.u32(NX_VENDOR_ID).u32(subtype)
  if (version === 1) w.zeros(4)
}

function readFilter(r: Reader, ctx: WireContext, extended: boolean): FlowFilter {
  if (extended) {
    const outPort = r.u16()
    const length = r.u16()
    const table = r.u8()
    r.skip(3)
    const match = readFields(r.sub(length))
    return { match, table, outPort, outGroup: GROUP_ANY, cookie: 0n, cookieMask: 0n }
  }
  if (ctx.version === 1) {
    const match = readMatch10(r)
    const table = r.u8()
    r.skip(1)
    return { match, table, outPort: r.u16(), outGroup: GROUP_ANY, cookie: 0n, cookieMask: 0n }
  }
  const table = r.u8()
  r.skip(3)
  const outPort = readPort(r)
  const outGroup = r.u32()
  r.skip(4)
  const cookie = r.u64()
  const cookieMask = r.u64()
  return { match: readMatch(r), table, outPort, outGroup, cookie, cookieMask }
}

function writeFilter(w: Writer, f: FlowFilter, ctx: WireContext, extended: boolean): void {
  if (extended) {
    w.u16(f.outPort)
    const at = w.length
    w.u16(0).u8(f.table).zeros(3)
    const start = w.length
    writeFields(w, f.match, 1)
    w.patch16(at, w.length - start)
    w.align(8, start)
  } else if (ctx.version === 1) {
    writeMatch10(w, f.match)
    w.u8(f.table).u8(0).u16(f.outPort)
  } else {
    w.u8(f.table).zeros(3).u32(widenPort(f.outPort)).u32(f.outGroup).zeros(4).u64(f.cookie).u64(f.cookieMask)
    writeMatch(w, f.match, ctx.version)
  }
}

/** Port and queue: 16-bit port and padding in 1.0, 32-bit later. */
function readPortQueue(r: Reader, version: number): { port: number; queue: number } {
  if (version === 1) {
    const port = r.u16()
    r.skip(2)
    return { port: port === OFPP.ALL ? OFPP.NONE : port, queue: r.u32() }
  }
  const port = readPort(r)
  return { port, queue: r.u32() }
}

/** One number for a type: Nicira's own below zero, its groups as the standard's. */
export function dispatch(type: number, subtype: number | undefined): number {
  if (subtype === undefined) return type
  return subtype <= NXST.IPFIX_FLOW ? -1 - subtype : subtype - 1
}

export function readMultipartRequest(r: Reader, xid: number, ctx: WireContext): MultipartRequest {
  const { type, flags, start, subtype } = readStatsHeader(r, ctx.version)
  return { type: 'multipart_request', xid, flags, request: readRequest(r, type, subtype, ctx, start) }
}

function readRequest(
  r: Reader,
  type: number,
  subtype: number | undefined,
  ctx: WireContext,
  start: number,
): StatsRequest {
  const { version } = ctx
  switch (dispatch(type, subtype)) {
    case -1 - NXST.FLOW:
      return { kind: 'flow', extended: true, ...readFilter(r, ctx, true) }
    case -1 - NXST.AGGREGATE:
      return { kind: 'aggregate', extended: true, ...readFilter(r, ctx, true) }
    case -1 - NXST.FLOW_MONITOR:
      return { kind: 'flow_monitor', nicira: true, monitors: readMonitors(r, true) }
    case -1 - NXST.IPFIX_BRIDGE:
      return { kind: 'ipfix_bridge' }
    case -1 - NXST.IPFIX_FLOW:
      return { kind: 'ipfix_flow' }
    case OFPMP.DESC:
      return { kind: 'desc' }
    case OFPMP.FLOW:
      return { kind: 'flow', ...readFilter(r, ctx, false) }
    case OFPMP.AGGREGATE:
      return { kind: 'aggregate', ...readFilter(r, ctx, false) }
    case OFPMP.TABLE:
      return { kind: 'table' }
    case OFPMP.PORT:
      return { kind: 'port', port: version === 1 ? r.u16() : readPort(r) }
    case OFPMP.QUEUE:
      return { kind: 'queue', ...readPortQueue(r, version) }
    case OFPMP.GROUP:
      return { kind: 'group', group: r.u32() }
    case OFPMP.GROUP_DESC:
      return { kind: 'group_desc', group: version >= 6 || version === 1 ? r.u32() : GROUP_ALL }
    case OFPMP.GROUP_FEATURES:
      return { kind: 'group_features' }
    case OFPMP.METER:
      return { kind: 'meter', meter: r.u32() }
    case OFPMP.METER_CONFIG:
      return { kind: 'meter_config', meter: r.u32() }
    case OFPMP.METER_FEATURES:
      return { kind: 'meter_features' }
    case OFPMP.PORT_DESC:
      return { kind: 'port_desc', port: version >= 6 ? readPort(r) : OFPP.NONE }
    case OFPMP.TABLE_DESC:
      return { kind: 'table_desc' }
    case OFPMP.QUEUE_DESC:
      return { kind: 'queue_desc', ...readPortQueue(r, version) }
    case OFPMP.FLOW_MONITOR:
      return { kind: 'flow_monitor', nicira: false, monitors: readMonitors(r, false) }
    default:
      return { kind: 'unknown', statsType: type, body: r.bytes.slice(start, r.end) }
  }
}

function readMonitors(r: Reader, nicira: boolean): FlowMonitorRequest[] {
  const out: FlowMonitorRequest[] = []
  while (r.left > 0) {
    const id = r.u32()
    if (nicira) {
      const flags = r.u16()
      const outPort = r.u16()
      const length = r.u16()
      const table = r.u8()
      r.skip(5)
      const match = readFields(r.sub(length))
      r.skip((8 - (length % 8)) % 8)
      out.push({ id, flags, outPort, outGroup: GROUP_ANY, table, command: 0, match })
      continue
    }
    const outPort = narrowPort(r.u32()) ?? OFPP.NONE
    const outGroup = r.u32()
    const flags = r.u16()
    const table = r.u8()
    const command = r.u8()
    out.push({ id, flags, outPort, outGroup, table, command, match: readMatch(r) })
  }
  return out
}

/** The number of a request or reply, with Nicira's subtype where it is one in this version. */
export function statsNumber(
  kind: string,
  extended: boolean,
  version: number,
): [type: number, subtype: number | undefined] {
  const nx = (subtype: number): [number, number] => [OFPMP.EXPERIMENTER, subtype]
  if (extended) {
    if (kind === 'flow') return nx(NXST.FLOW)
    if (kind === 'aggregate') return nx(NXST.AGGREGATE)
    if (kind === 'flow_monitor') return nx(NXST.FLOW_MONITOR)
  }
  if (kind === 'ipfix_bridge') return nx(NXST.IPFIX_BRIDGE)
  if (kind === 'ipfix_flow') return nx(NXST.IPFIX_FLOW)
  const number = (OFPMP as Readonly<Record<string, number>>)[kind.toUpperCase()]
  if (number === undefined) throw new Error(`no multipart type ${kind}`)
  // In 1.0 what came with 1.1 is Nicira's, except port descriptions.
  if (version === 1 && number >= OFPMP.GROUP && number <= OFPMP.GROUP_FEATURES) return nx(number + 1)
  return [number, undefined]
}

export function writeMultipartRequest(w: Writer, m: MultipartRequest, ctx: WireContext): void {
  const q = m.request
  const { version } = ctx
  if (q.kind === 'unknown') {
    writeStatsHeader(w, q.statsType, m.flags, undefined, version)
    w.bytes(q.body)
    return
  }
  const extended =
    q.kind === 'flow' || q.kind === 'aggregate' ? (q.extended ?? false) : q.kind === 'flow_monitor' && q.nicira
  const [type, subtype] = statsNumber(q.kind, extended, version)
  writeStatsHeader(w, type, m.flags, subtype, version)
  switch (q.kind) {
    case 'flow':
    case 'aggregate':
      writeFilter(w, q, ctx, extended)
      return
    case 'port':
      if (version === 1) w.u16(q.port).zeros(6)
      else w.u32(widenPort(q.port)).zeros(4)
      return
    case 'port_desc':
      if (version >= 6) w.u32(widenPort(q.port)).zeros(4)
      return
    case 'queue':
    case 'queue_desc':
      if (version === 1) w.u16(q.port === OFPP.NONE ? OFPP.ALL : q.port).zeros(2)
      else w.u32(widenPort(q.port))
      w.u32(q.queue)
      return
    case 'group':
      w.u32(q.group).zeros(4)
      return
    case 'group_desc':
      if (version >= 6 || version === 1) w.u32(q.group).zeros(4)
      return
    case 'meter':
    case 'meter_config':
      w.u32(q.meter).zeros(4)
      return
    case 'flow_monitor':
      for (const x of q.monitors) writeMonitor(w, x, ctx, q.nicira)
      return
    default:
      return
  }
}

function writeMonitor(w: Writer, x: FlowMonitorRequest, ctx: WireContext, nicira: boolean): void {
  w.u32(x.id)
  if (nicira) {
    w.u16(x.flags).u16(x.outPort)
    const at = w.length
    w.u16(0).u8(x.table).zeros(5)
    const start = w.length
    writeFields(w, x.match, ctx.version)
    w.patch16(at, w.length - start)
    w.align(8, start)
    return
  }
  w.u32(widenPort(x.outPort)).u32(x.outGroup).u16(x.flags).u8(x.table).u8(x.command)
  writeMatch(w, x.match, ctx.version)
}
