import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fromHex } from '../../src/base/bytes.ts'
import { OFPP } from '../../src/openflow/actions/action.ts'
import { encodeMessage } from '../../src/openflow/messages/codec.ts'
import type { Message } from '../../src/openflow/messages/message.ts'
import type { StatsReply } from '../../src/openflow/messages/multipart.ts'
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
  /^(?:(?:OFP|NX)ST_(?:GROUP_FEATURES|TABLE|TABLE_DESC|TABLE_FEATURES|QUEUE_DESC) |OFPT_(?:PACKET_OUT|QUEUE_GET_CONFIG_REPLY|ERROR|SET_ASYNC|GET_ASYNC_REPLY)|NXT_(?:PACKET_IN|CT_FLUSH |RESUME))/

const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const counter = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 63n }), fc.constant(2n ** 64n - 1n))
const age = { durationSec: fc.integer({ min: 0, max: 1e6 }), durationNsec: fc.integer({ min: 0, max: 999_999_999 }) }
const portNumber = fc.oneof(fc.integer({ min: 1, max: 0xfeff }), fc.constant(OFPP.LOCAL))
const portDescription = fc.record({
  ...{
    port: portNumber,
    mac: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
    name: fc.stringMatching(/^[a-z][a-z0-9-]{0,14}$/),
  },
  ...{ config: fc.integer({ min: 0, max: 0x7f }), state: fc.integer({ min: 0, max: 7 }) },
  ...{ current: fc.integer({ min: 0, max: 0xffff }), advertised: fc.integer({ min: 0, max: 0xffff }) },
  ...{ supported: fc.integer({ min: 0, max: 0xffff }), peer: fc.integer({ min: 0, max: 0xffff }) },
  ...{ currentSpeed: u32, maxSpeed: u32 },
})
const band = fc.record({
  type: fc.constantFrom('drop' as const, 'dscp_remark' as const),
  ...{ rate: u32, burst: u32, precedence: fc.integer({ min: 0, max: 7 }) },
})
const maps = fc.uniqueArray(
  fc.record({
    ...{ class: fc.integer({ min: 0, max: 0xffff }), type: fc.integer({ min: 0, max: 0xff }) },
    ...{ length: fc.constantFrom(4, 8, 124), index: fc.integer({ min: 0, max: 63 }) },
  }),
  { maxLength: 4, selector: (m) => `${m.class} ${m.type}` },
)
const meterFlags = fc.constantFrom(1, 2, 5, 6, 9, 13)
const reply = (arbitrary: fc.Arbitrary<StatsReply>): fc.Arbitrary<Message> =>
  arbitrary.map((r) => ({ type: 'multipart_reply', xid: 7, flags: 0, reply: r }) as const)

/** Messages with contents that no capture has. */
const MESSAGES: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    ...{ type: fc.constant('port_status' as const), xid: u32, port: portDescription },
    reason: fc.constantFrom('add' as const, 'delete' as const, 'modify' as const),
  }),
  fc.record({
    ...{
      type: fc.constant('features_reply' as const),
      xid: u32,
      datapathId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    },
    ...{ buffers: u32, tables: fc.integer({ min: 0, max: 255 }), auxiliary: fc.integer({ min: 0, max: 255 }) },
    capabilities: fc.integer({ min: 0, max: 0x7ff }).map((bits) => bits & 0x76f),
  }),
  fc.record({
    ...{ type: fc.constant('tlv_table_mod' as const), xid: u32, maps },
    command: fc.constantFrom('add' as const, 'delete' as const, 'clear' as const),
  }),
  fc.record({
    type: fc.constant('tlv_table_reply' as const),
    xid: u32,
    maxSpace: u32,
    maxFields: fc.integer({ min: 64, max: 0xffff }),
    maps,
  }),
  reply(fc.record({ kind: fc.constant('port_desc' as const), ports: fc.array(portDescription, { maxLength: 3 }) })),
  reply(
    fc.record({
      kind: fc.constant('queue' as const),
      queues: fc.array(
        fc.record({ port: portNumber, queue: u32, txBytes: counter, txPackets: counter, txErrors: counter, ...age }),
        { maxLength: 3 },
      ),
    }),
  ),
  reply(
    fc.record({
      kind: fc.constant('group' as const),
      groups: fc.array(
        fc.record({
          ...{ group: fc.nat(0xfffff), references: u32, packets: counter, bytes: counter, ...age },
          buckets: fc.array(fc.record({ packets: counter, bytes: counter }), { maxLength: 3 }),
        }),
        { maxLength: 3 },
      ),
    }),
  ),
  reply(
    fc.record({
      kind: fc.constant('meter_config' as const),
      meters: fc.array(
        fc.record({ meter: fc.nat(0xffff), flags: meterFlags, bands: fc.array(band, { maxLength: 3 }) }),
        {
          maxLength: 3,
        },
      ),
    }),
  ),
  reply(
    fc.record({
      kind: fc.constant('meter' as const),
      meters: fc.array(
        fc.record({
          ...{ meter: fc.nat(0xffff), flows: u32, packets: counter, bytes: counter, ...age },
          bands: fc.array(fc.record({ packets: counter, bytes: counter }), { maxLength: 3 }),
        }),
        { maxLength: 3 },
      ),
    }),
  ),
  reply(
    fc.record({
      ...{ kind: fc.constant('meter_features' as const), maxMeters: u32, maxBands: fc.nat(255), maxColor: fc.nat(255) },
      ...{ bandTypes: fc.constantFrom(0, 2, 4, 6), capabilities: fc.integer({ min: 0, max: 15 }) },
    }),
  ),
)

describe('messages in words', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ofp-parse-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** What the real ovs-ofctl says of each message; echo requests between them keep them apart. */
  function printed(messages: readonly Uint8Array[]): string[] {
    const mark = fromHex('06020008abcdef01') as Uint8Array
    writeFileSync(join(folder, 'all'), Buffer.concat(messages.flatMap((m) => [m, mark])))
    const options = { encoding: 'utf8', maxBuffer: 1 << 28, timeout: 60_000 } as const
    return execFileSync(join(referenceBin(), 'ovs-ofctl'), ['ofp-parse', join(folder, 'all')], options)
      .split(/OFPT_ECHO_REQUEST \(OF1\.5\) \(xid=0xabcdef01\): 0 bytes of payload\n/)
      .map((text) => text.trimEnd())
  }

  test('those with contents of all kinds read as ovs-ofctl prints them', () => {
    const messages = fc.sample(MESSAGES, 600)
    const wire = messages.map((m) => encodeMessage(m, 6))
    const real = printed(wire)
    const wrong = wire.flatMap((bytes, i) => {
      const ours = formatMessageBytes(bytes)
      return ours === real[i] ? [] : [{ ours, real: real[i] }]
    })
    expect(wrong.slice(0, 3)).toEqual([])
    expect(real).toHaveLength(messages.length + 1)
  }, 90_000)

  test('those of a captured conversation read as ovs-ofctl prints them', () => {
    const capture = new URL('../captures/openflow-26.03.txt.gz', import.meta.url)
    const messages = gunzipSync(readFileSync(capture))
      .toString()
      .split('\n')
      .flatMap((line) => (line.startsWith('<') || line.startsWith('>') ? [fromHex(line.slice(2))] : []))
      .filter((m): m is Uint8Array => m !== undefined && m.length > 0)
    const told = printed(messages)
    const wrong: string[] = []
    messages.forEach((message, i) => {
      // Statistics of a maker's own are left out.
      const real = (told[i] ?? '').replace(/\n +CUSTOM Statistics(?:\n {22}.*)*/g, '')
      const ours = formatMessageBytes(message)
      if (BEGUN.test(ours) ? !real.startsWith(ours) : real !== ours) wrong.push(`${ours}\n${real}`)
    })
    expect(told).toHaveLength(messages.length + 1)
    expect(wrong.slice(0, 5)).toEqual([])
  })
})
