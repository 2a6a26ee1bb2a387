import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { checkCluster, readClusterFile, showClusterLog, standaloneRecords } from './_ovsdb-cluster.ts'
import { LogPrinter } from './_ovsdb-show-log.ts'

const folder = mkdtempSync(join(tmpdir(), 'ovsdb-cluster-'))
afterAll(() => rmSync(folder, { recursive: true }))

const encode = (records: readonly unknown[]) =>
  records
    .map((record) => {
      const text = `${JSON.stringify(record)}\n`
      return `OVSDB CLUSTER ${Buffer.byteLength(text)} ${createHash('sha1').update(text).digest('hex')}\n${text}`
    })
    .join('')

function file(name: string, contents: string | Buffer): string {
  const path = join(folder, name)
  writeFileSync(path, contents)
  return path
}

const id = (n: number) => `${n}0000000-0000-4000-8000-00000000000${n}`
const schema = { name: 'D', version: '1.0.0', tables: { T: { columns: { name: { type: 'string' } } } } }
const header = (n = 1) => ({
  name: 'D',
  server_id: id(n),
  local_address: `tcp:127.0.0.1:${n}`,
  cluster_id: id(9),
  prev_index: 1,
  prev_term: 1,
  prev_eid: id(8),
  prev_servers: { [id(n)]: `tcp:127.0.0.1:${n}` },
  prev_data: [schema, { T: { [id(7)]: { name: 'first' } } }],
})
const entry = (index: number, name: string, term = 1) => ({
  term,
  index,
  eid: id(index),
  data: [null, { _date: 1_700_000_000_000, _comment: name, T: { [id(index)]: { name } } }],
})

function shown(path: string, more = 2): string {
  let out = ''
  const print = (text: string) => {
    out += text
  }
  const result = showClusterLog(path, new LogPrinter(more, print), print)
  return result.ok ? out : result.error
}

describe('a log', () => {
  const records = [
    header(),
    { term: 1, vote: id(1) },
    { term: 1, leader: id(1) },
    entry(2, 'kept'),
    entry(3, 'overwritten'),
    { commit_index: 2 },
    entry(3, 'newer', 2),
    { commit_index: 3 },
    entry(4, 'not committed', 2),
    { note: 'left', comment: 'bye' },
  ]

  test('is printed', () => {
    const text = shown(file('log', encode(records)))
    expect(text).toContain(' server_id: 1000\n cluster_id: 9000\n')
    expect(text).toContain('record 1:\n term: 1\n vote: 1000\n\n')
    expect(text).toContain(' "kept"\n  table T insert row "kept" (20000000):\n    name=kept\n')
    expect(text).toContain('record 9:\n comment: "bye"\n note: "left"\n')
  })

  test('becomes what it has committed', () => {
    const made = standaloneRecords(file('log', encode(records)))
    const names = made.ok ? made.value.map((r) => JSON.stringify(r)).join('\n') : made.error
    expect(names).toContain('first')
    expect(names).toContain('kept')
    expect(names).toContain('newer')
    expect(names).not.toContain('overwritten')
    expect(names).not.toContain('not committed')
  })

  test('of a server that has not joined', () => {
    const { prev_data, prev_index, prev_term, prev_eid, prev_servers, cluster_id, ...rest } = header()
    const path = file('joining', encode([{ ...rest, remote_addresses: ['tcp:127.0.0.1:9'] }]))
    const read = readClusterFile(path)
    expect(read.ok && read.value?.clusterId).toBeUndefined()
    expect(shown(path)).toContain(' remote_addresses: tcp:127.0.0.1:9\n')
    expect(standaloneRecords(path)).toMatchObject({ ok: false })
  })
})

test('files of one cluster that contradict each other', () => {
  const both = { [id(1)]: 'tcp:127.0.0.1:1', [id(2)]: 'tcp:127.0.0.1:2' }
  const log = (n: number, ...records: unknown[]) =>
    file(`server${n}`, encode([{ ...header(n), prev_servers: both }, ...records]))
  const check = (...paths: string[]) => {
    const result = checkCluster(paths, () => {})
    return result.ok ? 'fine' : result.error.replaceAll(`${folder}/`, '')
  }
  const one = log(1, entry(2, 'a'), { commit_index: 2 })
  expect(check(one, log(2, entry(2, 'a'), { commit_index: 2 }))).toBe('fine')
  expect(check(one, log(2, entry(2, 'a', 2), { commit_index: 2 }))).toContain('entry 2 is term 2 eid 2000 in server2')
  expect(check(one, log(2, entry(2, 'a', 2)))).toBe('fine')
  const led = log(1, { term: 3, leader: id(1) })
  expect(check(led, log(2, { term: 3, leader: id(2) }))).toContain('two servers were the leader of term 3')
})

test('whatever is in a file: an answer or an error', () => {
  const member = fc.constantFrom(
    'term',
    'index',
    'vote',
    'leader',
    'servers',
    'eid',
    'data',
    'commit_index',
    'note',
    'x',
  )
  const value = fc.oneof(
    fc.jsonValue(),
    fc.integer({ min: 0, max: 9 }),
    fc.constant(id(1)),
    fc.constant([null, { T: {} }]),
  )
  const record = fc.dictionary(member, value, { maxKeys: 4 })
  const first = fc.oneof(
    fc.constant(header()),
    fc.tuple(fc.constantFrom(...Object.keys(header())), value).map(([name, v]) => ({ ...header(), [name]: v })),
    record,
  )
  fc.assert(
    fc.property(fc.tuple(first, fc.array(record, { maxLength: 5 })), fc.nat(), ([head, more], cut) => {
      const whole = Buffer.from(encode([head, ...more]))
      for (const bytes of [whole, whole.subarray(0, cut % whole.length)]) {
        const path = file('any', bytes)
        shown(path)
        readClusterFile(path)
        standaloneRecords(path)
        checkCluster([path], () => {})
      }
    }),
    { numRuns: 100 },
  )
})
