import type { Ct, Nat } from '../../openflow/actions/action.ts'
import { F } from '../../openflow/fields/table.ts'
import * as K from '../classifier/key.ts'
import { markBits, readSubfield, writeBits } from '../classifier/slots.ts'
import { clearFields } from '../conntrack/conntrack.ts'
import type { CtAction, DpNat } from '../datapath/action.ts'
import { formatNat } from '../datapath/format.ts'
import { freezeWords } from '../datapath/frozen.ts'
import { commit } from './commit.ts'
import type { Context } from './context.ts'

/** Names of connection helpers by control port. */
const HELPERS: Readonly<Record<number, string>> = { 21: 'ftp', 69: 'tftp' }

/** Translates a `ct` action: the datapath tracks, and the pipeline goes on by recirculation. */
export function connection(ctx: Context, action: Ct): void {
  const { key, wildcards, world } = ctx
  let zone: number
  if (typeof action.zone === 'number') zone = action.zone
  else {
    const s = world.slots.of(action.zone.field)
    if (s) markBits(wildcards, s, action.zone.offset, action.zone.bits)
    zone = Number(readSubfield(key, world.slots, action.zone) & 0xffffn)
  }
  commit(key, ctx.base, wildcards, ctx.actions)
  ctx.actions.push(ctAction(ctx, action, zone))
  if (action.table !== undefined) {
    ctx.conntracked = true
    const words = freezeWords(key)
    const frozen = ctx.frozenState({ table: action.table, lookup: true, actions: [] }, words)
    ctx.actions.push({ type: 'recirc', id: world.frozen.id(frozen, ctx.now) })
    ctx.outputs++
    ctx.trace?.detail(
      `A clone of the packet is forked to recirculate. The forked pipeline will be resumed at table ${action.table}.`,
    )
  }
  ctx.trace?.detail('Sets the packet to an untracked state, and clears all the conntrack fields.')
  untrack(ctx)
}

/** The pipeline no longer knows of any connection; the datapath may. */
export function untrack(ctx: Context): void {
  clearFields(ctx.key)
  ctx.conntracked = false
}

function ctAction(ctx: Context, action: Ct, zone: number): CtAction {
  const { slots } = ctx.world
  let markMask = 0
  let labelMask = 0n
  const scratch = ctx.key.slice()
  let nat: DpNat | undefined = action.nat ? dpNat(action.nat) : undefined
  const note = (field: unknown, mask: bigint) => {
    if (field === F.ct_mark) markMask = (markMask | Number(mask)) >>> 0
    else if (field === F.ct_label) labelMask |= mask
  }
  if (ctx.trace && action.exec.length === 0 && !nat) ctx.trace.step('drop')
  for (const a of action.exec) {
    ctx.trace?.action(a)
    if (a.type === 'set_field') {
      const s = slots.of(a.field)
      if (!s) continue
      const old = readSubfield(scratch, slots, { field: a.field, offset: 0, bits: a.field.bits })
      writeBits(scratch, s, 0, s.bits, (old & ~a.mask) | (a.value & a.mask))
      note(a.field, a.mask)
    } else if (a.type === 'move') {
      const from = slots.of(a.src.field)
      const to = slots.of(a.dst.field)
      if (!from || !to) continue
      markBits(ctx.wildcards, from, a.src.offset, a.src.bits)
      writeBits(scratch, to, a.dst.offset, a.dst.bits, readSubfield(scratch, slots, a.src))
      note(a.dst.field, ((1n << BigInt(a.dst.bits)) - 1n) << BigInt(a.dst.offset))
      ctx.trace?.field(a.dst, readSubfield(scratch, slots, a.dst))
    } else if (a.type === 'ct' && a.nat) nat = dpNat(a.nat)
  }
  if (nat) ctx.trace?.step(formatNat(nat))
  return {
    type: 'ct',
    commit: action.commit,
    force: action.force,
    zone,
    mark: markMask ? { value: ((scratch[K.CT_MARK] as number) & markMask) >>> 0, mask: markMask } : undefined,
    label: labelMask ? { value: K.u128(scratch, K.CT_LABEL) & labelMask, mask: labelMask } : undefined,
    helper: action.alg ? HELPERS[action.alg] : undefined,
    nat,
  }
}

function dpNat(n: Nat): DpNat {
  return {
    kind: n.kind,
    min: n.addresses?.min,
    max: n.addresses?.max,
    family: n.addresses?.family ?? 4,
    minPort: n.ports?.min ?? 0,
    maxPort: n.ports?.max ?? n.ports?.min ?? 0,
    random: n.random ?? false,
    hash: n.hash ?? false,
    persistent: n.persistent ?? false,
  }
}
