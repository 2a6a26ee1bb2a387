import { resolve } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { err, ok, type Result } from '../base/result.ts'
import { systemFiles } from '../io/files.ts'
import type { BackupSource, Relays, Replication, Server } from '../ovsdb/server/index.ts'
import { openFile } from '../ovsdb/storage/index.ts'
import type { DatabaseConfig } from './_ovsdb-config.ts'

/** What the databases of a server are opened with. */
export interface DatabaseContext {
  readonly server: Server
  readonly relays: Relays
  readonly replication: Replication
  readonly clock: Clock
  readonly log: Log
  /** Whether changed columns are written to files as differences. */
  readonly differences: boolean
}

/** `relay:DB:REMOTES`, as a command line names a relay. */
const RELAY = /^relay:([^:]*):(.+)$/s

/** A database of a command line: a file, or a relay. */
export function databaseArgument(text: string): DatabaseConfig {
  const [, name, source] = RELAY.exec(text) ?? []
  return name === undefined ? { name: text } : { name, model: 'relay', source }
}

/** The databases of a server: files and relays, as configured by command line, file or command. */
export class Databases {
  /** What each was opened as, by the name of its schema. */
  private readonly opened = new Map<string, DatabaseConfig>()
  /** Where relative names begin, whatever --detach makes of the working directory. */
  private readonly directory = process.cwd()

  constructor(private readonly context: DatabaseContext) {
    context.server.onRemoved((name) => this.opened.delete(name))
  }

  /** Serves one more; an error says why not. */
  add(config: DatabaseConfig): Result<void> {
    const { relays, replication } = this.context
    const { name, source } = config
    if (config.model === 'relay') {
      if (source === undefined) return err(`${name}: relay without a source`)
      const added = relays.add(name, source.split(','), config.sourceOptions)
      if (!added.ok) return err(`ovsdb error: ${name}: ${added.error}`)
      this.opened.set(name, config)
      return ok(undefined)
    }
    const opened = this.openFile(config)
    if (!opened.ok) return opened
    this.opened.set(opened.value, config)
    replication.added(opened.value)
    return ok(undefined)
  }

  private openFile({ name: path, model }: DatabaseConfig): Result<string> {
    const { server, clock, log, differences } = this.context
    const full = resolve(this.directory, path)
    const open = [...this.opened.values()].some((c) => c.model !== 'relay' && resolve(this.directory, c.name) === full)
    if (open) return err(`ovsdb error: ${path}: already open`)
    const file = openFile(full, { files: systemFiles, clock, log, differences })
    if (!file.ok) return err(file.error.replace(full, path).replace('file is empty', 'cannot identify file type'))
    const refuse = (error: string) => {
      file.value.storage.close()
      return err(error)
    }
    if (model === 'clustered') return refuse(`ovsdb error: ${path}: database is standalone and not clustered`)
    const added = server.addDatabase(file.value.schema, file.value.storage)
    if (added.ok) return ok(added.value.name)
    const known = /^(duplicate|names beginning)/.test(added.error)
    return refuse(known ? `ovsdb error: ${file.value.schema.name}: ${added.error}` : added.error)
  }

  /**
   * Serves exactly these: others are removed, new ones opened, and backups begin or end. What can not be
   * opened is told of in the log, and the answer is false.
   */
  configure(configs: readonly DatabaseConfig[]): boolean {
    const { server, log } = this.context
    const wanted = new Map<string, DatabaseConfig>()
    for (const config of configs) {
      if (wanted.has(config.name))
        log.warn(`Duplicate database configuration: ${config.name}`, { code: 'duplicate-db' })
      wanted.set(config.name, config)
    }
    const kept = new Set<string>()
    for (const [schema, was] of [...this.opened]) {
      const config = wanted.get(was.name)
      if (config && sameService(config, was)) {
        kept.add(was.name)
        this.opened.set(schema, config)
      } else server.removeDatabase(schema)
    }
    let fine = true
    for (const config of wanted.values()) {
      if (kept.has(config.name)) continue
      const added = this.add(config)
      if (added.ok) continue
      fine = false
      log.warn(`failed to open database '${config.name}': ${added.error}`, { code: 'database-not-opened' })
    }
    this.followActive()
    if (!fine) log.warn('failed to configure databases', { code: 'config-refused' })
    return fine
  }

  /** Lets the databases whose configuration says so follow their active server. */
  private followActive(): void {
    const sources = new Map<string, BackupSource>()
    for (const [schema, config] of this.opened) {
      if (!config.backup || config.source === undefined) continue
      const { probe, maxBackoff } = config.sourceOptions ?? {}
      sources.set(schema, { remote: config.source, probe, maxBackoff, exclude: new Set(config.exclude) })
    }
    this.context.replication.follow(sources)
  }
}

/** Whether a database can be served on as it is. */
function sameService(a: DatabaseConfig, b: DatabaseConfig): boolean {
  if ((a.model === 'relay') !== (b.model === 'relay')) return false
  if (a.model !== 'relay') return a.model !== 'clustered'
  return a.source === b.source && JSON.stringify(a.sourceOptions) === JSON.stringify(b.sourceOptions)
}
