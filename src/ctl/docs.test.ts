import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { seeded } from '../base/random.ts'
import { localReplica } from '../ovsdb/client/local.ts'
import { Database } from '../ovsdb/transaction/index.ts'
import { nbctl } from './nbctl/index.ts'
import type { Program } from './program.ts'
import { type CtlResult, runCtl } from './run.ts'
import { vsctl } from './vsctl/index.ts'

const text = readFileSync(fileURLToPath(new URL('../../docs/CTL.md', import.meta.url)), 'utf8')
const transcripts = [...text.matchAll(/```console\n([\s\S]*?)```/g)].map((m) => m[1] ?? '')

it('docs/CTL.md shows what the tools print', () => {
  const clock = new VirtualClock()
  const random = seeded(1)
  const run = <T>(program: Program<T>) => {
    const replica = localReplica(new Database(program.schema, clock, random), program.schema, { clock })
    return (args: readonly string[]): CtlResult => {
      let result: CtlResult | undefined
      runCtl(program, args, { replica, clock, random }, (r) => {
        result = r
      })
      clock.settle()
      if (!result) throw new Error(`${args.join(' ')}: no end`)
      return result
    }
  }
  const tools: Record<string, (args: readonly string[]) => CtlResult> = {
    'ovn-nbctl': run(nbctl),
    'ovs-vsctl': run(vsctl),
  }
  expect(transcripts.length).toBeGreaterThan(4)
  for (const transcript of transcripts) {
    let shown = ''
    for (const [line] of transcript.matchAll(/^\$ .*\n/gm)) {
      const [name = '', ...args] = [...line.slice(2).matchAll(/"([^"]*)"|(\S+)/g)].map((m) => m[1] ?? m[2] ?? '')
      const result = tools[name]?.(args)
      const output = `${result?.stdout}${result?.stderr}`
      shown += line + output.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UUID')
    }
    expect(shown).toBe(transcript)
  }
})
