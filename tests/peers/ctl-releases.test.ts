import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { nbctl } from '../../src/ctl/nbctl/index.ts'
import { runCtl } from '../../src/ctl/run.ts'
import { SystemClock } from '../../src/io/clock.ts'
import { systemRandom } from '../../src/io/random.ts'
import { connect, northbound } from '../../src/schema/library.ts'
import { type Release, referenceBin, referenceSchema } from './reference.ts'

// Our ovn-nbctl, which knows the schema of 26.03, on the servers and schemas of other releases.

const folder = mkdtempSync(join(tmpdir(), 'releases-'))
afterAll(() => rmSync(folder, { recursive: true }))

const lines = [
  'ls-add s -- lsp-add s p -- lsp-set-addresses p "00:00:00:00:00:01 10.0.0.1"',
  'lr-add r -- lrp-add r rp 00:00:00:00:00:09 10.0.0.1/24 -- lsp-add s s-r -- lsp-set-type s-r router',
  'lsp-set-options s-r router-port=rp -- lsp-set-addresses s-r router',
  'acl-add s to-lport 5 ip4 drop',
  'lr-nat-add r snat 172.16.0.1 10.0.0.0/24 -- lr-route-add r 0.0.0.0/0 10.0.0.254',
  'lrp-set-gateway-chassis rp gw1 20 -- lb-add lb 1.2.3.4:80 10.0.0.1:80 -- ls-lb-add s lb',
]

describe.each<Release>(['23.03', '25.03', '26.03'])('release %s', (release) => {
  const bin = referenceBin(release)
  const at = (name: string) => join(folder, `${release}.${name}`)
  const remote = `unix:${at('sock')}`

  it('has the same network by both tools', async () => {
    execFileSync(join(bin, 'ovsdb-tool'), ['create', at('db'), referenceSchema('ovn-nb', release)])
    const args = [
      '--detach',
      '--no-chdir',
      `--pidfile=${at('pid')}`,
      `--unixctl=${at('ctl')}`,
      `--log-file=${at('log')}`,
    ]
    execFileSync(join(bin, 'ovsdb-server'), [...args, `--remote=p${remote}`, at('db')], { stdio: 'ignore' })
    try {
      const { replica, close } = await connect({ schema: northbound, remotes: remote, timeout: 120_000 }).then(
        (nb) => ({
          replica: nb.replica,
          close: () => nb.close(),
        }),
      )
      const environment = { replica, clock: new SystemClock(), random: systemRandom }
      const ours = (line: string) =>
        new Promise<string>((done) => {
          const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((m) => m[1] ?? m[2] ?? '')
          runCtl(nbctl, words, environment, (r) => done(r.stderr + r.stdout))
        })
      const theirs = (line: string) =>
        execFileSync(join(bin, 'ovn-nbctl'), [`--db=${remote}`, ...line.split(' ')], { encoding: 'utf8' })
      // what 23.03 does not show yet
      const sorted = (text: string) =>
        text
          .split('\n')
          .filter((l) => !l.includes('ipv6-lla'))
          .sort()
      for (const line of lines) expect(await ours(line)).toBe('')
      for (const line of [
        'show',
        'ls-list',
        'lsp-list s',
        'acl-list s',
        'lr-route-list r',
        'lb-list',
        'lrp-get-gateway-chassis rp',
      ]) {
        expect(sorted(await ours(line))).toEqual(sorted(theirs(line)))
      }
      close()
    } finally {
      process.kill(Number(readFileSync(at('pid'), 'utf8')))
    }
  })
})
