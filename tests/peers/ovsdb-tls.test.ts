import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { referenceBin } from './reference.ts'

// TLS with client certificates, and what a role lets such a client do: on the real server and on ours.

const schema = {
  name: 'R',
  tables: {
    RBAC_Role: {
      isRoot: true,
      columns: {
        name: { type: 'string' },
        permissions: {
          type: {
            key: 'string',
            value: { type: 'uuid', refTable: 'RBAC_Permission', refType: 'weak' },
            min: 0,
            max: 'unlimited',
          },
        },
      },
    },
    RBAC_Permission: {
      isRoot: true,
      columns: {
        table: { type: 'string' },
        authorization: { type: { key: 'string', min: 0, max: 'unlimited' } },
        insert_delete: { type: 'boolean' },
        update: { type: { key: 'string', min: 0, max: 'unlimited' } },
      },
    },
    Chassis: {
      isRoot: true,
      columns: {
        name: { type: 'string' },
        hostname: { type: 'string' },
        n: { type: 'integer' },
        ids: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } },
      },
    },
    Any: { isRoot: true, columns: { n: { type: 'integer' } } },
    None: { isRoot: true, columns: { n: { type: 'integer' } } },
  },
}
const filling = [
  'R',
  {
    op: 'insert',
    table: 'RBAC_Role',
    row: {
      name: 'role',
      permissions: [
        'map',
        [
          ['Chassis', ['named-uuid', 'pc']],
          ['Any', ['named-uuid', 'pa']],
        ],
      ],
    },
  },
  {
    op: 'insert',
    table: 'RBAC_Permission',
    'uuid-name': 'pc',
    row: {
      table: 'Chassis',
      authorization: ['set', ['name', 'ids:key']],
      insert_delete: true,
      update: ['set', ['hostname', 'ids:key']],
    },
  },
  {
    op: 'insert',
    table: 'RBAC_Permission',
    'uuid-name': 'pa',
    row: { table: 'Any', authorization: '', insert_delete: false, update: 'n' },
  },
  { op: 'insert', table: 'Chassis', row: { name: 'me' } },
  { op: 'insert', table: 'Chassis', row: { name: 'other' } },
  { op: 'insert', table: 'Chassis', row: { name: 'third', ids: ['map', [['key', 'me']]] } },
  { op: 'insert', table: 'Any', row: {} },
  { op: 'insert', table: 'None', row: {} },
]
const is = (name: string) => [['name', '==', name]]
const OPERATIONS = [
  { op: 'insert', table: 'Chassis', row: { name: 'me too' } },
  { op: 'insert', table: 'Chassis', row: { name: 'me' } },
  { op: 'insert', table: 'Any', row: {} },
  { op: 'insert', table: 'None', row: {} },
  { op: 'update', table: 'Chassis', where: is('me'), row: { hostname: 'h' } },
  { op: 'update', table: 'Chassis', where: is('me'), row: { n: 1 } },
  { op: 'update', table: 'Chassis', where: is('other'), row: { hostname: 'h' } },
  { op: 'update', table: 'Chassis', where: is('third'), row: { hostname: 'h' } },
  { op: 'update', table: 'Chassis', where: is('third'), row: { ids: ['map', [['key', 'x']]] } },
  { op: 'update', table: 'Chassis', where: is('nobody'), row: { n: 1 } },
  { op: 'update', table: 'Any', where: [], row: { n: 7 } },
  { op: 'update', table: 'None', where: [['n', '==', 99]], row: { n: 7 } },
  { op: 'mutate', table: 'Any', where: [], mutations: [['n', '+=', 1]] },
  { op: 'mutate', table: 'Chassis', where: is('me'), mutations: [['n', '+=', 1]] },
  { op: 'delete', table: 'Chassis', where: is('other') },
  { op: 'delete', table: 'Any', where: [] },
  { op: 'delete', table: 'Chassis', where: is('me') },
  { op: 'select', table: 'None', where: [], columns: ['n'] },
]

let dir = ''
let dist = ''
const stops: (() => void)[] = []

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ovn-ts-tls-'))
  dist = mkdtempSync('build/ovsdb-tls-')
  await build({
    entryPoints: ['src/daemons/ovsdb-server.ts'],
    outfile: join(dist, 'ovsdb-server.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: ['koffi'],
    logLevel: 'error',
    banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
  })
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'ignore' })
  for (const ca of ['ca', 'stranger-ca']) {
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      `${ca}.key`,
      '-out',
      `${ca}.pem`,
      '-days',
      '2',
      '-subj',
      `/CN=${ca}`,
    )
  }
  for (const [name, ca] of [
    ['server', 'ca'],
    ['me', 'ca'],
    ['stranger', 'stranger-ca'],
  ] as const) {
    openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      `/CN=${name}`,
    )
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      `${ca}.pem`,
      '-CAkey',
      `${ca}.key`,
      '-CAcreateserial',
      '-out',
      `${name}.pem`,
      '-days',
      '2',
    )
  }
  writeFileSync(join(dir, 'schema'), JSON.stringify(schema))
})
afterAll(() => {
  for (const stop of stops) stop()
  for (const d of [dir, dist]) rmSync(d, { recursive: true, force: true })
})

const tool = (name: string) => join(referenceBin('26.03'), name)

function call(port: number, who: string, ...args: string[]): string {
  const keys = ['-p', `${dir}/${who}.key`, '-c', `${dir}/${who}.pem`, '-C', `${dir}/ca.pem`]
  try {
    return execFileSync(
      tool('ovsdb-client'),
      [...keys, '-t', '5', ...args.map((a) => a.replace('AT', `ssl:127.0.0.1:${port}`))],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
    )
  } catch (e) {
    return `failed: ${(e as { stderr?: string }).stderr ?? ''}`
  }
}

async function serve(program: readonly string[], port: number): Promise<void> {
  const db = join(dir, `${port}.db`)
  execFileSync(tool('ovsdb-tool'), ['create', db, join(dir, 'schema')])
  execFileSync(tool('ovsdb-tool'), ['transact', db, JSON.stringify(filling)], { stdio: 'ignore' })
  const config = join(dir, `${port}.json`)
  writeFileSync(
    config,
    JSON.stringify({ remotes: { [`pssl:${port}:127.0.0.1`]: { role: 'role' } }, databases: { [db]: {} } }),
  )
  const args = [
    ...program.slice(1),
    `--config-file=${config}`,
    `--unixctl=${join(dir, `${port}.ctl`)}`,
    '-p',
    `${dir}/server.key`,
    '-c',
    `${dir}/server.pem`,
    '-C',
    `${dir}/ca.pem`,
    '-vconsole:off',
  ]
  const child = spawn(program[0] as string, args, { stdio: 'ignore' })
  stops.push(() => child.kill('SIGKILL'))
  for (let i = 0; i < 100; i++) {
    if (call(port, 'me', 'list-dbs', 'AT').includes('R')) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`no answer at port ${port}`)
}

/** Whether a client may make a second handshake on its connection. */
function renegotiates(port: number): Promise<boolean> {
  const file = (name: string) => readFileSync(join(dir, name))
  const keys = { key: file('me.key'), cert: file('me.pem'), ca: file('ca.pem') }
  return new Promise((resolve) => {
    const socket = connect(
      { port, host: '127.0.0.1', maxVersion: 'TLSv1.2', checkServerIdentity: () => undefined, ...keys },
      () => {
        socket.renegotiate({}, (error) => {
          resolve(!error)
          socket.destroy()
        })
      },
    )
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(false))
  })
}

test('certificates and roles: every operation is answered as by the real server', async () => {
  const [real, ours] = [17311, 17312]
  await serve([tool('ovsdb-server')], real)
  await serve([process.execPath, join(dist, 'ovsdb-server.mjs')], ours)
  for (const operation of OPERATIONS) {
    const text = JSON.stringify(['R', operation])
    const [theirs, mine] = [real, ours].map((port) =>
      call(port, 'me', 'transact', 'AT', text).replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UUID'),
    )
    expect(mine, text).toBe(theirs)
  }
  expect([await renegotiates(real), await renegotiates(ours)]).toEqual([false, false])
  expect(call(ours, 'stranger', 'list-dbs', 'AT')).toContain('failed')
  expect(call(ours, 'me', '--ssl-protocols=TLSv1.2', 'list-dbs', 'AT')).toContain('R')
})
