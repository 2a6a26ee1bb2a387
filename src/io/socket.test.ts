import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Result } from '../base/result.ts'
import type { ByteStream } from '../base/stream.ts'
import { dial, type Endpoint, type Listener, listen, parseActive, parsePassive } from './socket.ts'

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'ovn-ts-socket-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const listening = (e: Endpoint, accept: (s: ByteStream) => void) =>
  new Promise<Result<Listener>>((resolve) => listen(e, accept, resolve))
const dialled = (e: Endpoint) => new Promise<Result<ByteStream>>((resolve) => void dial(e, resolve))

it('says of a folder that is not there what the C library does', async () => {
  expect(await listening({ kind: 'unix', path: join(dir, 'missing', 's') }, () => {})).toEqual({
    ...{ ok: false, error: 'No such file or directory' },
  })
})

it.each(['unix', 'tcp'] as const)('carries bytes both ways over %s', async (kind) => {
  const endpoint = (port: number): Endpoint =>
    kind === 'unix' ? { kind, path: join(dir, 'x.sock') } : { kind, host: '127.0.0.1', port }
  const l = await listening(endpoint(0), (s) => {
    s.onData = (bytes) => s.write(bytes.map((b) => b + 1))
  })
  expect(l.ok).toBe(true)
  if (!l.ok) return
  const c = await dialled(endpoint(l.value.port))
  expect(c.ok).toBe(true)
  if (!c.ok) return
  const got = await new Promise<Uint8Array>((resolve) => {
    c.value.onData = resolve
    c.value.write(Uint8Array.of(1, 2, 3))
  })
  expect([...got]).toEqual([2, 3, 4])
  const closed = new Promise<void>((resolve) => {
    c.value.onClose = () => resolve()
  })
  c.value.close(new Error('enough'))
  await closed
  l.value.close()
  expect((await dialled(endpoint(l.value.port))).ok).toBe(false)
})

it('says which port is busy, which file is missing, which path is too long', async () => {
  const first = await listening({ kind: 'tcp', host: '127.0.0.1', port: 0 }, () => {})
  if (!first.ok) throw new Error(first.error)
  expect(await listening({ kind: 'tcp', host: '127.0.0.1', port: first.value.port }, () => {})).toEqual({
    ok: false,
    error: 'Address already in use',
  })
  first.value.close()
  expect(await dialled({ kind: 'unix', path: join(dir, 'none') })).toEqual({
    ok: false,
    error: 'No such file or directory',
  })
  const long: Endpoint = { kind: 'unix', path: join(dir, 'x'.repeat(120)) }
  expect(await dialled(long)).toEqual({ ok: false, error: 'File name too long' })
  expect(await listening(long, () => {})).toEqual({ ok: false, error: 'File name too long' })
})

it('says so when its folder goes before it listens', async () => {
  const gone = mkdtempSync(join(tmpdir(), 'gone-'))
  const result = new Promise<Result<Listener>>((done) =>
    listen({ kind: 'unix', path: join(gone, 'x.sock') }, () => {}, done),
  )
  rmSync(gone, { recursive: true })
  expect(await result).toEqual({ ok: false, error: 'No such file or directory' })
})

it('reaches a socket whose path is longer than the kernel takes', async () => {
  const folder = join(dir, 'd'.repeat(60), 'e'.repeat(60))
  const far: Endpoint = { kind: 'unix', path: join(folder, 's') }
  expect(await listening(far, () => {})).toEqual({ ok: false, error: 'No such file or directory' })
  expect(await dialled(far)).toEqual({ ok: false, error: 'No such file or directory' })
  mkdirSync(folder, { recursive: true })
  const descriptors = () => readdirSync('/proc/self/fd').length
  const before = descriptors()
  for (const socket of [far, { kind: 'unix', path: `${far.path}2` } as const]) {
    const l = await listening(socket, (stream) => stream.close())
    if (!l.ok) throw new Error(l.error)
    const client = await dialled(socket)
    if (!client.ok) throw new Error(client.error)
    expect(client.value.peer).toBe(`unix:${socket.path}`)
    await new Promise<void>((done) => {
      client.value.onClose = () => done()
    })
    l.value.close()
    expect(existsSync(socket.path)).toBe(false)
  }
  await expect.poll(descriptors).toBeLessThanOrEqual(before)
})

it('takes endpoints apart', () => {
  expect(parseActive('unix:/a/b')).toEqual({ kind: 'unix', path: '/a/b' })
  expect(parseActive('tcp:[::1]:6641')).toEqual({ kind: 'tcp', host: '::1', port: 6641 })
  expect(parseActive('ssl:10.0.0.1:6641')).toEqual({ kind: 'ssl', host: '10.0.0.1', port: 6641 })
  for (const bad of ['', 'unix:', 'tcp:1.2.3.4', 'tcp:::1:1', 'tcp:a:70000', 'udp:a:1'])
    expect(parseActive(bad)).toBeUndefined()
  expect(parsePassive('punix:/a')).toEqual({ kind: 'unix', path: '/a' })
  expect(parsePassive('ptcp:6641:127.0.0.1')).toEqual({ kind: 'tcp', host: '127.0.0.1', port: 6641 })
  expect(parsePassive('ptcp:')).toEqual({ kind: 'tcp', host: '0.0.0.0', port: 6640 })
  expect(parsePassive('pssl:6641:[::]')).toEqual({ kind: 'ssl', host: '::', port: 6641 })
  for (const bad of ['', 'ptcp', 'ptcp:x', 'punix:', 'ptcp:99999']) expect(parsePassive(bad)).toBeUndefined()
})

it('sends what is written in one turn together, in order, and all of it', async () => {
  const got: Uint8Array[] = []
  let done = () => {}
  const ended = new Promise<void>((resolve) => {
    done = resolve
  })
  const l = await listening({ kind: 'unix', path: join(dir, 'together.sock') }, (s) => {
    s.onData = (bytes) => got.push(bytes.slice())
    s.onClose = () => done()
  })
  const c = await dialled({ kind: 'unix', path: join(dir, 'together.sock') })
  if (!c.ok || !l.ok) throw new Error('no connection')
  const wanted: number[] = []
  for (let i = 0; i < 100; i++) {
    c.value.write(Uint8Array.of(i))
    wanted.push(i)
  }
  expect(c.value.queued).toBe(100)
  const large = new Uint8Array(200_000).fill(7)
  c.value.write(large)
  c.value.write(Uint8Array.of(101))
  // An orderly end sends what waits.
  c.value.close()
  await ended
  expect(Buffer.concat(got).equals(Buffer.concat([Uint8Array.from(wanted), large, Uint8Array.of(101)]))).toBe(true)
  l.value.close()
})

it('sends all that was written before it was closed, and nothing that comes after', async () => {
  let got = 0
  let ended: (error: Error | undefined) => void = () => {}
  const end = new Promise<Error | undefined>((resolve) => {
    ended = resolve
  })
  const path = join(dir, 'after.sock')
  const l = await listening({ kind: 'unix', path }, (s) => {
    s.onData = (bytes) => {
      got += bytes.length
    }
    s.onClose = () => l.ok && l.value.close()
  })
  const c = await dialled({ kind: 'unix', path })
  if (!c.ok || !l.ok) throw new Error('no connection')
  c.value.onClose = ended
  c.value.write(new Uint8Array(4_000_000))
  c.value.close()
  expect(c.value.write(new Uint8Array(100_000))).toBe(false)
  expect(c.value.write(new Uint8Array(10))).toBe(false)
  expect(await end).toBeUndefined()
  expect(got).toBe(4_000_000)
})
