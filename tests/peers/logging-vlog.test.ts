import { mkdirSync, readFileSync, renameSync, rmdirSync, unlinkSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Lab, type Maker, until } from './ovsdb-lab.ts'
import { referenceSchema } from './reference.ts'

// The vlog commands by the real ovs-appctl: the real server and ours answer the same.

const lab = new Lab()
beforeAll(() => lab.prepare('ovsdb-server'))
afterAll(() => lab.close())

const SET = [
  ...['jsonrpc', 'jsonrpc:dbg', 'jsonrpc:file:dbg', 'file:jsonrpc:warn', 'DBG:JSONRPC:console', 'any', 'any:any:off'],
  ...['ANY:syslog:err', 'ovsdb-server:dbg', 'ovsdb_server:dbg', 'ovsdb_jsonrpc-server:file', 'off', 'file', ''],
  ...['nonsense', 'jsonrpc:nonsense', 'jsonrpc:file:syslog', 'jsonrpc:reconnect:dbg', 'dbg:info', 'jsonrpc,file,info'],
  ...['jsonrpc file emer', ':::', 'jsonrpc:', ':jsonrpc', 'jsonrpc::dbg', 'PATTERN:file:%m', 'pattern:any:%c %m'],
  ...['PATTERN:nonsense:%m', 'PATTERN', 'PATTERN:', 'PATTERN:file', 'PATTERN:file:', 'PATTERN::x', 'Pattern:FILE:a:b'],
  ...[
    'FACILITY:daemon',
    'FACILITY:local7',
    'FACILITY:nonsense',
    'FACILITY',
    'FACILITY:',
    'facility:MAIL',
    'FACILITY:LOG_USER',
  ],
]

const COMMANDS: readonly (readonly string[])[] = [
  ...SET.flatMap((spec) => [['vlog/set', spec], ['vlog/list', 'jsonrpc'], ['vlog/list-pattern']]),
  ['vlog/set'],
  ['vlog/set', 'jsonrpc:dbg', 'reconnect:warn'],
  ['vlog/set', 'jsonrpc:info', 'nonsense', 'reconnect:dbg'],
  ['vlog/list', 'nonsense'],
  ['vlog/list-pattern', 'x'],
  ['vlog/reopen', 'x'],
  ['vlog/reopen'],
  ['vlog/close', 'x'],
  ['vlog/close'],
  ['vlog/close'],
  ['vlog/reopen'],
  ['vlog/disable-rate-limit', 'any', 'jsonrpc'],
  ['vlog/enable-rate-limit', 'ovsdb-server'],
]

/** The modules that both have. */
const COMMON = /^(?: +console| +-|jsonrpc|reconnect|ovsdb_server|ovsdb_jsonrpc_server|vlog) .*/

async function answers(maker: Maker): Promise<string[]> {
  const at = lab.at(`vlog.${maker}`)
  await lab.run('26.03', 'ovsdb-tool', 'create', `${at}.db`, referenceSchema('vswitch'))
  const server = await lab.start(maker, 'ovsdb-server', `${at}.db`, '--no-chdir')
  const out: string[] = []
  for (const words of COMMANDS) {
    const listing = words[0] === 'vlog/list' && words[1] !== 'nonsense'
    const { code, stdout, stderr } = await server.appctl(...(listing ? ['vlog/list'] : words))
    const lines = stdout.split('\n').filter((l) => !listing || COMMON.test(l))
    out.push(`${words.join(' ')}: ${code}\n${lines.join('\n')}${stderr.replaceAll(server.control, 'CONTROL')}`)
  }
  await server.end()
  return out
}

test('ours answers what the real one answers', async () => {
  const [real, ours] = await Promise.all([answers('26.03'), answers('ours')])
  expect(ours).toEqual(real)
})

async function life(maker: Maker): Promise<string> {
  const at = lab.at(`life.${maker}`)
  await lab.run('26.03', 'ovsdb-tool', 'create', `${at}.db`, referenceSchema('vswitch'))
  const server = await lab.start(maker, 'ovsdb-server', `${at}.db`, `--remote=punix:${at}`)
  const path = /opened log file (.*)/.exec(server.log())?.[1] ?? ''
  const out: string[] = []
  const ask = async (...words: string[]) => {
    const { code, stdout, stderr } = await server.appctl(...words)
    out.push(`${words.join(' ')}: ${code} ${stdout}${stderr}`)
  }
  // Ours answers first and writes then, in another thread.
  const read = async (name: string, last: RegExp) => {
    const text = () => Promise.resolve(readFileSync(`${path}${name}`, 'utf8'))
    out.push(`${name}:\n${await until(text, (t) => last.test(t))}`)
  }
  await ask('vlog/reopen')
  renameSync(path, `${path}.1`)
  await ask('vlog/reopen')
  await ask('vlog/close')
  await ask('vlog/set', 'nonsense')
  await ask('vlog/reopen')
  await read('.1', /closing log file\n$/)
  await read('', /(opened log file .*\n.*){2}$/)
  unlinkSync(path)
  mkdirSync(path)
  await ask('vlog/reopen')
  rmdirSync(path)
  await ask('vlog/reopen')
  await server.end()
  await read('', /./)
  return out
    .join('\n')
    .replaceAll(path, 'LOG')
    .replaceAll(server.control, 'CONTROL')
    .replace(/^\d[^|]*\|\d+\|/gm, '')
}

test('a log file that is moved, closed, and cannot be opened: the same answers and the same lines', async () => {
  const [real, ours] = await Promise.all([life('26.03'), life('ours')])
  expect(ours).toEqual(real)
})
