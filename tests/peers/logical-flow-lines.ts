import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  conjunctionActions,
  conjunctionMatch,
  type EncodeContext,
  type LogicalGroup,
  lowerActions,
  lowerMatch,
  type NameSets,
  type Pipeline,
  parseActions,
  parseAddresses,
  parseMatch,
} from '../../src/logical/index.ts'
import { canonicalMatch, fieldMatch } from '../../src/openflow/fields/match.ts'
import { F } from '../../src/openflow/fields/table.ts'
import { actionText, groupText, matchText } from './flow-text.ts'

/** A line of logical-flows.txt. */
export interface Line {
  readonly text: string
  readonly pipeline: Pipeline
  readonly router: boolean
  readonly match: string
  readonly actions: string
}

export const lines: Line[] = readFileSync(fileURLToPath(new URL('./logical-flows.txt', import.meta.url)), 'utf8')
  .split('\n')
  .filter((l) => l && !l.startsWith('#'))
  .map((text) => {
    const [, where = '', match = '', actions = ''] =
      /^(?:(egress|router|router-egress) )?(.*?) \|(?: (.*))?$/.exec(text) ?? []
    return {
      text,
      pipeline: where.endsWith('egress') ? 'egress' : 'ingress',
      router: where.startsWith('router'),
      match,
      actions,
    }
  })

/** Where the flows are put. */
export const TABLE = 5
export const COOKIE = 0x40000000
export const PRIORITY = 20000

const ports: Readonly<Record<string, number>> = { vm1: 1, vm2: 2, vm3: 3 }
const sets: NameSets = {
  addressSet: (name) =>
    name === 'as4'
      ? parseAddresses(['10.1.0.0/24', '10.1.2.3'])
      : name === 'pg1_ip4'
        ? parseAddresses(['10.0.0.6', '10.0.0.7'])
        : undefined,
  portGroup: (name) => (name === 'pg1' ? ['vm1', 'vm2'] : undefined),
}

/** What we make of a line: a complaint, or flows as texts. */
export function ours(line: Line, index: number, conjunctionBase: number): string[] {
  const parsed = parseMatch(line.match, sets)
  const actions = parseActions(line.actions, { pipeline: line.pipeline, table: TABLE })
  // The controller looks at the actions first.
  if (!actions.ok) return [`actions: ${actions.error}`]
  if (!parsed.ok) return [`match: ${parsed.error}`]
  const lookup = {
    lookupPort: (n: string) => (line.router ? undefined : ports[n]),
    isChassisResident: (n: string) => n === 'vm1' || n === 'vm2',
  }
  const wanted: LogicalGroup[] = []
  const key = line.router ? 2 : 1
  const ctx: EncodeContext = {
    ...lookup,
    pipeline: line.pipeline,
    table: TABLE,
    router: line.router,
    datapathKey: key,
    cookie: COOKIE + index,
    group: (g) => wanted.push(g) - 1,
    meter: () => 1,
    hasCollectorSet: (id) => id === 1,
  }
  const lowered = lowerMatch(parsed.value.expression, actions.value.prerequisites, lookup)
  const text = actionText(lowerActions(actions.value.actions, ctx), (i) => groupText(wanted[i] as LogicalGroup))
  return lowered.flows
    .map((f) => {
      const match = canonicalMatch([...conjunctionMatch(f, conjunctionBase), fieldMatch(F.metadata, key)])
      const acts = f.parts ? actionText(conjunctionActions(f.parts, conjunctionBase), () => '') : text
      return `${matchText(match ?? [])} -> ${acts}`
    })
    .sort()
}

/** A logical flow whose port is not on this chassis is left out by the controller before it is lowered. */
export const filtered = (flows: readonly string[]) =>
  flows.filter((f) => !/(^|,)reg14=(?!1[,\s]|2[,\s])|(^|,)reg14=[^ ,]*\//.test(f))
