import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// `npm test`: everything that needs neither root nor the real OVN. `npm run test:peers` sets OVN_TS_PEERS.
// A time limit is there to end a test that hangs, not to measure: a machine that is slow and busy stays far below it.
const TEST_TIME = process.env['OVN_TS_PEERS'] ? 180_000 : 60_000

/** Small files that take minutes: were they the last to begin, the other worker would wait for them. */
const LONG = ['northd.test.ts', 'ovsdb-releases.test.ts', 'readme.test.ts']

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const long = (f: TestSpecification) => LONG.some((name) => f.moduleId.endsWith(`/${name}`))
    return [...sorted.filter(long), ...sorted.filter((f) => !long(f))]
  }
}

export default defineConfig({
  test: {
    include: process.env['OVN_TS_PEERS'] ? ['tests/peers/**/*.test.ts'] : ['src/**/*.test.ts', 'tests/**/*.test.ts'],
    exclude: process.env['OVN_TS_PEERS'] ? ['node_modules/**'] : ['node_modules/**', 'tests/peers/**'],
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongFirst },
    testTimeout: TEST_TIME,
    hookTimeout: TEST_TIME,
  },
})
