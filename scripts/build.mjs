// Bundles every daemon, tool and library entry into one file each, under dist/.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { install } from './install.mjs'

/** The entry of each bundle by its name. */
export function entries() {
  const out = {}
  for (const folder of ['src/daemons', 'src/cli']) {
    for (const file of readdirSync(folder)) {
      if (!file.endsWith('.ts') || file.endsWith('.test.ts') || file.startsWith('_')) continue
      out[basename(file, '.ts')] = join(folder, file)
    }
  }
  for (const [name, file] of [
    ['index', 'src/sandbox/index.ts'],
    ['ovsdb', 'src/schema/library.ts'],
    ['logging', 'src/logging/index.ts'],
  ]) {
    if (existsSync(file)) out[name] = file
  }
  return out
}

/** `Logical_Flow.external_ids:source` is file:line: puts the line behind the file that `flows.on` is given. */
export function withLines(text) {
  const lines = text.split('\n')
  return lines.map((line, i) => line.replace(/(\.on\(.*'[\w-]+\/[\w-]+\.ts)'\)/, `$1:${i + 1}')`)).join('\n')
}

const flowSources = {
  name: 'flow-sources',
  setup(build) {
    build.onLoad({ filter: /[\\/]src[\\/]northd[\\/].*\.ts$/ }, ({ path }) => ({
      contents: withLines(readFileSync(path, 'utf8')),
      loader: 'ts',
    }))
  },
}

/** The schema files that `ovsdb-tool create` takes, under the names that Open vSwitch and OVN give them. */
async function writeSchemas() {
  const { northbound, southbound, openVSwitch, printSchema } = await import(pathToFileURL('dist/ovsdb.js').href)
  const schemas = { 'ovn-nb': northbound, 'ovn-sb': southbound, vswitch: openVSwitch }
  mkdirSync('dist/schemas')
  for (const [name, schema] of Object.entries(schemas))
    writeFileSync(`dist/schemas/${name}.ovsschema`, `${JSON.stringify(printSchema(schema), undefined, 2)}\n`)
}

export async function build() {
  const { build: esbuild } = await import('esbuild')
  const started = Date.now()
  rmSync('dist', { recursive: true, force: true })
  mkdirSync('dist', { recursive: true })
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  await esbuild({
    entryPoints: entries(),
    plugins: [flowSources],
    outdir: 'dist',
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    sourcemap: 'linked',
    sourcesContent: false,
    minifySyntax: true,
    minifyWhitespace: true,
    // Node shows the line that throws: a program of somebody else is to see its own error, too.
    lineLimit: 120,
    logLevel: 'warning',
    define: { __VERSION__: JSON.stringify(version) },
    // Bundled CommonJS packages look for these.
    banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
  })
  await writeSchemas()
  writeFileSync('dist/.built', String(Date.now()))
  console.log(`built in ${((Date.now() - started) / 1000).toFixed(1)} s`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  install()
  await build()
}
