import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ControllerLab, words } from './controller-lab.ts'

const file = (name: string) => readFileSync(fileURLToPath(new URL(name, import.meta.url)), 'utf8')
const root = fileURLToPath(new URL('../..', import.meta.url))
const traces = file('./trace.txt')
  .split('\n')
  .filter((l) => l && !l.startsWith('#'))

let lab: ControllerLab

beforeAll(async () => {
  lab = new ControllerLab()
  await build({
    entryPoints: [join(root, 'src/cli/ovn-trace.ts')],
    outfile: join(lab.dir, 'ovn-trace.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'error',
  })
  await lab.up(['vm1', 'vm2'])
  for (const line of file('./lowered-southbound.nbctl').split('\n')) {
    if (line && !line.startsWith('#')) lab.nbctl(...words(line))
  }
  lab.sync()
})

afterAll(async () => {
  await lab?.down()
})

/** Options, a datapath where the line begins with a name, and the microflow. */
function argumentsOf(line: string): string[] {
  const out: string[] = []
  let rest = line
  while (rest.startsWith('--')) {
    const space = rest.indexOf(' ')
    out.push(rest.slice(0, space))
    rest = rest.slice(space + 1)
  }
  const [, datapath, flow] = /^([a-z0-9]+) (.*)$/.exec(rest) ?? []
  return datapath && datapath !== 'inport' && flow ? [...out, datapath, flow] : [...out, rest]
}

test.each(traces)('%s', (line) => {
  const args = ['--all', `--db=unix:${lab.dir}/sb.sock`, ...argumentsOf(line)]
  const real = spawnSync(join(lab.bin, 'ovn-trace'), ['-vconsole:off', ...args], { encoding: 'utf8' })
  const ours = spawnSync('node', [join(lab.dir, 'ovn-trace.mjs'), ...args], { encoding: 'utf8' })
  expect(ours.stdout).toBe(real.stdout)
  expect(ours.status).toBe(real.status)
})
