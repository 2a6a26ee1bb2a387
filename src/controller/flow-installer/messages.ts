import { OFPP } from '../../openflow/actions/action.ts'
import { matchOf } from '../../openflow/fields/match.ts'
import type { FlowMod, FlowModCommand, GroupMod, Message, MeterMod } from '../../openflow/messages/message.ts'
import { BUCKET, GROUP_ALL, METER_ALL, NO_BUFFER } from '../../openflow/messages/message.ts'
import type { StatsRequest } from '../../openflow/messages/multipart.ts'
import type { Flow } from '../flow.ts'
import type { Group, Meter } from './desired.ts'

const ANY_GROUP = 0xffffffff

export function flowMod(xid: number, command: FlowModCommand, flow: Flow): FlowMod {
  return {
    type: 'flow_mod',
    xid,
    command,
    match: flow.match,
    priority: flow.priority,
    table: flow.table,
    cookie: BigInt(flow.cookie),
    cookieMask: 0n,
    idleTimeout: 0,
    hardTimeout: 0,
    importance: 0,
    flags: 0,
    bufferId: NO_BUFFER,
    outPort: OFPP.NONE,
    outGroup: ANY_GROUP,
    actions: command === 'delete_strict' ? [] : flow.actions,
  }
}

export function groupMod(xid: number, command: GroupMod['command'], group: Group): GroupMod {
  return {
    type: 'group_mod',
    xid,
    command,
    groupType: group.type,
    group: group.id,
    commandBucket: BUCKET.ALL,
    buckets: command === 'delete' ? [] : group.buckets,
    ...(group.selection && command !== 'delete' ? { selection: group.selection } : {}),
  }
}

export function meterMod(xid: number, command: MeterMod['command'], meter: Meter): MeterMod {
  return {
    type: 'meter_mod',
    xid,
    command,
    flags: meter.flags,
    meter: meter.id,
    bands: command === 'delete' ? [] : meter.bands,
  }
}

const NO_MATCH = matchOf() ?? []

/** Requests for all flows, groups and meters. */
export const DUMP: readonly StatsRequest[] = [
  { kind: 'flow', match: NO_MATCH, table: 0xff, outPort: OFPP.NONE, outGroup: ANY_GROUP, cookie: 0n, cookieMask: 0n },
  { kind: 'group_desc', group: GROUP_ALL },
  { kind: 'meter_config', meter: METER_ALL },
]

/** Atomic, and in order: packets see the tables before or after, never between. */
const BUNDLE_FLAGS = 3

/** The messages of a bundle around some modifications. */
export function bundle(id: number, nextXid: () => number, modifications: readonly Message[]): Message[] {
  const control = (c: 'open_request' | 'commit_request'): Message => ({
    type: 'bundle_control',
    xid: nextXid(),
    bundle: id,
    control: c,
    flags: BUNDLE_FLAGS,
    properties: new Uint8Array(),
  })
  return [
    control('open_request'),
    ...modifications.map(
      (message): Message => ({ type: 'bundle_add', xid: message.xid, bundle: id, flags: BUNDLE_FLAGS, message }),
    ),
    control('commit_request'),
  ]
}
