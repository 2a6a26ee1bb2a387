// Writes src/<layer>/tsconfig.json for every layer of layers.json, so that the compiler
// refuses an import that looks up. `--check` fails when a file is not as generated.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

const layers = JSON.parse(readFileSync('layers.json', 'utf8'))

/** All layers that `name` may import: its direct ones and theirs. */
export function below(name, seen = new Set()) {
  for (const d of layers[name] ?? []) {
    if (seen.has(d)) continue
    seen.add(d)
    below(d, seen)
  }
  return seen
}

export const layerNames = Object.keys(layers)

const files = new Map()
for (const name of layerNames) {
  files.set(`src/${name}/tsconfig.json`, {
    extends: '../../tsconfig.base.json',
    compilerOptions: {
      rootDir: '..',
      outDir: '../../build/types',
      tsBuildInfoFile: `../../build/info/${name}.tsbuildinfo`,
    },
    include: ['**/*.ts'],
    references: [...below(name)].map((d) => ({ path: `../${d}` })),
  })
}
files.set('tests/tsconfig.json', {
  extends: '../tsconfig.base.json',
  compilerOptions: { rootDir: '..', outDir: '../build/tests', tsBuildInfoFile: '../build/info/tests.tsbuildinfo' },
  include: ['**/*.ts', '../bench/**/*.ts'],
  references: layerNames.map((d) => ({ path: `../src/${d}` })),
})
files.set('tsconfig.json', {
  files: [],
  references: [...layerNames.map((d) => ({ path: `./src/${d}` })), { path: './tests' }],
})

if (process.argv[1]?.endsWith('layers.mjs')) {
  const check = process.argv.includes('--check')
  let bad = 0
  for (const [path, value] of files) {
    const text = `${JSON.stringify(value, null, 2)}\n`
    if (check) {
      if (!existsSync(path) || readFileSync(path, 'utf8') !== text) {
        console.error(`${path} does not follow layers.json: run node scripts/layers.mjs`)
        bad++
      }
      continue
    }
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  process.exit(bad ? 1 : 0)
}
