// What the real server and ours log of what is no JSON, or no JSON-RPC, and whether they go on.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { VirtualClock } from '../../src/base/clock.ts'
import { keptLog } from '../../src/base/log.ts'
import { below, seeded } from '../../src/base/random.ts'
import { streamPair } from '../../src/base/stream.ts'
import { createServer } from '../../src/ovsdb/server/index.ts'
import { referenceBin } from './reference.ts'

const ECHO = '{"id":1,"method":"echo","params":[]}'

const CORPUS: readonly string[] = [
  ...['}', 'x ', '1 ', '"abc"', 'null ', ' null ', 'nullx ', '01 ', ' ]', '\n\n ?', ': ', ', ', '"\\x" ', '# c\n[]'],
  ...['{]', '{"a"]', '{"a":]', '{"a" 1}', '{"a":1,}', '{"a":1 "b":2}', '{a:1}', '{1:2}', '{,}', '{"a"::1}', '{null:1}'],
  ...[
    '{[]:1}',
    '{"a":1:2}',
    '{"a",1}',
    '{"a":1;}',
    '{"a":{},}',
    '{"a":{"b":[1,2,{"c":}]}}',
    '{\n "a": 1,\n  "b": ?\n}',
  ],
  ...[
    '{"a":tru}',
    '{"a":True}',
    '{"a":nul}',
    '{"a":nullx}',
    '{"a":1,\r\n\t"b"}',
    '["é", ?]',
    '[1,\n\n2,\n ?]',
    '\t\n[?',
  ],
  ...['[1,]', '[,1]', '[1 2]', '[}', '[1}', '[{}{}]', '[:]', '[1:2]', '["a" "b"]', '[true1]', '[truefalse]', '[t]'],
  ...['[aB]', '[abc_d]', '[NaN]', "['a']", '["a",\'b\']', '[/* c */ 1]', '[~]', '[\x7f]', '[\x0b1]', '[ \x1f]', '[é]'],
  ...['[\0]', '\0\0', '\ufeff[]', '["\0"]', '["a\n"]', '["a\tb"]', '["\x1f"]', '["\\x"]', '["\\u1"]', '["\\u12"]'],
  ...['["\\u12zz"]', '["\\u0000"]', '["\\ud800"]', '["\\ud800x"]', '["\\ud800\\u0041"]', '["\\ud800\\ud800"]'],
  ...['["\\ud800\\u12"]', '["\\ud800\\n"]', '["\\uD83D\\uDE00x\\q"]', '["a\x7f"]', '["\\/\\b\\f"] '],
  ...[
    '[01]',
    '[-01]',
    '[00]',
    '[-]',
    '[-a]',
    '[--1]',
    '[+1]',
    '[.5]',
    '[1.]',
    '[1.a]',
    '[1.e5]',
    '[1e]',
    '[1e+]',
    '[1ea]',
  ],
  ...['[1e+-1]', '[1e5.5]', '[1.2.3]', '[0.0.]', '[1-2]', '[1+2]', '[0x10]', '[1a]', '[1E5x]', '[1e999]', '[-1e400]'],
  ...['[1e308]', '[1e-999]', '[12345678901234567890123]', `[${'1'.repeat(1200)}]`, `[${'a'.repeat(300)}]`],
  ...['['.repeat(1001), '{"a":'.repeat(1001), `${ECHO}?`, `${ECHO} ?`, `${ECHO}\n ?`, `${ECHO}\n[1 2]`],
  ...['{}', '[]', '{"id":5}', '{"id":5,"result":1}', '{"id":null,"method":"x","params":[]}', '{"id":1,"result":null}'],
  ...[
    '{"id":1,"method":5,"params":[]}',
    '{"id":1,"method":null,"params":[]}',
    '{"id":1,"method":"echo"}',
    '{"params":[]}',
  ],
  ...['{"id":1,"method":"echo","params":{}}', '{"id":1,"method":"echo","params":null}', '{"method":"echo"}'],
  ...['{"id":1,"method":"echo","params":[],"x":1}', '{"id":1,"method":"echo","params":[],"y":1,"x":1}', '{"result":1}'],
  ...[
    '{"id":1,"method":"echo","params":[],"result":1}',
    '{"id":1,"error":1,"result":2}',
    '{"id":1,"result":1,"params":[]}',
  ],
  ...[
    '{"id":1,"error":1,"method":"x","params":[]}',
    '{"id":1,"error":{"a":1}}',
    '{"id":null,"error":1}',
    '{"error":1}',
  ],
  ...[
    '{"id":"echo","result":[],"error":null}',
    '{"id":"echo","error":1}',
    '{"params":{},"zz":1}',
    '{"zz":1,"method":5}',
  ],
]

/** Known messages with a byte exchanged, left out or doubled: ASCII only, and ended so that nothing stays open. */
function mutants(seed: number, count: number): string[] {
  const random = seeded(seed)
  const bases = [
    ECHO,
    '{"id":null,"method":"x","params":[{"a":[1,-2.5e3,true]},null,"b\\n\\u00e9"]}',
    '[[1,2],{"a":{}}]',
  ]
  return Array.from({ length: count }, () => {
    const text = bases[below(random, bases.length)] as string
    const at = below(random, text.length)
    const byte = '{}[]:,"\\0 1-.eEtnx?\n'[below(random, 19)] as string
    const tail = text.slice(at + below(random, 2))
    return `${text.slice(0, at)}${byte}${tail} ]}]}"]}]}?`
  })
}

const NAME = /\S+: (error parsing|received|connection dropped)/g

let dir = ''
let stop = () => {}
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ovn-ts-json-'))
  const bin = referenceBin('26.03')
  const [socket, control] = [join(dir, 'socket'), join(dir, 'control')]
  const pattern = ['-vconsole:off', '-vfile:warn', '-vPATTERN:file:%c|%m', `--log-file=${join(dir, 'log')}`]
  const args = [`--remote=punix:${socket}`, `--unixctl=${control}`, ...pattern, '--no-dbs']
  const child = spawn(join(bin, 'ovsdb-server'), args, { stdio: 'ignore' })
  stop = () => child.kill('SIGKILL')
  for (let i = 0; i < 500 && !existsSync(control); i++) await new Promise((resolve) => setTimeout(resolve, 20))
  execFileSync(join(bin, 'ovs-appctl'), ['-T', '60', '-t', control, 'vlog/disable-rate-limit'])
})
afterAll(() => {
  stop()
  rmSync(dir, { recursive: true, force: true })
})

/** Whatever came before: this is refused, and the connection ends. */
const END = Buffer.from(' ?')

let logged = 0
/** What the server logs of one who sends this and goes; asked until it is what is expected, for a while. */
async function real(bytes: Uint8Array, expected: string): Promise<string> {
  const socket = connect(join(dir, 'socket'))
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (e: NodeJS.ErrnoException) => (e.code === 'ECONNRESET' ? undefined : reject(e)))
    socket.once('close', () => resolve())
    socket.resume()
    socket.end(Buffer.concat([bytes, END]))
  })
  // The last line may come behind the end of the connection.
  for (let i = 0; ; i++) {
    const lines = readFileSync(join(dir, 'log'), 'utf8').slice(logged)
    const said = lines.trim().replaceAll(NAME, 'client: $1')
    if (said === expected || i === 2000) {
      logged += lines.length
      return said
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function ours(bytes: Uint8Array): string {
  const clock = new VirtualClock()
  const { log, lines } = keptLog()
  const server = createServer({ clock, log, random: seeded(1) })
  const [mine, theirs] = streamPair(clock, ['client', 'server'])
  server.accept(theirs)
  mine.write(Buffer.concat([bytes, END]))
  clock.settle()
  server.close()
  const warnings = lines.filter((l) => l.level === 'warn').map((l) => `${l.module}|${l.message}`)
  return warnings.join('\n').replaceAll(NAME, 'client: $1')
}

test('bad JSON and bad messages: the same lines in the log, with the same places', async () => {
  for (const text of CORPUS) {
    const bytes = Buffer.from(text)
    const said = ours(bytes)
    expect(said, JSON.stringify(text)).toBe(await real(bytes, said))
  }
})

test('messages with one byte changed', async () => {
  const seed = Number(process.env['OVSDB_SEED'] ?? Math.floor(Date.now() / 1000) % 1_000_000)
  for (const text of mutants(seed, 400)) {
    const bytes = Buffer.from(text)
    const said = ours(bytes)
    expect(said, `seed ${seed}: ${JSON.stringify(text)}`).toBe(await real(bytes, said))
  }
})
