import { execFileSync, spawn } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'

const dir = mkdtempSync(join(tmpdir(), 'daemon-log-'))
afterAll(() => rmSync(dir, { recursive: true }))

/** A server that ends with `true`, or is killed when it does not end. */
async function serve(logFile: string) {
  const server = fileURLToPath(new URL('./ovsdb-server.ts', import.meta.url))
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', server, `--log-file=${logFile}`, '--syslog-method=null', '--no-dbs', '--run=true'],
    { env: { ...process.env, OVS_RUNDIR: dir, OVS_LOGDIR: dir }, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const timer = setTimeout(() => child.kill('SIGKILL'), 50_000)
  const status = await new Promise((resolve) => child.on('close', resolve))
  clearTimeout(timer)
  return { status, stderr }
}

function pipe(name: string): string {
  const path = join(dir, name)
  execFileSync('mkfifo', [path])
  return path
}

it('does not wait for who reads a pipe that is the log file, and says so', async () => {
  const path = pipe('nobody')
  const { status, stderr } = await serve(path)
  expect(status).toBe(0)
  expect(stderr).toContain(`ovsdb-server: ${path}: cannot write log: `)
  expect(stderr).not.toContain('opened log file')
})

it('logs to a pipe that somebody reads', async () => {
  const path = pipe('reader')
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const { status, stderr } = await serve(path)
  expect(status).toBe(0)
  expect(stderr).not.toContain('cannot write log')
  expect(readFileSync(reader, 'utf8')).toContain(`|vlog|INFO|opened log file ${path}\n`)
  closeSync(reader)
})

it('ends where the log file cannot be one', async () => {
  const { status, stderr } = await serve(dir)
  expect(status).toBe(1)
  expect(stderr).toContain(`failed to open ${dir} for logging: Is a directory`)
})
