import type { AnyRelation } from './relation.ts'
import { SEPARATOR } from './rule.ts'

/** Why a derived row is there: each run that emits it, the winner first, and what that run read. */
export interface Explanation {
  readonly relation: string
  readonly key: string
  readonly emitters: readonly {
    readonly run: string
    readonly value: unknown
    readonly wins: boolean
    readonly reads: readonly { readonly relation: string; readonly how: string; readonly value: string }[]
  }[]
}

/** Explains a row of any relation; an input's row has no emitters: it came from outside. */
export function why(relation: AnyRelation, key: string): Explanation {
  return {
    relation: relation.name,
    key,
    emitters: relation.claims(key).map((claim, i) => ({
      run: claim.owner.label,
      value: claim.value,
      wins: i === 0,
      reads: [...claim.owner.reads].map((c) => ({ relation: c.relation.name, how: c.how, value: c.value })),
    })),
  }
}

/** The explanation as lines of text. */
export function formatWhy(explanation: Explanation): string {
  const clean = (s: string) => s.replaceAll(SEPARATOR, ' ')
  const lines = [`${explanation.relation} ${clean(explanation.key)}`]
  if (!explanation.emitters.length) lines.push('  from outside, or absent')
  for (const e of explanation.emitters) {
    lines.push(`  ${e.wins ? 'by' : 'also by'} ${clean(e.run)}`)
    for (const r of e.reads) lines.push(`    read ${r.relation} ${r.how} ${clean(r.value)}`)
  }
  return lines.join('\n')
}
