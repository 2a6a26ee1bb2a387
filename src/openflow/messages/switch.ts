import type { Reader, Writer } from '../../base/bytes.ts'
import { narrowPort, widenPort } from '../fields/oxm.ts'
import { fault } from './fault.ts'
import type {
  AsyncConfig,
  AsyncKind,
  BundleControl,
  FeaturesReply,
  QueueConfigReply,
  Role,
  RoleStatus,
  TableMod,
} from './message.ts'
import { readPortDescription, writePortDescription } from './port.ts'

export function readFeatures(r: Reader, xid: number, version: number): FeaturesReply {
  const datapathId = r.u64()
  const buffers = r.u32()
  const tables = r.u8()
  const auxiliary = version >= 4 ? r.u8() : 0
  r.skip(version >= 4 ? 2 : 3)
  const capabilities = r.u32()
  const word = r.u32()
  const base = { type: 'features_reply', xid, datapathId, buffers, tables, auxiliary, capabilities } as const
  if (version >= 4) return base
  const ports = []
  while (r.left > 0) ports.push(readPortDescription(r, version))
  return { ...base, actions: word, ports }
}

export function writeFeatures(w: Writer, m: FeaturesReply, version: number): void {
  w.u64(m.datapathId).u32(m.buffers).u8(m.tables)
  if (version >= 4) w.u8(m.auxiliary).zeros(2).u32(m.capabilities).u32(0)
  else {
    w.zeros(3)
      .u32(m.capabilities)
      .u32(m.actions ?? 0)
    for (const p of m.ports ?? []) writePortDescription(w, p, version)
  }
}

export function readRole(r: Reader, xid: number, type: 'role_request' | 'role_reply'): Role {
  const role = r.u32()
  if (role > 3) fault('OFPRRFC_BAD_ROLE')
  r.skip(4)
  return { type, xid, role, generation: r.u64() }
}

export function readRoleStatus(r: Reader, xid: number): RoleStatus {
  const role = r.u32()
  const reason = r.u8()
  r.skip(3)
  return { type: 'role_status', xid, role, reason, generation: r.u64() }
}

/** Kinds of asynchronous messages, in the order of their numbers: secondary 2i, primary 2i + 1. */
const KINDS: readonly AsyncKind[] = [
  'packet_in',
  'port_status',
  'flow_removed',
  'role_status',
  'table_status',
  'requestforward',
]

type Masks = { -readonly [K in AsyncKind]?: { primary?: number; secondary?: number } }

export function readAsync(
  r: Reader,
  xid: number,
  type: AsyncConfig['type'],
  format: AsyncConfig['format'],
  version: number,
): AsyncConfig {
  const masks: Masks = {}
  if (version < 5) {
    for (const kind of KINDS.slice(0, 3)) masks[kind] = { primary: r.u32(), secondary: r.u32() }
    return { type, xid, format, masks }
  }
  const unknown: Uint8Array[] = []
  while (r.left > 0) {
    const start = r.at
    const n = r.u16()
    const length = r.u16()
    if (length < 4) fault('OFPBPC_BAD_LEN')
    const body = r.sub(length - 4)
    r.skip(Math.min(r.left, (8 - (length % 8)) % 8))
    const kind = KINDS[n >> 1]
    if (kind) masks[kind] = { ...masks[kind], [n & 1 ? 'primary' : 'secondary']: body.u32() }
    else if (type === 'set_async') fault('OFPACFC_UNSUPPORTED')
    else unknown.push(r.bytes.slice(start, r.at))
  }
  return { type, xid, format, masks, ...(unknown.length ? { unknown } : {}) }
}

export function writeAsync(w: Writer, m: AsyncConfig, version: number): void {
  if (version < 5) {
    for (const kind of KINDS.slice(0, 3)) w.u32(m.masks[kind]?.primary ?? 0).u32(m.masks[kind]?.secondary ?? 0)
    return
  }
  KINDS.forEach((kind, i) => {
    const { primary, secondary } = m.masks[kind] ?? {}
    if (secondary !== undefined)
      w.u16(2 * i)
        .u16(8)
        .u32(secondary)
    if (primary !== undefined)
      w.u16(2 * i + 1)
        .u16(8)
        .u32(primary)
  })
  for (const u of m.unknown ?? []) w.bytes(u)
}

const CONTROLS: readonly BundleControl['control'][] = [
  'open_request',
  'open_reply',
  'close_request',
  'close_reply',
  'commit_request',
  'commit_reply',
  'discard_request',
  'discard_reply',
]

export function readBundleControl(r: Reader, xid: number): BundleControl {
  const bundle = r.u32()
  const control = CONTROLS[r.u16()] ?? fault('OFPBFC_BAD_TYPE')
  const flags = r.u16()
  return { type: 'bundle_control', xid, bundle, control, flags, properties: r.copy(r.left) }
}

export function writeBundleControl(w: Writer, m: BundleControl): void {
  w.u32(m.bundle).u16(CONTROLS.indexOf(m.control)).u16(m.flags).bytes(m.properties)
}

export function readTableMod(r: Reader, xid: number): TableMod {
  const table = r.u8()
  r.skip(3)
  return { type: 'table_mod', xid, table, config: r.u32(), properties: r.copy(r.left) }
}

/** OFPT_QUEUE_GET_CONFIG_REPLY of 1.0 to 1.3. */
export function readQueueConfig(r: Reader, xid: number, version: number): QueueConfigReply {
  const port = version === 1 ? r.u16() : (narrowPort(r.u32()) ?? fault('OFPBRC_BAD_PORT'))
  r.skip(version === 1 ? 6 : 4)
  const queues = []
  while (r.left > 0) {
    const queue = r.u32()
    const of = version === 1 ? port : (narrowPort(r.u32()) ?? fault('OFPBRC_BAD_PORT'))
    const length = r.u16()
    const header = version === 1 ? 8 : 16
    r.skip(version === 1 ? 2 : 6)
    if (length < header) fault('OFPBRC_BAD_LEN')
    const body = r.sub(length - header)
    let minRate = 0xffff
    let maxRate = 0xffff
    while (body.left > 0) {
      const property = body.u16()
      const len = body.u16()
      if (len < 8) fault('OFPBPC_BAD_LEN')
      body.skip(4)
      const value = body.sub(len - 8)
      if (property === 1) minRate = value.u16()
      else if (property === 2) maxRate = value.u16()
    }
    queues.push({ port: of, queue, minRate, maxRate })
  }
  return { type: 'queue_get_config_reply', xid, port, queues }
}

export function writeQueueConfig(w: Writer, m: QueueConfigReply, version: number): void {
  if (version === 1) w.u16(m.port).zeros(6)
  else w.u32(widenPort(m.port)).zeros(4)
  for (const q of m.queues) {
    const start = w.length
    w.u32(q.queue)
    if (version !== 1) w.u32(widenPort(q.port))
    const at = w.length
    w.u16(0).zeros(version === 1 ? 2 : 6)
    if (q.minRate !== 0xffff) w.u16(1).u16(16).zeros(4).u16(q.minRate).zeros(6)
    if (q.maxRate !== 0xffff) w.u16(2).u16(16).zeros(4).u16(q.maxRate).zeros(6)
    w.patch16(at, w.length - start)
  }
}
