import { VirtualClock } from '../../base/clock.ts'
import { ok } from '../../base/result.ts'
import { type ByteStream, streamPair } from '../../base/stream.ts'
import { isArray, isObject, type Json, printJson } from '../../jsonrpc/json.ts'
import { MessageReader } from '../../jsonrpc/reader.ts'
import { type Items, itemSchema } from './_fixture.ts'
import { type RemoteOptions, RemoteReplica } from './remote.ts'

/** A server's last transaction. */
export const LAST = '0a0a0a0a-0000-4000-8000-000000000001'

/** A reply without an error. */
export const result = (json: Json): Json => ({ result: json, error: null })

type Answer = (method: string, params: readonly Json[]) => Json | undefined

/** What `_Server` has of a server that is alone: it will always do. */
const ALONE: Json = { Database: { u: { initial: { model: 'standalone', connected: true, leader: true } } } }

/** A server that answers as told, and as one that is alone where it is told nothing of a cluster, and keeps what it was asked. */
export class Scripted {
  readonly asked: { readonly method: string; readonly params: readonly Json[]; readonly id: Json }[] = []
  readonly stream: ByteStream
  readonly client: ByteStream

  constructor(
    clock: VirtualClock,
    private readonly answer: Answer,
  ) {
    const [client, server] = streamPair(clock)
    this.client = client
    this.stream = server
    const frames = new MessageReader((json) => {
      if (!isObject(json) || typeof json['method'] !== 'string' || !isArray(json['params'])) return
      const { method, params, id = null } = json
      this.asked.push({ method, params, id })
      const told = this.answer(method, params)
      const plain = isObject(told) && isObject(told['result']) && !told['result']['Database']
      const reply = method === 'monitor_cond' && params[0] === '_Server' && plain ? result(ALONE) : told
      if (reply !== undefined) this.send({ id, ...(isObject(reply) ? reply : {}) })
    })
    server.onData = (bytes) => frames.push(bytes)
  }

  send(json: Json): void {
    this.stream.write(new TextEncoder().encode(printJson(json)))
  }
}

/** A replica of servers that answer as told, and what it asked of each. */
export function scripted(
  answer: (method: string, params: readonly Json[], connection: number) => Json | undefined,
  options: Partial<RemoteOptions<Items>> = {},
) {
  const clock = new VirtualClock()
  const servers: Scripted[] = []
  const replica = new RemoteReplica<Items>({
    ...{ schema: itemSchema, remotes: ['x'], clock },
    dial: (_remote, done) => {
      const number = servers.length
      const server = new Scripted(clock, (method, params) => answer(method, params, number))
      servers.push(server)
      done(ok(server.client))
      return () => {}
    },
    ...options,
  })
  const asked = (method: string) => servers.flatMap((s) => s.asked.filter((a) => a.method === method))
  return { clock, servers, replica, asked }
}
