import type { Reader, Writer } from '../../base/bytes.ts'
import type { WireContext } from './context.ts'
import { readFlowStats, readUpdate, writeFlowStats, writeUpdate } from './flow-stats.ts'
import { readGroupDescription, writeGroupDescription } from './group.ts'
import { readBands, writeBands } from './meter.ts'
import { MORE, type MultipartReply, type StatsReply } from './multipart.ts'
import { dispatch, NXST, OFPMP, readStatsHeader, statsNumber, writeStatsHeader } from './multipart-request.ts'
import { readFlowCounters, writeFlowCounters } from './oxs.ts'
import { readPortDescription, writePortDescription } from './port.ts'
import * as stats from './stats.ts'
import { readText, writeText } from './text.ts'

function all<T>(r: Reader, read: (r: Reader) => T): T[] {
  const out: T[] = []
  while (r.left > 0) out.push(read(r))
  return out
}

export function readMultipartReply(r: Reader, xid: number, ctx: WireContext): MultipartReply {
  const { type, flags, start, subtype } = readStatsHeader(r, ctx.version)
  return {
    type: 'multipart_reply',
    xid,
    flags,
    reply: readReply(r, type, subtype, { ...ctx, keepUnknown: true }, start),
  }
}

function readReply(r: Reader, type: number, subtype: number | undefined, ctx: WireContext, start: number): StatsReply {
  const { version } = ctx
  switch (dispatch(type, subtype)) {
    case -1 - NXST.FLOW:
      return { kind: 'flow', extended: true, flows: all(r, (x) => readFlowStats(x, ctx, true)) }
    case -1 - NXST.AGGREGATE:
      return { kind: 'aggregate', extended: true, ...readAggregate(r, 1) }
    case -1 - NXST.FLOW_MONITOR:
      return { kind: 'flow_monitor', nicira: true, updates: all(r, (x) => readUpdate(x, ctx, true)) }
    case OFPMP.DESC:
      return {
        kind: 'desc',
        description: {
          manufacturer: readText(r, 256),
          hardware: readText(r, 256),
          software: readText(r, 256),
          serial: readText(r, 32),
          datapath: readText(r, 256),
        },
      }
    case OFPMP.FLOW:
      return { kind: 'flow', flows: all(r, (x) => readFlowStats(x, ctx, false)) }
    case OFPMP.AGGREGATE:
      return { kind: 'aggregate', ...readAggregate(r, version) }
    case OFPMP.TABLE:
      return { kind: 'table', tables: all(r, (x) => stats.readTable(x, version)) }
    case OFPMP.PORT:
      return { kind: 'port', ports: all(r, (x) => stats.readPortStats(x, version)) }
    case OFPMP.QUEUE:
      return { kind: 'queue', queues: all(r, (x) => stats.readQueue(x, version)) }
    case OFPMP.GROUP:
      return { kind: 'group', groups: all(r, stats.readGroup) }
    case OFPMP.GROUP_DESC:
      return { kind: 'group_desc', groups: all(r, (x) => readGroupDescription(x, ctx)) }
    case OFPMP.GROUP_FEATURES:
      return {
        kind: 'group_features',
        types: r.u32(),
        capabilities: r.u32(),
        maxGroups: [r.u32(), r.u32(), r.u32(), r.u32()],
        actions: [r.u32(), r.u32(), r.u32(), r.u32()],
      }
    case OFPMP.METER:
      return { kind: 'meter', meters: all(r, stats.readMeter) }
    case OFPMP.METER_CONFIG:
      return {
        kind: 'meter_config',
        meters: all(r, (x) => {
          const body = x.sub(Math.max(0, x.u16() - 2))
          return { flags: body.u16(), meter: body.u32(), bands: readBands(body) }
        }),
      }
    case OFPMP.METER_FEATURES:
      return {
        kind: 'meter_features',
        maxMeters: r.u32(),
        bandTypes: r.u32(),
        capabilities: r.u32(),
        maxBands: r.u8(),
        maxColor: r.u8(),
      }
    case OFPMP.PORT_DESC:
      return { kind: 'port_desc', ports: all(r, (x) => readPortDescription(x, version)) }
    case OFPMP.FLOW_MONITOR:
      return { kind: 'flow_monitor', nicira: false, updates: all(r, (x) => readUpdate(x, ctx, false)) }
    default:
      return { kind: 'unknown', statsType: type, body: r.bytes.slice(start, r.end) }
  }
}

function readAggregate(r: Reader, version: number) {
  if (version >= 6) {
    const c = readFlowCounters(r)
    return { packets: c.packets, bytes: c.bytes, flows: c.flows }
  }
  const packets = r.u64()
  const bytes = r.u64()
  return { packets, bytes, flows: r.u32() }
}

export function writeMultipartReply(w: Writer, m: MultipartReply, ctx: WireContext): void {
  const a = m.reply
  const { version } = ctx
  if (a.kind === 'unknown') {
    writeStatsHeader(w, a.statsType, m.flags, undefined, version)
    w.bytes(a.body)
    return
  }
  const extended =
    a.kind === 'flow' || a.kind === 'aggregate' ? (a.extended ?? false) : a.kind === 'flow_monitor' && a.nicira
  const [type, subtype] = statsNumber(a.kind, extended, version)
  writeStatsHeader(w, type, m.flags, subtype, version)
  switch (a.kind) {
    case 'desc':
      writeText(w, a.description.manufacturer, 256)
      writeText(w, a.description.hardware, 256)
      writeText(w, a.description.software, 256)
      writeText(w, a.description.serial, 32)
      writeText(w, a.description.datapath, 256)
      return
    case 'aggregate':
      if (version >= 6 && !extended) writeFlowCounters(w, { packets: a.packets, bytes: a.bytes, flows: a.flows })
      else w.u64(a.packets).u64(a.bytes).u32(a.flows).zeros(4)
      return
    case 'group_features':
      w.u32(a.types).u32(a.capabilities)
      for (const n of [...a.maxGroups, ...a.actions]) w.u32(n)
      return
    case 'meter_features':
      w.u32(a.maxMeters).u32(a.bandTypes).u32(a.capabilities).u8(a.maxBands).u8(a.maxColor).zeros(2)
      return
    default:
      for (const write of entries(a, ctx)) write(w)
  }
}

/** The entries of a reply that is a list, each as a writer: where a reply may be cut in parts. */
function entries(a: StatsReply, ctx: WireContext): ((w: Writer) => void)[] {
  const { version } = ctx
  switch (a.kind) {
    case 'flow':
      return a.flows.map((x) => (w) => writeFlowStats(w, x, ctx, a.extended ?? false))
    case 'table':
      return a.tables.map((x) => (w) => stats.writeTable(w, x, version))
    case 'port':
      return a.ports.map((x) => (w) => stats.writePortStats(w, x, version))
    case 'port_desc':
      return a.ports.map((x) => (w) => writePortDescription(w, x, version))
    case 'queue':
      return a.queues.map((x) => (w) => stats.writeQueue(w, x, version))
    case 'group':
      return a.groups.map((x) => (w) => stats.writeGroup(w, x))
    case 'group_desc':
      return a.groups.map((x) => (w) => writeGroupDescription(w, x, ctx))
    case 'meter':
      return a.meters.map((x) => (w) => stats.writeMeter(w, x))
    case 'meter_config':
      return a.meters.map((x) => (w) => {
        const start = w.length
        w.u16(0).u16(x.flags).u32(x.meter)
        writeBands(w, x.bands)
        w.patch16(start, w.length - start)
      })
    case 'flow_monitor':
      return a.updates.map((x) => (w) => writeUpdate(w, x, ctx, a.nicira))
    default:
      return []
  }
}

/** Bytes of a message that leave room for any one entry: Open vSwitch cuts near here too. */
const PART = 60000

/**
 * A reply in messages of at most 64 kB, all but the last with the "more" flag. `emit` gets the
 * flags and the body of each.
 */
export function splitReply(m: MultipartReply, ctx: WireContext, fresh: () => Writer): Uint8Array[] {
  const list = entries(m.reply, ctx)
  const parts: Writer[] = []
  let w: Writer | undefined
  const open = (): Writer => {
    const next = fresh()
    const a = m.reply
    const extended =
      a.kind === 'flow' || a.kind === 'aggregate' ? (a.extended ?? false) : a.kind === 'flow_monitor' && a.nicira
    const [type, subtype] = a.kind === 'unknown' ? [a.statsType, undefined] : statsNumber(a.kind, extended, ctx.version)
    writeStatsHeader(next, type, m.flags, subtype, ctx.version)
    parts.push(next)
    return next
  }
  if (list.length === 0) {
    const only = fresh()
    writeMultipartReply(only, m, ctx)
    return [only.done()]
  }
  for (const write of list) {
    w ??= open()
    write(w)
    if (w.length > PART) w = undefined
  }
  return parts.map((part, i) => {
    // The flags follow the 8 bytes of the OpenFlow header and the type.
    part.patch16(10, i < parts.length - 1 ? m.flags | MORE : m.flags)
    return part.done()
  })
}
