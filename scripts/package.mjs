// Packs the package, unpacks it as a dependency of a strict TypeScript project, and compiles there every example
// of the documentation: so the types that package.json exports are in the package, and whole, and keep to what
// TypeScript 5.0 knows. Both ways to load a module reach each entry. Needs `tsc -b` done.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'

const project = 'build/package'

function run(command, args, cwd = '.') {
  const r = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 26 })
  if (r.status === 0) return r.stdout
  console.error(`${command} ${args.slice(0, 3).join(' ')}: ${r.error?.message ?? `${r.stdout}${r.stderr}`}`)
  process.exit(1)
}

/** The fenced blocks of one language in a page. */
function blocks(page, language) {
  const fenced = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm')
  return [...readFileSync(page, 'utf8').matchAll(fenced)].map((m) => m[1])
}

rmSync(project, { recursive: true, force: true })
mkdirSync(`${project}/node_modules/ovn-ts`, { recursive: true })
const [{ filename }] = JSON.parse(
  run('npm', ['pack', '--json', '--ignore-scripts', '--loglevel=error', `--pack-destination=${project}`]),
)
run('tar', ['-xzf', filename, '-C', 'node_modules/ovn-ts', '--strip-components=1'], project)

/** Names of the library of TypeScript 5.2 and later, which the declarations of ours may not use. */
const NEWER =
  /\b(NoInfer|MapIterator|SetIterator|ArrayIterator|StringIterator|(Async)?IteratorObject|BuiltinIterator\w*|(Async)?Disposable)\b[<\s;[]/
const types = `${project}/node_modules/ovn-ts/build/types`
const tooNew = readdirSync(types, { recursive: true })
  .filter((file) => file.endsWith('.d.ts'))
  .flatMap((file) =>
    readFileSync(`${types}/${file}`, 'utf8')
      .split('\n')
      .filter((line) => NEWER.test(line) && !/^\s*(\/?\*|\/\/)/.test(line))
      .map((line) => `${file}: TypeScript 5.0 does not know ${NEWER.exec(line)?.[1]}`),
  )
if (tooNew.length) {
  console.error(tooNew.join('\n'))
  process.exit(1)
}

writeFileSync(`${project}/package.json`, JSON.stringify({ type: 'module' }))
const { resolve: required } = createRequire(resolve(project, 'program.cjs'))
for (const entry of ['ovn-ts', 'ovn-ts/ovsdb', 'ovn-ts/logging']) {
  try {
    required(entry)
  } catch (e) {
    // the declarations may be made without the bundles
    if (e.code === 'MODULE_NOT_FOUND') continue
    console.error(`require('${entry}'): ${e.message}`)
    process.exit(1)
  }
}
writeFileSync(
  `${project}/tsconfig.json`,
  JSON.stringify({
    compilerOptions: {
      ...{ target: 'ES2022', module: 'NodeNext', types: ['node'], noEmit: true, allowImportingTsExtensions: true },
      ...{ strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, skipLibCheck: false },
    },
    include: ['*.ts'],
  }),
)
writeFileSync(`${project}/fruits.ovsschema`, blocks('docs/OVSDB-CLIENT.md', 'json').join(''))
writeFileSync(
  `${project}/fruits.ts`,
  run(process.execPath, ['--import', 'tsx', 'src/cli/ovsdb-types.ts', `${project}/fruits.ovsschema`]),
)
let examples = 0
for (const page of ['README.md', 'docs/SANDBOX.md', 'docs/OVSDB-CLIENT.md', 'docs/LOGGING.md']) {
  for (const code of blocks(page, 'ts')) {
    writeFileSync(`${project}/example-${++examples}.ts`, `export {}\n${code}`)
  }
}
run(process.execPath, [resolve('node_modules/typescript/bin/tsc'), '-p', project])
console.log(`${examples} examples compile against the package`)
