import { readFileSync } from 'node:fs'
import type { Log } from '../base/log.ts'
import { readJsonText } from '../ctl/ovsdb-client/json-text.ts'
import { errorText } from '../io/errors.ts'
import { isArray, isObject, type Json, type JsonObject, printJson } from '../jsonrpc/json.ts'
import type { RemoteOptions } from '../ovsdb/server/index.ts'

export type ServiceModel = 'standalone' | 'clustered' | 'active-backup' | 'relay'

/** One database to serve, from the command line or a configuration file (ovsdb-server(1), --config-file). */
export interface DatabaseConfig {
  /** A file; a schema's name for a relay. */
  readonly name: string
  /** Undefined: whatever the file is. */
  readonly model?: ServiceModel | undefined
  /** Connection methods of a relay's source or a backup's active server, with commas. */
  readonly source?: string | undefined
  readonly sourceOptions?: RemoteOptions
  /** Of an active-backup database: this server is the backup. */
  readonly backup?: boolean
  /** Of a backup: tables that are not replicated. */
  readonly exclude?: readonly string[]
}

export interface ServerConfig {
  readonly remotes: ReadonlyMap<string, RemoteOptions>
  readonly databases: readonly DatabaseConfig[]
}

const MODELS: ReadonlySet<string> = new Set(['standalone', 'clustered', 'active-backup', 'relay'])

/** What is wrong with a configuration; the text goes to the log. */
class Fault extends Error {}

type MemberType = 'string' | 'integer' | 'boolean' | 'object' | 'array'

function hasType(json: Json, type: MemberType): boolean {
  if (type === 'integer') return Number.isInteger(json)
  if (type === 'array') return isArray(json)
  return type === 'object' ? isObject(json) : typeof json === type
}

/** The members of an object, taken one by one; the first thing that is wrong with it is kept. */
class Members {
  private readonly left: Set<string>
  private fault: string | undefined

  constructor(
    private readonly what: string,
    private readonly json: JsonObject,
  ) {
    this.left = new Set(Object.keys(json))
  }

  take(name: string, type: MemberType, required = false): Json | undefined {
    this.left.delete(name)
    const value = this.json[name]
    if (value === undefined) {
      if (required) this.complain(`Required '${name}' member is missing.`)
    } else if (hasType(value, type)) return value
    else this.complain(`Type mismatch for member '${name}'.`)
    return undefined
  }

  complain(text: string): void {
    this.fault ??= text
  }

  /** What is wrong, if anything: of a member, or that there are more than should be. */
  end(): string | undefined {
    const [first] = this.left
    if (first !== undefined) {
      const others = this.left.size - 1
      const are = others ? ` and ${others} other member${others > 1 ? 's' : ''} are` : ' is'
      this.complain(`Member '${first}'${are} present but not allowed here.`)
    }
    if (this.fault === undefined) return undefined
    return `syntax "${printJson(this.json, true)}": syntax error: Parsing ${this.what} failed: ${this.fault}`
  }
}

/** Reads the options of a connection; one that is wrong is told of and left out, as the real server does it. */
function remoteOptions(json: Json, source: boolean, log: Log): RemoteOptions | undefined {
  if (json === null) return {}
  if (!isObject(json)) return undefined
  const members = new Members('JSON-RPC options', json)
  const probe = members.take('inactivity-probe', 'integer') as number | undefined
  const maxBackoff = members.take('max-backoff', 'integer') as number | undefined
  // Understood; Node can not mark packets.
  members.take('dscp', 'integer')
  const readOnly = source ? undefined : (members.take('read-only', 'boolean') as boolean | undefined)
  const role = source ? undefined : (members.take('role', 'string') as string | undefined)
  const fault = members.end()
  if (fault !== undefined) log.child('ovsdb_jsonrpc_server').warn(fault, { code: 'config-option-ignored' })
  return {
    ...(probe === undefined ? {} : { probe: Math.max(0, probe) }),
    ...(maxBackoff === undefined ? {} : { maxBackoff: Math.max(1000, maxBackoff) }),
    readOnly: readOnly ?? false,
    role: role ?? '',
  }
}

function databaseConfig(name: string, json: Json, log: Log): DatabaseConfig {
  if (json === null) return { name }
  if (!isObject(json)) throw new Fault(`syntax error: Parsing database ${name} failed: Object expected.`)
  const members = new Members(`database ${name}`, json)
  const given = members.take('service-model', 'string') as string | undefined
  if (given !== undefined && !MODELS.has(given)) {
    log.warn(`Unrecognized database service model: '${given}'`, { code: 'config-refused' })
    members.complain(`'${given}' is not a valid service model`)
  }
  const model = given as ServiceModel | undefined
  let backup: Json | undefined
  let exclude: Json | undefined
  let source: string | undefined
  let sourceOptions: RemoteOptions | undefined
  if (model === 'active-backup') {
    backup = members.take('backup', 'boolean', true)
    exclude = members.take('exclude-tables', 'array')
    if (isArray(exclude) && !exclude.every((e) => typeof e === 'string')) {
      members.complain("'exclude-tables' must contain strings")
    }
  }
  if (model === 'active-backup' || model === 'relay') {
    const object = members.take('source', 'object', true)
    if (isObject(object)) {
      const [target, ...more] = Object.keys(object)
      if (target === undefined || more.length) {
        members.complain("'source' should be an object with exactly one element")
      } else {
        source = target
        sourceOptions = remoteOptions(object[target] as Json, true, log)
        if (!sourceOptions) members.complain('JSON-RPC options is not a JSON object or null')
      }
    }
  }
  const fault = members.end()
  if (fault !== undefined) throw new Fault(fault)
  return {
    name,
    model,
    source,
    sourceOptions: sourceOptions ?? {},
    backup: backup === true,
    exclude: (exclude ?? []) as readonly string[],
  }
}

/** Reads all members of one of the two parts of a configuration. */
function readPart<T>(json: JsonObject, part: string, read: (name: string, value: Json) => T): T[] {
  const value = json[part] ?? {}
  try {
    if (!isObject(value)) throw new Fault(`config: '${part}' is not a JSON object`)
    return Object.entries(value).map(([name, member]) => read(name, member as Json))
  } catch (e) {
    if (e instanceof Fault) throw new Fault(`${e.message}\nconfig: failed to parse '${part}'`)
    throw e
  }
}

/**
 * Reads a configuration file. Nothing is taken of one that has a fault: what it is goes to the log, and
 * the answer is undefined.
 */
export function readConfig(path: string, log: Log): ServerConfig | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (e) {
    log.err(`failed to open configuration file '${path}': ${errorText(e)}`, { code: 'config-refused', file: path })
    return undefined
  }
  log.info(`loading configuration from '${path}'`)
  try {
    const read = readJsonText(text)
    if (!read.ok) throw new Fault(`config: reading JSON failed (${read.error})`)
    const json = read.value
    if (!isObject(json)) throw new Fault('configuration in a file must be a JSON object')
    const remotes = readPart(json, 'remotes', (target, value) => {
      const options = remoteOptions(value, false, log)
      if (!options) throw new Fault(`${target}: JSON-RPC options are not a JSON object or null`)
      return [target, options] as const
    })
    const databases = readPart(json, 'databases', (name, value) => databaseConfig(name, value, log))
    return { remotes: new Map(remotes), databases }
  } catch (e) {
    if (!(e instanceof Fault)) throw e
    for (const line of e.message.split('\n')) log.warn(line, { code: 'config-refused', file: path })
    log.warn(`failed to load configuration from ${path}`, { code: 'config-refused', file: path })
    return undefined
  }
}
