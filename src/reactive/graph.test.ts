import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { keptLog } from '../base/log.ts'
import type { Request } from './allocate.ts'
import { Graph } from './graph.ts'
import { reach } from './reach.ts'
import { formatWhy, why } from './why.ts'

interface Port {
  readonly name: string
  readonly network: string
  readonly peer: string | undefined
  readonly tags: readonly string[]
}
interface Network {
  readonly name: string
  readonly mtu: number
}

/** A small cloud: every kind of rule, every kind of read, four strata. */
function cloud(clock?: VirtualClock) {
  const graph = new Graph(clock ? { clock } : {})
  const ports = graph.input<Port>('ports')
  const networks = graph.input<Network>('networks')
  const byNetwork = ports.index('network', (p) => p.network)
  const byPeer = ports.index('peer', (p) => p.peer)
  const peers = graph.derived<{ a: string; b: string; mtu: number | undefined }>('peers', 1)
  graph.rule('peer', 1, ports, (port, out) => {
    if (!port.peer) return
    const other = ports.get(port.peer)
    if (other)
      out.emit(peers, `${port.name}-${other.name}`, {
        a: port.name,
        b: other.name,
        mtu: networks.get(other.network)?.mtu,
      })
  })
  const sizes = graph.derived<number>('sizes', 1)
  graph.rule('size', 1, networks, (n, out) =>
    out.emit(sizes, n.name, byNetwork.get(n.name).length + byPeer.get(n.name).length),
  )
  const tagged = graph.derived<string>('tagged', 1)
  graph.pair('tag', 1, ports, { members: (p) => p.tags, pick: (p) => p.network }, (port, tag, network, out) => {
    out.emit(tagged, `${port}/${tag}`, `${network}:${networks.get(network)?.mtu ?? 0}`)
  })
  const flows = graph.derived<string>('flows', 2)
  graph.rule('flow', 2, peers, (p, out) => {
    out.emit(flows, `to ${p.b}`, p.a)
    out.emit(flows, `mtu ${p.mtu}`, 'shared')
  })
  const groups = graph.fold('groups', 3, flows, {
    key: (to) => to,
    empty: () => new Set<string>(),
    add: (set, _row, key) => set.add(key),
    remove: (set, _row, key) => set.delete(key),
    result: (set) => [...set].sort().join(),
  })
  const requests = graph.derived<Request>('requests', 1)
  graph.rule('request', 1, ports, (p, out) => out.emit(requests, p.name, { space: p.network }))
  const keys = graph.allocate('keys', 2, requests, { first: 1, last: 1000 })
  const closure = graph.derived<string>('closure', 4)
  graph.rule('closure', 4, networks, (n, out) => {
    const seen = reach([n.name], (x) =>
      byNetwork.get(x).flatMap((p) => (p.peer ? (ports.get(p.peer)?.network ?? []) : [])),
    )
    out.emit(closure, n.name, [...seen.keys()].sort().join())
  })
  const count = graph.derived<number>('count', 4)
  graph.once('count', 4, (out) => out.emit(count, 'ports', ports.size + flows.size))
  return { graph, ports, networks, flows, groups, keys, peers, tagged, count }
}

const name = fc.constantFrom('p1', 'p2', 'p3', 'p4', 'p5')
const net = fc.constantFrom('n1', 'n2', 'n3')
const change = fc.oneof(
  fc.record({
    kind: fc.constant('port' as const),
    key: name,
    network: net,
    peer: fc.option(name, { nil: undefined }),
    tags: fc.uniqueArray(fc.constantFrom('x', 'y', 'z')),
  }),
  fc.record({ kind: fc.constant('network' as const), key: net, mtu: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('unport' as const), key: name }),
  fc.record({ kind: fc.constant('unnetwork' as const), key: net }),
)

describe('graph', () => {
  it('comes to the same incrementally as from nothing, and tells only what changed', () => {
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 4 }), { maxLength: 12 }), (batches) => {
        const c = cloud()
        const heard = new Map<string, Map<string, unknown>>()
        for (const relation of c.graph.allRelations) {
          const copy = new Map<string, unknown>()
          heard.set(relation.name, copy)
          relation.subscribe((changes) => {
            for (const [key, { before, after }] of changes) {
              expect(copy.get(key)).toEqual(before)
              expect(after).not.toEqual(before)
              if (after === undefined) copy.delete(key)
              else copy.set(key, after)
            }
          })
        }
        for (const batch of batches) {
          for (const op of batch) {
            if (op.kind === 'port')
              c.ports.set(op.key, { name: op.key, network: op.network, peer: op.peer, tags: op.tags })
            else if (op.kind === 'network') c.networks.set(op.key, { name: op.key, mtu: op.mtu })
            else if (op.kind === 'unport') c.ports.delete(op.key)
            else c.networks.delete(op.key)
          }
          c.graph.settleAll()
          const incremental = c.graph.snapshot()
          for (const relation of c.graph.allRelations)
            expect(heard.get(relation.name)).toEqual(new Map(relation.contents))
          c.graph.recompute()
          expect(c.graph.snapshot()).toEqual(incremental)
          const fresh = cloud()
          for (const [k, v] of c.ports.contents) fresh.ports.set(k, v)
          for (const [k, v] of c.networks.contents) fresh.networks.set(k, v)
          fresh.graph.settleAll()
          const other = fresh.graph.snapshot()
          other.delete('keys') // memory: depends on the past, on purpose
          incremental.delete('keys')
          expect(other).toEqual(incremental)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('runs again only what read the change', () => {
    const c = cloud()
    c.networks.set('n1', { name: 'n1', mtu: 1 })
    for (let i = 0; i < 100; i++)
      c.ports.set(`q${i}`, { name: `q${i}`, network: 'n1', peer: `q${(i + 1) % 100}`, tags: [] })
    c.graph.settleAll()
    c.graph.runs.clear()
    c.ports.set('q7', { name: 'q7', network: 'n1', peer: 'q8', tags: ['x'] })
    c.graph.settleAll()
    expect(Object.fromEntries(c.graph.runs)).toMatchObject({ peer: 2, tag: 1 })
    expect(c.graph.runs.get('flow')).toBeUndefined()
  })

  it('costs one run for one new member of a large group', () => {
    const c = cloud()
    const tags = Array.from({ length: 2000 }, (_, i) => `t${i}`)
    c.ports.set('p', { name: 'p', network: 'n1', peer: undefined, tags })
    c.graph.settleAll()
    c.graph.runs.clear()
    c.ports.set('p', { name: 'p', network: 'n1', peer: undefined, tags: [...tags, 'new'] })
    c.graph.settleAll()
    expect(c.graph.runs.get('tag')).toBe(1)
    expect(c.tagged.peek('p/new')).toBe('n1:0')
  })

  it('lets the least rule and key win a contested key, whatever the order of arrival', () => {
    for (const order of [
      ['a', 'b'],
      ['b', 'a'],
    ]) {
      const graph = new Graph()
      const source = graph.input<string>('source')
      const target = graph.derived<string>('target', 1)
      graph.rule('r', 1, source, (row, out, key) => out.emit(target, 'k', `${key}:${row}`))
      for (const key of order) {
        source.set(key, 'v')
        graph.settleAll()
      }
      expect(target.peek('k')).toBe('a:v')
      source.delete('a')
      graph.settleAll()
      expect(target.peek('k')).toBe('b:v')
    }
  })

  it('withdraws the output of a run that throws, logs its row, and goes on', () => {
    const { log, lines } = keptLog()
    const graph = new Graph({ log })
    const source = graph.input<number>('source')
    const target = graph.derived<number>('target', 1)
    graph.rule('r', 1, source, (row, out, key) => {
      out.emit(target, key, row)
      if (row < 0) throw new Error('negative')
    })
    source.set('a', 1)
    source.set('b', 2)
    graph.settleAll()
    source.set('a', -1)
    source.set('b', 3)
    graph.settleAll()
    expect([...target.contents]).toEqual([['b', 3]])
    expect(lines[0]?.message).toMatch(/rule r\(a\) failed: Error: negative/)
    source.set('a', 5)
    graph.settleAll()
    expect(target.peek('a')).toBe(5)
  })

  it('refuses a rule that reads its own or a higher stratum', () => {
    const { log, lines } = keptLog()
    const graph = new Graph({ log })
    const source = graph.input<number>('source')
    const target = graph.derived<number>('target', 1)
    graph.rule('r', 1, source, (_row, out, key) => out.emit(target, key, target.size))
    source.set('a', 1)
    graph.settleAll()
    expect(lines[0]?.message).toMatch(/r\(a\) \(stratum 1\) reads target \(stratum 1\)/)
  })

  it('settles in slices; inputs that arrive meanwhile wait, and no one sees half a pass', () => {
    const c = cloud()
    for (let i = 0; i < 500; i++) c.ports.set(`q${i}`, { name: `q${i}`, network: 'n1', peer: `q${i + 1}`, tags: [] })
    let told = 0
    c.peers.subscribe(() => told++)
    expect(c.graph.settle(() => true)).toBe(false)
    c.ports.set('late', { name: 'late', network: 'n1', peer: 'q0', tags: [] })
    let slices = 1
    while (!c.graph.settle(() => true)) {
      slices++
      expect(told).toBe(0)
    }
    expect(slices).toBeGreaterThan(10)
    expect(told).toBe(1)
    expect(c.peers.peek('late-q0')).toBeUndefined()
    c.graph.settleAll()
    expect(c.peers.peek('late-q0')).toBeDefined()
  })

  it('runs a reader of the time again when the moment comes', () => {
    const clock = new VirtualClock()
    const graph = new Graph({ clock })
    graph.onWork = () => void clock.after(0, () => graph.settleAll())
    const leases = graph.input<number>('leases')
    const live = graph.derived<boolean>('live', 1)
    graph.rule('lease', 1, leases, (until, out, key) => {
      if (!graph.reached(until)) out.emit(live, key, true)
    })
    leases.set('a', clock.now() + 1000)
    leases.set('b', clock.now() + 2000)
    clock.settle()
    expect([...live.contents.keys()]).toEqual(['a', 'b'])
    clock.advance(1000)
    expect([...live.contents.keys()]).toEqual(['b'])
    clock.advance(1000)
    expect([...live.contents.keys()]).toEqual([])
    graph.close()
    expect(clock.next()).toBeUndefined()
  })

  it('explains a row', () => {
    const c = cloud()
    c.networks.set('n1', { name: 'n1', mtu: 7 })
    c.ports.set('p1', { name: 'p1', network: 'n1', peer: 'p2', tags: [] })
    c.ports.set('p2', { name: 'p2', network: 'n1', peer: undefined, tags: [] })
    c.graph.settleAll()
    expect(formatWhy(why(c.peers, 'p1-p2'))).toBe(
      ['peers p1-p2', '  by peer(p1)', '    read ports key p2', '    read networks key n1'].join('\n'),
    )
    expect(formatWhy(why(c.ports, 'p1'))).toBe('ports p1\n  from outside, or absent')
  })
})

describe('allocation', () => {
  function pool(previous: Record<string, number> = {}, last = 5) {
    const graph = new Graph()
    const full: string[] = []
    const requests = graph.input<Request>('requests')
    const numbers = graph.allocate('numbers', 1, requests, {
      first: 1,
      last,
      previous: (k) => previous[k],
      full: (k) => full.push(k),
    })
    return { graph, requests, numbers, full }
  }

  it('seats wishes, then holders, then new requests, whatever their order of arrival', () => {
    const p = pool({ old: 1, older: 2 })
    p.requests.set('a-new', { space: 's' })
    p.requests.set('old', { space: 's' })
    p.requests.set('older', { space: 's' })
    p.requests.set('wish', { space: 's', wanted: 2 })
    p.graph.settleAll()
    expect(p.numbers.peek('old')).toBe(1)
    expect(p.numbers.peek('wish')).toBe(2)
    expect(new Set(p.numbers.contents.values()).size).toBe(4)
  })

  it('keeps numbers over recompute, frees them with the request, and says when a space is full', () => {
    const p = pool()
    for (const k of ['a', 'b', 'c', 'd', 'e', 'f']) p.requests.set(k, { space: 's' })
    p.requests.set('other', { space: 't' })
    p.graph.settleAll()
    expect(p.full).toEqual(['f'])
    expect(p.numbers.peek('other')).toBe(1)
    const before = new Map(p.numbers.contents)
    p.graph.recompute()
    expect(p.numbers.contents).toEqual(before)
    p.requests.delete('b')
    p.graph.settleAll()
    expect(p.numbers.peek('f')).toBe(before.get('b'))
  })

  it('never gives one number twice', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'),
            wanted: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
            gone: fc.boolean(),
            space: fc.constantFrom('s', 't'),
          }),
          { maxLength: 40 },
        ),
        (ops) => {
          const p = pool({ a: 3, b: 3, c: 1 })
          for (const op of ops) {
            if (op.gone) p.requests.delete(op.key)
            else
              p.requests.set(
                op.key,
                op.wanted === undefined ? { space: op.space } : { space: op.space, wanted: op.wanted },
              )
            p.graph.settleAll()
            const seen = new Set<string>()
            for (const [key, number] of p.numbers.contents) {
              const space = p.requests.peek(key)?.space
              expect(space).toBeDefined()
              expect(seen.has(`${space} ${number}`)).toBe(false)
              seen.add(`${space} ${number}`)
            }
          }
        },
      ),
    )
  })
})
