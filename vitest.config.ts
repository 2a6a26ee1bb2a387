import { defineConfig } from 'vitest/config'

// `npm test`: everything that needs neither root nor the real OVN. `npm run test:peers` sets OVN_TS_PEERS.
export default defineConfig({
  test: {
    include: process.env['OVN_TS_PEERS'] ? ['tests/peers/**/*.test.ts'] : ['src/**/*.test.ts', 'tests/**/*.test.ts'],
    exclude: process.env['OVN_TS_PEERS'] ? ['node_modules/**'] : ['node_modules/**', 'tests/peers/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20000,
  },
})
