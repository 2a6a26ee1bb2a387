import { toHex, Writer } from '../../src/base/bytes.ts'
import type { LogicalGroup } from '../../src/logical/index.ts'
import type { Action } from '../../src/openflow/actions/action.ts'
import { actionContext } from '../../src/openflow/actions/context.ts'
import { encodeActions } from '../../src/openflow/actions/encode.ts'
import type { Match } from '../../src/openflow/fields/field.ts'
import { fieldByName } from '../../src/openflow/fields/table.ts'
import type { GroupDescription } from '../../src/openflow/messages/multipart.ts'

export const matchText = (m: Match): string =>
  m
    .map((x) => `${x.field.name}=${x.value.toString(16)}${x.mask === x.field.ones ? '' : `/${x.mask.toString(16)}`}`)
    .join(',')

/** Actions as bytes; groups and meters, whose numbers are drawn, by what they are. */
export function actionText(actions: readonly Action[], group: (id: number) => string): string {
  return actions
    .map((a): string => {
      if (a.type === 'group') return `group(${group(a.group)})`
      if (a.type === 'meter') return 'meter'
      if (a.type === 'clone') return `clone(${actionText(a.actions, group)})`
      if (a.type === 'controller') {
        const userdata = toHex(a.userdata ?? new Uint8Array())
        return `controller(${userdata}${a.pause ? ',pause' : ''}${a.meterId === undefined ? '' : ',meter'})`
      }
      return `${a.type}:${toHex(encodeActions(new Writer(), [a], actionContext(6)).done())}`
    })
    .join(' ')
}

export function realGroupText(groups: ReadonlyMap<number, GroupDescription>, id: number): string {
  const g = groups.get(id)
  if (!g) return 'absent'
  const fields = (g.selection?.fields ?? []).map((f) => f.field.name)
  const buckets = g.buckets.map((b) => `${b.weight}:${actionText(b.actions, () => '')}`)
  return `${g.selection?.method} ${g.selection?.param} [${fields}] ${buckets.join(' | ')}`
}

export function groupText(g: LogicalGroup): string {
  const fields = g.fields.map((f) => fieldByName(f)).sort((a, b) => (a?.index ?? 0) - (b?.index ?? 0))
  const buckets = g.buckets.map((b) => `${b.weight}:${actionText(b.actions, () => '')}`)
  return `${g.method} ${g.methodParam} [${fields.map((f) => f?.name)}] ${buckets.join(' | ')}`
}
