import { expect, test } from 'vitest'
import { keptLog, type Log, logTo } from '../base/log.ts'
import type { Json } from './json.ts'
import { MessageLog } from './message-log.ts'

function lines(longest: number | undefined, say: (messages: MessageLog) => void): string[] {
  const { log, lines } = keptLog()
  say(new MessageLog(log, 'unix#0', longest))
  return lines.map((l) => `${l.module}|${l.level}|${l.message}`)
}

const received = (json: Json, longest?: number) => lines(longest, (m) => m.received(json))
const sent = (text: string, longest?: number) => lines(longest, (m) => m.sentBytes(Buffer.from(text)))

// As seen of the real ovsdb-server.
test.each([
  [{ id: 1, method: 'get_schema', params: ['x'] }, 'request, method="get_schema", params=["x"], id=1'],
  [{ id: null, method: 'cancel', params: [8] }, 'notification, method="cancel", params=[8]'],
  [{ id: 'echo', result: [], error: null }, 'reply, result=[], id="echo"'],
  [{ id: 1, result: null, error: 'x' }, 'error, error="x", id=1'],
  [
    { params: [1.5, 'é\u0001', { b: 1, a: null }, null], id: 'e', method: 'echo' },
    'request, method="echo", params=[1.5,"é\\u0001",{"a":null,"b":1},null], id="e"',
  ],
])('received %j', (json, text) => {
  expect(received(json)).toEqual([`jsonrpc|dbg|unix#0: received ${text}`])
})

test.each([
  ['{"id":[2],"error":"unknown method"}', 'reply, error="unknown method", id=[2]'],
  ['{"id":7,"result":{"z":9007199254740993,"a":1},"error":null}', 'reply, result={"a":1,"z":9007199254740993}, id=7'],
  ['{"id":null,"method":"locked","params":["x"]}', 'notification, method="locked", params=["x"]'],
])('sent %s', (text, line) => {
  expect(sent(text)).toEqual([`jsonrpc|dbg|unix#0: send ${line}`])
})

test('what is very long is cut, and never put together', () => {
  const long = { id: 1, method: 'transact', params: [Array.from({ length: 1e5 }, () => 'x'.repeat(100))] }
  const [line = ''] = received(long, 200)
  expect(line).toMatch(/^jsonrpc\|dbg\|unix#0: received request, method="transact", params=\[\["x+",.*\.\.\. \(cut\)$/)
  expect(line.length).toBeLessThan(300)
  const [short = ''] = received({ id: 1, method: 'm', params: ['é'.repeat(1e6)] }, 50)
  expect(short).toMatch(/params=\["é+\.\.\. \(cut\)$/)
  expect(short.length).toBeLessThan(120)
  const out = lines(30, (messages) => {
    const message = messages.gather()
    message.add(Buffer.from('{"id":1,"error":null,"result":['))
    for (let i = 0; i < 1000; i++) message.add(new Uint8Array(1e6))
    message.end()
  })
  expect(out).toEqual(['jsonrpc|dbg|unix#0: send {"id":1,"error":null,"result":... (cut)'])
})

test('pieces cut anywhere make the same line', () => {
  const text = Buffer.from('{"id":null,"method":"update3","params":["é",{"b":1}]}')
  for (let at = 0; at <= text.length; at++) {
    const out = lines(undefined, (messages) => {
      const message = messages.gather()
      message.add(text.subarray(0, at))
      message.add(text.subarray(at))
      message.end()
    })
    expect(out).toEqual(['jsonrpc|dbg|unix#0: send notification, method="update3", params=["é",{"b":1}]'])
  }
})

test('nothing is read of a message when nobody looks', () => {
  const lines: unknown[] = []
  const log: Log = logTo((line) => lines.push(line), '', 'info')
  const messages = new MessageLog(log, 'unix#0')
  const untouched = new Proxy(
    {},
    { get: () => expect.fail('was read'), ownKeys: () => expect.fail('was read') },
  ) as Json
  expect(messages.enabled).toBe(false)
  messages.received(untouched)
  messages.sent(untouched)
  expect(lines).toEqual([])
})
