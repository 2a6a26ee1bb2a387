import { expect, it } from 'vitest'
import { words } from './words.ts'

it.each([
  ['ls-add  private', ['ls-add', 'private']],
  [`set x 'a b' "c \\" d" e\\ f ""`, ['set', 'x', 'a b', 'c " d', 'e f', '']],
  [`options:mac="fa:16"`, ['options:mac=fa:16']],
  ['', []],
])('%s', (line, want) => expect(words(line)).toEqual(want))

it('refuses an open quote', () => expect(() => words('a "b')).toThrow('a quote " is not closed'))
