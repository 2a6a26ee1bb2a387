import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ControlReply, command } from '../base/command.ts'
import { eventCounter } from '../base/event-counter.ts'
import { keptLog, type LogLine } from '../base/log.ts'
import { type ControlServer, serveControl } from './unixctl.ts'

const dir = mkdtempSync(join(tmpdir(), 'unixctl-'))
const path = join(dir, 'd.ctl')
const { log, lines } = keptLog('warn')
let server: ControlServer
const waiting: ControlReply[] = []
beforeAll(
  () =>
    new Promise<void>((done, fail) => {
      const commands = [
        command('echo', 'WORD...', [1, 3], (args) => args.join(' ')),
        command('fail', '', [0, 0], () => new Error('no')),
        command('long', '', [0, 0], () => 'x'.repeat(100_000)),
        {
          name: 'wait',
          usage: '',
          minArgs: 0,
          maxArgs: 0,
          run: (_: unknown, reply: ControlReply) => waiting.push(reply),
        },
      ]
      server = serveControl(path, commands, (error) => (error === undefined ? done() : fail(new Error(error))), log)
    }),
)
afterAll(() => {
  server.close()
  rmSync(dir, { recursive: true })
})

/** Sends bytes and gives what comes back until the connection ends, or `enough` is there. */
function talk(bytes: string | Uint8Array, enough: (text: string) => boolean = () => false): Promise<string> {
  return new Promise((done) => {
    const socket = connect(path)
    let text = ''
    const over = () => {
      socket.destroy()
      done(text)
    }
    socket.on('data', (more) => {
      text += more.toString()
      if (enough(text)) over()
    })
    socket.on('close', over)
    socket.on('error', over)
    socket.end(bytes)
  })
}

const ask = (method: string, ...params: unknown[]) => talk(JSON.stringify({ id: 7, method, params }))

it.each([
  ['echo', ['a', 'b'], '{"id":7,"result":"a b","error":null}'],
  ['echo', ['a', 1, null], '"\\"echo\\" command has non-string argument"'],
  ['echo', [1, 2, 3, 4], '"\\"echo\\" command takes at most 3 arguments"'],
  ['fail', [], '{"id":7,"error":"no","result":null}'],
  ['echo', [], '"\\"echo\\" command requires at least 1 arguments"'],
  ['echo', ['1', '2', '3', '4'], '"\\"echo\\" command takes at most 3 arguments"'],
  ['nope', [], 'is not a valid command (use \\"list-commands\\" to see a list of valid commands)'],
  ['set-options', [], '"\\"set-options\\" command requires at least 1 arguments"'],
  [
    'list-commands',
    [],
    'The available commands are:\\n  echo                    WORD...\\n  fail                    \\n',
  ],
])('answers %s %j', async (method, params, want) => {
  expect((await ask(method, ...params)).replace(/,"result":null/, ',"result":null')).toContain(
    want.replace(',"result":null', ''),
  )
})

it('answers the requests of one connection in their order, in JSON where that is asked for', async () => {
  const requests = [
    { id: 1, method: 'echo', params: ['x'] },
    { id: 2, method: 'set-options', params: ['--format', 'json'] },
    { id: 3, method: 'echo', params: ['y'] },
  ]
  const text = await talk(requests.map((r) => JSON.stringify(r)).join(''), (t) => t.includes('"id":3'))
  expect([...text.matchAll(/"id":(\d)/g)].map((m) => m[1])).toEqual(['1', '2', '3'])
  expect(text).toContain('"result":{"reply-format":"plain","reply":"y"}')
})

it('outlives whatever is sent to it', async () => {
  const json = fc.json().map((text) => Buffer.from(text))
  const request = fc
    .record({ id: fc.jsonValue(), method: fc.string(), params: fc.jsonValue() })
    .map((value) => Buffer.from(JSON.stringify(value)))
  const bytes = fc.uint8Array({ maxLength: 200 }).map((b) => Buffer.from(b))
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(json, request, bytes), { maxLength: 5 }), async (parts) => {
      await talk(Buffer.concat(parts))
    }),
    { numRuns: 60 },
  )
  expect(await ask('echo', 'alive')).toContain('"result":"alive"')
})

it('ends a connection that sends more than a command can be', async () => {
  expect(await talk(`"${'x'.repeat(1 << 21)}`)).toBe('')
  expect(await ask('echo', 'alive')).toContain('"result":"alive"')
})

const REFUSED: readonly (readonly [string, string])[] = [
  ['GET / HTTP/1.0\r\n\r\n', "jsonrpc PEER: error parsing stream: line 0, column 0, byte 0: invalid character 'G'"],
  ['[1,2]', 'jsonrpc PEER: received bad JSON-RPC message: message is not a JSON object'],
  ['{"id":1,"method":"echo"}', 'jsonrpc PEER: received bad JSON-RPC message: request must have "params"'],
  ['{"id":1,"method":"echo","params":{}}', 'jsonrpc PEER: received bad JSON-RPC message: "params" must be JSON array'],
  ['{"method":"echo","params":["x"]}', 'unixctl PEER: received unexpected notification message'],
  ['{"id":1,"result":"x","error":null}', 'unixctl PEER: received unexpected reply message'],
  ['{"id":1,"result":null,"error":"x"}', 'unixctl PEER: received unexpected error message'],
]

it.each(REFUSED)('ends a connection that sends %s, and says why', async (bytes, why) => {
  lines.length = 0
  expect(await talk(`${bytes}${JSON.stringify({ id: 1, method: 'echo', params: ['behind it'] })}`)).toBe('')
  const said = ({ module, message }: LogLine) => `${module} ${message.replace(/^unix#\d+/, 'PEER')}`
  expect(lines.map(said)).toEqual([why])
  expect(lines.every((l) => l.fields?.['code'] !== undefined)).toBe(true)
})

it('does not answer further who reads nothing', async () => {
  const request = JSON.stringify({ id: 1, method: 'long', params: [] })
  const socket = connect(path)
  socket.pause()
  const answered = () => eventCounter('unixctl_replied').total
  const before = answered()
  // 60 MB of answers, of which it keeps little more than one megabyte besides what the system holds.
  socket.write(request.repeat(600))
  await expect.poll(() => answered() - before, { timeout: 20_000 }).toBeGreaterThan(5)
  await new Promise((done) => setTimeout(done, 300))
  expect(answered() - before).toBeLessThan(100)
  let size = 0
  socket.on('data', (more) => {
    size += more.length
  })
  socket.resume()
  await expect.poll(() => size, { timeout: 50_000 }).toBeGreaterThan(60_000_000)
  socket.destroy()
}, 80_000)

it('outlives a client that does not wait for its answer', async () => {
  const socket = connect(path)
  socket.write(JSON.stringify({ id: 1, method: 'wait', params: [] }).repeat(2))
  await expect.poll(() => waiting.length, { timeout: 20_000 }).toBe(1)
  const gone = new Promise((done) => socket.on('close', done))
  socket.destroy()
  await gone
  for (const reply of waiting) reply.ok('late')
  expect(await ask('echo', 'alive')).toContain('"result":"alive"')
})
