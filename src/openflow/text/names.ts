import { OFPP } from '../actions/action.ts'

/** Names in place of numbers, as `ovs-ofctl --names` prints them. */
export interface Names {
  /** The name of a port, if it has one. */
  port?(port: number): string | undefined
  /** The number of a port's name. */
  portNumber?(name: string): number | undefined
  table?(table: number): string | undefined
  tableNumber?(name: string): number | undefined
}

const RESERVED: ReadonlyMap<number, string> = new Map([
  [OFPP.UNSET, 'UNSET'],
  [OFPP.IN_PORT, 'IN_PORT'],
  [OFPP.TABLE, 'TABLE'],
  [OFPP.NORMAL, 'NORMAL'],
  [OFPP.FLOOD, 'FLOOD'],
  [OFPP.ALL, 'ALL'],
  [OFPP.CONTROLLER, 'CONTROLLER'],
  [OFPP.LOCAL, 'LOCAL'],
  [OFPP.NONE, 'ANY'],
])

const BY_NAME = new Map([...RESERVED].map(([n, name]) => [name, n]))
BY_NAME.set('NONE', OFPP.NONE)

/** The name of a reserved port: `LOCAL`, `CONTROLLER`... */
export function reservedPort(name: string): number | undefined {
  return BY_NAME.get(name.toUpperCase())
}

/** A name that needs no quotes in flow syntax. */
const BARE = /^[a-zA-Z][a-zA-Z0-9_.-]*$/

function quote(name: string): string {
  return BARE.test(name) ? name : JSON.stringify(name)
}

/** A port as flow syntax has it: a reserved name, a name, or the number. */
export function formatPort(port: number, names?: Names): string {
  const reserved = RESERVED.get(port)
  if (reserved) return reserved
  const name = names?.port?.(port)
  return name === undefined ? String(port) : quote(name)
}

/** Reads what `formatPort` writes; numbers of 1.1 and later's reserved ports too. */
export function parsePort(text: string, names?: Names): number | undefined {
  const n = parseInteger(text)
  if (n !== undefined) {
    if (n <= 0xffffn) return Number(n)
    return n >= 0xffffff00n && n <= 0xffffffffn ? Number(n & 0xffffn) : undefined
  }
  const reserved = reservedPort(text)
  if (reserved !== undefined) return reserved
  if (!text.startsWith('"')) return names?.portNumber?.(text)
  try {
    const name: unknown = JSON.parse(text)
    return typeof name === 'string' ? names?.portNumber?.(name) : undefined
  } catch {
    return undefined
  }
}

export function formatTable(table: number, names?: Names): string {
  const name = names?.table?.(table)
  return name === undefined ? String(table) : quote(name)
}

export function parseTable(text: string, names?: Names): number | undefined {
  const n = parseInteger(text)
  if (n !== undefined) return n <= 255n ? Number(n) : undefined
  return names?.tableNumber?.(text)
}

/** A number in decimal, hexadecimal (0x) or octal (0) notation, as strtoull(3) with base 0. */
export function parseInteger(text: string): bigint | undefined {
  if (/^0[xX][0-9a-fA-F]+$/.test(text)) return BigInt(text)
  if (/^0[0-7]+$/.test(text)) return BigInt(`0o${text.slice(1)}`)
  if (/^[0-9]+$/.test(text)) return BigInt(text)
  return undefined
}

/** `0x5`, but `0` for zero, as C's `%#x` prints it. */
export function hex(v: bigint | number): string {
  return Number(v) === 0 ? '0' : `0x${v.toString(16)}`
}
