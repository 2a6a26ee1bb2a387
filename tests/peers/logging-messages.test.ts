import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fromHex } from '../../src/base/bytes.ts'
import { formatMessageBytes } from '../../src/openflow/text/message.ts'
import { Lab, type Maker, until } from './ovsdb-lab.ts'
import { referenceBin, referenceSchema } from './reference.ts'

// What the daemons log of their messages at DBG: the same lines as the real ones.

const lab = new Lab()
beforeAll(() => lab.prepare('ovsdb-server', 'ovs-vswitchd'))
afterAll(() => lab.close())

const REQUESTS: readonly string[] = [
  '{"id":"e","method":"echo","params":[1.5,"é\\u0001",{"b":1,"a":null},null]}',
  '{"id":[2],"method":"none","params":[]}',
  '{"id":7,"method":"steal","params":["x"]}',
  '{"id":null,"method":"cancel","params":[8]}',
  '{"id":9,"method":"get_schema","params":["nonsense"]}',
  '{"id":10,"method":"get_schema","params":["Open_vSwitch"]}',
  '{"id":11,"method":"monitor","params":["Open_vSwitch",null,{"Bridge":{"columns":["name"]}}]}',
  '{"id":12,"method":"monitor_cond_since","params":["Open_vSwitch","m",{"Bridge":[{"columns":["name"]}]},"00000000-0000-0000-0000-000000000000"]}',
  '{"id":13,"method":"transact","params":["Open_vSwitch",{"op":"insert","table":"Bridge","row":{"name":"br0"},"uuid-name":"b"},{"op":"insert","table":"Open_vSwitch","row":{"bridges":["named-uuid","b"]}}]}',
  '{"id":14,"method":"transact","params":["Open_vSwitch",{"op":"nonsense"}]}',
  '{"id":"echo","result":[],"error":null}',
  '{"id":1,"result":null,"error":"x"}',
]

/** Sends each message after the answers to those before have come, until the other side hangs up. */
function converse(path: string): Promise<void> {
  return new Promise((resolve) => {
    const stream = connect(path)
    const rest = [...REQUESTS]
    stream.on('error', () => {})
    stream.resume()
    const timer = setInterval(() => {
      const next = rest.shift()
      if (next !== undefined) stream.write(next)
    }, 150)
    stream.on('close', () => {
      clearInterval(timer)
      resolve()
    })
  })
}

const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

/** Lines about a module's messages, without what differs from run to run. */
function linesOf(module: string, log: string): string[] {
  return log
    .split(/\n(?=\d{4}-)/)
    .filter((l) => l.includes(`|${module}|DBG|`))
    .map((l) =>
      l
        .trimEnd()
        .replace(/^[^|]*\|\d+\|/, '')
        .replace(/unix#\d+/, 'unix#N')
        .replace(ID, 'UUID'),
    )
}

async function databaseTalk(maker: Maker): Promise<string[]> {
  const at = lab.at(`messages.${maker}`)
  await lab.run('26.03', 'ovsdb-tool', 'create', `${at}.db`, referenceSchema('vswitch'))
  const server = await lab.start(maker, 'ovsdb-server', `${at}.db`, `--remote=punix:${at}`)
  await server.appctl('vlog/set', 'jsonrpc:file:dbg')
  await converse(at)
  await server.appctl('nonsense')
  await server.appctl('vlog/set', 'jsonrpc:file:info')
  await server.appctl('version')
  // Ours writes in another thread: all of it is there at its end.
  await server.end()
  return linesOf('jsonrpc', server.log())
}

test('JSON-RPC: the lines of the real ovsdb-server', async () => {
  const [real, ours] = await Promise.all([databaseTalk('26.03'), databaseTalk('ours')])
  expect(ours).toEqual(real)
  expect(ours.length).toBeGreaterThan(2 * REQUESTS.length - 4)
})

/** Two add-flows, a dump and a delete of the real ovs-ofctl at a bridge without ports. */
async function switchTalk(maker: Maker): Promise<string[]> {
  const folder = lab.at(`switch.${maker}`)
  const database = `${folder}.db`
  await lab.run('26.03', 'ovsdb-tool', 'create', database, referenceSchema('vswitch'))
  const server = await lab.start('26.03', 'ovsdb-server', database, `--remote=punix:${folder}.sock`)
  const dummy = maker === 'ours' ? [] : ['--enable-dummy=override', '--disable-system']
  const daemon = await lab.start(maker, 'ovs-vswitchd', `unix:${folder}.sock`, ...dummy)
  const bridge = `m${maker === 'ours' ? 1 : 2}`
  const type = ['--', 'set', 'bridge', bridge, 'datapath_type=dummy', 'protocols=OpenFlow10,OpenFlow13,OpenFlow15']
  await lab.run('26.03', 'ovs-vsctl', `--db=unix:${folder}.sock`, '--no-wait', 'add-br', bridge, ...type)
  const ofctl = (...args: string[]) => lab.run('26.03', 'ovs-ofctl', '-O', 'OpenFlow15', ...args)
  await until(
    () => ofctl('probe', bridge),
    (o) => o.code === 0,
  )
  await daemon.appctl('vlog/set', 'vconn:file:dbg')
  // A port's number needs no look at names.
  await ofctl('--no-names', 'probe', bridge)
  await ofctl(
    '--no-names',
    '--bundle',
    'add-flow',
    bridge,
    'table=3,priority=6,cookie=5,idle_timeout=9,ip,actions=drop',
  )
  await ofctl('--no-names', 'add-flow', bridge, 'actions=group:77')
  await ofctl('--no-names', 'del-flows', bridge, 'ip')
  await ofctl('--no-names', 'dump-aggregate', bridge, 'table=9,ip')
  await daemon.appctl('vlog/set', 'vconn:file:info')
  await daemon.end()
  const lines = linesOf('vconn', daemon.log())
  await server.end()
  return lines.filter((l) => !/TABLE_FEATURES|PORT_DESC/.test(l)).map((l) => l.replace(/xid=0x[0-9a-f]+/g, 'xid=X'))
}

test('OpenFlow: the lines of the real ovs-vswitchd', async () => {
  const real = await switchTalk('26.03')
  const ours = await switchTalk('ours')
  expect(ours).toEqual(real)
  expect(ours.some((l) => l.includes('BUNDLE_ADD_MESSAGE'))).toBe(true)
})

/** Of these kinds only the first line, or its beginning, is told. */
const BEGUN =
  /^(?:(?:OFP|NX)ST_(?!FLOW |AGGREGATE)|OFPT_(?:PACKET_OUT|PORT_STATUS|FEATURES_REPLY|QUEUE_GET_CONFIG_REPLY|ERROR|SET_ASYNC|GET_ASYNC_REPLY)|NXT_(?:PACKET_IN|TLV|CT_FLUSH |RESUME))/

describe('messages in words', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ofp-parse-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('those of a captured conversation read as ovs-ofctl prints them', () => {
    const capture = new URL('../captures/openflow-26.03.txt.gz', import.meta.url)
    const messages = gunzipSync(readFileSync(capture))
      .toString()
      .split('\n')
      .flatMap((line) => (line.startsWith('<') || line.startsWith('>') ? [fromHex(line.slice(2))] : []))
      .filter((m): m is Uint8Array => m !== undefined && m.length > 0)
    // Echo requests between them keep the messages apart.
    const mark = fromHex('06020008abcdef01') as Uint8Array
    writeFileSync(join(folder, 'all'), Buffer.concat(messages.flatMap((m) => [m, mark])))
    const options = { encoding: 'utf8', maxBuffer: 1 << 28, timeout: 120_000 } as const
    const printed = execFileSync(join(referenceBin(), 'ovs-ofctl'), ['ofp-parse', join(folder, 'all')], options)
      .split(/OFPT_ECHO_REQUEST \(OF1\.5\) \(xid=0xabcdef01\): 0 bytes of payload\n/)
      .map((text) => text.trimEnd())
    const wrong: string[] = []
    messages.forEach((message, i) => {
      const [ours, real = ''] = [formatMessageBytes(message), printed[i]]
      if (BEGUN.test(ours) ? !real.startsWith(ours) : real !== ours) wrong.push(`${ours}\n${real}`)
    })
    expect(printed).toHaveLength(messages.length + 1)
    expect(wrong.slice(0, 5)).toEqual([])
  })
})
