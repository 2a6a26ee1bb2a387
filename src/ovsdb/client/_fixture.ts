import { VirtualClock } from '../../base/clock.ts'
import { silent } from '../../base/log.ts'
import { seeded } from '../../base/random.ts'
import { ok, unwrap } from '../../base/result.ts'
import { type ByteStream, streamPair } from '../../base/stream.ts'
import { type Row, readSchema } from '../schema/index.ts'
import { createServer, type Server } from '../server/index.ts'
import type { Database } from '../transaction/index.ts'
import { localReplica } from './local.ts'
import { type RemoteOptions, RemoteReplica } from './remote.ts'
import type { Replica, TableRequests, TypedSchema } from './replica.ts'

/** Rows of a small database with a column of each shape. */
export interface Items {
  Item: {
    readonly _uuid: string
    readonly name: string
    readonly size: number
    readonly note: string | undefined
    readonly tags: readonly string[]
    readonly options: ReadonlyMap<string, string>
    readonly parts: readonly string[]
    readonly friend: string | undefined
  }
  Part: { readonly _uuid: string; readonly name: string }
}

const many = { min: 0, max: 'unlimited' } as const

export const itemSchema: TypedSchema<Items> = readSchema({
  name: 'Items',
  version: '1.0.0',
  tables: {
    Item: {
      isRoot: true,
      indexes: [['name']],
      columns: {
        name: { type: 'string' },
        size: { type: { key: { type: 'integer', minInteger: 0 } } },
        note: { type: { key: 'string', min: 0, max: 1 } },
        tags: { type: { key: 'string', ...many } },
        options: { type: { key: 'string', value: 'string', ...many } },
        parts: { type: { key: { type: 'uuid', refTable: 'Part' }, ...many } },
        friend: { type: { key: { type: 'uuid', refTable: 'Item', refType: 'weak' }, min: 0, max: 1 } },
      },
    },
    Part: { columns: { name: { type: 'string' } } },
  },
})

/** A server with the database, on virtual time. */
export class World {
  readonly clock = new VirtualClock()
  readonly random = seeded(7)
  readonly server: Server
  readonly database: Database
  /** The client's ends of the connections made so far, by remote. */
  readonly streams: { readonly remote: string; readonly stream: ByteStream }[] = []
  /** Remotes that can not be reached now. */
  readonly down = new Set<string>()

  constructor() {
    this.server = createServer({ clock: this.clock, log: silent, random: this.random })
    this.database = unwrap(this.server.addDatabase(itemSchema))
  }

  local(tables?: TableRequests<Items>): Replica<Items> {
    const { clock } = this
    return localReplica(this.database, itemSchema, { clock, locks: this.server.locks, ...(tables ? { tables } : {}) })
  }

  remote(tables?: TableRequests<Items>, options: Partial<RemoteOptions<Items>> = {}): RemoteReplica<Items> {
    return new RemoteReplica<Items>({
      schema: itemSchema,
      ...(tables ? { tables } : {}),
      remotes: ['memory'],
      clock: this.clock,
      dial: (remote, done) => {
        if (this.down.has(remote)) {
          done({ ok: false, error: 'Connection refused' })
          return () => {}
        }
        const [client, server] = streamPair(this.clock)
        this.streams.push({ remote, stream: client })
        this.server.accept(server)
        done(ok(client))
        return () => {}
      },
      ...options,
    })
  }

  /** Both ends of a connection. */
  pair(): [ByteStream, ByteStream] {
    return streamPair(this.clock)
  }

  rows(table: string): Row[] {
    return [...this.database.rows(table)]
  }
}

/** The rows of a replica or a database without what a replica need not have. */
export function contents(rows: Iterable<object>): unknown[] {
  return [...rows]
    .map((row) => ({ ...row, _version: undefined }))
    .sort((a, b) => ((a as unknown as Row)._uuid < (b as unknown as Row)._uuid ? -1 : 1))
}
