import type { Clock } from '../base/clock.ts'
import { silent } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { err } from '../base/result.ts'
import { SystemClock } from '../io/clock.ts'
import { systemRandom } from '../io/random.ts'
import { OvsdbConnection } from './client/connection.ts'
import { localReplica } from './client/local.ts'
import type { TableRequests, TypedSchema } from './client/replica.ts'
import { Server, type ServerOptions } from './server/index.ts'
import { socketTransport } from './transport/sockets.ts'

/**
 * A server in one's own process: `addDatabase` gives it databases, in memory unless they have a storage;
 * `listen('punix:FILE')` or `listen('ptcp:PORT:HOST')` lets other programs in. Time, chance and sockets are the
 * system's unless given.
 */
export function createServer(options: Partial<ServerOptions> = {}): Server {
  const transport = socketTransport(() => err('no keys and certificates were given for ssl:'))
  return new Server({ clock: new SystemClock(), log: silent, random: systemRandom, transport, ...options })
}

export interface InProcessOptions<T> {
  readonly schema: TypedSchema<T>
  /** Whose database it is; one of its own, unless given. The server gets the database, empty, if it has none. */
  readonly server?: Server
  /** All of all tables, unless given. */
  readonly tables?: TableRequests<T>
  readonly clock?: Clock
  readonly random?: Random
}

/**
 * A connection to a database of this process, with all that one to a server has: for the tests of a program
 * that writes to a database, or for one that keeps its own. Resolves when the contents are here; rejects
 * where the server can not have such a database.
 */
export function connectInProcess<T>(options: InProcessOptions<T>): Promise<OvsdbConnection<T>> {
  const { schema, tables } = options
  const clock = options.clock ?? new SystemClock()
  const random = options.random ?? systemRandom
  const server = options.server ?? createServer({ clock, random })
  return new Promise((resolve, reject) => {
    const known = server.database(schema.name)
    const database = known ? { ok: true as const, value: known } : server.addDatabase(schema)
    if (!database.ok) {
      reject(new Error(database.error))
      return
    }
    const replica = localReplica(database.value, schema, { clock, locks: server.locks, ...(tables ? { tables } : {}) })
    if (!options.server) {
      replica.onState((state) => {
        if (state === 'closed') server.close()
      })
    }
    const stop = replica.onSynced(() => {
      stop()
      resolve(new OvsdbConnection(replica, clock, random))
    })
  })
}
