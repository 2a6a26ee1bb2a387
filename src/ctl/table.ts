import { type Json, printJson } from '../jsonrpc/json.ts'
import type { ColumnType, Datum } from '../ovsdb/schema/index.ts'
import { fatal } from './error.ts'
import { type DataFormat, formatCell, jsonDatum } from './format.ts'

export type TableFormat = 'table' | 'list' | 'html' | 'csv' | 'json'

/** The table formatting options of ovn-nbctl(8), ovs-vsctl(8), ovsdb-client(1). */
export interface TableStyle {
  readonly format: TableFormat
  readonly data: DataFormat
  readonly headings: boolean
  /** JSON on several lines. */
  readonly pretty: boolean
  /** Of `table`: longer cells are cut, though not below their heading. */
  readonly maxColumnWidth?: number
}

export const LIST_STYLE: TableStyle = { format: 'list', data: 'string', headings: true, pretty: false }
export const TABLE_STYLE: TableStyle = { ...LIST_STYLE, format: 'table' }

const FORMATS: readonly TableFormat[] = ['table', 'list', 'html', 'csv', 'json']
const DATA: readonly DataFormat[] = ['string', 'bare', 'json']

export function parseTableFormat(text: string): TableFormat {
  return FORMATS.find((f) => f === text) ?? fatal(`unknown output format "${text}"`)
}

export function parseDataFormat(text: string): DataFormat {
  return DATA.find((f) => f === text) ?? fatal(`unknown data format "${text}"`)
}

/** A cell: a column's value, a plain text that is printed as it is, JSON, or nothing. */
export type Cell =
  | { readonly type: ColumnType; readonly value: Datum }
  | { readonly text: string }
  | { readonly json: Json }
  | undefined

export interface Table {
  readonly headings: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
  readonly caption?: string
  /** When it came about, printed above it or, in JSON, as a member. */
  readonly time?: string
}

function cellText(cell: Cell, data: DataFormat): string {
  if (!cell) return ''
  if ('text' in cell) return cell.text
  return 'json' in cell ? printJson(cell.json, true) : formatCell(cell.type, cell.value, data)
}

function cellJson(cell: Cell): Json {
  if (!cell) return null
  if ('text' in cell) return cell.text
  return 'json' in cell ? cell.json : jsonDatum(cell.type, cell.value)
}

/** How wide a text counts: its bytes in UTF-8, as the real tools have it. */
const width = (text: string): number => Buffer.byteLength(text)
const pad = (text: string, to: number): string => text + ' '.repeat(Math.max(0, to - width(text)))

/** What has room in so many bytes, whole characters only. */
function cutTo(text: string, most: number): string {
  if (width(text) <= most) return text
  let [out, bytes] = ['', 0]
  for (const character of text) {
    bytes += width(character)
    if (bytes > most) break
    out += character
  }
  return out
}

/** Without the blanks at its end, which say nothing. */
function withoutEnd(text: string): string {
  let end = text.length
  while (end > 0 && text[end - 1] === ' ') end--
  return text.slice(0, end)
}

function* tableLines(table: Table, style: TableStyle): Generator<string> {
  const cells = table.rows.map((row) => row.map((cell) => cellText(cell, style.data)))
  const most = style.maxColumnWidth ?? 0
  // A column has room for its heading, however little its cells may take.
  const widths = table.headings.map((h, i) => {
    const widest = cells.reduce((w, row) => Math.max(w, width(row[i] ?? '')), 0)
    return Math.max(most ? Math.min(widest, most) : widest, style.headings ? width(h) : 0)
  })
  const line = (texts: readonly string[]) =>
    `${withoutEnd(texts.map((t, i) => pad(most ? cutTo(t, widths[i] ?? 0) : t, widths[i] ?? 0)).join(' '))}\n`
  if (table.caption !== undefined) yield `${table.caption}\n`
  if (style.headings) {
    yield line(table.headings)
    yield line(widths.map((w) => '-'.repeat(w)))
  }
  for (const row of cells) yield line(row)
}

function asList(table: Table, style: TableStyle): string {
  const out: string[] = []
  table.rows.forEach((row, r) => {
    if (r > 0) out.push('\n')
    row.forEach((cell, i) => {
      const text = cellText(cell, style.data)
      out.push(style.headings ? `${pad(table.headings[i] ?? '', 20)}: ${text}\n` : `${text}\n`)
    })
  })
  return (table.caption === undefined ? '' : `${table.caption}\n`) + out.join('')
}

const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escapeHtml = (text: string): string => text.replace(/[&<>"]/g, (c) => HTML[c] ?? c)

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

/** A row's own uuid is where links lead, any other is a link; the first eight characters are shown. */
function htmlCell(text: string, heading: string): string {
  if (heading === '_uuid') return `<a name="${escapeHtml(text)}">${escapeHtml(text.slice(0, 8))}</a>`
  return escapeHtml(text).replace(UUID, (uuid) => `<a href="#${uuid}">${uuid.slice(0, 8)}</a>`)
}

function asHtml(table: Table, style: TableStyle): string {
  const line = (tag: string, texts: readonly string[]) =>
    `  <tr>\n${texts.map((t) => `    <${tag}>${t}</${tag}>\n`).join('')}  </tr>\n`
  let out = '<table border=1>\n'
  if (table.caption !== undefined) out += `    <caption>${escapeHtml(table.caption)}</caption>\n`
  if (style.headings) out += line('th', table.headings.map(escapeHtml))
  for (const row of table.rows) {
    out += line(
      'td',
      row.map((cell, i) => htmlCell(cellText(cell, style.data), table.headings[i] ?? '')),
    )
  }
  return `${out}</table>\n`
}

// RFC 4180 §2, but for the newline
const csv = (text: string): string => (/[\n",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

function asCsv(table: Table, style: TableStyle): string {
  const line = (texts: readonly string[]) => `${texts.map(csv).join(',')}\n`
  let out = table.caption === undefined ? '' : `${table.caption}\n`
  if (style.headings) out += line(table.headings)
  for (const row of table.rows) out += line(row.map((cell) => cellText(cell, style.data)))
  return out
}

/** JSON with each member and element on a line of its own, as Open vSwitch indents it. */
export function prettyJson(json: Json, depth = 0): string {
  const indent = '  '.repeat(depth + 1)
  if (Array.isArray(json)) {
    const items = json as readonly Json[]
    if (!items.length) return '[]'
    return `[\n${items.map((j) => indent + prettyJson(j, depth + 1)).join(',\n')}]`
  }
  if (typeof json === 'object' && json !== null) {
    const members = Object.entries(json as Record<string, Json>).sort(([a], [b]) => (a < b ? -1 : 1))
    if (!members.length) return '{}'
    const print = ([k, v]: [string, Json]) => `${indent}${printJson(k)}: ${prettyJson(v, depth + 1)}`
    return `{\n${members.map(print).join(',\n')}}`
  }
  return printJson(json)
}

function asJson(table: Table, style: TableStyle): string {
  const json: Json = {
    ...(table.caption === undefined ? {} : { caption: table.caption }),
    data: table.rows.map((row) => row.map(cellJson)),
    headings: table.headings,
    ...(table.time === undefined ? {} : { time: table.time }),
  }
  return `${style.pretty ? prettyJson(json) : printJson(json, true)}\n`
}

/** A table's text in a style. */
export function formatTable(table: Table, style: TableStyle): string {
  if (table.time !== undefined && style.format !== 'json') {
    const { time, ...rest } = table
    return `${time}\n${formatTable(rest, style)}`
  }
  switch (style.format) {
    case 'table':
      return [...tableLines(table, style)].join('')
    case 'list':
      return asList(table, style)
    case 'html':
      return asHtml(table, style)
    case 'csv':
      return asCsv(table, style)
    case 'json':
      return asJson(table, style)
  }
}

/** The pieces of a table's text, which may be longer than any one string can be. */
export function* tablePieces(table: Table, style: TableStyle, pieceSize = 1 << 16): Generator<string> {
  if (style.format !== 'table') {
    yield formatTable(table, style)
    return
  }
  let piece = table.time === undefined ? '' : `${table.time}\n`
  for (const line of tableLines(table, style)) {
    piece += line
    if (piece.length < pieceSize) continue
    yield piece
    piece = ''
  }
  if (piece) yield piece
}
