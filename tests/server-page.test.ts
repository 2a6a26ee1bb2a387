import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { northbound, openVSwitch, parseSchema, printSchema, southbound } from '../src/schema/library.ts'

// What docs/OVSDB-SERVER.md shows, as somebody types it who has a clone, `npm run build`, and no rights.

const root = fileURLToPath(new URL('..', import.meta.url))
const page = readFileSync(`${root}docs/OVSDB-SERVER.md`, 'utf8')
const dir = mkdtempSync(join(tmpdir(), 'server-page-'))
afterAll(() => rmSync(dir, { recursive: true }))

const block = (language: string) => new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'm').exec(page)?.[1] ?? ''

/** The command lines of the page with the paths of a clone. */
const commands = block('sh').replaceAll(/(?<=^|\s)(bin|dist)\//gm, `${root}$1/`)

describe('docs/OVSDB-SERVER.md', () => {
  it('has commands that make a database, serve it, ask it and end it', async () => {
    expect(commands).toContain(`${root}bin/ovsdb-server --detach`)
    expect(commands.trimEnd()).toMatch(/ exit( +#.*)?$/)
    const { stdout, stderr } = await promisify(execFile)('sh', ['-ec', commands], { cwd: dir })
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^switch [-0-9a-f]{36} \(sw0\)\nstatus: ok\n$/)
  })

  it('has an example of a server in a program', async () => {
    const code = block('ts').replace("'ovn-ts/ovsdb'", JSON.stringify(`${root}src/schema/library.ts`))
    const file = join(dir, 'example.ts')
    writeFileSync(
      file,
      `export const said: string[] = []\n${code}`
        .replaceAll('console.log(', 'said.push(')
        .replace('punix:/tmp/', `punix:${dir}/`),
    )
    const { said } = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as { said: string[] }
    expect(said).toEqual([...code.matchAll(/\/\/ => (.*)/g)].map((m) => m[1]))
    expect(said).not.toEqual([])
  })
})

it.each([
  ['ovn-nb', northbound],
  ['ovn-sb', southbound],
  ['vswitch', openVSwitch],
] as const)('the schema file %s is the schema that the programs have', (name, schema) => {
  const read = parseSchema(JSON.parse(readFileSync(`${root}dist/schemas/${name}.ovsschema`, 'utf8')))
  if (!read.ok) throw new Error(read.error.error)
  expect(printSchema(read.value)).toEqual(printSchema(schema))
})

describe('ovsdb-server', () => {
  const serve = (...args: string[]) =>
    spawnSync(process.execPath, [`${root}bin/ovsdb-server`, ...args, '--no-dbs'], {
      encoding: 'utf8',
      env: { ...process.env, OVS_RUNDIR: dir, OVS_LOGDIR: join(dir, 'missing') },
    })

  it.each(['x', '1G', '0', '-1', '1e9', ''])('refuses --max-message=%s', (bytes) => {
    const { status, stderr } = serve(`--max-message=${bytes}`, '--run=true')
    expect([status, stderr]).toEqual([1, `ovsdb-server: --max-message=${bytes}: this is no number of bytes\n`])
  })

  it('goes on without its usual log file, and ends without one that it was given by name', () => {
    const usual = serve('--log-file', '--run=true')
    expect(usual.stderr).toContain(`failed to open ${dir}/missing/ovsdb-server.log for logging: No such file`)
    expect(usual.status).toBe(0)
    const named = serve(`--log-file=${dir}/missing/x.log`, '--run=true')
    expect(named.stderr).toContain(`failed to open ${dir}/missing/x.log for logging: No such file`)
    expect(named.status).toBe(1)
  })
})
