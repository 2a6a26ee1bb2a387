import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const CODE = /\bcode: '([A-Za-z][A-Za-z0-9_-]*[_-][A-Za-z0-9_-]*)'/g

function sources(): { file: string; text: string }[] {
  return readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => ({ file, text: readFileSync(join('src', file), 'utf8') }))
}

/** From an opening parenthesis to the one that closes it, over strings and templates with parentheses in them. */
function argumentsAt(text: string, open: number): string {
  let depth = 0
  let quote = ''
  for (let i = open; i < text.length; i++) {
    const c = text[i] as string
    if (quote) {
      if (c === '\\') i++
      else if (c === quote) quote = ''
    } else if (c === "'" || c === '"' || c === '`') quote = c
    else if (c === '(') depth++
    else if (c === ')' && --depth === 0) return text.slice(open + 1, i)
  }
  return text.slice(open + 1)
}

/** Calls of a Log that say a warning or worse and name no code. */
function withoutCode(file: string, text: string): string[] {
  return [...text.matchAll(/(?:\b[lL]og|\))\s*\.(?:warn|err|emer)\(/g)].flatMap((m) => {
    const given = argumentsAt(text, m.index + m[0].length - 1)
    if (given.search(CODE) >= 0) return []
    return [`${file}:${text.slice(0, m.index).split('\n').length}: ${m[0]}${given})`]
  })
}

function codes(): Set<string> {
  return new Set(sources().flatMap(({ text }) => [...text.matchAll(CODE)].map((m) => m[1] ?? '')))
}

it('each code is of lower-case words with dashes between them', () => {
  expect([...codes()].filter((code) => !/^[a-z0-9]+(-[a-z0-9]+)+$/.test(code))).toEqual([])
})

it('docs/MESSAGES.md explains each code that the sources log, and no other', () => {
  const used = codes()
  const rows = readFileSync('docs/MESSAGES.md', 'utf8').matchAll(/^\| ((?:`[^`]+`(?:, )?)+) \|/gm)
  const explained = [...rows].flatMap((row) => [...(row[1] ?? '').matchAll(/`([^`]+)`/g)].map((m) => m[1] ?? ''))
  expect([...new Set(explained)].toSorted()).toEqual([...used].toSorted())
})

it('docs/MESSAGES.md has each of its rows in a table', () => {
  const lines = readFileSync('docs/MESSAGES.md', 'utf8').split('\n')
  const strays = lines.filter(
    (line, i) => line.startsWith('| ') && lines[i - 1] === '' && !lines[i + 1]?.startsWith('|--'),
  )
  expect(strays).toEqual([])
})

it('each warning and error has a code', () => {
  expect(sources().flatMap(({ file, text }) => withoutCode(file, text))).toEqual([])
})

it('finds a warning without a code, whatever its text holds', () => {
  const text = "x.log.warn(`a (b ')' code)`)\nlog.child('a')\n  .err(why, { code: 'a-b', row: f(1) })"
  expect(withoutCode('x.ts', text)).toEqual(["x.ts:1: log.warn(`a (b ')' code)`)"])
})
