import { expect, test } from 'vitest'
import type { Json } from './json.ts'
import { readMessage } from './message.ts'

// What ovsdb-server 4.0.0 logs for them.
test.each<[Json, string]>([
  [[], 'message is not a JSON object'],
  [{}, 'notification must have "method"'],
  [{ id: 5 }, 'request must have "method"'],
  [{ id: 1, result: null, error: null }, 'request must have "method"'],
  [{ method: 'echo' }, 'notification must have "params"'],
  [{ id: null, method: 'echo' }, 'notification must have "params"'],
  [{ id: 1, method: 'echo', params: null }, 'request must have "params"'],
  [{ id: 1, method: 5, params: [] }, 'method is not a JSON string'],
  [{ id: 1, method: null, params: [] }, 'method is not a JSON string'],
  [{ method: 1, params: 1, zz: 1 }, 'method is not a JSON string'],
  [{ params: {}, zz: 1 }, 'message has unexpected member "zz"'],
  [{ 'a\n"b': 1 }, 'message has unexpected member "a\n"b"'],
  [{ d: 1, c: 2, b: 3, a: 4 }, 'message has unexpected member "a"'],
  [{ id: 1, method: 'm', params: {}, result: 1 }, '"params" must be JSON array'],
  [{ params: {} }, '"params" must be JSON array'],
  [{ id: 1, method: 'echo', params: [], result: 1 }, 'reply must not have "method"'],
  [{ id: 1, error: 5, result: 6, method: 'x', params: [] }, 'reply must not have "method"'],
  [{ result: 6, params: [] }, 'reply must not have "params"'],
  [{ id: 1, error: 1, result: 2 }, 'reply must not have "error"'],
  [{ result: 1 }, 'reply must have "id"'],
  [{ id: 1, error: 1, method: 'x', params: [] }, 'error must not have "method"'],
  [{ id: 1, error: 1, params: [] }, 'error must not have "params"'],
  [{ id: null, error: 1 }, 'error must have "id"'],
])('%j is no message: %s', (json, why) => {
  expect(readMessage(json)).toEqual({ ok: false, error: why })
})

test.each<[Json, Json]>([
  [
    { id: 1, method: 'm', params: [2], error: null, result: null },
    { kind: 'request', method: 'm', params: [2], id: 1 },
  ],
  [
    { id: null, method: 'm', params: [] },
    { kind: 'notification', method: 'm', params: [] },
  ],
  [
    { id: 'echo', result: [], error: null },
    { kind: 'reply', result: [], id: 'echo' },
  ],
  [
    { id: 1, result: null, error: false },
    { kind: 'error', error: false, id: 1 },
  ],
])('%j', (json, message) => {
  expect(readMessage(json)).toEqual({ ok: true, value: message })
})
