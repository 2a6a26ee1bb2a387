import type { Reader, Writer } from '../../base/bytes.ts'
import { widenPort } from '../fields/oxm.ts'
import { fault } from './fault.ts'
import { readPort } from './flow.ts'
import type { GroupStats, MeterStats, PortStats, QueueStats, TableStats } from './multipart.ts'
import { readText, writeText } from './text.ts'

/** Counters nobody keeps. */
const UNKNOWN = 0xffffffffffffffffn
/** Durations nobody keeps. */
const NEVER = 0xffffffff

export function readTable(r: Reader, version: number): TableStats {
  const table = r.u8()
  r.skip(3)
  if (version === 1) {
    const name = readText(r, 32)
    const wildcards = r.u32()
    const maxEntries = r.u32()
    const active = r.u32()
    return { table, name, wildcards, maxEntries, active, lookups: r.u64(), matched: r.u64() }
  }
  const active = r.u32()
  return { table, name: '', wildcards: 0, maxEntries: 0, active, lookups: r.u64(), matched: r.u64() }
}

export function writeTable(w: Writer, t: TableStats, version: number): void {
  w.u8(t.table).zeros(3)
  if (version === 1) {
    writeText(w, t.name, 32)
    w.u32(t.wildcards).u32(t.maxEntries)
  }
  w.u32(t.active).u64(t.lookups).u64(t.matched)
}

export function readPortStats(r: Reader, version: number): PortStats {
  if (version >= 5) return readPortStats14(r)
  const port = version === 1 ? r.u16() : readPort(r)
  r.skip(version === 1 ? 6 : 4)
  const c = Array.from({ length: 12 }, () => r.u64())
  const at = (i: number) => c[i] ?? UNKNOWN
  return {
    port,
    rxPackets: at(0),
    txPackets: at(1),
    rxBytes: at(2),
    txBytes: at(3),
    rxDropped: at(4),
    txDropped: at(5),
    rxErrors: at(6),
    txErrors: at(7),
    rxFrameErrors: at(8),
    rxOverErrors: at(9),
    rxCrcErrors: at(10),
    collisions: at(11),
    durationSec: version === 1 ? NEVER : r.u32(),
    durationNsec: version === 1 ? NEVER : r.u32(),
  }
}

function readPortStats14(r: Reader): PortStats {
  const length = r.u16()
  if (length < 80 || length - 2 > r.left) fault('OFPBRC_BAD_LEN')
  const b = r.sub(length - 2)
  b.skip(2)
  const port = readPort(b)
  const durationSec = b.u32()
  const durationNsec = b.u32()
  const c = Array.from({ length: 8 }, () => b.u64())
  const at = (i: number) => c[i] ?? UNKNOWN
  let ethernet = [UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]
  const unknown: Uint8Array[] = []
  while (b.left > 0) {
    const start = b.at
    const type = b.u16()
    const len = b.u16()
    if (len < 4) fault('OFPBPC_BAD_LEN')
    const body = b.sub(len - 4)
    b.skip(Math.min(b.left, (8 - (len % 8)) % 8))
    if (type === 0) {
      body.skip(4)
      ethernet = Array.from({ length: 4 }, () => body.u64())
    } else unknown.push(b.bytes.slice(start, b.at))
  }
  return {
    port,
    durationSec,
    durationNsec,
    rxPackets: at(0),
    txPackets: at(1),
    rxBytes: at(2),
    txBytes: at(3),
    rxDropped: at(4),
    txDropped: at(5),
    rxErrors: at(6),
    txErrors: at(7),
    rxFrameErrors: ethernet[0] ?? UNKNOWN,
    rxOverErrors: ethernet[1] ?? UNKNOWN,
    rxCrcErrors: ethernet[2] ?? UNKNOWN,
    collisions: ethernet[3] ?? UNKNOWN,
    ...(unknown.length ? { unknown } : {}),
  }
}

export function writePortStats(w: Writer, p: PortStats, version: number): void {
  const common = [p.rxPackets, p.txPackets, p.rxBytes, p.txBytes, p.rxDropped, p.txDropped, p.rxErrors, p.txErrors]
  const ethernet = [p.rxFrameErrors, p.rxOverErrors, p.rxCrcErrors, p.collisions]
  if (version >= 5) {
    const start = w.length
    w.u16(0).zeros(2).u32(widenPort(p.port)).u32(p.durationSec).u32(p.durationNsec)
    for (const c of common) w.u64(c)
    w.u16(0).u16(40).zeros(4)
    for (const c of ethernet) w.u64(c)
    for (const u of p.unknown ?? []) w.bytes(u)
    w.patch16(start, w.length - start)
    return
  }
  if (version === 1) w.u16(p.port).zeros(6)
  else w.u32(widenPort(p.port)).zeros(4)
  for (const c of [...common, ...ethernet]) w.u64(c)
  if (version !== 1) w.u32(p.durationSec).u32(p.durationNsec)
}

export function readQueue(r: Reader, version: number): QueueStats {
  if (version === 1) {
    const port = r.u16()
    r.skip(2)
    const queue = r.u32()
    return {
      port,
      queue,
      txBytes: r.u64(),
      txPackets: r.u64(),
      txErrors: r.u64(),
      durationSec: NEVER,
      durationNsec: NEVER,
    }
  }
  if (version >= 5) {
    const length = r.u16()
    if (length < 48 || length - 2 > r.left) fault('OFPBRC_BAD_LEN')
    const b = r.sub(length - 2)
    b.skip(6)
    return readQueue(b, 4)
  }
  const port = readPort(r)
  const queue = r.u32()
  return {
    port,
    queue,
    txBytes: r.u64(),
    txPackets: r.u64(),
    txErrors: r.u64(),
    durationSec: r.u32(),
    durationNsec: r.u32(),
  }
}

export function writeQueue(w: Writer, q: QueueStats, version: number): void {
  if (version === 1) {
    w.u16(q.port).zeros(2).u32(q.queue).u64(q.txBytes).u64(q.txPackets).u64(q.txErrors)
    return
  }
  if (version >= 5) w.u16(48).zeros(6)
  w.u32(widenPort(q.port)).u32(q.queue).u64(q.txBytes).u64(q.txPackets).u64(q.txErrors)
  w.u32(q.durationSec).u32(q.durationNsec)
}

export function readGroup(r: Reader): GroupStats {
  const length = r.u16()
  if (length < 40 || length - 2 > r.left) fault('OFPBRC_BAD_LEN')
  const b = r.sub(length - 2)
  b.skip(2)
  const group = b.u32()
  const references = b.u32()
  b.skip(4)
  const packets = b.u64()
  const bytes = b.u64()
  const durationSec = b.u32()
  const durationNsec = b.u32()
  const buckets = []
  while (b.left > 0) buckets.push({ packets: b.u64(), bytes: b.u64() })
  return { group, references, packets, bytes, durationSec, durationNsec, buckets }
}

export function writeGroup(w: Writer, g: GroupStats): void {
  w.u16(40 + 16 * g.buckets.length)
    .zeros(2)
    .u32(g.group)
    .u32(g.references)
    .zeros(4)
    .u64(g.packets)
    .u64(g.bytes)
  w.u32(g.durationSec).u32(g.durationNsec)
  for (const b of g.buckets) w.u64(b.packets).u64(b.bytes)
}

export function readMeter(r: Reader): MeterStats {
  const meter = r.u32()
  const length = r.u16()
  if (length < 40 || length - 6 > r.left) fault('OFPBRC_BAD_LEN')
  const b = r.sub(length - 6)
  b.skip(6)
  const flows = b.u32()
  const packets = b.u64()
  const bytes = b.u64()
  const durationSec = b.u32()
  const durationNsec = b.u32()
  const bands = []
  while (b.left > 0) bands.push({ packets: b.u64(), bytes: b.u64() })
  return { meter, flows, packets, bytes, durationSec, durationNsec, bands }
}

export function writeMeter(w: Writer, m: MeterStats): void {
  w.u32(m.meter)
    .u16(40 + 16 * m.bands.length)
    .zeros(6)
    .u32(m.flows)
    .u64(m.packets)
    .u64(m.bytes)
  w.u32(m.durationSec).u32(m.durationNsec)
  for (const b of m.bands) w.u64(b.packets).u64(b.bytes)
}
