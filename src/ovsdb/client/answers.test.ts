import { describe, expect, it } from 'vitest'
import type { Json } from '../../jsonrpc/json.ts'
import { printSchema } from '../schema/index.ts'
import { itemSchema, World } from './_fixture.ts'
import { LAST, result, scripted } from './_scripted.ts'
import type { Operation } from './operation.ts'
import type { TransactOutcome } from './replica.ts'

// What a server answers and tells that does not fit what was asked.

const uuid = '00000000-0000-4000-8000-000000000001'
const insert = (name: string): Operation => ({ op: 'insert', table: 'Item', row: { name } })
const two: readonly Operation[] = [insert('a'), { op: 'delete', table: 'Item', where: [] }]

/** What becomes of a transaction of two operations that is answered so. */
function outcomeOf(answer: Json): { outcome: TransactOutcome | undefined; connections: number } {
  const { clock, servers, replica } = scripted((method) =>
    method === 'transact'
      ? answer
      : result(
          method === 'monitor_cond_since' ? [false, LAST, {}] : method === 'get_schema' ? printSchema(itemSchema) : {},
        ),
  )
  clock.settle()
  let outcome: TransactOutcome | undefined
  replica.transact(two, (o) => {
    outcome = o
  })
  clock.advance(500)
  return { outcome, connections: servers.length }
}

describe('an answer to a transaction', () => {
  const made: Json = { uuid: ['uuid', uuid] }

  it('of one result for each operation is its outcome', () => {
    expect(outcomeOf(result([made, { count: 1 }]))).toEqual({
      outcome: { ok: true, results: [{ uuid }, { count: 1 }] },
      connections: 1,
    })
  })

  it.each<[string, Json]>([
    ['too few results', [made]],
    ['no result at all', []],
    ['nothing where a result should be', [made, null]],
    ['a word for a result', [made, 'done']],
    ['something else than results', { uuid }],
    ['more than the operations, of which none is an error', [made, { count: 1 }, {}]],
  ])('of %s says nothing of what became of it: the connection ends', (_what, answer) => {
    expect(outcomeOf(result(answer))).toEqual({
      outcome: { ok: false, error: { kind: 'unknown' } },
      connections: 2,
    })
  })

  it('of an error after all results is that of the commit', () => {
    const error = { error: 'constraint violation', details: 'twice' }
    const { outcome, connections } = outcomeOf(result([made, { count: 1 }, error]))
    expect(outcome).toEqual({ ok: false, error: { kind: 'refused', error, index: undefined, operation: undefined } })
    expect(connections).toBe(1)
  })

  it.each<[string, Json]>([
    ['null', null],
    ['a word', 'no'],
    ['a number', 5],
  ])('of an error that is %s at its operation is a refusal, never a success', (_what, error) => {
    const { outcome } = outcomeOf(result([{ error }, null]))
    expect(outcome?.ok).toBe(false)
  })
})

it('a callback that throws is heard of, and what comes after it in the same bytes is not lost', () => {
  const world = new World()
  const replica = world.remote()
  world.clock.settle()
  replica.transact([insert('a')], () => {
    throw new Error('mine')
  })
  replica.transact([insert('b')], () => {})
  expect(() => world.clock.settle()).toThrow('mine')
  world.clock.settle()
  expect([...replica.table('Item').values()].map((i) => i.name)).toEqual(['a', 'b'])
})

describe('an update', () => {
  const told = (method: string, params: Json[]) => {
    const { clock, servers, replica, asked } = scripted((m) =>
      result(m === 'monitor_cond_since' ? [false, LAST, { Item: { [uuid]: { initial: { name: 'a' } } } }] : {}),
    )
    clock.settle()
    servers[0]?.send({ method, params, id: null })
    clock.advance(500)
    return { state: replica.state, copies: asked('monitor_cond_since').map((a) => a.params[3]), replica }
  }

  it.each<[string, string, Json[]]>([
    ['nothing', 'update3', ['monitor', LAST]],
    ['a word', 'update3', ['monitor', LAST, 'x']],
    ['rows that are none', 'update3', ['monitor', LAST, { Item: [] }]],
    ['a change that is none', 'update3', ['monitor', LAST, { Item: { [uuid]: 'gone' } }]],
    ['a change of no kind', 'update3', ['monitor', LAST, { Item: { [uuid]: { renamed: {} } } }]],
    ['a new row that is none', 'update3', ['monitor', LAST, { Item: { [uuid]: { insert: 'x' } } }]],
    ['a difference that is none', 'update3', ['monitor', LAST, { Item: { [uuid]: { modify: [] } } }]],
    ['nothing', 'update2', ['monitor']],
    ['nothing', 'update', ['monitor']],
    ['a change that is none', 'update', ['monitor', { Item: { [uuid]: 5 } }]],
    ['neither old nor new', 'update', ['monitor', { Item: { [uuid]: {} } }]],
    ['a new row that is none', 'update', ['monitor', { Item: { [uuid]: { new: 'x' } } }]],
  ])('of %s (%s) is not passed over: the contents are taken anew', (_what, method, params) => {
    const { state, copies } = told(method, params)
    expect(state).toBe('synced')
    expect(copies.length).toBe(2)
    expect(copies[1]).toMatch(/^0/)
  })

  it.each<[string, Json]>([
    ['tables that were not asked for', { Nope: { [uuid]: { insert: {} } } }],
    ['columns that were not asked for', { Item: { [uuid]: { modify: { color: 'red' } } } }],
  ])('of %s does no harm', (_what, updates) => {
    const { copies, replica } = told('update3', ['monitor', LAST, updates])
    expect(copies.length).toBe(1)
    expect(replica.table('Item').get(uuid)?.name).toBe('a')
  })

  it('that makes no sense after its first row tells of that row, though the next copy has it as it is', () => {
    const second = '00000000-0000-4000-8000-000000000002'
    const copy = { Item: { [uuid]: { initial: { name: 'a' } }, [second]: { initial: { name: 'b' } } } }
    const { clock, servers, replica } = scripted((m, _params, connection) =>
      result(m === 'monitor_cond_since' ? [false, LAST, connection ? copy : {}] : {}),
    )
    const told = new Map<string, string | undefined>()
    replica.onChange((change) => {
      for (const [id, row] of change.tables.Item ?? []) told.set(id, row.new?.name)
    })
    clock.settle()
    const half = { Item: { [uuid]: { insert: { name: 'a' } }, [second]: { renamed: {} } } }
    servers[0]?.send({ method: 'update3', params: ['monitor', LAST, half], id: null })
    clock.advance(5000)
    expect(servers.length).toBe(2)
    expect(Object.fromEntries(told)).toEqual({ [uuid]: 'a', [second]: 'b' })
  })

  it('of whole contents that make no sense tells what was taken of them', () => {
    const second = '00000000-0000-4000-8000-000000000002'
    const copy = (last: Json) => ({ Item: { [uuid]: { initial: { name: 'a' } }, [second]: last } })
    const { clock, servers, replica } = scripted((m, _params, connection) =>
      result(m === 'monitor_cond_since' ? [false, LAST, copy(connection ? { initial: { name: 'b' } } : 'b')] : {}),
    )
    const told = new Map<string, string | undefined>()
    replica.onChange((change) => {
      for (const [id, row] of change.tables.Item ?? []) told.set(id, row.new?.name)
    })
    clock.advance(5000)
    expect(servers.length).toBe(2)
    expect(replica.state).toBe('synced')
    expect(Object.fromEntries(told)).toEqual({ [uuid]: 'a', [second]: 'b' })
  })
})
