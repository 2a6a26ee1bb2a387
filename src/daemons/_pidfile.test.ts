import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
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
  expect(lockHolder(path)).toEqual({ ok: true, value: undefined })
})

it.runIf(canLock())(
  'of daemons that start at one moment exactly one has it',
  async () => {
    mkdirSync('build', { recursive: true })
    // Within the package, where koffi is found.
    const within = mkdtempSync('build/pidfile-race-')
    const racer = join(within, 'racer.mjs')
    await build({
      stdin: {
        contents: `import { writePidfile } from './_pidfile.ts'
const [dir, rounds, start] = process.argv.slice(2)
for (let round = 0; round < Number(rounds); round++) {
  while (Date.now() < Number(start) + 15 * round);
  const { ok, error } = writePidfile(dir + '/race' + round + '.pid', false)
  console.log(ok ? 'has it' : error)
}
setInterval(() => {}, 1000)`,
        resolveDir: 'src/daemons',
      },
      ...{ outfile: racer, bundle: true, format: 'esm', platform: 'node', packages: 'external', logLevel: 'error' },
      banner: {
        js: `import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);`,
      },
    })
    const rounds = 100
    const start = Date.now() + 1000
    const racers = Array.from({ length: 4 }, () => spawn(process.execPath, [racer, dir, String(rounds), String(start)]))
    const said = await Promise.all(
      racers.map(
        (child) =>
          new Promise<string[]>((done) => {
            let text = ''
            child.stdout.on('data', (bytes: Buffer) => {
              text += bytes.toString()
              // The lock is held as long as the process lives: until all are through.
              if (text.split('\n').length > rounds) done(text.split('\n'))
            })
            child.on('exit', () => done([...text.split('\n'), 'ended early']))
          }),
      ),
    )
    for (const child of racers) child.kill('SIGKILL')
    rmSync(within, { recursive: true })
    const owners = Array.from(
      { length: rounds },
      (_, round) => said.filter((lines) => lines[round] === 'has it').length,
    )
    expect(owners).toEqual(owners.map(() => 1))
    expect(
      said.flat().filter((line) => line !== '' && line !== 'has it' && !/aborting$|fcntl failed/.test(line)),
    ).toEqual([])
  },
  60_000,
)

it('leaves nothing of what one that crashed had begun to write', () => {
  const path = join(dir, 'd.pid')
  writeFileSync(`${path}.tmp`, '4711\n')
  const pidfile = writePidfile(path, false)
  expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
  if (pidfile.ok) pidfile.value.remove()
})

it.runIf(canLock())('does not take the place of what is no pidfile', () => {
  const path = join(dir, 'e.pid')
  mkdirSync(path)
  expect(writePidfile(path, false)).toEqual({
    ...{ ok: false, error: `${path}: pidfile check failed (Is a directory), aborting` },
  })
})
