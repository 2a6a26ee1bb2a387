import { isArray, isInteger, type Json } from '../../jsonrpc/json.ts'
import { type Atom, type AtomicType, parseUuid } from './atom.ts'
import { isId, syntaxError } from './error.ts'

/** Gives the uuid that a transaction's `["named-uuid", NAME]` stands for. */
export type NamedUuids = (name: string) => string

/** RFC 7047 §5.1 `<atom>`, without the column's constraints; throws Failure. */
export function readAtom(type: AtomicType, json: Json, named?: NamedUuids): Atom {
  switch (type) {
    case 'string':
      if (typeof json === 'string') return json
      break
    case 'integer':
      // Adding 0 makes 0 of -0.
      if (typeof json === 'number') {
        if (Number.isSafeInteger(json)) return json + 0
      } else if (isInteger(json)) return json
      break
    case 'real':
      if (typeof json === 'number') return json + 0
      if (typeof json === 'bigint') return Number(json)
      break
    case 'boolean':
      if (typeof json === 'boolean') return json
      break
    case 'uuid': {
      if (!isArray(json) || json.length !== 2 || typeof json[1] !== 'string') break
      const text = json[1]
      if (json[0] === 'uuid') {
        return parseUuid(text) ?? syntaxError(json, `"${text}" is not a valid UUID`)
      }
      if (json[0] !== 'named-uuid' || !named) break
      if (!isId(text)) syntaxError(json, 'named-uuid string is not a valid <id>')
      return named(text)
    }
  }
  return syntaxError(json, type === 'uuid' ? 'expected ["uuid", <string>]' : `expected ${type}`)
}
