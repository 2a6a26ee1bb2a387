import fc from 'fast-check'
import { expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import type { Backend, LogEvent } from './event.ts'
import { Logging } from './hub.ts'
import { RateLimits } from './rate-limit.ts'

function kept() {
  const events: LogEvent[] = []
  const backend: Backend = {
    enabled: (level) => level !== 'dbg',
    write: (event) => events.push(event),
    reopen() {},
    flush() {},
    close() {},
  }
  const clock = new VirtualClock()
  const logging = new Logging('ovsdb-server', clock, [backend])
  const texts = () => events.splice(0).map((e) => `${e.serial} ${e.level} ${e.message}`)
  return { clock, logging, log: logging.log('jsonrpc'), events, texts }
}

const bad = { code: 'bad-message' }

it('suppresses and counts as the real ovsdb-server does', () => {
  // Observed: 50 bad messages at once, 20 s of rest, then one each half second.
  const s = kept()
  for (let i = 0; i < 50; i++) s.log.warn(`unix#${i}`, bad)
  expect(s.texts()).toEqual([0, 1, 2, 3, 4].map((i) => `${i + 1} warn unix#${i}`))
  s.clock.advance(20_100)
  const lines: string[] = []
  for (let i = 50; i < 130; i++) {
    s.log.warn(`unix#${i}`, bad)
    s.clock.advance(500)
    lines.push(...s.texts())
  }
  expect(lines).toEqual([
    '6 warn Dropped 45 log messages in last 20 seconds (most recently, 20 seconds ago) due to excessive rate',
    '7 warn unix#50',
    '8 warn Dropped 7 log messages in last 3 seconds (most recently, 0 seconds ago) due to excessive rate',
    '9 warn unix#58',
    '10 warn Dropped 23 log messages in last 11 seconds (most recently, 0 seconds ago) due to excessive rate',
    '11 warn unix#82',
    '12 warn Dropped 23 log messages in last 11 seconds (most recently, 0 seconds ago) due to excessive rate',
    '13 warn unix#106',
  ])
})

it('gives each module and code a bucket of its own; programs find the count in a field', () => {
  const s = kept()
  for (let i = 0; i < 6; i++) {
    s.log.warn('a', bad)
    s.log.warn('b', { code: 'other' })
    s.logging.log('ovsdb').warn('c', bad)
  }
  expect(s.texts()).toHaveLength(15)
  s.clock.advance(12_000)
  s.log.warn('a', bad)
  expect(s.events[0]?.fields).toEqual({ code: 'bad-message', suppressed: 1 })
})

it('limits neither what has no code, nor an emergency, nor a lost connection, and counts no line that is off', () => {
  const s = kept()
  for (let i = 0; i < 20; i++) {
    s.log.info('claimed')
    s.log.emer('fire', bad)
    s.log.warn('unix#1: connection dropped', { code: 'connection-dropped' })
    s.log.dbg('off', bad)
  }
  expect(s.texts()).toHaveLength(60)
  for (let i = 0; i < 5; i++) s.log.warn('on', bad)
  expect(s.texts()).toHaveLength(5)
})

it('lifts the limit of a module, without forgetting what was suppressed', () => {
  const s = kept()
  const flood = (n: number) => {
    for (let i = 0; i < n; i++) s.log.warn('x', bad)
    return s.texts().length
  }
  expect(flood(10)).toBe(5)
  s.logging.limits.set('jsonrpc', false)
  expect(flood(7)).toBe(7)
  s.logging.limits.set('jsonrpc', true)
  expect(flood(3)).toBe(0)
  s.logging.limits.set(undefined, false)
  expect(flood(3)).toBe(3)
  s.logging.limits.set(undefined, true)
  s.clock.advance(12_000)
  s.log.warn('x', bad)
  expect(s.texts()[0]).toMatch(/Dropped 8 log messages/)
})

it('property: what is logged and what is said to be dropped is all there was, never above the rate', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(30_000), { maxLength: 200 }), (gaps) => {
      const limits = new RateLimits()
      let now = 0
      let logged = 0
      let dropped = 0
      let pending = 0
      for (const gap of gaps) {
        now += gap
        const verdict = limits.judge('m', 'warn', bad, now)
        if (verdict === 'suppress') {
          pending++
          continue
        }
        logged++
        dropped += verdict.dropped
        expect(verdict.dropped).toBe(pending)
        pending = 0
      }
      expect(logged + dropped + pending).toBe(gaps.length)
      expect(logged).toBeLessThanOrEqual(5 + now / 12_000)
    }),
  )
})
