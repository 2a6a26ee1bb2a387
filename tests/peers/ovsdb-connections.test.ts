import { connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Lab, type Maker, sleep } from './ovsdb-lab.ts'
import { referenceSchema } from './reference.ts'

// What a row of Connection says of its remote: inactivity_probe, max_backoff; and the identity of a server.

const lab = new Lab()
const MAKERS: readonly Maker[] = ['26.03', 'ours']
beforeAll(() => lab.prepare('ovsdb-server'), 60_000)
afterAll(() => lab.close())

/** A server whose one remote is a row of Connection with these columns. */
async function serve(maker: Maker, name: string, columns: Readonly<Record<string, string | number>>) {
  const db = lab.at(`${name}-${maker}.db`)
  const connection = { op: 'insert', table: 'Connection', 'uuid-name': 'c', row: columns }
  const root = { op: 'insert', table: 'NB_Global', row: { connections: ['named-uuid', 'c'] } }
  await lab.run('26.03', 'ovsdb-tool', 'create', db, referenceSchema('ovn-nb'))
  await lab.run('26.03', 'ovsdb-tool', 'transact', db, JSON.stringify(['OVN_Northbound', connection, root]))
  return lab.start(maker, 'ovsdb-server', db, '--remote=db:OVN_Northbound,NB_Global,connections')
}

test.each(MAKERS)('%s probes a silent client as the row says, and drops it', async (maker) => {
  const server = await serve(maker, 'probe', { target: 'ptcp:16761:127.0.0.1', inactivity_probe: 1000 })
  const client = connect(16761, '127.0.0.1')
  const started = Date.now()
  let text = ''
  let probed = 0
  client.on('data', (bytes) => {
    text += bytes.toString()
    probed ||= Date.now() - started
  })
  await new Promise((done) => client.once('close', done).once('error', () => {}))
  const closed = Date.now() - started
  expect(JSON.parse(text)).toEqual({ id: 'echo', method: 'echo', params: [] })
  // Without the column it would be 5 s each.
  expect(probed).toBeGreaterThan(900)
  expect(probed).toBeLessThan(4500)
  expect(closed - probed).toBeGreaterThan(900)
  expect(closed - probed).toBeLessThan(4500)
  await server.end()
})

test.each(MAKERS)('%s calls again after max_backoff at most', async (maker) => {
  const server = await serve(maker, 'backoff', { target: 'tcp:127.0.0.1:16762', max_backoff: 1000 })
  // Nobody listens. Without the column it would have called after 1, 2 and 4 s, and now wait for 8 s.
  await sleep(7500)
  const opened = Date.now()
  const called = await new Promise<number>((done) => {
    const listener = createServer((socket) => {
      socket.destroy()
      listener.close()
      done(Date.now() - opened)
    }).listen(16762, '127.0.0.1')
  })
  expect(called).toBeLessThan(2500)
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
