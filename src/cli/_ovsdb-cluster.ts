import { err, ok, type Result } from '../base/result.ts'
import { SystemClock } from '../io/clock.ts'
import { systemRandom } from '../io/random.ts'
import { isArray, isObject, type Json, type JsonObject, printJson } from '../jsonrpc/json.ts'
import { parseJson } from '../jsonrpc/parser.ts'
import { describeError, Failure, readSchema } from '../ovsdb/schema/index.ts'
import { loadTransaction, writeEverything } from '../ovsdb/storage/index.ts'
import { convertDatabase } from '../ovsdb/transaction/convert.ts'
import { Database } from '../ovsdb/transaction/index.ts'
import { eachRecord, isClusterFile } from './_ovsdb-file.ts'
import type { LogPrinter } from './_ovsdb-show-log.ts'

// Files of the RAFT cluster of Open vSwitch's ovsdb-server, read as what they are: a log of terms, votes,
// servers and transactions behind a header with a snapshot (ovsdb(5), Clustered Format).

/** What the first record of a clustered database's file says. */
export interface ClusterHeader {
  readonly name: string
  readonly serverId: string
  readonly localAddress: string
  /** Undefined until the server has joined. */
  readonly clusterId: string | undefined
  /** Of a server that has not joined: whom it asks. */
  readonly remotes: readonly string[]
  /** What the log before this file came to; undefined until the server has joined. */
  readonly snapshot: ClusterSnapshot | undefined
}

export interface ClusterSnapshot {
  readonly index: number
  readonly term: number
  readonly entry: string
  /** Addresses by server id. */
  readonly servers: ReadonlyMap<string, string>
  readonly schema: Json
  readonly data: Json
}

/** One record behind the header; which members there are says what it is. */
export interface ClusterRecord {
  readonly term?: number
  readonly index?: number
  readonly vote?: string
  readonly leader?: string
  readonly servers?: ReadonlyMap<string, string>
  readonly entry?: string
  /** A schema or null, and rows or null. */
  readonly data?: readonly Json[]
  readonly commitIndex?: number
  readonly note?: string
  readonly comment?: string
}

function fail(json: Json, what: string, why: string): never {
  const details = `Parsing ${what} failed: ${why}`
  throw new Failure({ error: 'syntax error', details, syntax: printJson(json, true) })
}

/** A required member that is a text. */
function text(json: JsonObject, what: string, member: string): string {
  const value = json[member]
  if (value === undefined) fail(json, what, `Required '${member}' member is missing.`)
  return typeof value === 'string' ? value : fail(json, what, `Type mismatch for member '${member}'.`)
}

function number(json: JsonObject, what: string, member: string): number {
  const value = json[member]
  if (value === undefined) fail(json, what, `Required '${member}' member is missing.`)
  return typeof value === 'number' ? value : fail(json, what, `Type mismatch for member '${member}'.`)
}

function addresses(json: Json | undefined): ReadonlyMap<string, string> {
  const entries = isObject(json) ? Object.entries(json) : []
  return new Map(entries.map(([id, address]) => [id, typeof address === 'string' ? address : '']))
}

const HEADER = 'raft header'
const RECORD = 'raft log record'

export function readClusterHeader(json: Json): ClusterHeader {
  if (!isObject(json)) fail(json, HEADER, 'Object expected.')
  const serverId = text(json, HEADER, 'server_id')
  const remotes = json['remote_addresses']
  const data = json['prev_data']
  const joined = data !== undefined
  return {
    serverId,
    name: text(json, HEADER, 'name'),
    localAddress: text(json, HEADER, 'local_address'),
    clusterId: joined || json['cluster_id'] !== undefined ? text(json, HEADER, 'cluster_id') : undefined,
    remotes: isArray(remotes) ? remotes.map(String) : [],
    snapshot: joined
      ? {
          index: number(json, HEADER, 'prev_index'),
          term: number(json, HEADER, 'prev_term'),
          entry: text(json, HEADER, 'prev_eid'),
          servers: addresses(json['prev_servers']),
          schema: (isArray(data) ? data[0] : undefined) ?? null,
          data: (isArray(data) ? data[1] : undefined) ?? null,
        }
      : undefined,
  }
}

export function readClusterRecord(json: Json): ClusterRecord {
  if (!isObject(json)) fail(json, RECORD, 'Object expected.')
  const out: { -readonly [K in keyof ClusterRecord]: ClusterRecord[K] } = {}
  if (json['note'] !== undefined) out.note = text(json, RECORD, 'note')
  if (json['comment'] !== undefined) out.comment = text(json, RECORD, 'comment')
  if (json['commit_index'] !== undefined) out.commitIndex = number(json, RECORD, 'commit_index')
  else if (out.note === undefined) out.term = number(json, RECORD, 'term')
  if (json['index'] !== undefined) out.index = number(json, RECORD, 'index')
  if (json['vote'] !== undefined) out.vote = text(json, RECORD, 'vote')
  if (json['leader'] !== undefined) out.leader = text(json, RECORD, 'leader')
  if (json['servers'] !== undefined) out.servers = addresses(json['servers'])
  if (json['eid'] !== undefined) out.entry = text(json, RECORD, 'eid')
  const data = json['data']
  if (isArray(data)) out.data = data
  return out
}

class Found extends Error {
  constructor(readonly header: ClusterHeader) {
    super()
  }
}

/** The header of a clustered database's file; undefined for the file of a standalone one. */
export function readClusterFile(path: string): Result<ClusterHeader | undefined> {
  const clustered = isClusterFile(path)
  if (!clustered.ok) return clustered
  if (!clustered.value) return ok(undefined)
  try {
    const read = eachRecord(
      path,
      ({ json }) => {
        throw new Found(readClusterHeader(json))
      },
      true,
    )
    return read.ok ? ok(undefined) : read
  } catch (e) {
    if (e instanceof Found) return ok(e.header)
    throw e
  }
}

/** The first digits of a uuid, as the tools say it. */
const short = (uuid: string) => uuid.slice(0, 4)

const serversText = (servers: ReadonlyMap<string, string>) =>
  [...servers]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, address]) => `${short(id)}("${address}")`)
    .join(', ')

/** Prints a clustered database's log (ovsdb-tool(1), show-log). */
export function showClusterLog(path: string, printer: LogPrinter, print: (text: string) => void): Result<void> {
  const line = (name: string, value: string | number | undefined) => {
    if (value !== undefined) print(` ${name}: ${value}\n`)
  }
  const rows = (data: Json | undefined) => {
    if (isObject(data ?? null)) printer.transaction(data as JsonObject)
    else print('\n')
  }
  const header = (json: Json) => {
    const { name, localAddress, serverId, clusterId, remotes, snapshot } = readClusterHeader(json)
    print(` name: "${name}'\n local address: "${localAddress}"\n`)
    line('server_id', short(serverId))
    line('cluster_id', clusterId && short(clusterId))
    if (remotes.length) line('remote_addresses', remotes.join(' '))
    if (!snapshot) {
      print('\n')
      return
    }
    line('prev_index', snapshot.index)
    line('prev_term', snapshot.term)
    line('prev_servers', serversText(snapshot.servers))
    line('prev_eid', short(snapshot.entry))
    line('prev_schema', printer.schemaText(snapshot.schema).replace('" schema,', '",'))
    const { data } = snapshot
    rows(isObject(data) && Object.keys(data).length ? data : undefined)
  }
  const record = (json: Json) => {
    const { term, index, vote, leader, servers, entry, data, commitIndex, note, comment } = readClusterRecord(json)
    line('comment', comment === undefined ? undefined : `"${comment}"`)
    line('term', term)
    line('index', index)
    line('servers', servers && serversText(servers))
    line('eid', entry && short(entry))
    if (data?.[0]) line('schema', printer.schemaText(data[0]).replace('" schema,', '",'))
    line('vote', vote && short(vote))
    line('leader', leader && short(leader))
    line('commit_index', commitIndex)
    line('note', note === undefined ? undefined : `"${note}"`)
    rows(data?.[1])
  }
  return eachRecord(
    path,
    ({ json }, n) => {
      print(`record ${n}:\n`)
      try {
        if (n === 0) header(json)
        else record(json)
      } catch (e) {
        if (!(e instanceof Failure)) throw e
        print(`${describeError(e.error)}\n\n`)
      }
    },
    true,
  )
}

/** What a cluster has committed, as the records of a standalone database: its schema, then its transactions. */
export function standaloneRecords(path: string): Result<readonly Json[]> {
  const clock = new SystemClock()
  let database: Database | undefined
  let records: Json[] = []
  const entries: { readonly index: number; readonly data: readonly Json[] }[] = []
  let committed = 0
  const take = (schemaJson: Json | undefined, data: Json | undefined) => {
    if (schemaJson) {
      const schema = readSchema(schemaJson)
      // A conversion: what was before is of no use by the new schema.
      database = database
        ? convertDatabase(database, schema, clock, systemRandom)
        : new Database(schema, clock, systemRandom)
      records = [schemaJson]
      if (!data && database) records.push(contents(database, clock.now()))
    }
    if (!data || !database) return
    loadTransaction(database, data)
    records.push(data)
  }
  const read = eachRecord(
    path,
    ({ json }, n) => {
      if (n === 0) {
        const { name, snapshot } = readClusterHeader(json)
        if (!snapshot)
          throw new Failure({ error: `${path}: "${name}" has not joined its cluster, and has no contents` })
        take(snapshot.schema, snapshot.data)
        return
      }
      const { index, data, commitIndex } = readClusterRecord(json)
      if (commitIndex !== undefined) committed = Math.max(committed, commitIndex)
      if (index === undefined) return
      // An entry that another leader has overwritten.
      while (entries.length && (entries.at(-1)?.index ?? 0) >= index) entries.pop()
      if (data) entries.push({ index, data })
    },
    true,
  )
  if (!read.ok) return read
  try {
    for (const { index, data } of entries) if (index <= committed) take(data[0], data[1])
  } catch (e) {
    if (!(e instanceof Failure)) throw e
    return err(describeError(e.error))
  }
  return ok(records)
}

/** All rows as the one record of them. */
function contents(database: Database, now: number): Json {
  const rows = new Map([...database.tables].map(([name, table]) => [name, [...table.rows.values()]]))
  return parseJson([...writeEverything(database, rows, now, 'converted by ovsdb-tool')].join(''))
}

/** One server's file, as far as `check-cluster` compares it. */
interface ClusterLog {
  readonly path: string
  readonly header: ClusterHeader
  readonly servers: ReadonlyMap<string, string>
  /** Terms by leader. */
  readonly leaders: ReadonlyMap<number, string>
  /** Nothing behind the header. */
  readonly empty: boolean
  /** What each committed entry is: its term and id. */
  readonly committed: ReadonlyMap<number, string>
}

function readClusterLog(path: string, print: (text: string) => void): Result<ClusterLog> {
  let header: ClusterHeader | undefined
  let servers: ReadonlyMap<string, string> = new Map()
  let last = 0
  let committed = 0
  let records = 0
  let wrong: string | undefined
  const leaders = new Map<number, string>()
  const entries = new Map<number, string>()
  const read = eachRecord(
    path,
    ({ json }, n) => {
      records++
      if (n === 0) {
        header = readClusterHeader(json)
        servers = header.snapshot?.servers ?? servers
        last = header.snapshot?.index ?? 0
        return
      }
      const record = readClusterRecord(json)
      if (record.note === 'left') print(`${path}: record ${n} shows that the server left the cluster\n`)
      if (record.leader !== undefined) leaders.set(record.term ?? 0, record.leader)
      if (record.servers) servers = record.servers
      const { index, commitIndex } = record
      if (index !== undefined) {
        if (index > last + 1) wrong ??= `record ${n} with index ${index} skips past expected index ${last + 1}`
        last = index
        entries.set(index, `term ${record.term} eid ${short(record.entry ?? '')}`)
        for (const later of [...entries.keys()]) if (later > index) entries.delete(later)
      }
      if (commitIndex === undefined) return
      if (commitIndex > last) {
        wrong ??= `record ${n} advances commit index to ${commitIndex} but last log index is ${last}`
      }
      committed = Math.max(committed, commitIndex)
    },
    true,
  )
  if (!read.ok) return read
  if (!header) return err(`${path}: no header`)
  if (wrong !== undefined) return err(`${path}: ${wrong}`)
  const { serverId } = header
  if (header.snapshot && !servers.has(serverId)) {
    return err(`${path}: server ${short(serverId)} not found in server list`)
  }
  const kept = new Map([...entries].filter(([index]) => index <= committed))
  return ok({ path, header, servers, leaders, empty: records < 2, committed: kept })
}

/** Compares the files of a cluster's servers (ovsdb-tool(1), check-cluster). What is odd but no fault is printed. */
export function checkCluster(paths: readonly string[], print: (text: string) => void): Result<void> {
  const joined: string[] = []
  for (const path of paths) {
    const header = readClusterFile(path)
    if (!header.ok) return header
    if (!header.value) return err(`ovsdb error: ${path}: cannot identify file type`)
    if (header.value.snapshot) joined.push(path)
    else print(`${path} has not joined the cluster, omitting\n`)
  }
  const logs: ClusterLog[] = []
  for (const path of joined) {
    const log = readClusterLog(path, print)
    if (!log.ok) return log
    logs.push(log.value)
  }
  const [first, ...others] = logs
  if (!first || logs.every((log) => log.empty)) return err('all logs are empty')
  const seen = new Map<string, ClusterLog>()
  const leaders = new Map<number, ClusterLog>()
  const entries = new Map<number, ClusterLog>()
  for (const log of others) {
    const [a, b] = [first.header, log.header]
    if (a.name !== b.name) return err(`${first.path} is named "${a.name}" but ${log.path} is named "${b.name}"`)
    if (a.clusterId !== b.clusterId) {
      return err(
        `${first.path} has cluster ID ${short(a.clusterId ?? '')} but ${log.path} has cluster ID ${short(b.clusterId ?? '')}`,
      )
    }
  }
  for (const log of logs) {
    const same = seen.get(log.header.serverId)
    if (same) return err(`Duplicate server ID ${short(log.header.serverId)} in ${log.path} and ${same.path}.`)
    seen.set(log.header.serverId, log)
    for (const [term, leader] of log.leaders) {
      const other = leaders.get(term)
      if (other && other.leaders.get(term) !== leader) {
        return err(`${log.path} and ${other.path} say that two servers were the leader of term ${term}`)
      }
      leaders.set(term, log)
    }
    for (const [index, entry] of log.committed) {
      const other = entries.get(index)
      const theirs = other?.committed.get(index)
      if (other && theirs !== entry) {
        return err(`entry ${index} is ${entry} in ${log.path} but ${theirs} in ${other.path}`)
      }
      entries.set(index, log)
    }
  }
  return ok(undefined)
}
