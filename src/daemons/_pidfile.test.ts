import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { canLock, lockHolder } from '../io/lock.ts'
import { writePidfile } from './_pidfile.ts'

const dir = mkdtempSync(join(tmpdir(), 'pidfile-'))
afterAll(() => rmSync(dir, { recursive: true }))

it('writes its pid, whatever a dead one left there, and takes it away again', () => {
  const path = join(dir, 'a.pid')
  writeFileSync(path, '999999 and more than we write\n')
  const pidfile = writePidfile(path, false)
  if (!pidfile.ok) throw new Error(pidfile.error)
  expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
  expect(readdirSync(dir)).toEqual(['a.pid'])
  pidfile.value.remove()
  expect(existsSync(path)).toBe(false)
})

it('leaves a file that another daemon took over', () => {
  const path = join(dir, 'c.pid')
  const [first, second] = [writePidfile(path, false), writePidfile(path, true)]
  if (!first.ok || !second.ok) throw new Error('not written')
  first.value.remove()
  expect(existsSync(path)).toBe(true)
  second.value.remove()
  expect(existsSync(path)).toBe(false)
})

it('says why it cannot', () => {
  const path = join(dir, 'none', 'a.pid')
  expect(writePidfile(path, false)).toEqual({
    ...{ ok: false, error: `${path}.tmp: create failed (No such file or directory)` },
  })
})

it.runIf(canLock())('is seen to be locked by another process', () => {
  const path = join(dir, 'b.pid')
  const pidfile = writePidfile(path, true)
  expect(pidfile.ok && pidfile.value.locked).toBe(true)
  // A lock does not keep its own process from anything: only another one sees it.
  const look =
    'import fcntl,struct,sys\nf=open(sys.argv[1],"r+")\n' +
    'b=fcntl.fcntl(f,fcntl.F_GETLK,struct.pack("hhqqi",fcntl.F_WRLCK,0,0,0,0))\nprint(struct.unpack("hhqqi",b)[4])'
  const python = spawnSync('python3', ['-c', look, path], { encoding: 'utf8' })
  if (python.error) return
  expect(python.stdout.trim()).toBe(String(process.pid))
  expect(lockHolder(path)).toBeUndefined()
})
