import { err, ok, type Result } from '../../base/result.ts'
import type { ErrorName } from '../../openflow/messages/errors.ts'
import { BUCKET, type Bucket, GROUP_ALL, type GroupMod } from '../../openflow/messages/message.ts'
import type { Slots } from '../classifier/slots.ts'
import { Group } from '../groups/group.ts'
import type { Bridge } from './bridge.ts'
import { type Applied, checkActions, expire, outputsTo, REMOVED } from './flow-mod.ts'

/** Groups have numbers up to OFPG_MAX. */
const MAX_GROUP = 0xffffff00

/** Carries out a group modification (OpenFlow 1.5 §6.7). Nothing is changed when it fails. */
export function applyGroupMod(bridge: Bridge, slots: Slots, mod: GroupMod): Result<Applied, ErrorName> {
  if (mod.command === 'delete' && mod.group === GROUP_ALL) return removeAll(bridge)
  if (mod.group > MAX_GROUP) return err('OFPGMFC_INVALID_GROUP')
  const old = bridge.groups.get(mod.group)
  switch (mod.command) {
    case 'add':
      if (old) return err('OFPGMFC_GROUP_EXISTS')
      return put(bridge, slots, mod, mod.buckets, undefined)
    case 'modify':
      if (!old) return err('OFPGMFC_UNKNOWN_GROUP')
      return put(bridge, slots, mod, mod.buckets, old)
    case 'add_or_modify':
      return put(bridge, slots, mod, mod.buckets, old)
    case 'delete':
      if (!old) return ok({ undo: () => {}, tell: () => {} })
      return remove(bridge, [old])
    case 'insert_bucket': {
      if (!old) return err('OFPGMFC_UNKNOWN_GROUP')
      const have = old.buckets.map((b) => b.spec)
      for (const b of mod.buckets) if (have.some((h) => h.id === b.id)) return err('OFPGMFC_BUCKET_EXISTS')
      let at = have.length
      if (mod.commandBucket === BUCKET.FIRST) at = 0
      else if (mod.commandBucket !== BUCKET.LAST && mod.commandBucket !== BUCKET.ALL) {
        const i = have.findIndex((h) => h.id === mod.commandBucket)
        if (i < 0) return err('OFPGMFC_UNKNOWN_BUCKET')
        at = i + 1
      }
      const buckets = [...have.slice(0, at), ...mod.buckets, ...have.slice(at)]
      return put(bridge, slots, { ...mod, groupType: old.type }, buckets, old)
    }
    case 'remove_bucket': {
      if (!old) return err('OFPGMFC_UNKNOWN_GROUP')
      const have = old.buckets.map((b) => b.spec)
      let left: Bucket[]
      if (mod.commandBucket === BUCKET.ALL) left = []
      else if (mod.commandBucket === BUCKET.FIRST) left = have.slice(1)
      else if (mod.commandBucket === BUCKET.LAST) left = have.slice(0, -1)
      else {
        left = have.filter((h) => h.id !== mod.commandBucket)
        if (left.length === have.length) return err('OFPGMFC_UNKNOWN_BUCKET')
      }
      return put(bridge, slots, { ...mod, groupType: old.type }, left, old)
    }
  }
}

function put(
  bridge: Bridge,
  slots: Slots,
  mod: GroupMod,
  buckets: readonly Bucket[],
  old: Group | undefined,
): Result<Applied, ErrorName> {
  if (mod.groupType === 'indirect' && buckets.length !== 1) return err('OFPGMFC_INVALID_GROUP')
  for (const b of buckets) {
    // a group may be named before it exists: how deep groups may nest is seen when packets come
    const bad = checkActions(
      bridge,
      slots,
      b.actions.filter((a) => a.type !== 'group'),
      undefined,
    )
    if (bad) return err(bad)
  }
  const method = mod.selection?.method
  if (method !== undefined && method !== '' && method !== 'hash' && method !== 'dp_hash') return err('OFPGMFC_BAD_TYPE')
  const selection = mod.selection ?? (mod.command.endsWith('bucket') ? old?.selection : undefined)
  const g = new Group(mod.group, mod.groupType, buckets, selection, old?.created ?? bridge.now(), old)
  bridge.groups.set(mod.group, g)
  bridge.groupsChanged.changed()
  return ok({
    undo: () => {
      if (old) bridge.groups.set(mod.group, old)
      else bridge.groups.delete(mod.group)
      bridge.groupsChanged.changed()
    },
    tell: () => {},
  })
}

function removeAll(bridge: Bridge): Result<Applied, ErrorName> {
  return remove(bridge, [...bridge.groups.values()])
}

/** Flows that use a group go with it; they are removed once the change stands. */
function remove(bridge: Bridge, groups: readonly Group[]): Result<Applied, ErrorName> {
  for (const g of groups) bridge.groups.delete(g.id)
  bridge.groupsChanged.changed()
  return ok({
    undo: () => {
      for (const g of groups) bridge.groups.set(g.id, g)
      bridge.groupsChanged.changed()
    },
    tell: () => {
      for (const r of [...bridge.rules()]) {
        if (groups.some((g) => !bridge.groups.has(g.id) && outputsTo(r.actions, 0xffff, g.id)))
          expire(bridge, r, REMOVED.GROUP)
      }
    },
  })
}
