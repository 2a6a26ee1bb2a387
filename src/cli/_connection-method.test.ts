import fc from 'fast-check'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { NOT_SUPPORTED, readActive, readPassive } from './_connection-method.ts'

let said = ''
beforeEach(() => {
  said = ''
  vi.stubEnv('OVS_RUNDIR', '/run/test')
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += String(text).replace(/^[^|]*\|\d+\|/, '')
    return true
  })
})
afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

const DEFAULT = 'stream|WARN|The default OVSDB port number has changed from 6632 to 6640\n'
const connect = (at: string) => `stream_tcp|ERR|tcp:${at}: connect: ${NOT_SUPPORTED}\n`

it.each([
  ['unix:db.sock', { kind: 'unix', path: '/run/test/db.sock' }, ''],
  ['unix:/a/b', { kind: 'unix', path: '/a/b' }, ''],
  ['unix:', { kind: 'unix', path: '/run/test/' }, ''],
  ['tcp:127.0.0.1:6641', { kind: 'tcp', host: '127.0.0.1', port: 6641 }, ''],
  ['ssl:[::1]:6641', { kind: 'ssl', host: '::1', port: 6641 }, ''],
  ['tcp:127.0.0.1', { kind: 'tcp', host: '127.0.0.1', port: 6640 }, DEFAULT],
  ['tcp:', NOT_SUPPORTED, DEFAULT + connect(':6640')],
  ['tcp:[::1]', NOT_SUPPORTED, `socket_util|ERR|[::1]: port must be specified\n${connect('[::1]')}`],
  ['tcp:h:70000', NOT_SUPPORTED, `socket_util|ERR|h:70000: bad port number "70000"\n${connect('h:70000')}`],
  ['bogus:1', NOT_SUPPORTED, ''],
  [`unix:/${'a'.repeat(107)}`, 'File name too long', expect.stringContaining('is longer than maximum 107 bytes')],
])('reads the active %s', (method, expected, log) => {
  const read = readActive(method)
  expect([read.ok ? read.value : read.error, said]).toEqual([expected, log])
})

it.each([
  ['punix:db.sock', { kind: 'unix', path: '/run/test/db.sock' }],
  ['ptcp:', { kind: 'tcp', host: '0.0.0.0', port: 6640 }],
  ['ptcp:6641:127.0.0.1', { kind: 'tcp', host: '127.0.0.1', port: 6641 }],
  ['pssl:0:[::1]', { kind: 'ssl', host: '::1', port: 0 }],
  ['ptcp:x', NOT_SUPPORTED],
  ['tcp:1', NOT_SUPPORTED],
])('reads the passive %s', (method, expected) => {
  const read = readPassive(method)
  expect(read.ok ? read.value : read.error).toEqual(expected)
})

it('takes any text', () => {
  const scheme = fc.constantFrom('tcp:', 'ssl:', 'unix:', 'ptcp:', 'pssl:', 'punix:', '')
  fc.assert(
    fc.property(scheme, fc.string(), (kind, rest) => {
      readActive(kind + rest)
      readPassive(kind + rest)
    }),
  )
})
