import crypto, { createHash, type Hash } from 'node:crypto'
import { err, ok, type Result } from '../../base/result.ts'
import type { Json } from '../../jsonrpc/json.ts'
import { JsonError } from '../../jsonrpc/parser.ts'
import { MessageReader } from '../../jsonrpc/reader.ts'
import type { LogFile } from './files.ts'

/** How records of a standalone database begin (ovsdb(5)). */
const MAGIC = 'OVSDB JSON'

/** Records up to this size are parsed in one go. */
const WHOLE = 64 << 20
const CHUNK = 1 << 20
const MAX_RECORD = 2 ** 32

/** A record that is made piece by piece: header line and text, in as many parts as the text has pieces. */
export class RecordEncoder {
  private hash: Hash | undefined
  private readonly parts: Uint8Array[] = []
  private length = 0

  add(piece: string): void {
    const bytes = Buffer.from(piece)
    if (this.parts.length) {
      this.hash ??= createHash('sha1').update(this.parts[0] as Uint8Array)
      this.hash.update(bytes)
    }
    this.length += bytes.length
    this.parts.push(bytes)
  }

  /** The parts in order; none when nothing was added. */
  finish(): readonly Uint8Array[] {
    const { parts } = this
    const [first] = parts
    if (!first) return parts
    const sha1 = this.hash ? this.hash.digest('hex') : sha1Of(first)
    const head = Buffer.from(recordHeader(this.length, sha1))
    return parts.length === 1 ? [Buffer.concat([head, first])] : [head, ...parts]
  }
}

/** Node 20.10 has no crypto.hash, which takes half the time for what is small. */
const sha1Of: (data: string | Uint8Array) => string =
  'hash' in crypto
    ? (data) => crypto.hash('sha1', data, 'hex')
    : (data) => createHash('sha1').update(data).digest('hex')

/** A record of one text. */
export function encodeRecord(text: string): Uint8Array {
  const line = `${text}\n`
  return Buffer.from(`${recordHeader(Buffer.byteLength(line), sha1Of(line))}${line}`)
}

/** @param length bytes of the text with its line end. */
export function recordHeader(length: number, sha1: string): string {
  return `${MAGIC} ${length} ${sha1}\n`
}

/** What is wrong with a log, and where. */
export interface LogProblem {
  readonly kind: 'empty' | 'not a log' | 'cluster' | 'torn' | 'corrupt'
  readonly offset: number
  readonly message: string
}

export interface LogRecord {
  readonly json: Json
  readonly offset: number
  /** Where the next one begins. */
  readonly end: number
}

/** What a log is read from. */
export type Readable = Pick<LogFile, 'size' | 'read'>

const HEADER = /^OVSDB (JSON|CLUSTER) ([1-9][0-9]*) ([0-9a-f]{40})\n/

/** What kind of database a file's first record says it holds; undefined when it is no record. */
export function logKind(file: Readable): 'standalone' | 'clustered' | undefined {
  const kind = headerAt(file, 0)?.[1]
  return kind === undefined ? undefined : kind === 'CLUSTER' ? 'clustered' : 'standalone'
}

/** The longest header line, bytes, and some more. */
const HEADER_SIZE = 128

function headerAt(file: Readable, offset: number): RegExpExecArray | undefined {
  return HEADER.exec(latin1(file.read(offset, HEADER_SIZE))) ?? undefined
}

/** Byte by byte, without a copy. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

/**
 * Reads the record at `offset`; the problem says whether it is only the end that is missing.
 * @param clustered takes records of clustered databases, too.
 */
export function readRecord(
  file: Readable,
  name: string,
  offset: number,
  clustered = false,
): Result<LogRecord, LogProblem> {
  const problem = (kind: LogProblem['kind'], message: string) => err({ kind, offset, message: `${name}: ${message}` })
  const header = headerAt(file, offset)
  if (!header) {
    const line = Buffer.from(file.read(offset, 100)).toString('utf8').split('\n')[0] ?? ''
    if (offset === 0) {
      if (file.size === 0) return problem('empty', 'file is empty')
      return problem('not a log', `unexpected file format`)
    }
    return badRecord(file, name, offset, `parse error at offset ${offset} in header line "${line}"`)
  }
  if (!clustered && header[1] === 'CLUSTER') {
    return problem('cluster', `cannot apply this operation to clustered database file`)
  }
  const length = Number(header[2])
  const start = offset + header[0].length
  if (start + length > file.size || length > MAX_RECORD) {
    return badRecord(file, name, offset, `error reading ${length} bytes starting at offset ${start}`)
  }
  const hash = length > CHUNK ? createHash('sha1') : undefined
  let sha1 = ''
  let json: Json | undefined
  let failed: string | undefined
  const reader = new MessageReader(
    (value) => {
      json = value
    },
    { size: MAX_RECORD, whole: WHOLE },
  )
  for (let at = 0; at < length; at += CHUNK) {
    const chunk = file.read(start + at, Math.min(CHUNK, length - at))
    if (hash) hash.update(chunk)
    else sha1 = sha1Of(chunk)
    if (failed !== undefined) continue
    try {
      reader.push(chunk)
    } catch (e) {
      if (!(e instanceof JsonError)) throw e
      failed = e.message
    }
  }
  if (hash) sha1 = hash.digest('hex')
  if (sha1 !== header[3]) {
    const what = `${length} bytes starting at offset ${start} have SHA-1 hash ${sha1} but should have hash ${header[3]}`
    return badRecord(file, name, offset, what)
  }
  if (failed !== undefined || json === undefined) {
    return problem(
      'corrupt',
      `${length} bytes starting at offset ${start} are not valid JSON (${failed ?? 'no value'})`,
    )
  }
  return ok({ json, offset, end: start + length })
}

/** A record that is not whole: the end of what a crash left, unless more of the log lies behind it. */
function badRecord(file: Readable, name: string, offset: number, what: string): Result<never, LogProblem> {
  const later = laterRecord(file, offset + 1)
  return later === undefined
    ? err({ kind: 'torn', offset, message: `${name}: ${what}` })
    : err({ kind: 'corrupt', offset, message: `${name}: ${what}, and a whole record follows at offset ${later}` })
}

/** The offset of a whole record behind a bad one. */
function laterRecord(file: Readable, from: number): number | undefined {
  const overlap = 128
  for (let at = from; at < file.size; at += CHUNK) {
    const text = latin1(file.read(at, CHUNK + overlap))
    for (let i = text.indexOf(`${MAGIC} `); i >= 0 && i < CHUNK; i = text.indexOf(`${MAGIC} `, i + 1)) {
      const offset = at + i
      const header = headerAt(file, offset)
      if (!header) continue
      const length = Number(header[2])
      const start = offset + header[0].length
      if (start + length > file.size) continue
      const hash = createHash('sha1')
      for (let k = 0; k < length; k += CHUNK) hash.update(file.read(start + k, Math.min(CHUNK, length - k)))
      if (hash.digest('hex') === header[3]) return offset
    }
  }
  return undefined
}
