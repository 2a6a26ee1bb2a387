import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { err } from '../../src/base/result.ts'
import { nbctl } from '../../src/ctl/nbctl/index.ts'
import type { Program } from '../../src/ctl/program.ts'
import { type CtlResult, runCtl } from '../../src/ctl/run.ts'
import { sbctl } from '../../src/ctl/sbctl/index.ts'
import { vsctl } from '../../src/ctl/vsctl/index.ts'
import { SystemClock } from '../../src/io/clock.ts'
import { systemRandom } from '../../src/io/random.ts'
import { dial, parseActive } from '../../src/io/socket.ts'
import { RemoteReplica } from '../../src/ovsdb/client/remote.ts'
import { referenceBin, referenceSchema } from './reference.ts'

// Each command line of ctl/*.txt runs with the real tool on one database of the real server, and
// with ours on another. What they print has to be the same: uuids and moments left aside, and the
// order of lines, which is by chance in the real tools.

const bin = referenceBin()
const folder = mkdtempSync(join(tmpdir(), 'ctl-'))

/** A real server with the three databases. */
function startServer(name: string): { readonly socket: string; stop(): void } {
  const at = (file: string) => join(folder, `${name}.${file}`)
  const databases = (['ovn-nb', 'ovn-sb', 'vswitch'] as const).map((schema) => {
    execFileSync(join(bin, 'ovsdb-tool'), ['create', at(`${schema}.db`), referenceSchema(schema)])
    return at(`${schema}.db`)
  })
  const args = ['--detach', '--no-chdir', `--pidfile=${at('pid')}`, `--unixctl=${at('ctl')}`, `--log-file=${at('log')}`]
  execFileSync(join(bin, 'ovsdb-server'), [...args, `--remote=punix:${at('sock')}`, ...databases], { stdio: 'ignore' })
  return {
    socket: `unix:${at('sock')}`,
    stop: () => process.kill(Number(readFileSync(at('pid'), 'utf8'))),
  }
}

let real: ReturnType<typeof startServer>
let ours: ReturnType<typeof startServer>
beforeAll(() => {
  real = startServer('real')
  ours = startServer('ours')
})
afterAll(() => {
  real.stop()
  ours.stop()
  rmSync(folder, { recursive: true })
})

/** The words of a line: blanks between them, or 'quoted'. */
const words = (line: string): string[] => [...line.matchAll(/'([^']*)'|(\S+)/g)].map((m) => m[1] ?? m[2] ?? '')

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

function normal(text: string): string[] {
  return text
    .replace(UUID, 'UUID')
    .replace(/\d{4}-\d\d-\d\dT[\d:]+Z\|\d+/g, 'TIME|N')
    .replaceAll('\0', '')
    .replace(
      /gateway chassis: \[(.*)\]/g,
      (_, names: string) => `gateway chassis: [${names.split(' ').sort().join(' ')}]`,
    )
    .split('\n')
    .map((line) => line.trimEnd())
    .sort()
}

/** Elements of a set print in the order of their uuids, maps and sets otherwise in that of their contents. */
const record = (r: CtlResult) => ({ stdout: normal(r.stdout), stderr: normal(r.stderr), status: r.status })

const clock = new SystemClock()

function suite<T>(program: Program<T>, extra: readonly string[], files: readonly string[]): void {
  describe.each(files)(`${program.name}: %s`, (file) => {
    const replicas: RemoteReplica<T>[] = []
    afterAll(() => {
      for (const r of replicas) r.close()
    })
    const path = fileURLToPath(new URL(`./ctl/${file}.txt`, import.meta.url))
    const lines = readFileSync(path, 'utf8')
      .split('\n')
      .filter((l) => l.trim() !== '' || l === ' ')
    const reset = () => {
      real.stop()
      ours.stop()
    }
    it('prints what the real one prints', { timeout: 300_000 }, async () => {
      reset()
      real = startServer(`real-${file}`)
      ours = startServer(`ours-${file}`)
      const replica = new RemoteReplica<T>({
        schema: program.schema,
        remotes: [ours.socket],
        dial: (remote, done) => {
          const endpoint = parseActive(remote)
          if (endpoint) return dial(endpoint, done)
          done(err('bad remote'))
          return () => {}
        },
        clock,
      })
      replicas.push(replica)
      const differences: unknown[] = []
      for (const line of lines) {
        const args = [...extra, ...words(line)]
        const run = spawnSync(join(bin, program.name), [`--db=${real.socket}`, ...args], { encoding: 'utf8' })
        const theirs = record({ stdout: run.stdout, stderr: run.stderr, status: run.status ?? 142 })
        const mine = record(
          await new Promise<CtlResult>((done) => runCtl(program, args, { replica, clock, random: systemRandom }, done)),
        )
        if (JSON.stringify(theirs) !== JSON.stringify(mine)) differences.push({ line, theirs, mine })
      }
      expect(differences).toEqual([])
    })
  })
}

suite(nbctl, [], ['nbctl', 'nbctl-more', 'nbctl-database'])
suite(sbctl, [], ['sbctl'])
suite(vsctl, ['--no-wait'], ['vsctl'])
