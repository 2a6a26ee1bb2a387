import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keptLog } from '../../base/log.ts'
import { Graph } from '../../reactive/index.ts'
import { contents, itemSchema, World } from '../client/_fixture.ts'
import type { Operation } from '../client/operation.ts'
import type { Replica } from '../client/replica.ts'
import { type DatabaseSchema, type Datum, printSchema, type Row, readSchema } from '../schema/index.ts'
import { createServer } from '../server/index.ts'
import { feed } from './feed.ts'
import { type DesiredRow, RowSink } from './row-sink.ts'

interface Wish {
  readonly size: number
  readonly parts: readonly string[]
  readonly tags?: readonly string[]
}

const text = (row: Row, column: string): string => String((row as Readonly<Record<string, Datum>>)[column])

const OPTIONS = new Map([['k', 'v']])

/** Items and their parts as wishes say, written to a replica. */
function setUp(world = new World(), replica: Replica<object> = world.local() as unknown as Replica<object>) {
  const { clock, random } = world
  const { log, lines } = keptLog()
  const graph = new Graph({ clock, log })
  const wishes = graph.input<Wish>('wishes')
  const items = graph.derived<DesiredRow>('items', 2)
  const parts = graph.derived<DesiredRow>('parts', 2)
  graph.rule('item', 1, wishes, (wish, out, name) => {
    out.emit(items, name, { name, size: wish.size, parts: wish.parts, tags: wish.tags ?? [], options: OPTIONS })
    for (const part of wish.parts) out.emit(parts, part, { name: part })
  })
  const done: number[] = []
  const sink = new RowSink(
    replica,
    [
      { name: 'Item', desired: items, keyOf: (row) => text(row, 'name'), born: () => ({ note: 'new' }) },
      { name: 'Part', desired: parts, keyOf: (row) => text(row, 'name') },
    ],
    { clock, log, random, onDone: () => done.push(clock.now()) },
  )
  graph.onWork = () => void clock.after(0, () => graph.settle())
  graph.onSettled = () => sink.flush()
  clock.settle()
  sink.setOpen(true)
  sink.flush()
  clock.settle()
  const partName = (uuid: string) => world.rows('Part').find((p) => p._uuid === uuid)?.['name']
  const shown = () =>
    world
      .rows('Item')
      .map((r) => `${r['name']} ${r['size']} ${(r['parts'] as string[]).map(partName).sort().join('+')} ${r['note']}`)
      .sort()
  return { world, clock, wishes, sink, lines, done, shown }
}

describe('rows as relations wish them', () => {
  it('makes, changes and removes rows, and what they refer to, in one transaction each', () => {
    const w = setUp()
    let commits = 0
    w.world.database.onCommit(() => commits++)
    w.wishes.set('a', { size: 1, parts: ['x', 'y'] })
    w.wishes.set('b', { size: 2, parts: ['y'] })
    w.clock.settle()
    expect(w.shown()).toEqual(['a 1 x+y new', 'b 2 y new'])
    expect(commits).toBe(1)
    const uuid = w.world.rows('Item').find((r) => r['name'] === 'a')?._uuid
    w.wishes.set('a', { size: 1, parts: ['z'] })
    w.wishes.delete('b')
    w.clock.settle()
    expect(w.shown()).toEqual(['a 1 z new'])
    expect(commits).toBe(2)
    expect(w.world.rows('Item')[0]?._uuid).toBe(uuid)
    expect(w.world.rows('Part').map((p) => p['name'])).toEqual(['z'])
  })

  it('knows rows again that are there, and puts right what others did', () => {
    const world = new World()
    const there = { op: 'insert', table: 'Item', row: { name: 'a', size: 9, note: 'old' } } as const
    world.database.transact([there, { op: 'insert', table: 'Item', row: { name: 'foreign' } }])
    const uuid = world.rows('Item').find((r) => r['name'] === 'a')?._uuid
    const w = setUp(world)
    w.wishes.set('a', { size: 1, parts: [] })
    w.clock.settle()
    // without a wish a row goes; what is only for new rows is left alone
    expect(w.shown().filter((s) => !s.startsWith('a'))).toEqual([])
    w.wishes.set('b', { size: 2, parts: [] })
    w.clock.settle()
    world.database.transact([
      { op: 'update', table: 'Item', where: [['name', '==', 'b']], row: { size: 7, note: 'theirs' } },
    ])
    w.clock.settle()
    w.sink.flush()
    w.clock.settle()
    expect(w.shown()).toEqual(['a 1  new', 'b 2  theirs'])
    expect(uuid).toBeDefined()
  })

  it('gives a row that comes back the uuid it had', () => {
    const w = setUp()
    w.wishes.set('a', { size: 1, parts: [] })
    w.clock.settle()
    const [before] = w.world.rows('Item')
    w.wishes.delete('a')
    w.clock.settle()
    expect(w.shown()).toEqual([])
    w.wishes.set('a', { size: 2, parts: [] })
    w.clock.settle()
    expect(w.world.rows('Item').map((r) => r._uuid)).toEqual([before?._uuid])
  })

  it('lets a row that many refer to keep its uuid under another key', () => {
    const world = new World()
    const { clock, random } = world
    const log = keptLog().log
    const graph = new Graph({ clock, log })
    const members = graph.input<string>('members')
    const items = graph.derived<DesiredRow>('items', 2)
    graph.rule('member', 1, members, (group, out, name) => {
      out.emit(items, name, { name, friend: group })
      out.emit(items, group, { name: group, friend: undefined })
    })
    const keyOf = (row: Row) => text(row, 'name')
    const replica = world.local() as unknown as Replica<object>
    const inherited = { table: 'Item', column: 'friend' }
    const sink = new RowSink(replica, [{ name: 'Item', desired: items, keyOf, inherited }], {
      ...{ clock, log, random, onDone: () => {} },
    })
    graph.onSettled = () => sink.flush()
    sink.setOpen(true)
    const put = (group: string, names: readonly string[]) => {
      for (const name of names) members.set(name, group)
      graph.settle()
      clock.settle()
    }
    clock.settle()
    put('old', ['1', '2', '3'])
    const uuid = world.rows('Item').find((r) => r['name'] === 'old')?._uuid
    let written = 0
    world.database.onCommit((delta) => {
      written += delta.tables.get('Item')?.size ?? 0
    })
    put('new', ['1', '2', '3'])
    expect(world.rows('Item').find((r) => r['name'] === 'new')?._uuid).toBe(uuid)
    expect(written).toBe(1)
    expect(world.rows('Item').filter((r) => r['friend'] === uuid).length).toBe(3)
  })

  it('waits with what comes meanwhile, and compares again after a failure', () => {
    const world = new World()
    const remote = world.remote()
    const w = setUp(world, remote as unknown as Replica<object>)
    w.wishes.set('a', { size: 1, parts: ['x'] })
    w.clock.after(0, () => {
      w.wishes.set('b', { size: 2, parts: ['x'] })
      world.streams[0]?.stream.close(new Error('cut'))
    })
    w.clock.advance(10_000)
    expect(w.shown()).toEqual(['a 1 x new', 'b 2 x new'])
    // one that the database refuses is said, tried again, and done when it can be
    w.wishes.set('c', { size: -1, parts: [] })
    w.clock.advance(3500)
    const refused = w.lines.filter((l) => l.fields?.['code'] === 'transaction-refused')
    expect(refused.length).toBe(4)
    expect(refused[0]?.fields).toMatchObject({ table: 'Item', row: expect.stringMatching(/^[0-9a-f-]{36}$/) })
    w.wishes.set('c', { size: 3, parts: [] })
    w.clock.advance(2000)
    expect(w.shown().length).toBe(3)
  })

  it('comes to what is wished, whatever is wished and whatever others do', () => {
    const name = fc.constantFrom('a', 'b', 'c')
    const wish = fc.record({ size: fc.nat(3), parts: fc.uniqueArray(fc.constantFrom('x', 'y', 'z'), { maxLength: 2 }) })
    const step = fc.oneof(
      fc.tuple(name, fc.option(wish, { nil: undefined })).map(([n, v]) => ({ name: n, wish: v })),
      name.map((n) => ({ op: { op: 'delete', table: 'Item', where: [['name', '==', n]] } as Operation })),
      name.map((n) => ({
        op: { op: 'update', table: 'Item', where: [['name', '==', n]], row: { size: 8, parts: [] } } as Operation,
      })),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 15 }), fc.integer({ min: 1, max: 3 }), (steps, pause) => {
        const w = setUp()
        const wanted = new Map<string, Wish>()
        for (const [i, s] of steps.entries()) {
          if ('op' in s) w.world.database.transact([s.op])
          else if (s.wish) {
            wanted.set(s.name, s.wish)
            w.wishes.set(s.name, s.wish)
          } else {
            wanted.delete(s.name)
            w.wishes.delete(s.name)
          }
          if (i % pause === 0) w.clock.settle()
        }
        // a part that goes with what another deleted makes a transaction fail, once
        w.clock.advance(1500)
        w.sink.flush()
        w.clock.settle()
        const says = [...wanted].map(([n, v]) => `${n} ${v.size} ${[...v.parts].sort().join('+')} `).sort()
        expect(w.shown().map((s) => s.replace(/\S*$/, ''))).toEqual(says)
      }),
      { numRuns: 300 },
    )
  })
})

/** The schema of an older release: a column less, a narrower one, a table less. */
function olderSchema(): DatabaseSchema {
  const json = printSchema(itemSchema) as unknown as {
    tables: Record<string, { columns: Record<string, unknown> } | undefined>
  }
  const columns = json.tables['Item']?.columns ?? {}
  columns['note'] = undefined
  columns['options'] = undefined
  columns['parts'] = undefined
  columns['size'] = { type: { key: { type: 'integer', minInteger: 0, maxInteger: 5 } } }
  columns['tags'] = { type: { key: 'string', min: 0, max: 2 } }
  json.tables['Part'] = undefined
  return readSchema(JSON.parse(JSON.stringify(json)))
}

describe('a server of an older release', () => {
  it('gets what it can hold, and is told once what it can not', () => {
    const world = new World()
    const older = createServer({ clock: world.clock, log: keptLog().log, random: world.random })
    let upgraded = false
    const added = older.addDatabase(olderSchema())
    if (!added.ok) throw new Error(added.error)
    const database = added.value
    const remote = world.remote(undefined, {
      dial: (remote, done) => {
        const [client, server] = world.pair()
        ;(upgraded ? world.server : older).accept(server)
        world.streams.push({ remote, stream: client })
        done({ ok: true, value: client })
        return () => {}
      },
    })
    const w = setUp(world, remote as unknown as Replica<object>)
    w.wishes.set('a', { size: 1, parts: ['x'] })
    w.wishes.set('big', { size: 6, parts: [] })
    w.wishes.set('tagged', { size: 2, parts: [], tags: ['1', '2', '3'] })
    w.clock.advance(5000)
    const rows = () => contents(database.rows('Item')).map((r) => (r as { name: string; size: number }).name)
    expect(rows()).toEqual(['a'])
    const told = () => w.lines.filter((l) => l.fields?.['code'] === 'not-storable').map((l) => l.fields?.['column'])
    expect(told().sort()).toEqual(['size', 'tags'])
    // a change that it can not hold leaves the row as it is
    w.wishes.set('a', { size: 9, parts: [] })
    w.wishes.set('tagged', { size: 2, parts: [], tags: ['1'] })
    w.clock.advance(5000)
    expect(contents(database.rows('Item'))).toMatchObject(
      expect.arrayContaining([expect.objectContaining({ name: 'a', size: 1 })]),
    )
    w.wishes.set('a', { size: 2, parts: ['y'] })
    w.clock.advance(5000)
    expect(rows().sort()).toEqual(['a', 'tagged'])
    expect(told().length).toBe(2)
    expect(w.lines.filter((l) => l.level === 'err')).toEqual([])
    // the next server is of today: it gets what the other did not take
    upgraded = true
    world.streams.at(-1)?.stream.close(new Error('cut'))
    w.clock.advance(10_000)
    w.sink.flush()
    w.clock.settle()
    expect(w.shown()).toEqual(['a 2 y new', 'big 6  new', 'tagged 2  new'])
  })
})

it('feeds relations with the rows of a replica', () => {
  const world = new World()
  const replica = world.local()
  const graph = new Graph({ clock: world.clock, log: keptLog().log })
  const items = graph.input<Row>('Item')
  replica.onChange((change) => {
    feed(change, { Item: items as never })
    graph.settle()
  })
  world.database.transact([{ op: 'insert', table: 'Item', row: { name: 'a' } }])
  world.clock.settle()
  expect([...items.contents.values()].map((r) => r['name'])).toEqual(['a'])
  world.database.transact([{ op: 'delete', table: 'Item', where: [] }])
  world.clock.settle()
  expect(items.contents.size).toBe(0)
})
