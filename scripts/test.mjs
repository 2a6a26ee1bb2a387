// npm test: installs, builds, tests; last line 'N passed, N failed[, N skipped]'.
// npm run test:peers (--peers): the tests against the real OVN, root, or other programs.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { install } from './install.mjs'

install()
const { build } = await import('./build.mjs')
await build()
const args = process.argv.slice(2)
const peers = args.includes('--peers')
if (peers) {
  // Unpacked once, before tests that run side by side would all try.
  for (const release of ['26.03', '25.03', '23.03']) {
    const r = spawnSync('bash', ['tests/peers/reference-ovn', 'install', release], { encoding: 'utf8' })
    if (r.status === 0) continue
    const why = r.error?.message ?? r.stderr.trim().split('\n').at(-1) ?? `status ${r.status}`
    console.log(`skipped: the peers' tests need the real OVN ${release}, which could not be unpacked here (${why}).`)
    console.log('They need Debian with its package mirror, and root for the first time.')
    console.log('0 passed, 0 failed, 1 skipped')
    process.exit(0)
  }
  if (process.getuid?.() !== 0) {
    console.log(
      "skipped: the peers' tests make network namespaces and listen on the real daemons' sockets: they need root.",
    )
    console.log('0 passed, 0 failed, 1 skipped')
    process.exit(0)
  }
}
const report = `build/${peers ? 'peers' : 'test'}-report.json`
mkdirSync('build', { recursive: true })
rmSync(report, { force: true })
const run = spawnSync(
  process.execPath,
  [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...args.filter((a) => a !== '--peers'),
  ],
  { stdio: ['ignore', 'inherit', 'inherit'], env: peers ? { ...process.env, OVN_TS_PEERS: '1' } : process.env },
)
let result
try {
  result = JSON.parse(readFileSync(report, 'utf8'))
} catch (e) {
  console.error(`no test report: ${e.message}`)
  console.log('0 passed, 1 failed')
  process.exit(1)
}
const skipped = result.numPendingTests + (result.numTodoTests ?? 0)
// A file that does not even load has no failed test of its own, and counts as one.
const broken = result.testResults.filter(
  (f) => f.status === 'failed' && !f.assertionResults.some((t) => t.status === 'failed'),
).length
const failed = result.numFailedTests + broken
console.log(`${result.numPassedTests} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`)
process.exit(run.status === 0 && failed === 0 ? 0 : 1)
