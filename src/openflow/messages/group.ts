import type { Reader, Writer } from '../../base/bytes.ts'
import { OFPP } from '../actions/action.ts'
import { decodeActions } from '../actions/decode.ts'
import { encodeActions } from '../actions/encode.ts'
import { readFields, widenPort, writeFields } from '../fields/oxm.ts'
import { property as readProperty } from '../nicira/decode.ts'
import { property as writeProperty } from '../nicira/encode.ts'
import { actionsIn, type WireContext } from './context.ts'
import { fault } from './fault.ts'
import { readPort } from './flow.ts'
import {
  BUCKET,
  type Bucket,
  GROUP_ANY,
  type GroupCommand,
  type GroupMod,
  type GroupType,
  type SelectionMethod,
} from './message.ts'
import type { GroupDescription } from './multipart.ts'
import { readText, writeText } from './text.ts'

const TYPES: readonly GroupType[] = ['all', 'select', 'indirect', 'fast_failover']
const COMMANDS: ReadonlyMap<number, GroupCommand> = new Map([
  [0, 'add'],
  [1, 'modify'],
  [2, 'delete'],
  [3, 'insert_bucket'],
  [5, 'remove_bucket'],
  [0x8000, 'add_or_modify'],
])

export function groupTypeNumber(t: GroupType): number {
  return TYPES.indexOf(t)
}

function groupType(n: number): GroupType {
  return TYPES[n] ?? fault('OFPGMFC_BAD_TYPE')
}

/** OpenFlow 1.5's form of groups, which Nicira's messages use in 1.0 too. */
function modern(ctx: WireContext): boolean {
  return ctx.version === 1 || ctx.version >= 6
}

/** Properties of buckets in OpenFlow 1.5 (OFPGBPT_*). */
const OFPGBPT = { WEIGHT: 0, WATCH_PORT: 1, WATCH_GROUP: 2 } as const

export function readBuckets(r: Reader, ctx: WireContext): Bucket[] {
  const out: Bucket[] = []
  const ids = new Set<number>()
  while (r.left > 0) {
    const bucket = modern(ctx) ? bucket15(r, ctx) : bucket11(r, ctx, out.length)
    if (ids.has(bucket.id)) fault('OFPGMFC_BUCKET_EXISTS')
    ids.add(bucket.id)
    out.push(bucket)
  }
  return out
}

function bucket11(r: Reader, ctx: WireContext, id: number): Bucket {
  if (r.left < 16) fault('OFPGMFC_BAD_BUCKET')
  const length = r.u16()
  if (length < 16 || length % 8 || length - 2 > r.left) fault('OFPGMFC_BAD_BUCKET')
  const body = r.sub(length - 2)
  const weight = body.u16()
  const watchPort = readPort(body)
  const watchGroup = body.u32()
  body.skip(4)
  return { id, weight, watchPort, watchGroup, actions: decodeActions(body, actionsIn(ctx)) }
}

function bucket15(r: Reader, ctx: WireContext): Bucket {
  if (r.left < 8) fault('OFPGMFC_BAD_BUCKET')
  const length = r.u16()
  if (length < 8 || length % 8 || length - 2 > r.left) fault('OFPGMFC_BAD_BUCKET')
  const body = r.sub(length - 2)
  const actionLength = body.u16()
  const id = body.u32()
  if (id > 0xffffff00) fault('OFPGMFC_BAD_BUCKET')
  const actions = decodeActions(body.sub(actionLength), actionsIn(ctx))
  let weight = 1
  let watchPort: number = OFPP.NONE
  let watchGroup = GROUP_ANY
  while (body.left > 0) {
    const [type, p] = readProperty(body)
    if (type === OFPGBPT.WEIGHT) weight = p.u16()
    else if (type === OFPGBPT.WATCH_PORT) watchPort = readPort(p)
    else if (type === OFPGBPT.WATCH_GROUP) watchGroup = p.u32()
    else fault('OFPBPC_BAD_TYPE')
  }
  return { id, weight, watchPort, watchGroup, actions }
}

export function writeBuckets(
  w: Writer,
  buckets: readonly Bucket[],
  type: GroupType | undefined,
  ctx: WireContext,
): void {
  for (const b of buckets) {
    const start = w.length
    if (!modern(ctx)) {
      w.u16(0).u16(b.weight).u32(widenPort(b.watchPort)).u32(b.watchGroup).zeros(4)
      encodeActions(w, b.actions, actionsIn(ctx))
    } else {
      w.u16(0).u16(0).u32(b.id)
      const at = w.length
      encodeActions(w, b.actions, actionsIn(ctx))
      w.patch16(start + 2, w.length - at)
      if (type === 'select' || b.weight > 1) writeProperty(w, OFPGBPT.WEIGHT, (x) => x.u16(b.weight).zeros(2))
      if (b.watchPort !== OFPP.NONE) writeProperty(w, OFPGBPT.WATCH_PORT, (x) => x.u32(widenPort(b.watchPort)))
      if (b.watchGroup !== GROUP_ANY) writeProperty(w, OFPGBPT.WATCH_GROUP, (x) => x.u32(b.watchGroup))
    }
    w.patch16(start, w.length - start)
  }
}

/** Netronome's experimenter property of groups. */
const NTR_VENDOR_ID = 0x0000154d

function readGroupProperties(r: Reader): SelectionMethod | undefined {
  let selection: SelectionMethod | undefined
  while (r.left > 0) {
    const [type, p] = readProperty(r)
    if (type !== 0xffff) fault('OFPBPC_BAD_TYPE')
    if (p.u32() !== NTR_VENDOR_ID) fault('OFPBPC_BAD_EXPERIMENTER')
    if (p.u32() !== 1) fault('OFPBPC_BAD_EXP_TYPE')
    p.skip(4)
    const method = readText(p, 16)
    const param = p.u64()
    // The fields' values are masks: which bits take part in the hash.
    selection = { method, param, fields: readFields(p, true) }
  }
  return selection
}

function writeSelection(w: Writer, s: SelectionMethod | undefined, ctx: WireContext): void {
  if (!s) return
  writeProperty(w, 0xffff, (x) => {
    x.u32(NTR_VENDOR_ID).u32(1).zeros(4)
    writeText(x, s.method, 16)
    x.u64(s.param)
    writeFields(x, s.fields, ctx.version)
  })
}

export function readGroupMod(r: Reader, xid: number, ctx: WireContext): GroupMod {
  const command = COMMANDS.get(r.u16()) ?? fault('OFPGMFC_BAD_COMMAND')
  const type = groupType(r.u8())
  r.skip(1)
  const group = r.u32()
  if (!modern(ctx)) {
    const buckets = readBuckets(r, ctx)
    return { type: 'group_mod', xid, command, groupType: type, group, commandBucket: BUCKET.ALL, buckets }
  }
  const length = r.u16()
  r.skip(2)
  const commandBucket = r.u32()
  const buckets = readBuckets(r.sub(length), ctx)
  const selection = readGroupProperties(r)
  return {
    type: 'group_mod',
    xid,
    command,
    groupType: type,
    group,
    commandBucket,
    buckets,
    ...(selection ? { selection } : {}),
  }
}

export function writeGroupMod(w: Writer, m: GroupMod, ctx: WireContext): void {
  for (const [n, c] of COMMANDS) if (c === m.command) w.u16(n)
  w.u8(groupTypeNumber(m.groupType)).u8(0).u32(m.group)
  if (!modern(ctx)) {
    writeBuckets(w, m.buckets, m.groupType, ctx)
    return
  }
  const at = w.length
  w.u16(0).zeros(2).u32(m.commandBucket)
  const start = w.length
  writeBuckets(w, m.buckets, m.groupType, ctx)
  w.patch16(at, w.length - start)
  writeSelection(w, m.selection, ctx)
}

/** One entry of a group description reply. */
export function readGroupDescription(r: Reader, ctx: WireContext): GroupDescription {
  const length = r.u16()
  if (length < 8 || length - 2 > r.left) fault('OFPBRC_BAD_LEN')
  const body = r.sub(length - 2)
  const type = groupType(body.u8())
  body.skip(1)
  const group = body.u32()
  if (!modern(ctx)) return { group, groupType: type, buckets: readBuckets(body, ctx) }
  const buckets = body.u16()
  body.skip(6)
  const list = readBuckets(body.sub(buckets), ctx)
  const selection = readGroupProperties(body)
  return { group, groupType: type, buckets: list, ...(selection ? { selection } : {}) }
}

export function writeGroupDescription(w: Writer, g: GroupDescription, ctx: WireContext): void {
  const start = w.length
  w.u16(0).u8(groupTypeNumber(g.groupType)).u8(0).u32(g.group)
  if (!modern(ctx)) writeBuckets(w, g.buckets, g.groupType, ctx)
  else {
    const at = w.length
    w.u16(0).zeros(6)
    const from = w.length
    writeBuckets(w, g.buckets, g.groupType, ctx)
    w.patch16(at, w.length - from)
    writeSelection(w, g.selection, ctx)
  }
  w.patch16(start, w.length - start)
}
