import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeMessage, encodeMessage } from '../../src/openflow/messages/codec.ts'
import { errorText } from '../../src/openflow/messages/errors.ts'
import { parseFlow } from '../../src/openflow/text/flow.ts'
import { Fixture } from '../../src/vswitch/fixture.test-data.ts'
import { parseState, trace } from '../../src/vswitch/ofproto/trace.ts'
import { ReferenceSwitch } from './vswitch/reference-switch.ts'

// The same flows in the real ovs-vswitchd and in ours; `ofproto/trace` must print the same, but for
// numbers that are by chance.

const cases = readFileSync(new URL('./vswitch/traces.txt', import.meta.url), 'utf8')
  .split(/^---$/m)
  .map((c) => c.split('\n').filter((l) => l.trim() && !l.startsWith('#')))
  .filter((lines) => lines.length)

let real: ReferenceSwitch
beforeAll(() => {
  real = new ReferenceSwitch()
})
afterAll(() => real.stop())

/** Recirculation ids are by chance, and ports of the datapath are numbered otherwise. */
function essence(text: string, portOffset: number): string[] {
  const ids = new Map<string, string>()
  return (
    text
      .replace(/(recirc(?:_id)?[=(])0x([0-9a-f]+)/g, (_, head: string, id: string) => {
        if (!ids.has(id)) ids.set(id, `R${ids.size + 1}`)
        return `${head}${ids.get(id)}`
      })
      .replace(/recirc_id=\d+,rule/g, 'recirc_id=N,rule')
      .replace(/,vlan_tci1=0x0000/g, '')
      .split('\n')
      .filter((l) => l.trim() && !/^(This flow is handled| {2}- Uses action)/.test(l))
      // clauses come in the order of hashes, and where nat stands among nested actions is the real one's own
      .filter((l) => !l.includes('-> conj.'))
      .map((l) => (/^ *ct\(.*exec\(/.test(l) ? l.replace(/ct\(.*/, 'ct(...)') : l))
      .map((l) =>
        l.startsWith('Datapath')
          ? l
              .replace(/trunc\((\d+)\)/g, 'trunc<$1>')
              .replace(/(?<=[,( ])(\d+)(?=[,)]|$)/g, (_, d: string) => String(Number(d) - portOffset))
          : l,
      )
  )
}

describe('ofproto/trace', () => {
  for (const lines of cases) {
    const flows = lines.filter((l) => !l.startsWith('trace '))
    test(flows.join(' ; ').slice(0, 100), () => {
      real.reset()
      const ours = new Fixture(2)
      for (const flow of flows) {
        const version = real.addFlow(flow)
        const mod = parseFlow(flow)
        if (!mod.ok) throw new Error(mod.error)
        // over the wire actions take other forms: as the real one saw them
        const again = decodeMessage(encodeMessage(mod.value, { version, flowModTableId: true }), {
          flowModTableId: true,
        })
        if (!again.ok) throw new Error(errorText(again.error))
        ours.send(again.value.message)
      }
      for (const line of lines.filter((l) => l.startsWith('trace '))) {
        const [, flow = '', ...states] = line.split(' ')
        const theirs = real.appctl('ofproto/trace', 'br0', flow, ...states.flatMap((s) => ['--ct-next', s]))
        const mine = trace(ours.sw, {
          bridge: 'br0',
          flow,
          ctNext: states.map((s) => parseState(s) ?? 0),
          names: false,
        })
        if (mine instanceof Error) throw mine
        expect(essence(mine, 1), line).toEqual(essence(theirs, 0))
      }
    })
  }
})
