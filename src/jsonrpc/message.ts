import { err, ok, type Result } from '../base/result.ts'
import { isArray, isObject, type Json } from './json.ts'

/** A message of JSON-RPC 1.0. */
export type Message =
  | { readonly kind: 'request'; readonly method: string; readonly params: readonly Json[]; readonly id: Json }
  | { readonly kind: 'notification'; readonly method: string; readonly params: readonly Json[] }
  | { readonly kind: 'reply'; readonly result: Json; readonly id: Json }
  | { readonly kind: 'error'; readonly error: Json; readonly id: Json }

const MEMBERS: ReadonlySet<string> = new Set(['method', 'params', 'id', 'result', 'error'])

const isMember = (name: string) => MEMBERS.has(name)

/** The message that a value is; or why it is none, as Open vSwitch logs it. A null member is none. */
export function readMessage(json: Json): Result<Message> {
  if (!isObject(json)) return err('message is not a JSON object')
  const { method } = json
  if (method !== undefined && typeof method !== 'string') return err('method is not a JSON string')
  const names = Object.keys(json)
  if (!names.every(isMember)) {
    return err(`message has unexpected member "${names.filter((name) => !isMember(name)).sort()[0]}"`)
  }
  const params = json['params'] ?? undefined
  const result = json['result'] ?? undefined
  const error = json['error'] ?? undefined
  const id = json['id'] ?? undefined
  if (params !== undefined && !isArray(params)) return err('"params" must be JSON array')
  if (result !== undefined || error !== undefined) {
    const kind = result !== undefined ? 'reply' : 'error'
    if (method !== undefined) return err(`${kind} must not have "method"`)
    if (params !== undefined) return err(`${kind} must not have "params"`)
    if (result !== undefined && error !== undefined) return err('reply must not have "error"')
    if (id === undefined) return err(`${kind} must have "id"`)
    return ok(result !== undefined ? { kind: 'reply', result, id } : { kind: 'error', error: error as Json, id })
  }
  const kind = id === undefined ? 'notification' : 'request'
  if (method === undefined) return err(`${kind} must have "method"`)
  if (params === undefined) return err(`${kind} must have "params"`)
  return ok(id === undefined ? { kind: 'notification', method, params } : { kind: 'request', method, params, id })
}
