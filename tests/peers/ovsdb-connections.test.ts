import { connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Lab, type Maker, sleep } from './ovsdb-lab.ts'
import { referenceSchema } from './reference.ts'

// What a row of Connection says of its remote: inactivity_probe, max_backoff; and the identity of a server.

const lab = new Lab()
const MAKERS: readonly Maker[] = ['26.03', 'ours']
beforeAll(() => lab.prepare('ovsdb-server'))
afterAll(() => lab.close())

type Columns = Readonly<Record<string, string | number>>

/** A server whose remotes are rows of Connection with these columns. */
async function serve(maker: Maker, name: string, ...rows: readonly Columns[]) {
  const db = lab.at(`${name}-${maker}.db`)
  const connections = rows.map((row, i) => ({ op: 'insert', table: 'Connection', 'uuid-name': `c${i}`, row }))
  const named = rows.map((_, i) => ['named-uuid', `c${i}`])
  const root = { op: 'insert', table: 'NB_Global', row: { connections: ['set', named] } }
  await lab.run('26.03', 'ovsdb-tool', 'create', db, referenceSchema('ovn-nb'))
  await lab.run('26.03', 'ovsdb-tool', 'transact', db, JSON.stringify(['OVN_Northbound', ...connections, root]))
  return lab.start(maker, 'ovsdb-server', db, '--remote=db:OVN_Northbound,NB_Global,connections')
}

// Beside each remote is one without the column: what comes first says more than how long it took on a busy machine.

test.each(MAKERS)('%s probes a silent client as the row says, and drops it', async (maker) => {
  const server = await serve(
    maker,
    'probe',
    { target: 'ptcp:16761:127.0.0.1', inactivity_probe: 1000 },
    { target: 'ptcp:16764:127.0.0.1' },
  )
  const plain = connect(16764, '127.0.0.1')
  const client = connect(16761, '127.0.0.1')
  const started = Date.now()
  const times: number[] = []
  const events: string[] = []
  const event = (name: string) => {
    events.push(name)
    times.push(Date.now() - started)
  }
  let text = ''
  client.once('data', () => event('probed'))
  client.on('data', (bytes) => {
    text += bytes.toString()
  })
  client.once('close', () => event('dropped')).once('error', () => {})
  await new Promise((done) => plain.once('data', done))
  event('the other probed')
  plain.destroy()
  expect(events).toEqual(['probed', 'dropped', 'the other probed'])
  expect(JSON.parse(text)).toEqual({ id: 'echo', method: 'echo', params: [] })
  const [probed = 0, dropped = 0, other = 0] = times
  expect(probed).toBeGreaterThan(900)
  // From the start: a busy reader sees the probe late, and the end may follow at once.
  expect(dropped).toBeGreaterThan(1900)
  expect(other).toBeGreaterThan(4900)
  await server.end()
})

test.each(MAKERS)('%s calls again after max_backoff at most', async (maker) => {
  const server = await serve(
    maker,
    'backoff',
    { target: 'tcp:127.0.0.1:16762', max_backoff: 1000 },
    { target: 'tcp:127.0.0.1:16765' },
  )
  // Who is called hangs up at once. Where the column is not set the calls are 1, 2, 4 and 8 s apart.
  const calls = { bounded: 0, other: 0 }
  const count = (which: keyof typeof calls, port: number) =>
    createServer((socket) => {
      calls[which]++
      socket.destroy()
    }).listen(port, '127.0.0.1')
  const listeners = [count('bounded', 16762), count('other', 16765)]
  while (calls.bounded < 10) await sleep(100)
  expect(calls.other).toBeLessThan(8)
  for (const listener of listeners) listener.close()
  await server.end()
})

test.each(MAKERS)('%s has one identity for all clients', async (maker) => {
  const server = await serve(maker, 'identity', { target: 'ptcp:16763:127.0.0.1' })
  const ask = (client: Socket) =>
    new Promise<string>((done) => {
      client.once('data', (bytes) => done(bytes.toString()))
      client.write('{"id":7,"method":"get_server_id","params":[]}')
    })
  const clients = [connect(16763, '127.0.0.1'), connect(16763, '127.0.0.1')]
  const [first, second] = await Promise.all(clients.map(ask))
  for (const client of clients) client.destroy()
  const uuid = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  expect(JSON.parse(first ?? '')).toEqual({ id: 7, result: uuid, error: null })
  expect(second).toBe(first)
  await server.end()
})
