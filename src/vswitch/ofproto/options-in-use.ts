import type { Action } from '../../openflow/actions/action.ts'
import type { Field } from '../../openflow/fields/field.ts'
import { F } from '../../openflow/fields/table.ts'
import type { Bridge } from './bridge.ts'

const FIRST = F.tun_metadata0.index

/** Whether a flow matches or sets one of these tunnel options (0 is tun_metadata0): then it cannot be unmapped. */
export function optionsInUse(bridges: Iterable<Bridge>, options: ReadonlySet<number>): boolean {
  const one = (f: Field): boolean => f.variable && options.has(f.index - FIRST)
  const uses = (a: Action): boolean => {
    switch (a.type) {
      case 'set_field':
      case 'delete_field':
        return one(a.field)
      case 'move':
        return one(a.src.field) || one(a.dst.field)
      case 'push':
      case 'output_reg':
        return one(a.src.field)
      case 'pop':
        return one(a.dst.field)
      case 'clone':
      case 'write_actions':
        return a.actions.some(uses)
      case 'ct':
        return a.exec.some(uses)
      case 'learn':
        return a.specs.some(
          (s) => ('field' in s.source && one(s.source.field)) || ('dst' in s.target && one(s.target.dst.field)),
        )
      default:
        return false
    }
  }
  for (const b of bridges) {
    for (const r of b.rules()) if (r.match.some((m) => one(m.field)) || r.actions.some(uses)) return true
  }
  return false
}
