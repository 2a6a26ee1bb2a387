import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { command } from '../base/command.ts'
import { type ControlServer, serveControl } from './unixctl.ts'

const dir = mkdtempSync(join(tmpdir(), 'unixctl-'))
const path = join(dir, 'd.ctl')
let server: ControlServer
beforeAll(
  () =>
    new Promise<void>((done, fail) => {
      const commands = [
        command('echo', 'WORD...', [1, 3], (args) => args.join(' ')),
        command('fail', '', [0, 0], () => new Error('no')),
      ]
      server = serveControl(path, commands, (error) => (error === undefined ? done() : fail(new Error(error))))
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
  ['echo', [1, null], '{"id":7,"result":"1 null","error":null}'],
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
