// How long a command-line tool takes, beside `node -e 0` and the real tool, on the same real server.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { median, number, ratio, realPrograms, run, table } from './_measure.ts'

const RUNS = 21
const bin = realPrograms()
if (!bin) process.exit(0)

const dir = mkdtempSync(join(tmpdir(), 'bench-cli-'))
const servers: ChildProcess[] = []
for (const db of ['nb', 'sb']) {
  run(join(bin, 'ovsdb-tool'), [
    'create',
    `${dir}/${db}.db`,
    run('bash', ['tests/peers/reference-ovn', 'schema', '26.03', `ovn-${db}`]).trim(),
  ])
  servers.push(
    spawn(
      join(bin, 'ovsdb-server'),
      [`${dir}/${db}.db`, `--remote=punix:${dir}/${db}.sock`, '-vconsole:off', `--unixctl=${dir}/${db}.ctl`],
      { stdio: 'ignore' },
    ),
  )
}
const end = Date.now() + 10_000
while (!existsSync(`${dir}/nb.sock`) || !existsSync(`${dir}/sb.sock`)) {
  if (Date.now() > end) throw new Error('the database servers do not start')
  await new Promise((r) => setTimeout(r, 10))
}
run(join(bin, 'ovn-nbctl'), [
  `--db=unix:${dir}/nb.sock`,
  'init',
  '--',
  'ls-add',
  'private',
  '--',
  'lsp-add',
  'private',
  'vm1',
])

function time(command: string, args: string[]): number {
  const begin = performance.now()
  const r = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' })
  if (r.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${r.stderr}`)
  return performance.now() - begin
}

const nothing: number[] = []
const rows: [string, string, string[]][] = [
  ['ovn-nbctl show', 'ovn-nbctl', [`--db=unix:${dir}/nb.sock`, 'show']],
  ['ovn-nbctl get', 'ovn-nbctl', [`--db=unix:${dir}/nb.sock`, 'get', 'Logical_Switch', 'private', 'ports']],
  ['ovn-sbctl show', 'ovn-sbctl', [`--db=unix:${dir}/sb.sock`, 'show']],
]
const figures = rows.map(() => ({ ours: [] as number[], theirs: [] as number[] }))
for (let i = 0; i < RUNS; i++) {
  nothing.push(time(process.execPath, ['-e', '0']))
  for (const [k, [, program, args]] of rows.entries()) {
    figures[k]?.ours.push(time(`bin/${program}`, args))
    figures[k]?.theirs.push(time(join(bin, program), args))
  }
}
const base = median(nothing)
console.log(`node -e 0: ${number(base, 'ms')} (median of ${RUNS})`)
table(
  ['tool', 'ours', 'above node -e 0', 'real', 'ours/real'],
  rows.map(([name], k) => {
    const ours = median(figures[k]?.ours ?? [])
    const theirs = median(figures[k]?.theirs ?? [])
    return [name, number(ours, 'ms'), number(ours - base, 'ms'), number(theirs, 'ms'), ratio(ours, theirs)]
  }),
)
for (const s of servers) s.kill()
rmSync(dir, { recursive: true, force: true })
