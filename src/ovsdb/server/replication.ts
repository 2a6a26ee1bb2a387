import { type ControlCommand, command } from '../../base/command.ts'
import { printJson } from '../../jsonrpc/json.ts'
import { type DatabaseSchema, printSchema } from '../schema/index.ts'
import type { Database } from '../transaction/index.ts'
import { Follower, type FollowerState } from './follower.ts'
import type { Transport } from './remotes.ts'
import type { Server } from './server.ts'

/** Where a database of an active-backup pair comes from while this server is the backup. */
export interface BackupSource {
  /** A connection method of the active server. */
  readonly remote: string
  readonly probe?: number | undefined
  readonly maxBackoff?: number | undefined
  /** Tables that are not replicated. */
  readonly exclude: ReadonlySet<string>
}

interface Backup {
  readonly source: BackupSource
  readonly follower: Follower
  state: FollowerState
}

const PROBE = 60_000

/** Why contents by one schema can not be kept by another; undefined when they can. */
function whyNot(local: DatabaseSchema, remote: DatabaseSchema, exclude: ReadonlySet<string>): string | undefined {
  const here = printSchema(local) as { readonly tables: Record<string, { readonly columns: Record<string, unknown> }> }
  const there = printSchema(remote) as typeof here
  for (const name of Object.keys(there.tables).sort()) {
    if (exclude.has(name)) continue
    const columns = here.tables[name]?.columns
    if (!columns) return `Table ${name} not present in the local db schema`
    for (const [column, type] of Object.entries(there.tables[name]?.columns ?? {})) {
      if (!columns[column]) return `Column ${column} not present in the local db schema table ${name}.`
      if (JSON.stringify(columns[column]) !== JSON.stringify(type)) {
        return `Column type mismatch in local db schema table ${name}.`
      }
    }
  }
  return undefined
}

/**
 * Active-backup: while backup, databases follow the active server and take no writes
 * (ovsdb-server(1), Active-Backup Options; ovsdb(7)).
 */
export class Replication {
  private readonly backups = new Map<string, Backup>()
  private excluded = ''
  private probe = PROBE
  /** Whether there ever was an active server to speak of; until then the status is short. */
  private paired: boolean

  constructor(
    private readonly server: Server,
    private readonly transport: Transport,
    /** Of all databases, where nothing else is said of one. */
    private remote: string | undefined = undefined,
  ) {
    this.paired = remote !== undefined
    server.onRemoved((name) => this.release(name))
    server.onClose(() => this.disconnect())
  }

  /** Makes exactly the databases of `sources` backups, those that are backups of the same source already undisturbed. */
  follow(sources: ReadonlyMap<string, BackupSource>): void {
    for (const [name, { source }] of [...this.backups]) {
      const wanted = sources.get(name)
      if (!wanted || !sameSource(wanted, source)) this.release(name)
    }
    for (const [name, source] of sources) if (!this.backups.has(name)) this.begin(name, source)
  }

  /** Makes every database a backup of the active server; a text says why not. */
  connect(): string | undefined {
    if (this.remote === undefined) return 'Unable to connect: active server is not specified.\n'
    this.disconnect()
    this.paired = true
    for (const name of this.eligible()) this.beginDefault(name)
    return undefined
  }

  disconnect(): void {
    for (const name of [...this.backups.keys()]) this.release(name)
  }

  /** A database was added: in a backup server it is a backup, too. */
  added(name: string): void {
    if (this.backups.size && this.remote !== undefined && this.eligible().includes(name)) this.beginDefault(name)
  }

  private eligible(): string[] {
    return [...this.server.hosted.values()]
      .filter((h) => h.model === 'standalone' && !h.database.name.startsWith('_'))
      .map((h) => h.database.name)
  }

  private beginDefault(name: string): void {
    const exclude = this.excluded.split(',').filter((e) => e.startsWith(`${name}:`))
    this.begin(name, {
      remote: this.remote as string,
      probe: this.probe,
      exclude: new Set(exclude.map((e) => e.slice(name.length + 1))),
    })
  }

  private begin(name: string, source: BackupSource): void {
    const database = this.server.database(name)
    if (!database) return
    database.readOnly = true
    const follower = new Follower(this.server, this.transport, {
      remotes: source.remote.split(','),
      database: name,
      exclude: source.exclude,
      probe: source.probe ?? PROBE,
      maxBackoff: source.maxBackoff,
      target: (schema) => this.target(name, database, schema, source),
      onState: (state) => {
        const backup = this.backups.get(name)
        if (backup) backup.state = state
      },
    })
    this.backups.set(name, { source, follower, state: 'connecting' })
    follower.start()
  }

  private target(
    name: string,
    database: Database,
    schema: DatabaseSchema,
    { exclude }: BackupSource,
  ): Database | string {
    if (printJson(printSchema(schema), true) === printJson(printSchema(database.schema), true)) return database
    const log = this.server.log.child('replication')
    log.info(`${name}: Schema version mismatch, checking if ${name} can still be replicated or not.`)
    const reason = whyNot(database.schema, schema, exclude)
    if (reason === undefined) {
      log.info(`${name} can be replicated.`)
      return database
    }
    log.info(reason)
    return `${name} cannot be replicated.`
  }

  private release(name: string): void {
    const backup = this.backups.get(name)
    if (!backup) return
    this.backups.delete(name)
    backup.follower.stop()
    const database = this.server.database(name)
    if (database) database.readOnly = false
  }

  /** What `--sync-exclude-tables` says: `DB:TABLE,...`; a text says what is wrong with it. */
  setExcluded(text: string): string | undefined {
    const bad = text.split(',').find((e) => e && !/^[^:]+:[^:]+$/.test(e))
    if (bad !== undefined) return `invalid DB:TABLE argument '${bad}'`
    this.excluded = text
    return undefined
  }

  private status(): string {
    if (!this.paired && !this.backups.size) return 'state: active\n'
    const lines: string[] = []
    for (const name of this.eligible().sort()) {
      const backup = this.backups.get(name)
      if (!backup) {
        if (this.paired) lines.push(`database: ${name}`, 'state: active', '')
        continue
      }
      const { source, state } = backup
      const what = state === 'error' ? 'error: replication failed, see the log' : `${state}: ${source.remote}`
      lines.push(`database: ${name}`, 'state: backup', what)
      if (state !== 'replicating') continue
      const exclude = [...source.exclude].map((table) => `${name}:${table}`)
      lines.push(exclude.length ? `exclude: ${exclude.join(',')}` : '')
    }
    return lines.map((l) => `${l}\n`).join('')
  }

  commands(): ControlCommand[] {
    const name = (n: string) => `ovsdb-server/${n}`
    /** Who was a client of an active server is to look again what this one has, and the other way round. */
    const changeRole = (change: () => string | undefined) => {
      const error = change()
      if (error === undefined) this.server.remotes.reconnect()
      return error ?? ''
    }
    return [
      command(name('sync-status'), '', [0, 0], () => this.status()),
      command(name('set-active-ovsdb-server'), '', [1, 1], ([remote]) => {
        // It counts when the server connects the next time.
        this.remote = remote
        return ''
      }),
      command(name('get-active-ovsdb-server'), '', [0, 0], () => (this.remote === undefined ? '' : `${this.remote}\n`)),
      command(name('connect-active-ovsdb-server'), '', [0, 0], () => changeRole(() => this.connect())),
      command(name('disconnect-active-ovsdb-server'), '', [0, 0], () =>
        changeRole(() => {
          this.disconnect()
          return undefined
        }),
      ),
      command(name('set-active-ovsdb-server-probe-interval'), '', [1, 1], ([text = '']) => {
        const probe = probeInterval(text)
        if (probe instanceof Error) return probe
        this.probe = probe
        for (const { follower } of this.backups.values()) follower.setProbe(probe)
        return ''
      }),
      command(name('set-sync-exclude-tables'), '', [1, 1], ([text = '']) => {
        const error = this.setExcluded(text)
        if (error !== undefined) return new Error(error)
        if (this.backups.size) this.connect()
        return ''
      }),
      command(name('get-sync-exclude-tables'), '', [0, 0], () => (this.excluded ? `${this.excluded}\n` : '')),
    ]
  }
}

function sameSource(a: BackupSource, b: BackupSource): boolean {
  const text = (s: BackupSource) => JSON.stringify([s.remote, s.probe, s.maxBackoff, [...s.exclude].sort()])
  return text(a) === text(b)
}

/** Milliseconds; less than none means none. */
export function probeInterval(text: string): number | Error {
  if (!/^-?\d+$/.test(text)) return new Error('Invalid probe interval, integer value expected')
  return Math.max(0, Number(text))
}
