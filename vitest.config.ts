import { defineConfig } from 'vitest/config'

// `npm test`: everything that needs neither root nor the real OVN. `npm run test:peers` sets OVN_TS_PEERS.
// A time limit is there to end a test that hangs, not to measure: a machine that is slow and busy stays far below it.
const TEST_TIME = process.env['OVN_TS_PEERS'] ? 180_000 : 60_000

export default defineConfig({
  test: {
    include: process.env['OVN_TS_PEERS'] ? ['tests/peers/**/*.test.ts'] : ['src/**/*.test.ts', 'tests/**/*.test.ts'],
    exclude: process.env['OVN_TS_PEERS'] ? ['node_modules/**'] : ['node_modules/**', 'tests/peers/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: TEST_TIME,
    hookTimeout: TEST_TIME,
  },
})
