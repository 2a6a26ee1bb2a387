import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { silent } from '../base/log.ts'
import { unwrap } from '../base/result.ts'
import { SystemClock } from '../io/clock.ts'
import { systemRandom } from '../io/random.ts'
import { type Listener, listen } from '../io/socket.ts'
import { printJson } from '../jsonrpc/json.ts'
import { printSchema } from '../ovsdb/schema/index.ts'
import { schemaModule } from '../ovsdb/schema/typescript.ts'
import { createServer } from '../ovsdb/server/index.ts'
import { northbound } from '../schema/northbound.ts'
import { openVSwitch } from '../schema/open-vswitch.ts'

const folder = mkdtempSync(join(tmpdir(), 'types-'))
const at = (name: string) => join(folder, name)
const remote = `unix:${at('sock')}`
let listener: Listener

beforeAll(async () => {
  await build({
    entryPoints: [fileURLToPath(new URL('./ovsdb-types.ts', import.meta.url))],
    ...{ outfile: at('types.mjs'), bundle: true, format: 'esm', platform: 'node', target: 'node20' },
  })
  const server = createServer({ clock: new SystemClock(), log: silent, random: systemRandom })
  unwrap(server.addDatabase(northbound))
  unwrap(server.addDatabase(openVSwitch))
  listener = await new Promise<Listener>((resolve, reject) =>
    listen(
      { kind: 'unix', path: at('sock') },
      (stream) => server.accept(stream),
      (r) => (r.ok ? resolve(r.value) : reject(new Error(r.error))),
    ),
  )
  writeFileSync(at('nb.ovsschema'), printJson(printSchema(northbound)))
  writeFileSync(at('bad'), '{"name": "x"')
  writeFileSync(at('worse'), '{"name": "x"}')
})
afterAll(() => {
  listener.close()
  rmSync(folder, { recursive: true })
})

const run = (...args: string[]) =>
  new Promise<{ out: string; err: string; status: number | null }>((done) => {
    const child = spawn(process.execPath, [at('types.mjs'), ...args])
    let out = ''
    let err = ''
    child.stdout.on('data', (data) => {
      out += data
    })
    child.stderr.on('data', (data) => {
      err += data
    })
    child.on('close', (status) => done({ out, err, status }))
  })

it('writes the module of a file, and of a server', async () => {
  expect(await run(at('nb.ovsschema'))).toEqual({ out: schemaModule(northbound), err: '', status: 0 })
  const asked = await run('--import=./lib.ts', remote, 'Open_vSwitch')
  expect(asked).toEqual({ out: schemaModule(openVSwitch, './lib.ts'), err: '', status: 0 })
})

it('says what is wrong', async () => {
  const said = async (...args: string[]) => {
    const { out, err, status } = await run(...args)
    expect([out, status]).toEqual(['', 1])
    return err.replaceAll(folder, 'DIR').trimEnd()
  }
  expect(await said(remote)).toBe(
    'ovsdb-types: unix:DIR/sock has the databases OVN_Northbound, Open_vSwitch: say which',
  )
  expect(await said(remote, 'Nope')).toContain('unknown database')
  expect(await said('unix:/nope')).toBe('ovsdb-types: unix:/nope: No such file or directory')
  expect(await said('/nope')).toBe('ovsdb-types: /nope: No such file or directory')
  expect(await said(at('bad'))).toMatch(/^ovsdb-types: DIR\/bad: /)
  expect(await said(at('worse'))).toMatch(/^ovsdb-types: DIR\/worse: .*tables/)
  expect(await said()).toContain('a server or a schema file is needed')
  expect(await said('tcp', 'x')).toContain('tcp is no server')
})
