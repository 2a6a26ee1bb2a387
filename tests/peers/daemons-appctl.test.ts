import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DaemonLab, realDaemons, type Side } from './daemon-lab.ts'
import { referenceBin } from './reference.ts'

// Our ovs-appctl and ovn-appctl beside the real ones: the same answers from the same daemons, real ones and ours.

const run = realDaemons() ? describe : describe.skip
const PROGRAMS = ['ovs-appctl', 'ovn-appctl']

const LINES: readonly string[] = [
  'ovs-appctl',
  'ovs-appctl --version',
  'ovn-appctl --version',
  'ovs-appctl --nope',
  'ovs-appctl -t',
  'ovs-appctl -T x version',
  'ovs-appctl -T 0 version',
  'ovs-appctl -f xml version',
  'ovn-appctl -f json version',
  'ovs-appctl --pretty version',
  'ovs-appctl -vnope version',
  'ovs-appctl version',
  'ovn-appctl version',
  'ovn-appctl -t ovn-northd status',
  'ovn-appctl -t ovn-northd is-paused',
  'ovn-appctl -t ovn-northd pause',
  'ovn-appctl -t ovn-northd resume',
  'ovn-appctl -t ovn-northd -- version',
  'ovn-appctl -t ovn-northd version extra',
  'ovn-appctl -t ovn-northd nope',
  'ovn-appctl -t ovn-northd vlog/set bad',
  'ovn-appctl -t ovn-northd vlog/set northd:file:dbg',
  'ovn-appctl -t ovn-northd list-commands',
  'ovs-appctl -f json -t DIR/ovnnb_db.ctl version',
  'ovs-appctl -f json --pretty -t DIR/ovnnb_db.ctl version',
  'ovs-appctl -f json -t DIR/ovnnb_db.ctl nope',
  'ovs-appctl -t DIR/ovnnb_db.ctl ovsdb-server/list-dbs',
  'ovs-appctl exit a b c -t nobody',
  'ovs-appctl -t nobody version',
  'ovs-appctl -t stale version',
  'ovs-appctl -t garbage version',
  'ovs-appctl -t ./x version',
  'ovs-appctl -t /nonexistent/x.ctl version',
  'ovs-appctl --timeout=1 -t DIR/silent version',
  'ovs-appctl -t DIR/rude version',
]

run('appctl', () => {
  let lab: DaemonLab
  let dist: string
  const servers = [createServer(() => {}), createServer((socket) => socket.on('data', () => socket.end()))]
  beforeAll(async () => {
    lab = await DaemonLab.make()
    dist = mkdtempSync('build/appctl-')
    await build({
      entryPoints: Object.fromEntries(PROGRAMS.map((p) => [p, `src/cli/${p}.ts`])),
      ...{ outdir: dist, outExtension: { '.js': '.mjs' }, bundle: true, format: 'esm', platform: 'node' },
      ...{ target: 'node20', packages: 'external', logLevel: 'error' },
      banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
    })
    await Promise.all(lab.sides.map((side) => side.deploy()))
    for (const side of lab.sides) {
      writeFileSync(side.at('stale.pid'), '999999\n')
      writeFileSync(side.at('garbage.pid'), 'garbage\n')
    }
  })
  afterAll(async () => {
    for (const server of servers) server.close()
    await lab.close()
    rmSync(dist, { recursive: true, force: true })
  })

  async function told(maker: 'real' | 'ours', daemons: Side, line: string) {
    const [program = '', ...args] = line.replaceAll('DIR', daemons.dir).split(' ')
    const out =
      maker === 'real'
        ? await daemons.run(join(referenceBin(), program), args)
        : await daemons.run(process.execPath, [join(process.cwd(), dist, `${program}.mjs`), ...args])
    return { ...out, stderr: out.stderr.replace(/^\d{4}-\S+Z\|/gm, 'TIME|') }
  }

  for (const line of LINES) {
    test(line, async () => {
      for (const [i, name] of ['silent', 'rude'].entries()) {
        const server = servers[i]
        if (!line.includes(name) || !server) continue
        server.close()
        await new Promise<void>((done) => server.listen(lab.real.at(name), done))
      }
      const wanted = await told('real', lab.real, line)
      expect(await told('ours', lab.real, line)).toEqual(wanted)
      // Our daemon answers our program as it answers the real one.
      if (!/silent|rude/.test(line)) {
        expect(await told('ours', lab.ours, line)).toEqual(await told('real', lab.ours, line))
      }
    })
  }
})
