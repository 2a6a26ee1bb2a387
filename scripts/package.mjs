// Packs the package, unpacks it as a dependency of a strict TypeScript project, and compiles there every example
// of the documentation: so the types that package.json exports are in the package, and whole. Needs `tsc -b` done.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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

writeFileSync(`${project}/package.json`, JSON.stringify({ type: 'module' }))
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
