import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { referenceBin, referenceSchema } from './reference.ts'

// The daemon mode of ovn-nbctl: ours under the real client, the real one under ours, and both alone.

const bin = referenceBin()
const folder = mkdtempSync(join(tmpdir(), 'nbctl-'))
const at = (name: string) => join(folder, name)
const program = at('ovn-nbctl.mjs')
const real = [join(bin, 'ovn-nbctl')]
const ours = [process.execPath, program]
const env = { ...process.env, OVN_RUNDIR: folder, OVN_NB_DB: `unix:${at('sock')}` }

beforeAll(async () => {
  await build({
    entryPoints: [fileURLToPath(new URL('../../src/cli/ovn-nbctl.ts', import.meta.url))],
    ...{ outfile: program, bundle: true, format: 'esm', platform: 'node', target: 'node20', packages: 'external' },
  })
  execFileSync(join(bin, 'ovsdb-tool'), ['create', at('db'), referenceSchema('ovn-nb')])
  const args = ['--detach', '--no-chdir', `--pidfile=${at('pid')}`, `--unixctl=${at('ctl')}`, `--log-file=${at('log')}`]
  execFileSync(join(bin, 'ovsdb-server'), [...args, `--remote=punix:${at('sock')}`, at('db')], { stdio: 'ignore' })
})
afterAll(() => {
  process.kill(Number(readFileSync(at('pid'), 'utf8')))
  rmSync(folder, { recursive: true })
})

function run(command: readonly string[], args: readonly string[], extra: Record<string, string> = {}) {
  const [file = '', ...before] = command
  const r = spawnSync(file, [...before, ...args], { encoding: 'utf8', env: { ...env, ...extra }, timeout: 120_000 })
  return { stdout: r.stdout.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UUID'), stderr: r.stderr, status: r.status }
}

describe.each([
  ['ours', ours],
  ['the real one', real],
] as const)('daemon: %s', (name, daemon) => {
  it.each([
    ['the real one', real],
    ['ours', ours],
  ] as const)('with the client: %s', (client, command) => {
    const pidfile = at(`${name}-${client}.pid`.replaceAll(' ', '-'))
    const started = run(daemon, ['--detach', `--pidfile=${pidfile}`])
    expect(started).toMatchObject({ stderr: '', status: 0 })
    const OVN_NB_DAEMON = started.stdout.trim()
    const use = (...args: string[]) => run(command, args, { OVN_NB_DAEMON })
    const ok = (stdout: string) => ({ stdout, stderr: '', status: 0 })
    expect(use('ls-add', 'a b', '--', '--may-exist', 'ls-add', 'a b')).toEqual(ok(''))
    expect(use('ls-list')).toEqual(ok('UUID (a b)\n'))
    expect(use('--oneline', 'ls-list', '--', 'ls-list')).toEqual(ok('UUID (a b)\nUUID (a b)\n'))
    expect(use('-f', 'csv', '--columns=name', 'list', 'Logical_Switch')).toEqual(ok('name\n"""a b"""\n'))
    expect(use('ls-del', 'nosuch')).toEqual({
      stdout: '',
      stderr: 'ovn-nbctl: nosuch: switch name not found\n',
      status: 1,
    })
    expect(use('foo').stderr).toBe("ovn-nbctl: unknown command 'foo'; use --help for help\n")
    expect(use('ls-del', 'a b')).toEqual(ok(''))
    const appctl = [join(bin, 'ovn-appctl'), '-t', OVN_NB_DAEMON]
    expect(run(appctl, ['run', 'ls-list'])).toEqual(ok(''))
    expect(run(appctl, ['exit'])).toEqual(ok(''))
    for (let i = 0; i < 100 && existsSync(OVN_NB_DAEMON); i++) execFileSync('sleep', ['0.05'])
    expect(existsSync(OVN_NB_DAEMON)).toBe(false)
    expect(use('ls-list').stderr).toContain('could not connect to ovn-nbctl daemon (No such file or directory)')
  })
})
