// npm run check: types, layers, lint, dead code, file sizes; a line a check, last line 'N passed, N failed'.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { install } from './install.mjs'

install()
let passed = 0
let failed = 0

function check(name, run) {
  const started = Date.now()
  const problems = run()
  const took = `${((Date.now() - started) / 1000).toFixed(1)} s`
  if (problems.length === 0) {
    passed++
    console.log(`ok ${name} # ${took}`)
    return
  }
  failed++
  console.log(`not ok ${name}: ${problems.length} # ${took}`)
  for (const p of problems.slice(0, 60)) console.log(`  ${p.slice(0, 200)}`)
}

function tool(...command) {
  const r = spawnSync(process.execPath, command, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
  })
  if (r.status === 0) return []
  return `${r.stdout}${r.stderr}`.split('\n').filter(Boolean)
}

const files = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
  .stdout.split('\n')
  .filter(Boolean)
const source = files.filter((f) => /^(src|tests|bench|scripts)\/.*\.(ts|mjs)$/.test(f))

check('layers.json and the tsconfig files agree', () => tool('scripts/layers.mjs', '--check'))
check('types and layers (tsc -b)', () => tool('node_modules/typescript/bin/tsc', '-b'))
check('the package has its types (npm pack)', () => tool('scripts/package.mjs'))
check('lint and format (biome)', () =>
  tool('node_modules/@biomejs/biome/bin/biome', 'ci', '--colors=off', '--diagnostic-level=error', '.'),
)
check('dead code (knip)', () => tool('node_modules/knip/bin/knip.js', '--no-progress'))

check('only adapters import io', () => {
  const adapters =
    /^src\/(io|ovsdb\/(transport|storage)|openflow\/connection|vswitch\/(ports|tunnels)|logging|sandbox|cli|daemons)\/|^src\/ovsdb\/(index|in-process|client\/connect)\.ts$/
  return source
    .filter((f) => f.startsWith('src/') && !adapters.test(f) && !f.endsWith('.test.ts'))
    .filter(
      (f) =>
        /from '(\.\.\/)+io\//.test(readFileSync(f, 'utf8')) ||
        /from 'node:(net|fs|tls|dgram|child_process|http)/.test(readFileSync(f, 'utf8')),
    )
    .map((f) => `${f} reaches outside: only io/ and the adapter folders may`)
})

check('time comes from the clock', () => {
  const free =
    /^src\/(io|sandbox|cli|daemons|logging|ovsdb\/(transport|storage|client)|openflow\/connection|vswitch\/ports)\//
  return source
    .filter((f) => f.startsWith('src/') && !free.test(f) && !f.endsWith('.test.ts'))
    .filter((f) => /\b(setTimeout|setInterval|setImmediate|Date\.now|performance\.now)\(/.test(readFileSync(f, 'utf8')))
    .map((f) => `${f} reads the system's time or sets a timer: take a Clock`)
})

check('no file of over 600 lines without its argument', () =>
  source.flatMap((f) => {
    const text = readFileSync(f, 'utf8')
    const lines = text.split('\n').length - 1
    return lines > 600 && !/^(\/\/|\/\*\*?) Over 600 lines: /m.test(text) ? [`${f}: ${lines} lines`] : []
  }),
)

check('no path of one machine', () =>
  files
    .filter((f) => !f.endsWith('package-lock.json') && !f.startsWith('tests/captures/'))
    .flatMap((f) => {
      let text
      try {
        text = readFileSync(f, 'utf8')
      } catch {
        return []
      }
      return /(^|[^A-Za-z0-9_.])\/(work|root|farm)\//m.test(text) ? [f] : []
    }),
)

console.log(`${passed} passed, ${failed} failed`)
process.exit(failed ? 1 : 0)
