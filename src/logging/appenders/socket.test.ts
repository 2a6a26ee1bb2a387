import { spawn } from 'node:child_process'
import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { createServer, type Server, Socket } from 'node:net'
import { expect, it, vi } from 'vitest'
import { MessageSocket } from './socket.ts'

async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 3000 && !what(); i++) await new Promise((resolve) => setTimeout(resolve, 10))
}

function listen(port: number, got: string[], peers: Socket[]): Promise<Server> {
  const server = createServer((s) => {
    peers.push(s)
    let rest = ''
    s.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\0')
      rest = parts.pop() ?? ''
      got.push(...parts)
    })
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
  await until(() => said.length > 0)
  expect(said).toHaveLength(1)
  expect(said[0]).toContain(`tcp:127.0.0.1:${port}: cannot send log: `)
  const second = await listen(port, got, peers)
  socket.send(Buffer.from('two\0'), 60_000)
  await until(() => got.includes('two') && said.length === 2)
  expect(got).toContain('two')
  // What the kernel took when the connection was over already is lost without a word.
  const lost = Number(/: log sent again, (\d+) messages lost$/.exec(said[1] ?? '')?.[1])
  expect(lost).toBeGreaterThan(5)
  expect(lost).toBeLessThanOrEqual(10)
  socket.close()
  second.close()
  for (const p of peers) p.destroy()
})

function bind(port: number, got: string[]): Promise<DatagramSocket> {
  const server = createSocket('udp4')
  server.on('message', (bytes) => got.push(bytes.toString()))
  return new Promise((resolve) => server.bind(port, '127.0.0.1', () => resolve(server)))
}

it('sends by UDP, says once that the port is closed, counts what is lost, and goes on', async () => {
  const got: string[] = []
  const said: string[] = []
  const first = await bind(0, got)
  const { port } = first.address()
  const socket = new MessageSocket({ kind: 'udp', host: '127.0.0.1', port }, (m) => said.push(m))
  socket.send(Buffer.from('one'), 0)
  socket.send(Buffer.from('two'), 0)
  await until(() => got.length === 2)
  await new Promise<void>((resolve) => first.close(() => resolve()))
  for (let i = 0; i < 20; i++) {
    socket.send(Buffer.from(`lost ${i}`), i)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  await until(() => said.length > 0)
  expect(said).toHaveLength(1)
  expect(said[0]).toContain(`udp:127.0.0.1:${port}: cannot send log: `)
  const second = await bind(port, got)
  for (let i = 0; i < 3; i++) socket.send(Buffer.from(`back ${i}`), 2000)
  await until(() => got.includes('back 2') && said.length > 1)
  expect(got.slice(0, 2)).toEqual(['one', 'two'])
  expect(got).toContain('back 2')
  expect(said.slice(1)).toEqual([`udp:127.0.0.1:${port}: log sent again, 20 messages lost`])
  socket.close()
  second.close()
})

it('cuts what no datagram can hold, and sends a last message before the program ends', async () => {
  const got: string[] = []
  const server = await bind(0, got)
  const socket = new MessageSocket({ kind: 'udp', host: '127.0.0.1', port: server.address().port })
  socket.send(Buffer.from('x'.repeat(100_000)), 0)
  await until(() => got.length === 1)
  expect(got[0]).toHaveLength(65_507)
  socket.send(Buffer.from('the end'), 0)
  socket.close()
  await until(() => got.length === 2)
  expect(got[1]).toBe('the end')
  server.close()
})

it('says that a name is not found, and does not fail', async () => {
  const said: string[] = []
  const socket = new MessageSocket({ kind: 'udp', host: 'no such name', port: 514 }, (m) => said.push(m))
  socket.send(Buffer.from('lost'), 0)
  await until(() => said.length > 0)
  expect(said).toHaveLength(1)
  socket.close()
})

const portOf = (server: Server): number => {
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => `line ${i}`)

it('sends by TCP what a turn logs as one write, texts and bytes, in order', async () => {
  const got: string[] = []
  const peers: Socket[] = []
  const server = await listen(0, got, peers)
  const socket = new MessageSocket({ kind: 'tcp', host: '127.0.0.1', port: portOf(server) })
  const write = vi.spyOn(Socket.prototype, 'write')
  const writes = () => {
    const all = write.mock.calls.map(([chunk]) => chunk.toString()).filter((text) => text.startsWith('line'))
    return all.map((text) => text.split('\0').length - 1)
  }
  try {
    // What is logged before there is a connection goes out with it.
    for (let i = 0; i < 1000; i++) socket.send(`line ${i}\0`, 0)
    await until(() => got.length === 1000)
    for (let i = 1000; i < 2000; i++) socket.send(i % 2 ? `line ${i}\0` : Buffer.from(`line ${i}\0`), 0)
    await until(() => got.length === 2000)
    expect(writes()).toEqual([1000, 1000])
  } finally {
    write.mockRestore()
  }
  expect(got).toEqual(numbers(2000))
  socket.send('é\0', 0)
  socket.close()
  await until(() => got.includes('é'))
  expect(got.at(-1)).toBe('é')
  server.close()
  for (const p of peers) p.destroy()
})

/** Runs a program that logs to a server here by `socket`. */
function program(kind: 'udp' | 'tcp', port: number, body: string) {
  const source = `
    import { MessageSocket } from '${new URL('./socket.ts', import.meta.url).href}'
    const socket = new MessageSocket({ kind: '${kind}', host: '127.0.0.1', port: ${port} })
    ${body}`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', source], {
    stdio: ['pipe', 'inherit', 'inherit'],
  })
  return { child, ended: new Promise<number | null>((resolve) => child.on('exit', resolve)) }
}

const LOG = "for (let i = 0; i < 50; i++) socket.send('line ' + i + END, 0)"
const END_BY_EXIT = "process.on('exit', () => socket.flush()); process.exit(3)"
const END_BY_SIGNAL = "socket.flush(); socket.close(); process.kill(process.pid, 'SIGTERM')"

it.each([
  ['process.exit', `${LOG}\n${END_BY_EXIT}`, 3],
  ['a signal', `${LOG}\n${END_BY_SIGNAL}`, null],
  ['its end', LOG, 0],
])('sends by UDP what the program logged in the turn in which it ended by %s', async (_, body, status) => {
  const got: string[] = []
  const server = await bind(0, got)
  expect(await program('udp', server.address().port, `const END = ''\n${body}`).ended).toBe(status)
  await until(() => got.length === 50)
  expect(got).toEqual(numbers(50))
  server.close()
})

it.each([
  ['process.exit', `${LOG}\n${END_BY_EXIT}`, 3],
  ['a signal', `${LOG}\n${END_BY_SIGNAL}`, null],
  ['its end', LOG, 0],
])('sends by TCP what the program logged in the turn in which it ended by %s', async (_, body, status) => {
  const got: string[] = []
  const peers: Socket[] = []
  const server = await listen(0, got, peers)
  // A first message tells that there is a connection.
  const connected = `
    const END = '\\0'
    socket.send('first' + END, 0)
    await new Promise((resolve) => process.stdin.once('data', resolve))
    process.stdin.destroy()`
  const { child, ended } = program('tcp', portOf(server), `${connected}\n${body}`)
  await until(() => got.length === 1)
  child.stdin.write('go')
  expect(await ended).toBe(status)
  await until(() => got.length === 51)
  expect(got).toEqual(['first', ...numbers(50)])
  server.close()
  for (const p of peers) p.destroy()
})
