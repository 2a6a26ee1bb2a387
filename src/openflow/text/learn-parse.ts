import type { Action, LearnSpec } from '../actions/action.ts'
import { type Subfield, wholeField } from '../fields/field.ts'
import { fieldByName } from '../fields/table.ts'
import { arrow, integer, parseSubfield, Syntax } from './actions-parse.ts'
import { type Names, parseInteger, parseTable } from './names.ts'
import { item, split } from './scan.ts'
import { parseValue } from './value.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** The arguments of learn(...), ovs-actions(7). */
export function parseLearn(text: string, names: Names | undefined): Action {
  const specs: LearnSpec[] = []
  const learn: Mutable<Extract<Action, { type: 'learn' }>> = {
    type: 'learn',
    idleTimeout: 0,
    hardTimeout: 0,
    priority: 0x8000,
    cookie: 0n,
    sendFlowRemoved: false,
    deleteLearned: false,
    table: 1,
    finIdleTimeout: 0,
    finHardTimeout: 0,
    specs,
    limit: 0,
  }
  for (const part of split(text)) {
    const { name, value } = item(part)
    switch (name) {
      case 'table': {
        const t = parseTable(value ?? '', names)
        if (t === undefined || t === 255)
          throw new Syntax(`${text}: table id \`${value ?? ''}' not valid for \`learn' action`)
        learn.table = t
        break
      }
      case 'priority':
        learn.priority = integer(value, 65535, name)
        break
      case 'idle_timeout':
        learn.idleTimeout = integer(value, 65535, name)
        break
      case 'hard_timeout':
        learn.hardTimeout = integer(value, 65535, name)
        break
      case 'fin_idle_timeout':
        learn.finIdleTimeout = integer(value, 65535, name)
        break
      case 'fin_hard_timeout':
        learn.finHardTimeout = integer(value, 65535, name)
        break
      case 'cookie': {
        const cookie = parseInteger(value ?? '')
        if (cookie === undefined) throw new Syntax(`invalid cookie "${value ?? ''}"`)
        learn.cookie = cookie
        break
      }
      case 'send_flow_rem':
        learn.sendFlowRemoved = true
        break
      case 'delete_learned':
        learn.deleteLearned = true
        break
      case 'limit':
        learn.limit = integer(value, 0xffffffff, name)
        break
      case 'result_dst':
        learn.resultDst = parseSubfield(value ?? '')
        if (learn.resultDst.bits !== 1) {
          throw new Syntax(`result_dst in 'learn' action must be a single bit`)
        }
        break
      default:
        specs.push(spec(name, value, names))
    }
  }
  return learn
}

/** A match source written as a value of a whole field. */
function immediate(dst: Subfield, text: string, names: Names | undefined): bigint | undefined {
  if (dst.offset === 0 && dst.bits === dst.field.bits) {
    const v = parseValue(dst.field, text, names)
    if (!(v instanceof Error) && !v.masked) return v.value
  }
  const n = parseInteger(text)
  return n !== undefined && n >> BigInt(dst.bits) === 0n ? n : undefined
}

function spec(name: string, value: string | undefined, names: Names | undefined): LearnSpec {
  if (name === 'load') {
    const [left, right] = arrow(value ?? '')
    const dst = parseSubfield(right)
    const n = parseInteger(left)
    if (n !== undefined) return { source: { value: n }, bits: dst.bits, target: { kind: 'load', dst } }
    const src = parseSubfield(left)
    if (src.bits !== dst.bits) throw new Syntax(`${value ?? ''}: bit widths of source and destination differ`)
    return { source: src, bits: dst.bits, target: { kind: 'load', dst } }
  }
  if (name === 'output') {
    const src = parseSubfield(value ?? '')
    return { source: src, bits: src.bits, target: { kind: 'output' } }
  }
  const bare = name.replace(/\[.*$/, '')
  const field = fieldByName(bare)
  if (!field) throw new Syntax(`unknown keyword ${name}`)
  const dst = name === bare ? wholeField(field) : parseSubfield(name)
  if (value === undefined) return { source: dst, bits: dst.bits, target: { kind: 'match', dst } }
  const n = immediate(dst, value, names)
  if (n !== undefined) return { source: { value: n }, bits: dst.bits, target: { kind: 'match', dst } }
  const src = parseSubfield(value)
  if (src.bits !== dst.bits)
    throw new Syntax(`${name}=${value}: bit widths of ${name} (${dst.bits}) and ${value} (${src.bits}) differ`)
  return { source: src, bits: dst.bits, target: { kind: 'match', dst } }
}
