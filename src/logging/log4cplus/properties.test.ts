import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseProperties, substitute } from './properties.ts'

/** `@{` stands for a dollar sign and a brace, in what is read and in what comes of it. */
const dollars = (text: string) => text.replaceAll('@{', '${')
const signs = (text: string) => text.replaceAll('${', '@{')

function read(
  text: string,
  files: Readonly<Record<string, string>> = {},
  environment: Readonly<Record<string, string>> = {},
) {
  const warnings: string[] = []
  const warn = (message: string) => warnings.push(message)
  const include = (path: string) => (Object.hasOwn(files, path) ? dollars(files[path] ?? '') : undefined)
  const given = parseProperties(dollars(text), 'f', { include, warn })
  const filled = substitute(
    given,
    (n) => (Object.hasOwn(environment, n) ? dollars(environment[n] ?? '') : undefined),
    warn,
  )
  return {
    values: Object.fromEntries([...filled].map(([k, p]) => [signs(k), signs(p.text)])),
    filled,
    warnings: warnings.map(signs),
  }
}

it('reads names and values', () => {
  const text = '\uFEFF# no=thing\r\n a = b = c \r\n\n! x\nnothing\n=empty\nkey=\n\tb\t=\tc\nlast=one'
  expect(read(text).values).toEqual({ a: 'b = c', key: '', b: 'c', last: 'one' })
  expect(read(text).filled.get('b')).toMatchObject({ file: 'f', line: 8 })
})

it('takes the last of two with one name', () => expect(read('a=1\nb=2\na=3').values).toEqual({ a: '3', b: '2' }))

it('includes files where they are named', () => {
  const r = read('a=1\ninclude  g\na=3\nb=4', { g: 'a=2\nb=2\nc=2\ninclude nothing' })
  expect(r.values).toEqual({ a: '3', b: '4', c: '2' })
  expect(r.filled.get('c')).toMatchObject({ file: 'g', line: 3 })
  expect(r.warnings).toEqual(['g:4: include nothing: could not open file'])
})

it('says that files include each other, and goes on', () => {
  const r = read('include g\na=1', { g: 'include h\nb=2', h: 'include g\ninclude f\nc=3' })
  expect(r.values).toEqual({ a: '1', b: '2', c: '3' })
  expect(r.warnings).toEqual([
    'h:1: include g: the files include each other',
    'h:2: include f: the files include each other',
  ])
})

it('ends with files that include ever more files', () => {
  const files = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`f${i}`, `include f${i + 1}\n`.repeat(10)]))
  const r = read('include f0', { ...files, f8: 'x=1' })
  expect(r.values).toEqual({ x: '1' })
  expect(r.warnings.length).toBeGreaterThan(0)
})

it('fills in the environment, and other properties behind it', () => {
  const r = read('a=@{HOME}/x\nb=@{a}:@{dir}\ndir=@{sub}d\nsub=s\n@{sub}=key', {}, { HOME: '/srv', sub: 'env' })
  expect(r.values).toEqual({ a: '/srv/x', b: '/srv/x:envd', dir: 'envd', sub: 's', env: 'key' })
  expect(r.warnings).toEqual([])
})

it('leaves what nobody knows', () => {
  const text = 'a=@{b} @{} @{toString}\nc=@{__proto__} @{open\nd=<@{NONE}>'
  expect(read(text, {}, { NONE: '', HOME: '/' }).values).toEqual({
    ...{ a: '@{b} @{} @{toString}', c: '@{__proto__} @{open', d: '<@{NONE}>' },
  })
})

it('says once that a value refers to itself, and leaves it', () => {
  const r = read('a=@{a}\nb=x@{c}\nc=@{b}\nd=fine')
  expect(r.values).toEqual({ a: '@{a}', b: 'x@{c}', c: '@{b}', d: 'fine' })
  expect(r.warnings).toEqual([
    "f:1: '@{a}' refers to itself, left as it stands",
    "f:2: '@{b}' refers to itself, left as it stands",
    "f:3: '@{c}' refers to itself, left as it stands",
  ])
})

it('ends with values that double at each step', () => {
  const lines = Array.from({ length: 40 }, (_, i) => `k${i}=${`@{k${i + 1}}`.repeat(2)}`)
  const before = performance.now()
  const r = read(`${lines.join('\n')}\nk40=${'x'.repeat(1000)}`)
  expect(performance.now() - before).toBeLessThan(15_000)
  expect(r.warnings.length).toBeGreaterThan(0)
})

it('never throws, whatever it is given', () => {
  const word = fc.constantFrom('a', 'b', '=', '@{', '}', ' ', '\n', 'include ', '#', '\r', '__proto__', '\\', 'ä')
  const text = fc.array(fc.oneof(word, fc.string())).map((words) => words.join(''))
  fc.assert(fc.property(text, text, text, (a, b, c) => void read(a, { a: b, b: c, f: a }, { a: c, b: '@{a}' })))
})
