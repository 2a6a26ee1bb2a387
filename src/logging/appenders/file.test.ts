import { spawnSync } from 'node:child_process'
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import type { LogEvent } from '../event.ts'
import { FileAppender } from './file.ts'

const dir = mkdtempSync(join(tmpdir(), 'file-'))
afterAll(() => rmSync(dir, { recursive: true }))

const event = (time: number): LogEvent => ({
  ...{ time, level: 'info', component: 'c', module: '', message: '', fields: undefined, serial: 1, elapsed: 0 },
})
const turn = () => new Promise((resolve) => setTimeout(resolve, 20))
/** Other threads write: a slow disk may keep them. */
const soon = { timeout: 30_000 }

it('closes a file once, not what gets its number afterwards', async () => {
  const file = new FileAppender({ path: join(dir, 'once') })
  file.append('a')
  file.close()
  const other = openSync(join(dir, 'other'), 'w')
  await turn()
  expect(() => writeSync(other, 'still open')).not.toThrow()
  expect(readFileSync(join(dir, 'once'), 'utf8')).toBe('a\n')
})

it('writes on to a file that is moved until it is told to reopen, and loses no line', async () => {
  const path = join(dir, 'moved')
  const file = new FileAppender({ path })
  const expected: string[] = []
  for (let i = 0; i < 2000; i++) {
    file.append(`line ${i}`)
    expected.push(`line ${i}\n`)
    if (i % 500 === 499) {
      renameSync(path, `${path}.${i}`)
      file.reopen()
    }
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  file.close()
  const got = () => [499, 999, 1499, 1999].map((i) => readFileSync(`${path}.${i}`, 'utf8')).join('')
  await expect.poll(got, soon).toBe(expected.join(''))
})

it('says once that a folder is missing, and goes on when it is there', async () => {
  const said: string[] = []
  const path = join(dir, 'later', 'x.log')
  const file = new FileAppender({ path, onTrouble: (m) => said.push(m) })
  for (let i = 0; i < 5; i++) file.append(`lost ${i}`, event(1000 + i))
  mkdirSync(join(dir, 'later'))
  file.append('kept', event(5000))
  file.close()
  expect(said).toEqual([
    `${path}: cannot write log: No such file or directory`,
    `${path}: log written again, 5 lines lost`,
  ])
  expect(readFileSync(path, 'utf8')).toBe('kept\n')
})

it('does not take what an old file still takes for an end of the trouble with the new one', async () => {
  const said: string[] = []
  const folder = join(dir, 'vanishing')
  mkdirSync(folder)
  const path = join(folder, 'x.log')
  const file = new FileAppender({ path, onTrouble: (m) => said.push(m) })
  file.append('x'.repeat(500_000), event(1000))
  await new Promise((resolve) => setImmediate(resolve))
  renameSync(folder, `${folder}.moved`)
  file.append('behind it', event(1001))
  file.reopen()
  await expect.poll(() => said, soon).toEqual([`${path}: cannot write log: No such file or directory`])
  mkdirSync(folder)
  file.append('found', event(3000))
  file.close()
  await expect.poll(() => said.slice(1), soon).toEqual([`${path}: log written again, 0 lines lost`])
  const moved = () => readFileSync(join(`${folder}.moved`, 'x.log'), 'utf8')
  await expect.poll(moved, soon).toMatch(/^x+\nbehind it\n$/)
})

it('says once that the disk is full', async () => {
  const said: string[] = []
  const file = new FileAppender({ path: '/dev/full', onTrouble: (m) => said.push(m) })
  for (let i = 0; i < 5; i++) {
    file.append(`lost ${i}`)
    await turn()
  }
  await expect.poll(() => said.length, soon).toBe(1)
  file.close()
  expect(said).toEqual(['/dev/full: cannot write log: No space left on device'])
})

/** Runs a program that logs to `path` and ends in its own way. */
function program(path: string, body: string): number | null {
  const source = `
    import { FileAppender } from '${new URL('./file.ts', import.meta.url).href}'
    import { RollingFileAppender, rollBySize } from '${new URL('./rolling.ts', import.meta.url).href}'
    const options = { path: ${JSON.stringify(path)} }
    const turn = () => new Promise((resolve) => setImmediate(resolve))
    ${body}`
  const r = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', source], { encoding: 'utf8' })
  return r.status
}

const numbers = (n: number) => Array.from({ length: n }, (_, i) => `line ${i}\n`).join('')

it.each([
  ['process.exit', 'process.exit(3)', 3],
  ['an exception', 'setImmediate(() => { throw new Error() }); await new Promise(() => {})', 1],
  ['its end', '', 0],
])('loses no line, and writes none twice, when the program ends by %s in the middle of a write', (_, end, status) => {
  const path = join(dir, `exit-${status}`)
  const body = `
    const file = new FileAppender(options)
    process.on('exit', () => file.flush())
    for (let i = 0; i < 200_000; i++) {
      file.append('line ' + i)
      // A long write is under way at the end, and lines wait behind it.
      if (i === 190_000) { await turn(); await turn() }
    }
    ${end}`
  expect(program(path, body)).toBe(status)
  expect(readFileSync(path, 'utf8')).toBe(numbers(200_000))
})

it('loses no line of files that rolled just before the program ended', () => {
  const path = join(dir, 'exit-rolling')
  const body = `
    const file = new RollingFileAppender(options, rollBySize(200_000, 20))
    process.on('exit', () => file.flush())
    for (let i = 0; i < 100_000; i++) {
      file.append('line ' + i, { time: 0 })
      if (i % 9_000 === 0) await turn()
    }
    process.exit(0)`
  expect(program(path, body)).toBe(0)
  let all = readFileSync(path, 'utf8')
  for (let i = 1; i <= 20 && existsSync(`${path}.${i}`); i++) all = readFileSync(`${path}.${i}`, 'utf8') + all
  expect(all).toBe(numbers(100_000))
})

it('drops and counts what a disk does not take, and bounds what waits', async () => {
  const said: string[] = []
  const path = join(dir, 'pipe')
  // A pipe that nobody reads is a disk that does not move.
  spawnSync('mkfifo', [path])
  const keep = openSync(path, 'r+')
  const file = new FileAppender({ path, limit: 100_000, onTrouble: (m) => said.push(m) })
  const line = 'x'.repeat(999)
  for (let i = 0; i < 1000; i++) {
    file.append(line)
    if (i % 50 === 0) await turn()
  }
  expect(said).toEqual([`${path}: cannot write log: the disk is too slow`])
  const reader = createReadStream('', { fd: keep, autoClose: false })
  let bytes = 0
  reader.on('data', (b) => (bytes += b.length))
  while (said.length < 2) await turn()
  file.append('after')
  const lost = Number(/written again, (\d+) lines lost/.exec(said[1] ?? '')?.[1])
  await expect.poll(() => bytes, soon).toBe((1000 - lost) * 1000 + 6)
  file.close()
  await turn()
  closeSync(keep)
  reader.destroy()
})
