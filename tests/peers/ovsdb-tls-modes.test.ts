import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Lab, type Maker, type Running, until } from './ovsdb-lab.ts'
import { referenceSchema } from './reference.ts'

// Where keys come from and how they change; an authority that is not known yet; roles of chassis over TLS.

const lab = new Lab()
const running: Running[] = []
const start = async (...args: Parameters<Lab['start']>) => {
  const one = await lab.start(...args)
  running.push(one)
  return one
}

beforeAll(async () => {
  await lab.prepare('ovsdb-server', 'ovn-northd', 'ovn-controller', 'ovsdb-client')
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: lab.dir, stdio: 'ignore' })
  const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout']
  openssl('req', '-x509', ...key, 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=authority')
  for (const name of ['server', 'renewed', 'lab', 'other']) {
    openssl('req', ...key, `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    const sign = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2']
    openssl('x509', '-req', '-in', `${name}.csr`, ...sign, '-out', `${name}.pem`)
  }
})
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.end('SIGKILL')
})
afterAll(() => lab.close())

const pki = (name: string) => [`--private-key=${lab.at(`${name}.key`)}`, `--certificate=${lab.at(`${name}.pem`)}`]
const CA = () => `--ca-cert=${lab.at('ca.pem')}`
/** Whom the server at a port says it is. */
function shown(port: number): string {
  try {
    return execFileSync(
      'openssl',
      ['s_client', '-connect', `127.0.0.1:${port}`, '-cert', 'lab.pem', '-key', 'lab.key', '-cert_chain', 'ca.pem'],
      {
        ...{ cwd: lab.dir, input: '', encoding: 'utf8', timeout: 10_000 },
        stdio: ['pipe', 'pipe', 'ignore'],
      },
    )
  } catch (e) {
    return String((e as { stdout?: string }).stdout)
  }
}
const name = (port: number) => /subject=CN ?= ?(\w+)/.exec(shown(port))?.[1]
const client = (...words: string[]) => lab.run('26.03', 'ovsdb-client', '-t', '5', ...words)

let port = 17350

describe.each<Maker>(['26.03', 'ours'])('the server by %s', (maker) => {
  test('serves nobody before it knows an authority, and does not take one from a client', async () => {
    const boot = lab.at(`boot.${maker}.pem`)
    const bootstrap = `--bootstrap-ca-cert=${boot}`
    await start(maker, 'ovsdb-server', '--no-dbs', `--remote=pssl:${++port}:127.0.0.1`, ...pki('server'), bootstrap)
    expect((await client(...pki('lab'), CA(), 'list-dbs', `ssl:127.0.0.1:${port}`)).code).not.toBe(0)
    shown(port)
    expect(existsSync(boot)).toBe(false)
    // As soon as there is one, clients are served.
    copyFileSync(lab.at('ca.pem'), boot)
    const asked = () => client(...pki('lab'), CA(), 'list-dbs', `ssl:127.0.0.1:${port}`)
    expect((await until(asked, (o) => o.code === 0)).stdout).toBe('_Server\n')
  })

  test('a relay takes the authority that its source shows', async () => {
    const boot = lab.at(`boot.relay.${maker}.pem`)
    const db = lab.at(`boot.${maker}.db`)
    await lab.run('26.03', 'ovsdb-tool', 'create', db, referenceSchema('ovn-nb'))
    const source = `pssl:${++port}:127.0.0.1`
    await start(
      '26.03',
      'ovsdb-server',
      db,
      `--remote=${source}`,
      ...pki('server'),
      CA(),
      `--peer-ca-cert=${lab.at('ca.pem')}`,
    )
    const socket = lab.at(`boot.${maker}.sock`)
    const relay = `relay:OVN_Northbound:ssl:127.0.0.1:${port}`
    await start(maker, 'ovsdb-server', relay, `--remote=punix:${socket}`, ...pki('lab'), `--bootstrap-ca-cert=${boot}`)
    const there = () => client('get-schema-version', `unix:${socket}`, 'OVN_Northbound')
    expect((await until(there, (o) => o.code === 0)).stdout).toMatch(/^\d+\.\d+\.\d+$/m)
    expect(existsSync(boot)).toBe(true)
  })

  test('sends what --peer-ca-cert names', async () => {
    const more = `--peer-ca-cert=${lab.at('ca.pem')}`
    await start(maker, 'ovsdb-server', '--no-dbs', `--remote=pssl:${++port}:127.0.0.1`, ...pki('server'), CA(), more)
    expect(shown(port)).toMatch(/ 1 s:CN ?= ?authority/)
  })

  test('keys of a database, which change; files that change', async () => {
    const db = lab.at(`keys.${maker}.db`)
    await lab.run('26.03', 'ovsdb-tool', 'create', db, referenceSchema('ovn-nb'))
    const socket = lab.at(`keys.${maker}.sock`)
    const from = (column: string) => `db:OVN_Northbound,SSL,${column}`
    await start(
      ...([maker, 'ovsdb-server', db, `--remote=pssl:${++port}:127.0.0.1`, `--remote=punix:${socket}`] as const),
      ...[
        `--private-key=${from('private_key')}`,
        `--certificate=${from('certificate')}`,
        `--ca-cert=${from('ca_cert')}`,
      ],
      ...[`--ssl-protocols=${from('ssl_protocols')}`, `--ssl-ciphers=${from('ssl_ciphers')}`],
      `--ssl-ciphersuites=${from('ssl_ciphersuites')}`,
    )
    const at = `ssl:127.0.0.1:${port}`
    const set = (...args: string[]) => lab.run('26.03', 'ovn-nbctl', `--db=unix:${socket}`, ...args)
    const asked = () => client(...pki('lab'), CA(), 'list-dbs', at)
    expect((await asked()).code).not.toBe(0)
    const files = (who: string) => [lab.at(`${who}.key`), lab.at(`${who}.pem`), lab.at('ca.pem')]
    await set('init', '--', 'set-ssl', ...files('server'))
    expect((await until(asked, (o) => o.code === 0)).code).toBe(0)
    expect(name(port)).toBe('server')
    await set('set-ssl', ...files('renewed'), 'TLSv1.2')
    const next = await until(
      async () => name(port),
      (n) => n === 'renewed',
    )
    expect(next).toBe('renewed')
    expect(shown(port)).toMatch(/TLSv1\.2/)
    // The files of a certificate are renewed in place.
    copyFileSync(lab.at('renewed.key'), lab.at('now.key'))
    copyFileSync(lab.at('renewed.pem'), lab.at('now.pem'))
    await set('set-ssl', lab.at('now.key'), lab.at('now.pem'), lab.at('ca.pem'), 'TLSv1.2-TLSv1.3')
    await until(
      async () => shown(port),
      (s) => s.includes('TLSv1.3'),
    )
    expect(shown(port)).toContain('TLSv1.3')
    copyFileSync(lab.at('server.key'), lab.at('now.key'))
    copyFileSync(lab.at('server.pem'), lab.at('now.pem'))
    // The real one looks at them when it next has something to do, and at times.
    expect(
      await until(
        () => asked().then(() => name(port)),
        (n) => n === 'server',
      ),
    ).toBe('server')
  })

  test('an option whose column is none', async () => {
    const db = lab.at(`none.${maker}.db`)
    await lab.run('26.03', 'ovsdb-tool', 'create', db, referenceSchema('ovn-nb'))
    const said: string[] = []
    for (const spec of [
      'OVN_Northbound,SSL,nope',
      'Nope,SSL,private_key',
      'OVN_Northbound,Nope,x',
      'OVN_Northbound',
      'OVN_Northbound,SSL,external_ids',
    ]) {
      for (const option of ['private-key', 'ssl-ciphers', 'ssl-server-name']) {
        const { code, stderr } = await lab.run(
          maker,
          'ovsdb-server',
          db,
          '--unixctl=none',
          '--run=true',
          `--${option}=db:${spec}`,
        )
        said.push(`${code} ${stderr.replace(/^.*\|INFO\|.*\n/gm, '').replace(/^[^|]*\|\d+\|/gm, '')}`)
      }
    }
    complaints.set(maker, said)
  })
})

test('our northd takes the authority that its databases show, then trusts no other', async () => {
  const files = []
  for (const schema of ['ovn-nb', 'ovn-sb'] as const) {
    const db = lab.at(`northd.${schema}.db`)
    await lab.run('26.03', 'ovsdb-tool', 'create', db, referenceSchema(schema))
    files.push(db)
  }
  const [local, boot] = [`unix:${lab.at('northd.sock')}`, lab.at('boot.northd.pem')]
  const remotes = [`--remote=p${local}`, `--remote=pssl:${++port}:127.0.0.1`]
  await start(
    '26.03',
    'ovsdb-server',
    ...files,
    ...remotes,
    ...pki('server'),
    CA(),
    `--peer-ca-cert=${lab.at('ca.pem')}`,
  )
  const at = `ssl:127.0.0.1:${port}`
  await start(
    ...(['ours', 'ovn-northd', `--ovnnb-db=${at}`, `--ovnsb-db=${at}`] as const),
    ...pki('lab'),
    `--bootstrap-ca-cert=${boot}`,
  )
  const nbctl = (...args: string[]) => lab.run('26.03', 'ovn-nbctl', '-t', '60', `--db=${local}`, ...args)
  expect((await nbctl('--wait=sb', 'ls-add', 'sw')).code).toBe(0)
  expect(existsSync(boot)).toBe(true)
})

const complaints = new Map<Maker, string[]>()
test('both complain of such an option alike', () => {
  expect(complaints.get('ours')).toHaveLength(15)
  expect(complaints.get('ours')).toEqual(complaints.get('26.03'))
})

describe.each<readonly [Maker, Maker]>([
  ['ours', '26.03'],
  ['26.03', 'ours'],
])(
  'a chassis over TLS with the role ovn-controller: server by %s, controller by %s',
  (serverMaker, controllerMaker) => {
    test('changes its own rows and no others', async () => {
      const tag = `${serverMaker}.${controllerMaker}`
      const files = []
      for (const schema of ['ovn-nb', 'ovn-sb'] as const) {
        const db = lab.at(`rbac.${tag}.${schema}.db`)
        await lab.run('26.03', 'ovsdb-tool', 'create', db, referenceSchema(schema))
        files.push(db)
      }
      const socket = lab.at(`rbac.${tag}.sock`)
      const local = `unix:${socket}`
      const config = lab.at(`rbac.${tag}.json`)
      const remotes = { [`punix:${socket}`]: {}, [`pssl:${++port}:127.0.0.1`]: { role: 'ovn-controller' } }
      writeFileSync(config, JSON.stringify({ remotes, databases: Object.fromEntries(files.map((f) => [f, {}])) }))
      await start(serverMaker, 'ovsdb-server', `--config-file=${config}`, ...pki('server'), CA())
      await start('26.03', 'ovn-northd', `--ovnnb-db=${local}`, `--ovnsb-db=${local}`)
      const nb = (...args: string[]) => lab.run('26.03', 'ovn-nbctl', `--db=${local}`, ...args)
      const sb = (...args: string[]) => lab.run('26.03', 'ovn-sbctl', `--db=${local}`, ...args)
      await nb(
        'init',
        '--',
        'ls-add',
        'sw',
        '--',
        'lsp-add',
        'sw',
        'p',
        '--',
        'lsp-set-addresses',
        'p',
        '02:00:00:00:00:01',
      )
      await nb('--wait=sb', 'sync')
      const remote = `ssl:127.0.0.1:${port}`
      /** A host: its own switch and database, a controller with a certificate. */
      const host = async (who: string, systemId: string) => {
        const db = lab.at(`${tag}.${who}.db`)
        await lab.run('26.03', 'ovsdb-tool', 'create', db, referenceSchema('vswitch'))
        const ovs = lab.at(`${tag}.${who}.ovs`)
        await start('26.03', 'ovsdb-server', db, `--remote=punix:${ovs}`)
        const set = (...args: string[]) => lab.run('26.03', 'ovs-vsctl', '--no-wait', `--db=unix:${ovs}`, ...args)
        await set(
          'init',
          ...['--', 'set', 'Open_vSwitch', '.', `external_ids:system-id=${systemId}`, `external_ids:hostname=${who}`],
          ...[
            'external_ids:ovn-encap-type=geneve',
            'external_ids:ovn-encap-ip=127.0.0.1',
            `external_ids:ovn-remote=${remote}`,
          ],
          ...['--', 'add-br', 'br-int', '--', 'set', 'Bridge', 'br-int', 'fail-mode=secure', 'datapath_type=dummy'],
          ...[
            '--',
            'add-port',
            'br-int',
            'vif',
            '--',
            'set',
            'Interface',
            'vif',
            'type=dummy',
            'external_ids:iface-id=p',
          ],
        )
        await start('26.03', 'ovs-vswitchd', `unix:${ovs}`, '--disable-system', '--enable-dummy=override')
        return start(controllerMaker, 'ovn-controller', `unix:${ovs}`, ...pki(who), CA())
      }
      const owner = await host('lab', 'lab')
      const bound = () => sb('--bare', '--columns=chassis', 'list', 'Port_Binding', 'p')
      expect((await until(bound, (o) => o.stdout.trim() !== '')).stdout.trim()).not.toBe('')
      expect((await sb('--bare', '--columns=name,hostname', 'list', 'Chassis')).stdout).toBe('lab\nlab\n')
      await until(
        () => sb('--bare', '--columns=up', 'list', 'Port_Binding', 'p'),
        (o) => o.stdout.includes('true'),
      )
      expect((await sb('--bare', '--columns=up', 'list', 'Port_Binding', 'p')).stdout).toBe('true\n')
      expect(owner.log()).not.toContain('RBAC')
      // Somebody else's certificate, under this chassis' name.
      await owner.end('SIGKILL')
      const before = (await sb('--columns=hostname,other_config,encaps', 'list', 'Chassis', 'lab')).stdout
      const thief = await host('other', 'lab')
      await until(
        async () => thief.log(),
        (text) => text.includes('RBAC rules for client') || text.includes('permission error'),
      )
      expect(thief.log()).toMatch(/RBAC rules for client .*other.* prohibit|permission error/)
      expect((await sb('--columns=hostname,other_config,encaps', 'list', 'Chassis', 'lab')).stdout).toBe(before)
    })
  },
)
