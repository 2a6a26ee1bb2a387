import { expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { Coverage } from './_coverage.ts'

it('shows totals and rates as the real coverage/show', () => {
  const clock = new VirtualClock(0)
  const totals = { txn_success: 0, txn_error: 0 }
  const coverage = new Coverage(() => Object.entries(totals), clock)
  totals.txn_success = 60
  clock.advance(5000)
  const [head, line, rest] = coverage.text.split('\n')
  expect(head).toMatch(/^Event coverage, avg rate over last: 5 seconds, last minute, last hour, {2}hash=[0-9a-f]{8}:$/)
  expect(line).toBe('txn_success               12.0/sec     1.000/sec        0.0167/sec   total: 60')
  expect(rest).toBe('1 events never hit')
  clock.advance(5000)
  expect(coverage.text).toContain('txn_success                0.0/sec     1.000/sec        0.0167/sec   total: 60')
  clock.advance(60_000)
  expect(coverage.text).toContain('txn_success                0.0/sec     0.000/sec        0.0167/sec   total: 60')
  clock.advance(3_600_000)
  expect(coverage.text).toContain('txn_success                0.0/sec     0.000/sec        0.0000/sec   total: 60')
  expect(coverage.counter('txn_success')).toBe(60)
  expect(coverage.counter('nope')).toBeUndefined()
})
