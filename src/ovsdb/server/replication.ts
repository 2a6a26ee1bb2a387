import { type ControlCommand, command } from '../../base/command.ts'
import { printJson } from '../../jsonrpc/json.ts'
import { printSchema } from '../schema/index.ts'
import { Database } from '../transaction/index.ts'
import { Follower, type FollowerState } from './follower.ts'
import type { Transport } from './remotes.ts'
import type { Server } from './server.ts'

export interface RelayOptions {
  readonly probe?: number | undefined
  readonly maxBackoff?: number | undefined
}

const PROBE = 60_000

/** Offers a database of another server: reads are answered here, transactions there (ovsdb(7), Relay). */
export function startRelay(
  server: Server,
  transport: Transport,
  name: string,
  remotes: readonly string[],
  options: RelayOptions = {},
): Follower {
  const follower: Follower = new Follower(server, transport, {
    remotes,
    database: name,
    exclude: new Set(),
    probe: options.probe ?? PROBE,
    maxBackoff: options.maxBackoff,
    target: (schema) => {
      server.removeDatabase(name)
      const database = new Database(schema, server.clock, server.random)
      database.readOnly = true
      server.addRelay(database, (params, done) => follower.forward(params, done))
      server.remotes.refresh()
      return database
    },
    onState: (state) => server.setConnected(name, state === 'replicating'),
  })
  follower.start()
  server.onClose(() => follower.stop())
  return follower
}

/**
 * Active-backup: while backup, every database follows the active server and takes no writes
 * (ovsdb-server(1), Active-Backup Options).
 */
export class Replication {
  private readonly followers = new Map<string, Follower>()
  private readonly states = new Map<string, FollowerState>()
  private probe = PROBE
  private active = true

  constructor(
    private readonly server: Server,
    private readonly transport: Transport,
    private source: string | undefined,
    private excluded: ReadonlySet<string>,
  ) {}

  get backup(): boolean {
    return !this.active
  }

  /** Backs up one database from a source, as a configuration file asks. */
  follow(source: string, excluded: ReadonlySet<string>, database: string): void {
    if (this.backup && source === this.source && this.followers.has(database)) return
    this.source = source
    this.excluded = excluded
    this.connect(database)
  }

  connect(only?: string): string | undefined {
    if (this.source === undefined) return 'Unable to connect: active server is not specified.\n'
    this.disconnect()
    this.active = false
    for (const { database, model } of this.server.hosted.values()) {
      if (database.name.startsWith('_') || model !== 'standalone') continue
      if (only !== undefined && database.name !== only) continue
      database.readOnly = true
      const follower = new Follower(this.server, this.transport, {
        remotes: [this.source],
        database: database.name,
        exclude: new Set(
          [...this.excluded].flatMap((e) =>
            e.startsWith(`${database.name}:`) ? [e.slice(database.name.length + 1)] : [],
          ),
        ),
        probe: this.probe,
        target: (schema) =>
          printJson(printSchema(schema), true) === printJson(printSchema(database.schema), true)
            ? database
            : `Schema version mismatch, checking if ${database.name} can still be replicated: schemas differ`,
        onState: (state) => void this.states.set(database.name, state),
      })
      this.followers.set(database.name, follower)
      this.states.set(database.name, 'connecting')
      follower.start()
    }
    return undefined
  }

  disconnect(): void {
    for (const follower of this.followers.values()) follower.stop()
    this.followers.clear()
    this.states.clear()
    if (!this.active)
      for (const { database } of this.server.hosted.values()) database.readOnly = database.name.startsWith('_')
    this.active = true
  }

  /** What `--sync-exclude-tables` says: `DB:TABLE,...`; a text says what is wrong with it. */
  setExcluded(text: string): string | undefined {
    const entries = text.split(',').filter((e) => e)
    const bad = entries.find((e) => !/^[^:]+:[^:]+$/.test(e))
    if (bad !== undefined) return `invalid DB:TABLE argument '${bad}'`
    this.excluded = new Set(entries)
    return undefined
  }

  private status(): string {
    if (this.active) return 'state: active\n'
    const lines = ['state: backup']
    const states = [...this.states]
    if (states.every(([, s]) => s === 'replicating')) {
      const rest = states.map(([name]) => {
        const out = [...this.excluded].filter((e) => e.startsWith(`${name}:`)).map((e) => e.slice(name.length + 1))
        return out.length ? `${name} (${out.join(', ')})` : name
      })
      lines.push(`replicating: ${this.source}`, `database: ${rest.join(', ')}`)
    } else if (states.some(([, s]) => s === 'error')) lines.push('error: replication failed, see the log')
    else lines.push(`connecting: ${this.source}`)
    return `${lines.join('\n')}\n`
  }

  commands(): ControlCommand[] {
    const name = (n: string) => `ovsdb-server/${n}`
    return [
      command(name('sync-status'), '', [0, 0], () => this.status()),
      command(name('set-active-ovsdb-server'), '', [1, 1], ([remote]) => {
        this.source = remote
        if (this.backup) this.connect()
        return ''
      }),
      command(name('get-active-ovsdb-server'), '', [0, 0], () => (this.source === undefined ? '' : `${this.source}\n`)),
      command(name('connect-active-ovsdb-server'), '', [0, 0], () => this.connect() ?? ''),
      command(name('disconnect-active-ovsdb-server'), '', [0, 0], () => {
        this.disconnect()
        return ''
      }),
      command(name('set-active-ovsdb-server-probe-interval'), '', [1, 1], ([text = '']) => {
        if (!/^\d+$/.test(text)) return new Error('Invalid probe interval, integer value expected')
        this.probe = Number(text)
        return ''
      }),
      command(name('set-relay-source-probe-interval'), '', [1, 1], ([text = '']) =>
        /^\d+$/.test(text) ? '' : new Error('Invalid probe interval, integer value expected'),
      ),
      command(name('set-sync-exclude-tables'), '', [1, 1], ([text = '']) => {
        const error = this.setExcluded(text)
        if (error !== undefined) return new Error(error)
        if (this.backup) this.connect()
        return ''
      }),
      command(name('get-sync-exclude-tables'), '', [0, 0], () =>
        this.excluded.size ? `${[...this.excluded].join(',')}\n` : '',
      ),
    ]
  }
}
