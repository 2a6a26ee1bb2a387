import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Release, referenceBin } from './reference.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const execute = promisify(execFile)

/** The lines of a `show` in an order that does not depend on chance, without uuids. */
const sorted = (text: string) =>
  text
    .split('\n')
    .map((l) =>
      l.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, '<uuid>').replace(/gateway chassis: .*/, (g) =>
        g
          .split(/[[\] ]+/)
          .sort()
          .join(' '),
      ),
    )
    .sort()

// The sandbox as `npm start` runs it, under the real command-line tools of two releases.
describe.sequential('the real tools on the sandbox', () => {
  let nb = ''
  let sb = ''
  let rundir = ''
  let stop: () => Promise<unknown> = async () => {}
  let output = ''

  beforeAll(async () => {
    rundir = mkdtempSync(join(tmpdir(), 'ovn-ts-peers-'))
    const p = spawn(
      process.execPath,
      [`${root}dist/ovn-sandbox.js`, '--no-demo', '--nb-port=0', '--sb-port=0', `--rundir=${rundir}`],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const ended = new Promise((resolve) => p.once('close', resolve))
    stop = () => {
      p.kill('SIGINT')
      return ended
    }
    await new Promise<void>((resolve, reject) => {
      p.once('exit', (code) => reject(new Error(`the sandbox ended with ${code}: ${output}`)))
      p.stdout.on('data', (d: Buffer) => {
        output += d.toString()
        if (output.includes('Ctrl-C')) resolve()
      })
    })
    nb = /ovn-nbctl --db=(tcp:\S+)/.exec(output)?.[1] ?? ''
    sb = /ovn-sbctl --db=(tcp:\S+)/.exec(output)?.[1] ?? ''
  })

  afterAll(async () => {
    await stop()
    rmSync(rundir, { recursive: true, force: true })
  })

  const run = async (program: string, ...args: string[]) => (await execute(program, args, { timeout: 120_000 })).stdout

  for (const release of ['26.03', '23.03'] as const satisfies Release[]) {
    describe(release, () => {
      let bin = ''
      beforeAll(() => {
        bin = referenceBin(release)
      }, 300_000)
      const nbctl = (...args: string[]) => run(join(bin, 'ovn-nbctl'), `--db=${nb}`, ...args)
      const sbctl = (...args: string[]) => run(join(bin, 'ovn-sbctl'), `--db=${sb}`, ...args)

      it('shows, lists, finds, gets and sets', async () => {
        expect(await nbctl('show')).toContain('addresses: ["fa:16:3e:50:47:62 10.0.0.6"]')
        expect(await sbctl('show')).toContain('Chassis hv1')
        expect((await nbctl('--bare', '--columns=name', 'list', 'Logical_Switch')).trim().split(/\s+/).sort()).toEqual([
          'private',
          'public',
        ])
        expect(await nbctl('--bare', '--columns=name', 'find', 'Logical_Switch_Port', 'type=localnet')).toBe(
          'provnet\n',
        )
        await nbctl('set', 'Logical_Switch', 'private', 'external_ids:k=v')
        expect(await nbctl('get', 'Logical_Switch', 'private', 'external_ids:k')).toBe('v\n')
        await nbctl('remove', 'Logical_Switch', 'private', 'external_ids', 'k')
        await nbctl('add', 'Logical_Switch', 'private', 'external_ids', 'a=b')
        expect(await nbctl('get', 'Logical_Switch', 'private', 'external_ids')).toBe('{a=b}\n')
        await nbctl('clear', 'Logical_Switch', 'private', 'external_ids')
      })

      it('builds and takes down a network, and waits for the chassis', async () => {
        await nbctl('--wait=sb', 'sync')
        await nbctl(
          '--wait=hv',
          'ls-add',
          'net9',
          '--',
          'lsp-add',
          'net9',
          'p9',
          '--',
          'lr-add',
          'r9',
          '--',
          'lrp-add',
          'r9',
          'r9-net9',
          '0a:00:00:00:09:01',
          '10.9.0.1/24',
        )
        await nbctl('--wait=hv', 'lr-nat-add', 'r9', 'snat', '172.16.0.9', '10.9.0.0/24')
        await nbctl('--wait=hv', 'lrp-set-gateway-chassis', 'r9-net9', 'gw2', '5')
        expect(await sbctl('--bare', '--columns=logical_port', 'find', 'Port_Binding', 'logical_port=p9')).toBe('p9\n')
        expect(await sbctl('lflow-list', 'net9')).toContain('Pipeline: ingress')
        await nbctl('--wait=hv', 'ls-del', 'net9', '--', 'lr-del', 'r9')
        expect(await sbctl('--bare', 'find', 'Port_Binding', 'logical_port=p9')).toBe('')
      })

      it('prints what our tools print', async () => {
        // 26.03 shows one line more of a router port than 23.03 did
        const known = (text: string) => (release === '23.03' ? text.replace(/^ +ipv6-lla: .*\n/gm, '') : text)
        expect(sorted(await nbctl('show'))).toEqual(
          sorted(known(await run(`${root}bin/ovn-nbctl`, `--db=${nb}`, 'show'))),
        )
        expect(sorted(await sbctl('show'))).toEqual(sorted(await run(`${root}bin/ovn-sbctl`, `--db=${sb}`, 'show')))
        const vsctl = [
          `--db=unix:${join(rundir, 'hv1', 'db.sock')}`,
          'get',
          'open',
          '.',
          'external_ids:ovn-bridge-mappings',
        ]
        expect(await run(`${root}bin/ovs-vsctl`, ...vsctl)).toBe(await run(join(bin, 'ovs-vsctl'), ...vsctl))
      })

      it('dumps and monitors', async () => {
        const client = join(bin, 'ovsdb-client')
        expect(await run(client, 'dump', sb, 'OVN_Southbound', 'Chassis', 'name')).toMatch(
          /gw1[\s\S]*gw2[\s\S]*hv1[\s\S]*hv2/,
        )
        expect((await run(client, 'list-dbs', nb)).split('\n')).toContain('OVN_Northbound')
        const monitor = spawn(client, ['monitor', nb, 'OVN_Northbound', 'Logical_Switch', 'name'], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        let text = ''
        const told = new Promise<void>((resolve) => {
          monitor.stdout.on('data', (d: Buffer) => {
            text += d.toString()
            if (text.includes('private') && !text.includes('seen')) void nbctl('ls-add', 'seen')
            if (text.includes('insert') && text.includes('seen')) resolve()
          })
        })
        await told
        monitor.kill()
        await nbctl('ls-del', 'seen')
      })

      it('sees the switch over OpenFlow', async () => {
        const flows = await run(
          join(bin, 'ovs-ofctl'),
          '-O',
          'OpenFlow15',
          'dump-flows',
          join(rundir, 'hv1', 'br-int.mgmt'),
        )
        expect(flows.split('\n').length).toBeGreaterThan(100)
        expect(flows).toMatch(/table=0, .*in_port/)
      })
    })
  }

  it('refuses hostile clients and serves the others', async () => {
    const port = Number(nb.split(':').at(-1))
    const answer = (text: string) =>
      new Promise<string>((resolve) => {
        const s = createConnection(port, '127.0.0.1', () => s.write(text))
        let got = ''
        s.on('data', (d) => {
          got += d.toString()
          if (got.endsWith('}')) s.destroy()
        })
        s.on('close', () => resolve(got))
        s.on('error', () => resolve(got))
      })
    expect(await answer('{"method":"nonsense","params":[],"id":1}')).toContain('unknown method')

    await answer('this is no JSON}')
    expect(await run(`${root}bin/ovn-nbctl`, `--db=${nb}`, 'show')).toContain('private')
  })
})
