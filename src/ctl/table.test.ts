import { describe, expect, it } from 'vitest'
import { columnType, UNLIMITED } from '../ovsdb/schema/index.ts'
import { formatTable, LIST_STYLE, TABLE_STYLE, type Table, tablePieces } from './table.ts'

const name = columnType({ type: 'string' }, undefined, 1, 1)
const options = columnType({ type: 'string' }, { type: 'string' }, 0, UNLIMITED)
const table: Table = {
  headings: ['name', 'options'],
  rows: [
    [
      { type: name, value: 'p1' },
      {
        type: options,
        value: new Map([
          ['k 1', 'c<d'],
          ['q', '1'],
        ]),
      },
    ],
    [
      { type: name, value: 'x y' },
      { type: options, value: new Map() },
    ],
  ],
}

describe('tables', () => {
  it('as HTML, with links to where a row is', () => {
    const uuid = 'a701faf1-5df8-42b2-8021-d650c4169dee'
    const cells = formatTable(
      { headings: ['_uuid', 'refers'], rows: [[{ text: uuid }, { text: `[${uuid}]` }]] },
      { ...TABLE_STYLE, format: 'html', headings: false },
    )
    expect(cells.split('\n').filter((l) => l.includes('<td>'))).toEqual([
      `    <td><a name="${uuid}">a701faf1</a></td>`,
      `    <td>[<a href="#${uuid}">a701faf1</a>]</td>`,
    ])
  })
  it('as columns', () =>
    expect(formatTable(table, TABLE_STYLE)).toBe(
      'name  options\n----- --------------------\np1    {"k 1"="c<d", q="1"}\n"x y" {}\n',
    ))
  it('as columns no wider than asked for', () =>
    expect(formatTable(table, { ...TABLE_STYLE, maxColumnWidth: 7 })).toBe(
      'name  options\n----- -------\np1    {"k 1"=\n"x y" {}\n',
    ))
  it('as columns as wide as their bytes, cut at whole characters, with room for the headings', () => {
    const rows = ['é', 'abc', '日本'].map((text) => [{ text }])
    const words = { headings: ['w'], rows }
    expect(formatTable({ headings: ['a', 'b'], rows: [[{ text: 'é' }, { text: 'x' }]] }, TABLE_STYLE)).toBe(
      'a  b\n-- -\né x\n',
    )
    expect(formatTable(words, { ...TABLE_STYLE, maxColumnWidth: 4 })).toBe('w\n----\né\nabc\n日\n')
    expect(formatTable({ headings: ['long'], rows }, { ...TABLE_STYLE, maxColumnWidth: 2 })).toBe(
      'long\n----\né\nabc\n日\n',
    )
  })
  it('as lists', () =>
    expect(formatTable(table, LIST_STYLE)).toBe(
      'name                : p1\noptions             : {"k 1"="c<d", q="1"}\n\nname                : "x y"\noptions             : {}\n',
    ))
  it('bare', () =>
    expect(formatTable(table, { ...LIST_STYLE, data: 'bare', headings: false })).toBe('p1\nk 1=c<d q=1\n\nx y\n\n'))
  it('as CSV', () =>
    expect(formatTable(table, { ...LIST_STYLE, format: 'csv' })).toBe(
      'name,options\np1,"{""k 1""=""c<d"", q=""1""}"\n"""x y""",{}\n',
    ))
  it('as HTML', () =>
    expect(formatTable({ ...table, rows: table.rows.slice(0, 1) }, { ...LIST_STYLE, format: 'html' })).toBe(
      '<table border=1>\n  <tr>\n    <th>name</th>\n    <th>options</th>\n  </tr>\n  <tr>\n    <td>p1</td>\n' +
        '    <td>{&quot;k 1&quot;=&quot;c&lt;d&quot;, q=&quot;1&quot;}</td>\n  </tr>\n</table>\n',
    ))
  it('as JSON', () => {
    const json = { ...LIST_STYLE, format: 'json' } as const
    expect(formatTable(table, json)).toBe(
      '{"data":[["p1",["map",[["k 1","c<d"],["q","1"]]]],["x y",["map",[]]]],"headings":["name","options"]}\n',
    )
    expect(formatTable({ headings: ['a'], rows: [], caption: 'c', time: 't' }, { ...json, pretty: true })).toBe(
      '{\n  "caption": "c",\n  "data": [],\n  "headings": [\n    "a"],\n  "time": "t"}\n',
    )
  })
})

it('prints a table in pieces as it does in one', () => {
  const rows = Array.from({ length: 50 }, (_, i) => [{ text: `row ${i}  ` }, { text: i % 3 ? '' : '😀é' }])
  const table: Table = { headings: ['a', 'b'], rows, caption: 'T table', time: '12:00' }
  for (const format of ['table', 'list', 'html', 'csv', 'json'] as const) {
    const style = { ...TABLE_STYLE, format }
    for (const size of [1, 100, 1e6])
      expect([...tablePieces(table, style, size)].join('')).toBe(formatTable(table, style))
  }
  expect([...tablePieces(table, TABLE_STYLE, 100)].length).toBeGreaterThan(4)
})
