import { readFileSync } from 'node:fs'
import { err, ok, type Result } from '../base/result.ts'
import { errorText } from '../io/errors.ts'
import { isArray, isObject, type Json, type JsonObject } from '../jsonrpc/json.ts'
import { JsonError, parseJson } from '../jsonrpc/parser.ts'
import type { RemoteOptions } from '../ovsdb/server/index.ts'

/** One database of a configuration file (ovsdb-server(1), --config-file). */
export interface DatabaseConfig {
  /** A file; a schema's name for a relay. */
  readonly name: string
  readonly model: 'standalone' | 'active-backup' | 'relay'
  readonly source: string | undefined
  readonly sourceOptions: RemoteOptions
  readonly backup: boolean
  readonly exclude: readonly string[]
}

export interface ServerConfig {
  readonly remotes: ReadonlyMap<string, RemoteOptions>
  readonly databases: readonly DatabaseConfig[]
}

const REMOTE_KEYS = new Set(['max-backoff', 'inactivity-probe', 'read-only', 'role', 'dscp'])
const DATABASE_KEYS = new Set(['service-model', 'source', 'backup', 'exclude-tables'])

function options(target: string, json: Json | undefined, source: boolean): Result<RemoteOptions> {
  if (json === null || json === undefined) return ok({})
  if (!isObject(json)) return err(`JSON-RPC options for '${target}' are not a JSON object`)
  for (const key of Object.keys(json)) {
    if (!REMOTE_KEYS.has(key) || (source && (key === 'read-only' || key === 'role'))) {
      return err(`unknown option '${key}' of '${target}'`)
    }
  }
  const number = (key: string): Result<number | undefined> => {
    const value = json[key]
    if (value === undefined) return ok(undefined)
    return typeof value === 'number' && Number.isInteger(value) && value >= 0
      ? ok(value)
      : err(`'${key}' of '${target}' is not a non-negative integer`)
  }
  const probe = number('inactivity-probe')
  const backoff = number('max-backoff')
  if (!probe.ok) return probe
  if (!backoff.ok) return backoff
  const readOnly = json['read-only'] ?? false
  const role = json['role'] ?? ''
  if (typeof readOnly !== 'boolean') return err(`'read-only' of '${target}' is not a boolean`)
  if (typeof role !== 'string') return err(`'role' of '${target}' is not a string`)
  return ok({ probe: probe.value, maxBackoff: backoff.value, readOnly, role })
}

function database(name: string, json: Json | undefined): Result<DatabaseConfig> {
  const object: JsonObject = isObject(json) ? json : {}
  if (json !== null && !isObject(json)) return err(`options of database '${name}' are not a JSON object`)
  for (const key of Object.keys(object))
    if (!DATABASE_KEYS.has(key)) return err(`unknown option '${key}' of database '${name}'`)
  const model = object['service-model'] ?? 'standalone'
  if (model === 'clustered') {
    return err(
      `${name}: clustered databases are served by the ovsdb-server of Open vSwitch (docs/OVSDB-SERVER.md, Clusters)`,
    )
  }
  if (model !== 'standalone' && model !== 'active-backup' && model !== 'relay') {
    return err(`'${String(model)}' is not a valid service model of database '${name}'`)
  }
  let source: string | undefined
  let sourceOptions: RemoteOptions = {}
  if (model !== 'standalone') {
    const given = object['source']
    const targets = isObject(given) ? Object.keys(given) : []
    if (!isObject(given) || targets.length !== 1)
      return err(`'source' of database '${name}' must have exactly one element`)
    source = targets[0] as string
    const parsed = options(source, given[source], true)
    if (!parsed.ok) return parsed
    sourceOptions = parsed.value
  }
  const exclude = object['exclude-tables'] ?? []
  if (!isArray(exclude) || !exclude.every((e) => typeof e === 'string')) {
    return err(`'exclude-tables' of database '${name}' is not an array of strings`)
  }
  return ok({
    name,
    model,
    source,
    sourceOptions,
    backup: object['backup'] === true,
    exclude: exclude as readonly string[],
  })
}

/** Reads a configuration file; nothing is taken of one that has a fault. */
export function readConfig(path: string): Result<ServerConfig> {
  let json: Json
  try {
    json = parseJson(readFileSync(path, 'utf8'))
  } catch (e) {
    return err(`${path}: ${e instanceof JsonError ? e.message : errorText(e)}`)
  }
  if (!isObject(json)) return err(`${path}: configuration is not a JSON object`)
  for (const key of Object.keys(json)) {
    if (key !== 'remotes' && key !== 'databases') return err(`${path}: unknown member '${key}'`)
  }
  const remotes = new Map<string, RemoteOptions>()
  const { remotes: remotesJson = {}, databases: databasesJson = {} } = json
  if (!isObject(remotesJson) || !isObject(databasesJson))
    return err(`${path}: 'remotes' and 'databases' must be JSON objects`)
  for (const [target, value] of Object.entries(remotesJson)) {
    const parsed = options(target, value, false)
    if (!parsed.ok) return err(`${path}: ${parsed.error}`)
    remotes.set(target, parsed.value)
  }
  const databases: DatabaseConfig[] = []
  for (const [name, value] of Object.entries(databasesJson)) {
    const parsed = database(name, value)
    if (!parsed.ok) return err(`${path}: ${parsed.error}`)
    databases.push(parsed.value)
  }
  return ok({ remotes, databases })
}
