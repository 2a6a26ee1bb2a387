import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'

// A tool that waits too long dies of SIGALRM, as the real ones do: scripts look for the shell's status 142.

const dir = mkdtempSync(join(tmpdir(), 'timeout-'))
const socket = join(dir, 'silent.sock')
let server: Server
beforeAll(() => {
  // Takes connections and never says a word.
  server = createServer(() => {})
  return new Promise<void>((done) => server.listen(socket, done))
})
afterAll(() => {
  server.close()
  rmSync(dir, { recursive: true })
})

const TOOLS = [
  ['ovn-nbctl', '--timeout=1', `--db=unix:${socket}`, 'show'],
  ['ovn-sbctl', '-t', '1', `--db=unix:${socket}`, 'show'],
  ['ovs-vsctl', '--timeout=1', `--db=unix:${socket}`, 'show'],
  ['ovsdb-client', '--timeout=1', 'list-dbs', `unix:${socket}`],
] as const

it.concurrent.each(TOOLS)('%s', async (tool, ...args) => {
  const words = [process.execPath, '--import', 'tsx', `src/cli/${tool}.ts`, ...args].map((word) => `'${word}'`)
  const shell = spawn('sh', ['-c', `${words.join(' ')}; echo status $?`], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, errors] = ['', '']
  shell.stdout.on('data', (bytes) => {
    out += bytes
  })
  shell.stderr.on('data', (bytes) => {
    errors += bytes
  })
  await new Promise((done) => shell.on('close', done))
  expect(out).toBe('status 142\n')
  expect(errors).toContain('Alarm clock')
})
