import { expect, it } from 'vitest'
import { Graph } from '../../reactive/index.ts'
import { Flows } from './flow.ts'
import { lsIn } from './stage.ts'

/** Two rules say the same flow, each on datapaths of its own; `order` is how their rows arrive. */
function say(order: readonly ('first' | 'second')[]) {
  const graph = new Graph()
  const inputs = { first: graph.input<string>('first'), second: graph.input<string>('second') }
  const flows = new Flows(graph)
  for (const [name, input] of Object.entries(inputs)) {
    graph.rule(name, 20, input, (datapath, out) => {
      flows.on(out, datapath, `rules/${name}.ts`)(lsIn.l2_lkup, 50, 'ip4', 'next;')
    })
  }
  for (const name of order) {
    inputs[name].set('row', name === 'first' ? 'a' : 'b')
    graph.settleAll()
  }
  return { graph, inputs, shared: flows.shared }
}

it('names the source of the first datapath, whatever the order of arrival', () => {
  for (const order of [
    ['first', 'second'],
    ['second', 'first'],
  ] as const) {
    const s = say(order)
    expect([...s.shared.contents.values()]).toMatchObject([{ datapaths: ['a', 'b'], source: 'rules/first.ts' }])
    s.inputs.first.delete('row')
    s.graph.settleAll()
    expect([...s.shared.contents.values()]).toMatchObject([{ datapaths: ['b'], source: 'rules/second.ts' }])
  }
})
