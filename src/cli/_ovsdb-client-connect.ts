import type { Clock } from '../base/clock.ts'
import { err, ok, type Result } from '../base/result.ts'
import type { ByteStream } from '../base/stream.ts'
import { errorText } from '../io/errors.ts'
import { systemRandom } from '../io/random.ts'
import { type Listener, listen } from '../io/socket.ts'
import type { TlsKeys } from '../io/tls.ts'
import { isArray, isObject, type Json } from '../jsonrpc/json.ts'
import type { Dial } from '../ovsdb/client/remote.ts'
import { CLOSED_BY_PEER, RpcClient } from '../ovsdb/client/rpc.ts'
import { NOT_SUPPORTED, readPassive } from './_connection-method.ts'
import { toolLog, toolModule } from './_tool-log.ts'

export interface ConnectRequest {
  /** `unix:FILE` and the like, or several of them with commas between, or one that waits: `punix:FILE`. */
  readonly server: string
  /** The database that has to be there, and led, where there are several servers. */
  readonly database: string | undefined
  readonly leaderOnly: boolean
  readonly dial: Dial
  /** For TLS connections that are awaited. */
  readonly keys: () => TlsKeys
  readonly monotonic: () => number
}

/**
 * Connects ovsdb-client: to the one server there is, to the first of several that will do, in random order
 * (ovsdb-client(1)), or to whoever connects to it. `done` gets a text where nobody will do.
 */
export function connectClient(request: ConnectRequest, done: (result: RpcClient | string) => void): void {
  const remotes = request.server.split(',')
  const session = (stream: ByteStream) => new RpcClient(stream, request.monotonic, toolModule('jsonrpc'))
  if (remotes.length > 1) {
    tryEach(request, shuffled(remotes), session, done)
    return
  }
  request.dial(request.server, (result) => {
    if (result.ok) done(session(result.value))
    else if (result.error === NOT_SUPPORTED) awaitServer(request, (stream) => done(session(stream)), done)
    else done(`failed to connect to "${request.server}" (${result.error})`)
  })
}

/** The longest time between two attempts, in seconds. */
const MAX_BACKOFF = 8

/** Connects, and again whenever that fails or the connection is lost, as reconnect(3) of the real tools does it. */
export function connectPatiently(request: ConnectRequest, clock: Clock, connected: (rpc: RpcClient) => void): void {
  const { server } = request
  let backoff = 0
  const say = (text: string) => {
    if (backoff < MAX_BACKOFF) toolLog('reconnect', 'info', `${server}: ${text}`)
  }
  const again = (why: string) => {
    say(why)
    const wait = Math.min(MAX_BACKOFF, Math.max(1, backoff * 2))
    if (wait === MAX_BACKOFF) say('continuing to reconnect in the background but suppressing further logging')
    else if (wait > 1) say(`waiting ${wait} seconds before reconnect`)
    backoff = wait
    clock.after(wait * 1000, attempt)
  }
  const attempt = () => {
    say('connecting...')
    request.dial(server, (result) => {
      if (!result.ok) {
        again(`connection attempt failed (${result.error})`)
        return
      }
      say('connected')
      const rpc = new RpcClient(result.value, request.monotonic, toolModule('jsonrpc'))
      const since = clock.monotonic()
      rpc.onEnd = (reason) => {
        // one that lasted was a good one: its loss is the first trouble
        if (clock.monotonic() - since >= backoff * 1000) backoff = 0
        again(reason === CLOSED_BY_PEER ? reason : `connection dropped (${lossReason(server, reason)})`)
      }
      connected(rpc)
    })
  }
  attempt()
}

/** Why a connection is gone, in the words of the real client; what made no sense is logged. */
export function lossReason(server: string, reason: string): string {
  if (reason === CLOSED_BY_PEER) return 'End of file'
  const [, dropped] = /^connection dropped \((.*)\)$/.exec(reason) ?? []
  if (dropped !== undefined) return dropped
  const [, wrong] = /^invalid message: (.*)$/s.exec(reason) ?? []
  toolLog(
    'jsonrpc',
    'warn',
    wrong === undefined
      ? `${server}: received bad JSON-RPC message: ${reason}`
      : `${server}: error parsing stream: ${wrong}`,
  )
  return 'Protocol error'
}

/** Waits for a server that connects by itself. */
function awaitServer(
  { server, keys }: ConnectRequest,
  accepted: (stream: ByteStream) => void,
  failed: (error: string) => void,
): void {
  const fail = (why: string) => failed(`failed to connect or listen to "${server}" (${why})`)
  const read = readPassive(server)
  if (!read.ok) {
    fail(read.error)
    return
  }
  const endpoint = read.value
  let close: (() => void) | undefined
  let taken = false
  const take = (stream: ByteStream) => {
    if (taken) {
      stream.close()
      return
    }
    taken = true
    close?.()
    accepted(stream)
  }
  const ready = (result: Result<Listener>) => {
    if (!result.ok) {
      if (endpoint.kind === 'unix') toolLog('stream_unix', 'err', `${endpoint.path}: binding failed: ${result.error}`)
      else toolLog('socket_util', 'err', `${server.replace(/^p\w+:/, '')}: bind: ${result.error}`)
      fail(result.error)
    } else if (taken) result.value.close()
    else {
      close = () => result.value.close()
      toolLog('ovsdb_client', 'info', `${server}: waiting for connection...`)
    }
  }
  if (endpoint.kind !== 'ssl') {
    listen(endpoint, take, ready)
    return
  }
  import('../io/tls.ts')
    .then(({ listenTls }) => {
      const tls = {
        keys: () => readable(keys),
        refused: (peer: string, error: string) => toolLog('stream_ssl', 'warn', `${peer}: ${error}`),
      }
      listenTls(endpoint, tls, take, ready)
    })
    .catch((e: unknown) => fail(errorText(e)))
}

function readable(keys: () => TlsKeys): Result<TlsKeys> {
  try {
    return ok(keys())
  } catch (e) {
    return err(errorText(e))
  }
}

function tryEach(
  request: ConnectRequest,
  remotes: readonly string[],
  session: (stream: ByteStream) => RpcClient,
  done: (result: RpcClient | string) => void,
): void {
  const [remote, ...others] = remotes
  if (remote === undefined) {
    done('no servers were available')
    return
  }
  const next = () => tryEach(request, others, session, done)
  request.dial(remote, (result) => {
    if (!result.ok) {
      next()
      return
    }
    const rpc = session(result.value)
    if (request.database === undefined) {
      done(rpc)
      return
    }
    rpc.onEnd = next
    const select = {
      ...{ op: 'select', table: 'Database', where: [['name', '==', request.database]] },
      columns: ['model', 'connected', 'leader'],
    }
    rpc.request('transact', ['_Server', select], (reply) => {
      rpc.onEnd = undefined
      if (willDo(reply.error === null ? reply.result : undefined, request.leaderOnly)) done(rpc)
      else {
        rpc.end('another server is tried')
        next()
      }
    })
  })
}

/** Whether a server has the database, and leads it, by what its `_Server` says; one without `_Server` is alone. */
function willDo(results: Json | undefined, leaderOnly: boolean): boolean {
  const [first] = isArray(results) ? results : []
  if (!isObject(first) || !isArray(first['rows'])) return true
  const [row] = first['rows']
  if (!isObject(row)) return false
  if (row['model'] !== 'clustered') return true
  return row['connected'] === true && (row['leader'] === true || !leaderOnly)
}

function shuffled(words: readonly string[]): string[] {
  const left = [...words]
  const out: string[] = []
  while (left.length) out.push(...left.splice(systemRandom.u32() % left.length, 1))
  return out
}
