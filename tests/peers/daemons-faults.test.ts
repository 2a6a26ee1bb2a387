import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { alive, ask, asRootUser, DaemonLab, realDaemons, type Side, until } from './daemon-lab.ts'

// What surrounds a daemon goes wrong: it serves nevertheless, or says why it does not, and leaves nothing behind.

const run = realDaemons() && asRootUser() ? describe : describe.skip

run('a daemon in bad surroundings', () => {
  let lab: DaemonLab
  beforeAll(async () => {
    lab = await DaemonLab.make()
  }, 60_000)
  afterEach(async () => {
    for (const side of lab.sides) await side.endAll()
  })
  afterAll(() => lab.close())

  const nowhere = (side: Side) => ['nb', 'sb'].map((db) => `--ovn${db}-db=unix:${side.at('nowhere')}`)
  const northd = (side: Side, ...args: string[]) => [join(side.bin, 'ovn-northd'), ...nowhere(side), ...args]
  const shell = (side: Side, script: string, ...args: string[]) =>
    side.run('/bin/bash', ['-c', script, 'bash', ...northd(side, '--detach', '--no-chdir', ...args)], 60)
  /** The control socket's own answer. */
  const serves = async (side: Side, pidfile = 'ovn-northd.pid') => {
    const pid = side.pid(pidfile)
    return alive(pid) && (await ask(side.at(`ovn-northd.${pid}.ctl`), 'version').catch(() => undefined))?.code === 0
  }

  test.each([
    ['nothing open', 'exec <&- >&- 2>&-; exec "$@"'],
    ['no home and no place for temporary files', 'unset HOME; export TMPDIR=/nonexistent; exec "$@"'],
    ['a locale of another kind', 'export LC_ALL=tr_TR.ISO8859-9 LANG=xx LANGUAGE=yy; exec "$@"'],
    ['a library that is not there', 'export LD_PRELOAD=/nonexistent/lib.so; exec "$@"'],
    ['64 open files', 'ulimit -n 64; exec "$@"'],
    ['an umask that forbids all', 'umask 777; exec "$@"'],
    ['signals that are ignored', 'trap \'\' TERM INT HUP PIPE CHLD; exec "$@"'],
  ])('%s', async (_, script) => {
    const side = lab.ours
    expect((await shell(side, script, '--pidfile')).code).toBe(0)
    expect(await serves(side)).toBe(true)
  })

  test('a control socket of any path, but not of any name', async () => {
    const told = await Promise.all(
      lab.sides.map(async (side) => {
        const starts = async (path: string, pidfile: string) => {
          const out = await shell(side, 'exec "$@"', `--pidfile=${pidfile}`, `--unixctl=${path}`)
          // The real one's reason for a name is another's: no such file.
          return [
            out.code,
            out.stderr
              .trimEnd()
              .split('\n')
              .at(-1)
              ?.replace(/^.*: | \(.*/g, ''),
          ]
        }
        const folder = side.at('d'.repeat(120))
        mkdirSync(folder, { recursive: true })
        symlinkSync(folder, side.at('short'))
        const answers = [await starts(`${folder}/c`, 'path.pid'), (await ask(side.at('short/c'), 'version')).code]
        return [...answers, await starts(`${folder}/${'x'.repeat(120)}`, 'name.pid'), existsSync(side.at('name.pid'))]
      }),
    )
    expect(told[1]).toEqual(told[0])
    expect(told[1]?.[1]).toBe(0)
  })

  test('a run directory that cannot be written', async () => {
    const told = await Promise.all(
      lab.sides.map(async (side) => {
        const dir = side.at('read-only')
        mkdirSync(dir, { recursive: true })
        spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'none', dir])
        const out = await shell(side, `export OVN_RUNDIR=${dir}; exec "$@"`, '--pidfile', '-vconsole:warn')
        spawnSync('umount', [dir])
        return [out.code, out.stderr.replaceAll(side.dir, 'DIR')]
      }),
    )
    expect(told[1]).toEqual(told[0])
  })

  test('more clients than open files: they are let go, and those who come later are served', async () => {
    const side = lab.ours
    await shell(side, 'ulimit -n 64; exec "$@"', '--pidfile', `--log-file=${side.at('files.log')}`)
    const control = side.at(`ovn-northd.${side.pid('ovn-northd.pid')}.ctl`)
    const clients: Socket[] = []
    for (let i = 0; i < 200; i++) clients.push(connect(control).on('error', () => {}))
    await until(() => clients.every((c) => !c.connecting), 30)
    for (const client of clients) client.destroy()
    expect(await until(() => serves(side), 30)).toBe(true)
    expect(readFileSync(side.at('files.log'), 'utf8')).not.toMatch(/\|EMER\|/)
  })

  test('whoever reads what it prints is gone', async () => {
    const side = lab.ours
    const [program = '', ...args] = northd(side, '--no-chdir', '--pidfile', '-vconsole:dbg')
    const child = spawn(program, args, { env: side.env, cwd: side.dir, stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.destroy()
    child.stderr.destroy()
    expect(await until(() => serves(side), 30)).toBe(true)
    for (let i = 0; i < 20; i++) await ask(side.control('ovn-northd'), 'version')
    expect(await serves(side)).toBe(true)
  })

  test('a signal at any moment of its start ends it, and it leaves nothing', async () => {
    const side = lab.ours
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      for (const after of [0, 50, 100, 200, 300, 400, 600, 900]) {
        const [program = '', ...args] = northd(side, '--no-chdir', '--pidfile=early.pid', '-vconsole:off')
        const child = spawn(program, args, { env: side.env, cwd: side.dir, stdio: 'ignore' })
        const ended = new Promise((done) => child.once('exit', (code, by) => done(by ?? code)))
        await new Promise((done) => setTimeout(done, after))
        child.kill(signal)
        expect([signal, after, await ended]).toEqual([signal, after, signal])
        expect(readdirSync(side.dir).filter((f) => f.startsWith('early') || f.includes(`.${child.pid}.`))).toEqual([])
      }
    }
  }, 120_000)

  test.each([
    ['of a process that is gone', '999999\n'],
    ['of one that is not a daemon', `${process.pid}\n`],
    ['of nobody', 'garbage'],
    ['that is empty', ''],
  ])('a pidfile %s', async (_, text) => {
    const side = lab.ours
    writeFileSync(side.at('ovn-northd.pid'), text)
    expect((await shell(side, 'exec "$@"', '--pidfile')).code).toBe(0)
    expect(side.pid('ovn-northd.pid')).not.toBe(process.pid)
    expect(await serves(side)).toBe(true)
    expect(existsSync(side.at('ovn-northd.pid.tmp'))).toBe(false)
  })
})
