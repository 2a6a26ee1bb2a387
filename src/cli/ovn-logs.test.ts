import { spawn, spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { componentsOf } from '../logging/reading/names.ts'

const dir = mkdtempSync(join(tmpdir(), 'ovn-logs-'))
afterAll(() => rmSync(dir, { recursive: true }))
const program = ['--import', 'tsx', fileURLToPath(new URL('./ovn-logs.ts', import.meta.url))]

const line = (second: number, text: string) =>
  `2026-11-24T08:38:${String(second).padStart(2, '0')}.000Z|00001|${text}\n`

it.each([
  [
    ['/log/ovn-northd.log', '/log/ovn-northd.log.1.gz', '/log/nb.log'],
    ['ovn-northd', 'ovn-northd', 'nb'],
  ],
  [
    ['/gw1/log/c.log', '/hv1/log/c.log', '/hv1/log/n.log'],
    ['gw1/log/c', 'hv1/log/c', 'n'],
  ],
  [
    ['/a/c.log', '/b/c.log', '/b/c.log.2'],
    ['a/c', 'b/c', 'b/c'],
  ],
])('the components of %j', (paths, names) => expect(componentsOf(paths)).toEqual(names))

it('merges, tells hosts apart and keeps continued lines together', () => {
  for (const host of ['gw1', 'hv1']) mkdirSync(join(dir, host))
  writeFileSync(join(dir, 'gw1', 'c.log'), `${line(1, 'bfd|INFO|up')}  Forwarding: true\n${line(4, 'bfd|WARN|down')}`)
  writeFileSync(join(dir, 'hv1', 'c.log'), `${line(2, 'binding|INFO|Claiming lport vm1')}${line(3, 'bfd|DBG|x')}`)
  const files = ['gw1', 'hv1'].map((host) => join(dir, host, 'c.log'))
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [...program, ...args, ...files], { encoding: 'utf8' }).stdout
  expect(run('-l', 'info')).toBe(
    [
      `gw1/c ${line(1, 'bfd|INFO|up')}gw1/c   Forwarding: true\n`,
      `hv1/c ${line(2, 'binding|INFO|Claiming lport vm1')}`,
      `gw1/c ${line(4, 'bfd|WARN|down')}`,
    ].join(''),
  )
  expect(run('-p', 'vm1', '-c', 'hv1/c')).toBe(`hv1/c ${line(2, 'binding|INFO|Claiming lport vm1')}`)
})

it('says which file and which word it cannot take', () => {
  const says = (...args: string[]) => {
    const { status, stderr } = spawnSync(process.execPath, [...program, ...args], { encoding: 'utf8' })
    return `${status} ${stderr}`
  }
  const broken = join(dir, 'broken.log.gz')
  writeFileSync(broken, 'not compressed')
  expect(says(dir)).toBe(`1 ovn-logs: ${dir}: Is a directory\n`)
  expect(says(broken)).toBe(`1 ovn-logs: ${broken}: incorrect header check\n`)
  expect(says('--since', 'yesterday', broken)).toBe(
    '1 ovn-logs: --since: yesterday is no time as 2026-11-24T17:20:00Z\n',
  )
})

it('follows a file over a rotation', async () => {
  const path = join(dir, 'x.log')
  writeFileSync(path, line(1, 'm|INFO|one'))
  const child = spawn(process.execPath, [...program, '-f', path], { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', (bytes) => {
    out += bytes
  })
  const until = async (text: string) => {
    for (let i = 0; i < 2000 && !out.includes(text); i++) await new Promise((resolve) => setTimeout(resolve, 20))
  }
  try {
    await until('one')
    appendFileSync(path, line(2, 'm|INFO|two'))
    await until('two')
    renameSync(path, `${path}.1`)
    appendFileSync(`${path}.1`, line(3, 'm|INFO|three'))
    writeFileSync(path, line(4, 'm|INFO|four'))
    await until('four')
  } finally {
    child.kill()
  }
  expect(out.match(/one|two|three|four/g)).toEqual(['one', 'two', 'three', 'four'])
})
