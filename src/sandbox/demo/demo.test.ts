import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CHECKS, type Demo } from './checks.ts'
import { startDemo } from './run.ts'

// The network of `npm start`, on virtual time: each thing that it shows is a test.
describe.sequential('the demo network', () => {
  let demo: Demo
  beforeAll(async () => {
    demo = await startDemo()
  })
  afterAll(() => demo?.sandbox.stop())

  for (const check of CHECKS) it(check.name, async () => expect(await check.run(demo)).not.toBe(''))

  it('leaves nothing behind', async () => {
    await demo.sandbox.stop()
    const clock = demo.sandbox.clock
    expect('next' in clock && (clock as { next(): number | undefined }).next()).toBeUndefined()
  })
})
