// npm run bench [-- NAME ...]: builds, then runs bench/NAME.ts (all by default), each of which prints
// a table. Ratios are against the real daemon, measured in the same run.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { install } from './install.mjs'

install()
const { build } = await import('./build.mjs')
await build()
const { build: esbuild } = await import('esbuild')
const all = readdirSync('bench')
  .filter((f) => f.endsWith('.ts') && !f.startsWith('_'))
  .map((f) => basename(f, '.ts'))
const asked = process.argv.slice(2).filter((a) => !a.startsWith('-'))
const options = process.argv.slice(2).filter((a) => a.startsWith('-'))
for (const name of asked) {
  if (!all.includes(name)) {
    console.error(`no benchmark '${name}': there are ${all.join(', ')}`)
    process.exit(2)
  }
}
let status = 0
for (const name of asked.length ? asked : all) {
  console.log(`\n== ${name}`)
  const outfile = `build/bench/${name}.mjs`
  await esbuild({
    entryPoints: [`bench/${name}.ts`],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    sourcemap: 'inline',
    logLevel: 'warning',
    banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
  })
  const r = spawnSync(process.execPath, ['--expose-gc', '--enable-source-maps', outfile, ...options], {
    stdio: 'inherit',
  })
  status ||= r.status ?? 1
}
process.exit(status)
