import { mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
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
  await turn()
  const got = [499, 999, 1499, 1999].map((i) => readFileSync(`${path}.${i}`, 'utf8'))
  expect(got.join('')).toBe(expected.join(''))
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

it('says once that the disk is full', async () => {
  const said: string[] = []
  const file = new FileAppender({ path: '/dev/full', onTrouble: (m) => said.push(m) })
  for (let i = 0; i < 5; i++) {
    file.append(`lost ${i}`)
    await turn()
  }
  file.close()
  expect(said).toEqual(['/dev/full: cannot write log: No space left on device'])
})
