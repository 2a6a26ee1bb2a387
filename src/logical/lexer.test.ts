import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatInteger, Lexer } from './index.ts'

const tokens = (text: string): string[] => {
  const out: string[] = []
  for (const lexer = new Lexer(text); lexer.token.type !== 'end'; lexer.next()) {
    const { type, text: t, integer } = lexer.token
    out.push(integer ? `${type}:${integer.format}:${formatInteger(integer)}` : `${type}:${t}`)
  }
  return out
}

describe('tokens', () => {
  test.each([
    ['ip4.src == 10.0.0.1/8', ['id:ip4.src', 'punctuation:==', 'masked:ipv4:10.0.0.0/8']],
    [
      '{80, 0x50}',
      ['punctuation:{', 'integer:decimal:80', 'punctuation:,', 'integer:hexadecimal:0x50', 'punctuation:}'],
    ],
    ['fe80::/64', ['masked:ipv6:fe80::/64']],
    ['::1', ['integer:ipv6:::1']],
    ['aa:bb:cc:dd:ee:ff', ['integer:ethernet:aa:bb:cc:dd:ee:ff']],
    ['10.0.0.1:80', ['integer:ipv4:10.0.0.1', 'punctuation::', 'integer:decimal:80']],
    ['[fd00::1]:80', ['punctuation:[', 'integer:ipv6:fd00::1', 'punctuation:]', 'punctuation::', 'integer:decimal:80']],
    [
      'reg0[1..3]',
      ['id:reg0', 'punctuation:[', 'integer:decimal:1', 'punctuation:..', 'integer:decimal:3', 'punctuation:]'],
    ],
    ['a <-> b', ['id:a', 'punctuation:<->', 'id:b']],
    ['ip.ttl--', ['id:ip.ttl', 'punctuation:--']],
    ['$as @pg ^var', ['macro:as', 'port-group:pg', 'template:var']],
    [String.raw`"a\"bé"`, ['string:a"bé']],
    ['1 /* two */ 3 // four', ['integer:decimal:1', 'integer:decimal:3']],
    ['1.2.3.0/255.0.255.0', ['masked:ipv4:1.0.3.0/255.0.255.0']],
    ['0x10/0xf0', ['masked:hexadecimal:0x10/0xf0']],
  ])('%s', (text, expected) => {
    expect(tokens(text)).toEqual(expected)
  })
})

describe('complaints', () => {
  test.each([
    ['010', 'Decimal constants must not have leading zeros.'],
    ['99999999999999999999999', 'Decimal constants must be less than 2**64.'],
    ['0x', 'Hex digits expected following 0x.'],
    ['0xfg', 'Invalid syntax in hexadecimal constant.'],
    ['300.1.1.1', 'Invalid numeric constant.'],
    ['"abc', 'Input ends inside quoted string.'],
    ['/* abc', "`/*' without matching `*/'."],
    ['/', "`/' is only valid as part of `//' or `/*'."],
    ['&', "`&' is only valid as part of `&&'."],
    ['|', "`|' is only valid as part of `||'."],
    ['.', "`.' is only valid as part of `..' or a number."],
    ['$', "`$' must be followed by a valid identifier."],
    ['#', "Invalid character `#' in input."],
    ['é', 'Invalid byte 0x-61 in input.'],
    ['1.1.1.1/33', 'Value and mask have incompatible formats.'],
    ['80/0xff', 'Value and mask have incompatible formats.'],
  ])('%s', (text, message) => {
    expect(tokens(text)).toContain(`error:${message}`)
  })
})

test('any text ends, and every token lies behind the one before', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'0123456789abcdefx.:/"\\$@^ {}[]()<>=!&|-,;') })),
      (text) => {
        let at = 0
        let count = 0
        for (const lexer = new Lexer(text); lexer.token.type !== 'end'; lexer.next()) {
          expect(lexer.token.start).toBeGreaterThanOrEqual(at)
          expect(lexer.token.end).toBeGreaterThan(lexer.token.start)
          at = lexer.token.end
          expect(++count).toBeLessThanOrEqual(text.length)
        }
      },
    ),
    { numRuns: 3000 },
  )
})
