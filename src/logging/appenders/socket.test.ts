import { createServer, type Server, type Socket } from 'node:net'
import { expect, it } from 'vitest'
import { MessageSocket } from './socket.ts'

async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !what(); i++) await new Promise((resolve) => setTimeout(resolve, 10))
}

function listen(port: number, got: string[], peers: Socket[]): Promise<Server> {
  const server = createServer((s) => {
    peers.push(s)
    s.on('data', (bytes) => got.push(...bytes.toString().split('\0').filter(Boolean)))
    s.on('error', () => {})
  })
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)))
}

it('sends by TCP, says once that the server is away, and finds it again', async () => {
  const got: string[] = []
  const peers: Socket[] = []
  const said: string[] = []
  const first = await listen(0, got, peers)
  const address = first.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const socket = new MessageSocket({ kind: 'tcp', host: '127.0.0.1', port }, (m) => said.push(m))
  socket.send(Buffer.from('one\0'), 0)
  await until(() => got.length === 1)
  first.close()
  for (const p of peers) p.destroy()
  for (let i = 0; i < 10; i++) {
    socket.send(Buffer.from(`lost ${i}\0`), i * 500)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  expect(said).toHaveLength(1)
  expect(said[0]).toContain(`tcp:127.0.0.1:${port}: cannot send log: `)
  const second = await listen(port, got, peers)
  socket.send(Buffer.from('two\0'), 60_000)
  await until(() => got.includes('two'))
  expect(got).toContain('two')
  socket.close()
  second.close()
  for (const p of peers) p.destroy()
})
