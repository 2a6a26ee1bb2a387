import { Reader, Writer } from '../../base/bytes.ts'
import type { Result } from '../../base/result.ts'
import { narrowPort, widenPort } from '../fields/oxm.ts'
import { NXT, niciraBody, readNicira } from '../nicira/codec.ts'
import { NX_VENDOR_ID } from '../nicira/message.ts'
import type { WireContext } from './context.ts'
import { errorNumber, errorOf, type OpenFlowError } from './errors.ts'
import { decoding, fault } from './fault.ts'
import * as flow from './flow.ts'
import { readGroupMod, writeGroupMod } from './group.ts'
import { type ErrorMessage, type Hello, type Message, OF14, type Version } from './message.ts'
import { readMeterMod, writeMeterMod } from './meter.ts'
import { readMultipartReply, splitReply, writeMultipartReply } from './multipart-reply.ts'
import { readMultipartRequest, writeMultipartRequest } from './multipart-request.ts'
import * as packet from './packet.ts'
import { readPortMod, readPortStatus, writePortMod, writePortStatus } from './port.ts'
import * as sw from './switch.ts'
import { type Kind, kindOf, numberOf } from './types.ts'

/** Versions this codec reads and writes whole: 1.0, 1.3, 1.4 and 1.5. */
export const SUPPORTED_VERSIONS: readonly Version[] = [1, 4, 5, 6]

export interface Decoded {
  readonly version: number
  readonly message: Message
}

const HEADER = 8
/** The ONF's experimenter id, under which 1.3 has bundles. */
const ONF_VENDOR_ID = 0x4f4e4600
const ONF_BUNDLE_CONTROL = 2300
const ONF_BUNDLE_ADD = 2301
/** NXET_VENDOR: how 1.0 and 1.1 carry an experimenter's error. */
const NXET_VENDOR = 0xb0c2
const EXPERIMENTER_ERROR = 0xffff

/** Reads one message, header and all; trailing bytes beyond its length are an error. */
export function decodeMessage(bytes: Uint8Array, context: Partial<WireContext> = {}): Result<Decoded, OpenFlowError> {
  return decoding(() => read(bytes, context, 0))
}

function read(bytes: Uint8Array, context: Partial<WireContext>, depth: number): Decoded {
  const r = new Reader(bytes)
  const version = r.u8()
  const number = r.u8()
  const length = r.u16()
  const xid = r.u32()
  if (length !== bytes.length) fault('OFPBRC_BAD_LEN')
  const ctx: WireContext = { ...context, version }
  const kind = kindOf(number, version)
  // Hello and error are read whatever the version: their forms are for ever.
  if (kind !== 'hello' && kind !== 'error' && !(SUPPORTED_VERSIONS as readonly number[]).includes(version)) {
    fault('OFPBRC_BAD_VERSION')
  }
  const message = kind ? readKind(kind, r, xid, ctx, depth) : undefined
  return { version, message: message ?? fault('OFPBRC_BAD_TYPE') }
}

function readKind(kind: Kind, r: Reader, xid: number, ctx: WireContext, depth: number): Message | undefined {
  const { version } = ctx
  switch (kind) {
    case 'hello':
      return readHello(r, xid, version)
    case 'error':
      return readError(r, xid, version)
    case 'echo_request':
    case 'echo_reply':
      return { type: kind, xid, data: r.copy(r.left) }
    case 'experimenter':
      return readExperimenter(r, xid, ctx, depth)
    case 'features_request':
    case 'get_config_request':
    case 'barrier_request':
    case 'barrier_reply':
    case 'get_async_request':
      return { type: kind, xid }
    case 'features_reply':
      return sw.readFeatures(r, xid, version)
    case 'get_config_reply':
    case 'set_config':
      return { type: kind, xid, flags: r.u16(), missSendLen: r.u16() }
    case 'packet_in':
      return packet.readPacketIn(r, xid, ctx)
    case 'flow_removed':
      return flow.readFlowRemoved(r, xid, ctx)
    case 'port_status':
      return readPortStatus(r, xid, version)
    case 'packet_out':
      return packet.readPacketOut(r, xid, ctx)
    case 'flow_mod':
      return flow.readFlowMod(r, xid, ctx)
    case 'group_mod':
      return readGroupMod(r, xid, ctx)
    case 'port_mod':
      return readPortMod(r, xid, version)
    case 'table_mod':
      return sw.readTableMod(r, xid)
    case 'multipart_request':
      return readMultipartRequest(r, xid, ctx)
    case 'multipart_reply':
      return readMultipartReply(r, xid, ctx)
    case 'queue_get_config_request':
      return { type: kind, xid, port: version === 1 ? r.u16() : (narrowPort(r.u32()) ?? fault('OFPBRC_BAD_PORT')) }
    case 'queue_get_config_reply':
      return sw.readQueueConfig(r, xid, version)
    case 'role_request':
    case 'role_reply':
      return sw.readRole(r, xid, kind)
    case 'get_async_reply':
    case 'set_async':
      return sw.readAsync(r, xid, kind, 'standard', version)
    case 'meter_mod':
      return readMeterMod(r, xid)
    case 'role_status':
      return sw.readRoleStatus(r, xid)
    case 'bundle_control':
      return sw.readBundleControl(r, xid)
    case 'bundle_add':
      return readBundleAdd(r, xid, ctx, depth)
    case 'table_status':
    case 'requestforward':
    case 'controller_status':
      return { type: 'unknown', xid, messageType: numberOf(kind, version) ?? 0, body: r.copy(r.left) }
  }
}

function readHello(r: Reader, xid: number, version: number): Hello {
  let versions: number[] | undefined
  while (r.left >= 4) {
    const type = r.u16()
    const length = r.u16()
    if (length < 4 || length - 4 > r.left) break
    const body = r.sub(length - 4)
    r.skip(Math.min(r.left, (8 - (length % 8)) % 8))
    if (type !== 1 || body.left < 4) continue
    const bits = body.u32()
    versions = []
    for (let v = 1; v < 32; v++) if (bits & (1 << v)) versions.push(v)
  }
  return { type: 'hello', xid, version, ...(versions ? { versions } : {}) }
}

function readError(r: Reader, xid: number, version: number): ErrorMessage {
  const type = r.u16()
  const code = r.u16()
  let number = { vendor: 0, type, code }
  if (version <= 2 && type === NXET_VENDOR && code === 0) number = { vendor: r.u32(), type: r.u16(), code: r.u16() }
  else if (version >= 3 && type === EXPERIMENTER_ERROR) number = { vendor: r.u32(), type: code, code: 0 }
  return { type: 'error', xid, error: errorOf(number, version as Version), data: r.copy(r.left) }
}

function readExperimenter(r: Reader, xid: number, ctx: WireContext, depth: number): Message {
  const vendor = r.u32()
  const subtype = r.u32()
  if (vendor === ONF_VENDOR_ID && subtype === ONF_BUNDLE_CONTROL) return sw.readBundleControl(r, xid)
  if (vendor === ONF_VENDOR_ID && subtype === ONF_BUNDLE_ADD) return readBundleAdd(r, xid, ctx, depth)
  const known = vendor === NX_VENDOR_ID ? readNicira(subtype, r, xid, ctx) : undefined
  return known ?? { type: 'experimenter', xid, vendor, subtype, body: r.copy(r.left) }
}

function readBundleAdd(r: Reader, xid: number, ctx: WireContext, depth: number): Message {
  if (depth > 0) fault('OFPBFC_MSG_UNSUP')
  const bundle = r.u32()
  r.skip(2)
  const flags = r.u16()
  if (r.left < HEADER) fault('OFPBFC_MSG_BAD_LEN')
  const length = new Reader(r.bytes, r.at + 2, r.end).u16()
  if (length < HEADER || length > r.left) fault('OFPBFC_MSG_BAD_LEN')
  const inner = read(r.take(length), ctx, depth + 1)
  if (inner.version !== ctx.version) fault('OFPBFC_BAD_TYPE')
  if (inner.message.xid !== xid) fault('OFPBFC_MSG_BAD_XID')
  return { type: 'bundle_add', xid, bundle, flags, message: inner.message }
}

/** The number and body of a message in a version. */
function body(m: Message, ctx: WireContext): readonly [number: number, write: (w: Writer) => void] {
  const { version } = ctx
  const plain = (kind: Kind): number => {
    const n = numberOf(kind, version)
    if (n === undefined) throw new Error(`OpenFlow version ${version} has no ${kind}`)
    return n
  }
  const vendor = (id: number, subtype: number, write: (w: Writer) => void) =>
    [
      numberOf('experimenter', version) ?? 4,
      (w: Writer) => {
        w.u32(id).u32(subtype)
        write(w)
      },
    ] as const
  const nicira = (subtype: number, write: (w: Writer) => void) => vendor(NX_VENDOR_ID, subtype, write)
  switch (m.type) {
    case 'hello':
      return [0, (w) => writeHello(w, m)]
    case 'error':
      return [1, (w) => writeError(w, m, version as Version)]
    case 'echo_request':
    case 'echo_reply':
      return [plain(m.type), (w) => w.bytes(m.data)]
    case 'features_request':
    case 'get_config_request':
    case 'barrier_request':
    case 'barrier_reply':
    case 'get_async_request':
      return [plain(m.type), () => {}]
    case 'features_reply':
      return [plain(m.type), (w) => sw.writeFeatures(w, m, version)]
    case 'get_config_reply':
    case 'set_config':
      return [plain(m.type), (w) => w.u16(m.flags).u16(m.missSendLen)]
    case 'packet_in':
      if (m.format === 'nxt2') return nicira(NXT.PACKET_IN2, (w) => packet.writePacketIn2(w, m, ctx))
      if (m.format === 'nxt') return nicira(NXT.PACKET_IN, (w) => packet.writeNxtPacketIn(w, m))
      return [plain(m.type), (w) => packet.writePacketIn(w, m, ctx)]
    case 'resume':
      return nicira(NXT.RESUME, (w) => packet.writePacketIn2(w, m, ctx))
    case 'packet_out':
      return [plain(m.type), (w) => packet.writePacketOut(w, m, ctx)]
    case 'flow_mod':
      if (version === 1 && flow.needsNxt(m)) return nicira(NXT.FLOW_MOD, (w) => flow.writeNxtFlowMod(w, m, ctx))
      return [plain(m.type), (w) => flow.writeFlowMod(w, m, ctx)]
    case 'flow_removed':
      return [plain(m.type), (w) => flow.writeFlowRemoved(w, m, ctx)]
    case 'port_status':
      return [plain(m.type), (w) => writePortStatus(w, m, version)]
    case 'port_mod':
      return [plain(m.type), (w) => writePortMod(w, m, version)]
    case 'table_mod':
      return [plain(m.type), (w) => w.u8(m.table).zeros(3).u32(m.config).bytes(m.properties)]
    case 'group_mod':
      if (version === 1) return nicira(NXT.GROUP_MOD, (w) => writeGroupMod(w, m, ctx))
      return [plain(m.type), (w) => writeGroupMod(w, m, ctx)]
    case 'meter_mod':
      return [plain(m.type), (w) => writeMeterMod(w, m)]
    case 'role_request':
    case 'role_reply':
      if (m.nicira) {
        const subtype = m.type === 'role_request' ? NXT.ROLE_REQUEST : NXT.ROLE_REPLY
        return nicira(subtype, (w) => w.u32(Math.max(0, m.role - 1)))
      }
      return [plain(m.type), (w) => w.u32(m.role).zeros(4).u64(m.generation)]
    case 'role_status':
      return [plain(m.type), (w) => w.u32(m.role).u8(m.reason).zeros(3).u64(m.generation)]
    case 'set_async':
    case 'get_async_reply':
      if (m.format === 'nxt') return nicira(NXT.SET_ASYNC_CONFIG, (w) => sw.writeAsync(w, m, 4))
      if (m.format === 'nxt2') return nicira(NXT.SET_ASYNC_CONFIG2, (w) => sw.writeAsync(w, m, OF14))
      return [plain(m.type), (w) => sw.writeAsync(w, m, version)]
    case 'bundle_control':
      if (version < OF14) return vendor(ONF_VENDOR_ID, ONF_BUNDLE_CONTROL, (w) => sw.writeBundleControl(w, m))
      return [plain(m.type), (w) => sw.writeBundleControl(w, m)]
    case 'bundle_add': {
      const write = (w: Writer) => {
        w.u32(m.bundle)
          .zeros(2)
          .u16(m.flags)
          .bytes(encodeMessage({ ...m.message, xid: m.xid }, ctx))
      }
      if (version < OF14) return vendor(ONF_VENDOR_ID, ONF_BUNDLE_ADD, write)
      return [plain(m.type), write]
    }
    case 'queue_get_config_request':
      return [plain(m.type), (w) => (version === 1 ? w.u16(m.port).zeros(2) : w.u32(widenPort(m.port)).zeros(4))]
    case 'queue_get_config_reply':
      return [plain(m.type), (w) => sw.writeQueueConfig(w, m, version)]
    case 'multipart_request':
      return [plain(m.type), (w) => writeMultipartRequest(w, m, ctx)]
    case 'multipart_reply':
      return [plain(m.type), (w) => writeMultipartReply(w, m, ctx)]
    case 'unknown':
      return [m.messageType, (w) => w.bytes(m.body)]
    default: {
      const [subtype, write] = niciraBody(m)
      return vendor(m.type === 'experimenter' ? m.vendor : NX_VENDOR_ID, subtype, write)
    }
  }
}

function writeHello(w: Writer, m: Hello): void {
  if (!m.versions) return
  let bits = 0
  for (const v of m.versions) bits |= 1 << v
  w.u16(1)
    .u16(8)
    .u32(bits >>> 0)
}

function writeError(w: Writer, m: ErrorMessage, version: Version): void {
  const n = errorNumber(m.error, version)
  if (n.vendor === 0) w.u16(n.type).u16(n.code)
  else if (version <= 2) w.u16(NXET_VENDOR).u16(0).u32(n.vendor).u16(n.type).u16(n.code)
  else w.u16(EXPERIMENTER_ERROR).u16(n.type).u32(n.vendor)
  w.bytes(m.data)
}

function open(m: Message, number: number, version: number): Writer {
  const w = new Writer(256)
  return w
    .u8(m.type === 'hello' ? m.version : version)
    .u8(number)
    .u16(0)
    .u32(m.xid)
}

/** Writes one message. A version is its wire number, or a context where more is to be said. */
export function encodeMessage(m: Message, version: number | WireContext): Uint8Array {
  const ctx = typeof version === 'number' ? { version } : version
  const [number, write] = body(m, ctx)
  const w = open(m, number, ctx.version)
  write(w)
  return finish(w)
}

function finish(w: Writer): Uint8Array {
  if (w.length > 0xffff) throw new Error(`OpenFlow message of ${w.length} bytes: 65535 at most`)
  w.patch16(2, w.length)
  return w.done()
}

/** As `encodeMessage`, with a long multipart reply cut into parts. */
export function encodeParts(m: Message, version: number | WireContext): Uint8Array[] {
  if (m.type !== 'multipart_reply') return [encodeMessage(m, version)]
  const ctx = typeof version === 'number' ? { version } : version
  const number = numberOf('multipart_reply', ctx.version) ?? 0
  return splitReply(m, ctx, () => open(m, number, ctx.version)).map((bytes) => {
    new DataView(bytes.buffer, bytes.byteOffset).setUint16(2, bytes.length)
    return bytes
  })
}
