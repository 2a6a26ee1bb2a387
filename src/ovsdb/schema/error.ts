import { isArray, isObject, type Json, printJson } from '../../jsonrpc/json.ts'

/**
 * RFC 7047 §3.1 `<error>`: `error` is one of the RFC's or ovsdb-server(7)'s short names; `syntax`
 * is the JSON text at fault.
 */
export interface OvsdbError {
  readonly error: string
  readonly details?: string
  readonly syntax?: string
  /** What the system said: `io-error`. */
  readonly io?: string
}

/** Thrown inside the database for a request that is at fault; the edges turn it into an answer. */
export class Failure extends Error {
  constructor(readonly error: OvsdbError) {
    super(describeError(error))
  }
}

export function fail(error: string, details?: string): never {
  throw new Failure(details === undefined ? { error } : { error, details })
}

/** Fails for JSON that is not what the protocol asks for; `json` is quoted when it is an array or object or atom. */
export function syntaxError(json: Json | undefined, details: string, error = 'syntax error'): never {
  throw new Failure(json === undefined ? { error, details } : { error, details, syntax: printJson(json, true) })
}

/** One line, as the tools and the log of Open vSwitch print an error. */
export function describeError(e: OvsdbError): string {
  let s = ''
  if (e.syntax !== undefined) s += `syntax "${e.syntax}": `
  s += e.error
  if (e.details !== undefined) s += `: ${e.details}`
  if (e.io !== undefined) s += ` (${e.io})`
  return s
}

/** The members of a JSON object, taken one by one, with the errors of ovsdb-server. */
export class Members {
  private readonly used: string[] = []
  private readonly object: { readonly [member: string]: Json | undefined }

  constructor(
    private readonly json: Json | undefined,
    private readonly what: string,
  ) {
    if (!isObject(json)) syntaxError(undefined, `Parsing ${what} failed: Object expected.`)
    this.object = json
  }

  /** Fails with the object quoted. */
  fail(details: string): never {
    syntaxError(this.json, `Parsing ${this.what} failed: ${details}`)
  }

  has(name: string): boolean {
    return Object.hasOwn(this.object, name)
  }

  /** An optional member of any type. */
  any(name: string): Json | undefined {
    if (!this.has(name)) return undefined
    this.used.push(name)
    return this.object[name]
  }

  optional<T extends Json>(name: string, is: (json: Json | undefined) => json is T): T | undefined {
    if (!this.has(name)) return undefined
    this.used.push(name)
    const value = this.object[name]
    if (!is(value)) this.fail(`Type mismatch for member '${name}'.`)
    return value
  }

  required<T extends Json>(name: string, is: (json: Json | undefined) => json is T): T {
    const value = this.optional(name, is)
    if (value === undefined) this.fail(`Required '${name}' member is missing.`)
    return value
  }

  /** Fails when there are members that nobody asked for. */
  finish(): void {
    const others = Object.keys(this.object).filter((name) => !this.used.includes(name))
    if (!others.length) return
    const more = others.length - 1
    const first = others.sort()[0]
    if (!more) this.fail(`Member '${first}' is present but not allowed here.`)
    this.fail(`Member '${first}' and ${more} other member${more > 1 ? 's' : ''} are present but not allowed here.`)
  }
}

const ID = /^[a-zA-Z_][a-zA-Z0-9_]*$/

/** RFC 7047 §3.1 `<id>`. */
export function isId(text: Json | undefined): text is string {
  return typeof text === 'string' && ID.test(text)
}

export const isString = (json: Json | undefined): json is string => typeof json === 'string'
export const isBoolean = (json: Json | undefined): json is boolean => typeof json === 'boolean'
export const isNumber = (json: Json | undefined): json is number | bigint =>
  typeof json === 'number' || typeof json === 'bigint'
export const isAnyJson = (json: Json | undefined): json is Json => json !== undefined
export { isArray, isObject }
