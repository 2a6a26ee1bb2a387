import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import { err, type Result } from '../../base/result.ts'
import { SystemClock } from '../../io/clock.ts'
import { systemRandom } from '../../io/random.ts'
import { dial, parseActive } from '../../io/socket.ts'
import { dialTls, type TlsKeys } from '../../io/tls.ts'
import type { Json } from '../../jsonrpc/json.ts'
import { type DatabaseSchema, describeError, parseSchema, type Row, readSchema } from '../schema/index.ts'
import { OvsdbConnection } from './connection.ts'
import { type ConnectError, ConnectFailure } from './failure.ts'
import { type Dial, RemoteReplica } from './remote.ts'
import type { TableRequests, TypedSchema } from './replica.ts'
import { RpcClient, type RpcReply } from './rpc.ts'

export interface ConnectOptions<T> {
  readonly schema: TypedSchema<T>
  /** `unix:FILE`, `tcp:HOST:PORT`, `ssl:HOST:PORT`; several of them are servers of one cluster. */
  readonly remotes: string | readonly string[]
  /** All of all tables, unless given. */
  readonly tables?: TableRequests<T>
  /** Of a cluster, only the leader will do: reads are never behind. True unless given. */
  readonly leaderOnly?: boolean
  /** Keys and certificates for `ssl:`, as the contents of their files. */
  readonly tls?: TlsKeys
  /** Milliseconds of silence after which the server is asked for a sign of life; 5000 unless given, 0: never. */
  readonly probeInterval?: number
  /** Milliseconds that the first contents may take to arrive; for ever, unless given. */
  readonly timeout?: number
  /** Gives up connecting when it is aborted; then `connect` rejects with its reason. Later it does nothing. */
  readonly signal?: AbortSignal
  readonly log?: Log
  readonly clock?: Clock
  readonly random?: Random
}

/** Opens the connection methods of ovsdb(7). */
function dialer(tls: TlsKeys | undefined): Dial {
  return (remote, done) => {
    const endpoint = parseActive(remote)
    if (endpoint?.kind === 'ssl' && tls) return dialTls(endpoint, tls, done)
    if (endpoint && endpoint.kind !== 'ssl') return dial(endpoint, done)
    done(err(endpoint ? NO_KEYS : 'bad connection method'))
    return () => {}
  }
}

const NO_KEYS = 'no keys and certificates were given for ssl:'

/** What is wrong with a remote, so that trying it is no use. */
function badRemote(remotes: readonly string[], tls: TlsKeys | undefined): ConnectFailure | undefined {
  if (!remotes.length) return new ConnectFailure({ kind: 'bad remote', remote: '', error: 'no remote was given' })
  for (const remote of remotes) {
    const endpoint = parseActive(remote)
    if (endpoint && (endpoint.kind !== 'ssl' || tls)) continue
    return new ConnectFailure({ kind: 'bad remote', remote, error: endpoint ? NO_KEYS : 'bad connection method' })
  }
  return undefined
}

const listOf = (remotes: string | readonly string[]): readonly string[] =>
  typeof remotes !== 'string' ? remotes : remotes === '' ? [] : remotes.split(',')

/** Connects to a database; resolves when its contents are here. Rejects with ConnectFailure. */
export function connect<T>(options: ConnectOptions<T>): Promise<OvsdbConnection<T>> {
  const clock = options.clock ?? new SystemClock()
  const remotes = listOf(options.remotes)
  const bad = badRemote(remotes, options.tls)
  if (bad) return Promise.reject(bad)
  const { signal } = options
  if (signal?.aborted) return Promise.reject(signal.reason)
  let last = 'no answer'
  return new Promise((resolve, reject) => {
    let connected = false
    const settle = () => {
      connected = true
      stop()
      timer?.cancel()
      signal?.removeEventListener('abort', aborted)
    }
    const giveUp = (reason: unknown) => {
      if (connected) return
      settle()
      replica.close()
      reject(reason)
    }
    const aborted = () => giveUp(signal?.reason)
    const replica = new RemoteReplica<T>({
      ...{ schema: options.schema, remotes, clock, dial: dialer(options.tls) },
      leaderOnly: options.leaderOnly ?? true,
      onUnreachable: (error) => {
        last = error
      },
      onUnsuitable: (error) => giveUp(new ConnectFailure({ kind: 'unsuitable', error })),
      ...(options.tables ? { tables: options.tables } : {}),
      ...(options.log ? { log: options.log } : {}),
      ...(options.probeInterval === undefined ? {} : { probeInterval: options.probeInterval }),
    })
    const { timeout } = options
    const timer =
      timeout === undefined
        ? undefined
        : clock.after(timeout, () => giveUp(new ConnectFailure({ kind: 'timeout', milliseconds: timeout, last })))
    const stop = replica.onSynced(() => {
      settle()
      resolve(new OvsdbConnection(replica, clock, options.random ?? systemRandom))
    })
    signal?.addEventListener('abort', aborted)
  })
}

/** Rows of a database whose schema is known only at run time. */
export type AnyRows = { [table: string]: Row }

/** A schema with the types of its rows: what `ovn ovsdb-types` writes calls it. Throws on JSON that is no schema. */
export function typedSchema<T>(json: Json): TypedSchema<T> {
  return readSchema(json) as TypedSchema<T>
}

/** What a server says the schema of a database is, or why it says none; returns how to give up. */
function askSchema(
  dial: Dial,
  clock: Clock,
  remote: string,
  database: string,
  done: (schema: Result<DatabaseSchema>) => void,
): () => void {
  let rpc: RpcClient | undefined
  const cancel = dial(remote, (result) => {
    if (!result.ok) {
      done(err(`${remote}: ${result.error}`))
      return
    }
    rpc = new RpcClient(result.value, () => clock.monotonic())
    const take = (reply: RpcReply) => {
      const error = `${remote}: no schema of ${database}`
      const schema = reply.error === null ? parseSchema(reply.result) : undefined
      if (!schema) done(err(error))
      else done(schema.ok ? schema : err(`${error}: ${describeError(schema.error)}`))
      rpc?.end('done')
    }
    rpc.request('get_schema', [database], take, () => done(err(`${remote}: connection lost`)))
  })
  return () => {
    cancel()
    rpc?.end('given up')
  }
}

/**
 * Asks for the schema of a database, to connect to one that no types are shipped for; of several remotes the
 * first that answers. Rejects with ConnectFailure.
 */
export function fetchSchema(
  remotes: string | readonly string[],
  database: string,
  options: { readonly tls?: TlsKeys; readonly clock?: Clock; readonly timeout?: number } = {},
): Promise<DatabaseSchema & TypedSchema<AnyRows>> {
  const clock = options.clock ?? new SystemClock()
  const left = [...listOf(remotes)]
  const bad = badRemote(left, options.tls)
  if (bad) return Promise.reject(bad)
  return new Promise((resolve, reject) => {
    let stop = () => {}
    const refuse = (reason: ConnectError) => reject(new ConnectFailure(reason))
    const { timeout } = options
    const giveUp = () => {
      refuse({ kind: 'timeout', milliseconds: timeout ?? 0, last: 'no answer' })
      left.length = 0
      stop()
    }
    const timer = timeout === undefined ? undefined : clock.after(timeout, giveUp)
    const next = (error: string) => {
      const remote = left.shift()
      if (remote === undefined) {
        timer?.cancel()
        refuse({ kind: 'no schema', error })
        return
      }
      stop = askSchema(dialer(options.tls), clock, remote, database, (schema) => {
        if (!schema.ok) {
          next(schema.error)
          return
        }
        timer?.cancel()
        resolve(schema.value as DatabaseSchema & TypedSchema<AnyRows>)
      })
    }
    next('no remote was given')
  })
}
