import { err, ok, type Result } from '../../base/result.ts'
import type { Json } from '../../jsonrpc/json.ts'
import { JsonError, JsonParser } from '../../jsonrpc/parser.ts'

const BLANK = Uint8Array.of(0x20)

/** The JSON of a word or a file; what is wrong is said with its place, in the words of the real tools. */
export function readJsonText(text: string): Result<Json> {
  const bytes = new TextEncoder().encode(text)
  try {
    const parser = new JsonParser()
    const used = parser.push(bytes)
    // a word ends with what comes behind it
    if (!parser.done) parser.push(BLANK)
    if (!parser.done) {
      return err(`${placeText(bytes)}: ${text.trim() === '' ? 'empty input stream' : 'unexpected end of input'}`)
    }
    const rest = bytes.subarray(used)
    if (rest.some((byte) => byte > 0x20)) {
      const place = { line: 0, column: used, byte: used }
      new JsonParser(1000, place).push(Uint8Array.of(...rest, 0x20))
      return err('trailing garbage at end of input')
    }
    return ok(parser.result as Json)
  } catch (e) {
    if (e instanceof JsonError) return err(e.message)
    throw e
  }
}

/** Where a text ends; a word or number at its end is noticed to be whole one byte later. */
function placeText(bytes: Uint8Array): string {
  const line = bytes.reduce((n, byte) => (byte === 0x0a ? n + 1 : n), 0)
  const late = /[\w.+-]/.test(String.fromCharCode(bytes.at(-1) ?? 0)) ? 1 : 0
  return `line ${line}, column ${bytes.length - bytes.lastIndexOf(0x0a) - 1 + late}, byte ${bytes.length + late}`
}
