import { err, ok, type Result } from '../base/result.ts'
import { FlowState } from './evaluate.ts'
import type { Compare, Expression, NameSets } from './match.ts'
import { type MatchEnv, normalise } from './normalise.ts'
import { parseMatch } from './parse-match.ts'

/** The one packet that a microflow expression describes (ovn-trace(8), DESCRIPTION). */
export function parseMicroflow(text: string, sets: NameSets, env: MatchEnv): Result<FlowState> {
  const parsed = parseMatch(text, sets)
  if (!parsed.ok) return parsed
  const clauses = normalise(parsed.value.expression, env)
  if (clauses.length === 0) return err('Constraints are contradictory.')
  const [clause] = clauses
  if (!clause || clauses.length > 1 || clause.some((d) => d.terms.length !== 1)) {
    return err(`Constraints are ambiguous: ${formatExpression(parsed.value.expression)}.`)
  }
  const state = new FlowState()
  for (const d of clause) {
    const term = d.terms[0]
    if (term) state.write(d.root.field, (state.read(d.root.field) & ~term.mask) | term.value)
  }
  return ok(state)
}

/** The ports that a microflow compares with inport. */
export function ingressPorts(e: Expression): string[] {
  if (e.type === 'and' || e.type === 'or') return [...new Set(e.of.flatMap(ingressPorts))]
  return e.type === 'port' && e.field.symbol.name === 'inport' ? [e.port] : []
}

/** An expanded expression by its root fields, constants in hexadecimal. */
export function formatExpression(e: Expression, inside?: 'and' | 'or'): string {
  switch (e.type) {
    case 'boolean':
      return e.value ? '1' : '0'
    case 'and':
    case 'or': {
      const text = e.of.map((x) => formatExpression(x, e.type)).join(e.type === 'and' ? ' && ' : ' || ')
      return inside && inside !== e.type ? `(${text})` : text
    }
    case 'port':
      return `${e.field.symbol.name} == ${JSON.stringify(e.port)}`
    case 'resident':
      return `${e.negated ? '!' : ''}is_chassis_resident(${JSON.stringify(e.port)})`
    case 'predicate':
      return `${e.negated ? '!' : ''}${e.symbol.name}`
    case 'compare':
      return formatCompare(e)
  }
}

function formatCompare(e: Compare): string {
  const { root } = e.field.symbol
  let { offset, bits } = e.field
  let value = e.value
  let mask = e.mask
  const trailing = mask === 0n ? 0 : (mask.toString(2).match(/0*$/)?.[0].length ?? 0)
  const run = mask >> BigInt(trailing)
  if (mask !== (1n << BigInt(bits)) - 1n && (run & (run + 1n)) === 0n && mask !== 0n) {
    offset += trailing
    bits = run.toString(2).length
    value >>= BigInt(trailing)
    mask = run
  }
  const range = bits === root.field.bits ? '' : bits === 1 ? `[${offset}]` : `[${offset}..${offset + bits - 1}]`
  const name = `${root.name}${range}`
  if (bits === 1 && (e.relation === '==' || e.relation === '!=')) {
    return (value === 1n) === (e.relation === '==') ? name : `!${name}`
  }
  const whole = mask === (1n << BigInt(bits)) - 1n
  return `${name} ${e.relation} 0x${value.toString(16)}${whole ? '' : `/0x${mask.toString(16)}`}`
}
