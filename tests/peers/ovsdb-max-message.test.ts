import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Lab, until } from './ovsdb-lab.ts'
import { referenceSchema } from './reference.ts'

// The largest message that a client may send, as the option says.

const lab = new Lab()
beforeAll(() => lab.prepare('ovsdb-server'))
afterAll(() => lab.close())

const create = (db: string) => lab.run('26.03', 'ovsdb-tool', 'create', db, referenceSchema('ovn-nb'))

/** Sends requests over one connection, each once the one before is answered; the answers. */
function ask(socket: string, requests: readonly unknown[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const client = connect(socket)
    const answers: string[] = []
    let text = ''
    const next = () => {
      const request = requests[answers.length]
      if (request === undefined) client.destroy()
      else client.write(JSON.stringify(request))
    }
    client.on('connect', next).on('error', reject)
    client.on('data', (bytes) => {
      text += bytes.toString()
      if (!text.endsWith('}')) return
      answers.push(text)
      text = ''
      next()
    })
    client.on('close', () => resolve(answers))
  })
}

test('--max-message: a client that sends more is dropped with a word, others go on', async () => {
  const db = lab.at('limit.db')
  await create(db)
  const socket = lab.at('limit.sock')
  const server = await lab.start('ours', 'ovsdb-server', db, `--remote=punix:${socket}`, '--max-message=100000')
  const echo = (size: number) => ({ method: 'echo', id: 1, params: ['x'.repeat(size)] })
  expect(await ask(socket, [echo(90_000)])).toHaveLength(1)
  expect(await ask(socket, [echo(110_000)]).catch(() => [])).toEqual([])
  const log = await until(
    () => Promise.resolve(server.log()),
    (text) => text.includes('limit'),
    5,
  )
  expect(log).toContain('error parsing stream: message larger than the limit of 100000 bytes')
  expect(await ask(socket, [echo(10)])).toHaveLength(1)
})
