import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { referenceBin, referenceSchema } from './reference.ts'

// Our ovs-vswitchd under the real ovs-vsctl, and under the real ovs-ofctl beside the real one: the
// command lines of vswitch/ofctl.txt must print the same with both.

const bin = referenceBin()
const folder = mkdtempSync(join(tmpdir(), 'vsd-'))
const daemon = fileURLToPath(new URL('../../src/daemons/ovs-vswitchd.ts', import.meta.url))

class Side {
  private child: ChildProcess | undefined
  readonly at: (file: string) => string

  constructor(readonly name: 'real' | 'ours') {
    this.at = (file) => join(folder, `${name}.${file}`)
  }

  get env(): Record<string, string> {
    return { ...process.env, OVS_RUNDIR: this.at('d'), OVS_LOGDIR: this.at('d'), OVS_DBDIR: this.at('d') } as Record<
      string,
      string
    >
  }

  run(program: string, args: readonly string[]): string {
    try {
      return execFileSync(join(bin, program), args, {
        encoding: 'utf8',
        env: this.env,
        stdio: 'pipe',
        timeout: 120_000,
      })
    } catch (e) {
      const failed = e as { stdout?: string; stderr?: string }
      return `${failed.stdout ?? ''}${failed.stderr ?? ''}`
    }
  }

  vsctl(...args: string[]): string {
    return this.run('ovs-vsctl', ['--timeout=60', `--db=unix:${this.at('sock')}`, ...args])
  }

  ofctl(line: string): string {
    const args = line.split(' ').map((w) => (w === 'BR' ? `unix:${this.at('d')}/br0.mgmt` : w))
    return this.run('ovs-ofctl', ['-OOpenFlow15', ...args])
  }

  start(): void {
    execFileSync('mkdir', ['-p', this.at('d')])
    execFileSync(join(bin, 'ovsdb-tool'), ['create', this.at('db'), referenceSchema('vswitch')])
    execFileSync(
      join(bin, 'ovsdb-server'),
      [
        '--detach',
        '--no-chdir',
        `--pidfile=${this.at('pid')}`,
        '--log-file',
        `--remote=punix:${this.at('sock')}`,
        this.at('db'),
      ],
      { env: this.env, stdio: 'ignore' },
    )
    this.vsctl('--no-wait', 'init')
    const [program, args] =
      this.name === 'real'
        ? [join(bin, 'ovs-vswitchd'), ['--enable-dummy=override', '--disable-system']]
        : [process.execPath, ['--import', 'tsx', daemon]]
    this.child = spawn(program, [...args, '-vconsole:off', `--unixctl=${this.at('ctl')}`, `unix:${this.at('sock')}`], {
      env: this.env,
      stdio: 'ignore',
    })
    this.vsctl(
      ...[
        'add-br',
        'br0',
        '--',
        'set',
        'bridge',
        'br0',
        'fail-mode=secure',
        'other_config:datapath-id=00000000000000aa',
      ],
      ...(this.name === 'real' ? ['datapath-type=dummy'] : []),
      ...[
        '--',
        'add-port',
        'br0',
        'pa',
        '--',
        'set',
        'interface',
        'pa',
        'type=patch',
        'options:peer=pb',
        'ofport_request=1',
      ],
      ...[
        '--',
        'add-port',
        'br0',
        'pc',
        '--',
        'set',
        'interface',
        'pc',
        'type=patch',
        'options:peer=pd',
        'ofport_request=2',
      ],
      ...['--', 'add-br', 'br1'],
      ...(this.name === 'real' ? ['--', 'set', 'bridge', 'br1', 'datapath-type=dummy'] : []),
      ...['--', 'add-port', 'br1', 'pb', '--', 'set', 'interface', 'pb', 'type=patch', 'options:peer=pa'],
      ...['--', 'add-port', 'br1', 'pd', '--', 'set', 'interface', 'pd', 'type=patch', 'options:peer=pc'],
    )
  }

  stop(): void {
    this.child?.kill()
    if (existsSync(this.at('pid'))) process.kill(Number(readFileSync(this.at('pid'), 'utf8')))
  }
}

const real = new Side('real')
const ours = new Side('ours')
beforeAll(() => {
  real.start()
  ours.start()
})
afterAll(() => {
  real.stop()
  ours.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** What is by chance: addresses, moments, the local port's carrier (a tap of ours is down until it is set up). */
function essence(text: string): string[] {
  const lines = text
    .replace(/addr:[0-9a-f:]{17}/g, 'addr:MAC')
    .replace(/duration[=:][0-9.]+s/g, 'duration=D')
    .replace(/(idle|hard)_age=[0-9]+, /g, '')
    .replace(/[^ ]*\/(real|ours)\.d\//g, '')
    .replace(/xid=0x[0-9a-f]+/g, 'xid=X')
    .replace(/^.*\|WARN\|.*\n/gm, '')
    .replace(/config: {5}PORT_DOWN\n( +)state: {6}LINK_DOWN/g, 'config:     0\n$1state:      LIVE')
    .replace(/state: {6}LINK_DOWN/g, 'state:      LIVE')
    .split('\n')
    .map((l) => l.trimEnd())
    // an error quotes the request, ours less of it
    .filter((l) => l && !/^[0-9a-f]{8} {2}|^\(\*\*\*truncated|^OFPT_[A-Z]*_MOD/.test(l))
  // the real one lists groups in the order of a hash that is another each time
  return /^OFPST_GROUP/.test(text) ? lines.sort() : lines
}

describe('ovs-ofctl', () => {
  const lines = readFileSync(new URL('./vswitch/ofctl.txt', import.meta.url), 'utf8')
    .split('\n')
    .filter((l) => l && !l.startsWith('#'))
  for (const [i, line] of lines.entries()) {
    test(`${i + 1}: ${line.slice(0, 90)}`, () => {
      expect(essence(ours.ofctl(line))).toEqual(essence(real.ofctl(line)))
    })
  }
})

describe('ovs-appctl', () => {
  test('counts what is learned of stations, and forgets it', () => {
    const said = (side: Side) => {
      const appctl = (...words: string[]) => side.run('ovs-appctl', ['-t', side.at('ctl'), ...words])
      const normal = (port: number, station: number) => {
        const frame = `ffffffffffff0200000000${String(station).padStart(2, '0')}1234${'00'.repeat(46)}`
        const br1 = `unix:${side.at('d')}/br1.mgmt`
        side.run('ovs-ofctl', ['-OOpenFlow15', 'packet-out', br1, `in_port=${port} packet=${frame} actions=NORMAL`])
      }
      const out = [appctl('fdb/stats-clear')]
      for (const [port, station] of [
        [1, 1],
        [1, 2],
        [2, 2],
      ] as const) {
        normal(port, station)
      }
      out.push(appctl('fdb/add', 'br1', 'pb', '0', '02:00:00:00:00:03'), appctl('fdb/stats-show', 'br1'))
      out.push(appctl('fdb/stats-clear', 'br1'), appctl('fdb/stats-show', 'br1'), appctl('fdb/stats-show', 'nope'))
      return out.map((text) => text.replace(/^ovs-appctl: .*\n/m, ''))
    }
    const [wanted, got] = [said(real), said(ours)]
    expect(wanted[2]).toMatch(/learned MAC entries {5}: 2\n[\s\S]*moved MAC entries {2}: 1\n/)
    expect(got).toEqual(wanted)
  })
})

describe('ovs-vsctl', () => {
  test('waits for the switch, and sees what it wrote', () => {
    expect(ours.vsctl('get', 'interface', 'pa', 'ofport').trim()).toBe('1')
    expect(ours.vsctl('get', 'bridge', 'br0', 'datapath_id').trim()).toBe('"00000000000000aa"')
    expect(ours.vsctl('get', 'open_vswitch', '.', 'ovs_version').trim()).toBe('"4.0.0"')
    ours.vsctl('set', 'interface', 'pa', 'options:peer=nobody')
    expect(ours.vsctl('get', 'interface', 'pa', 'error')).toContain("No usable peer 'nobody' exists")
    ours.vsctl('set', 'interface', 'pa', 'options:peer=pb')
    expect(ours.vsctl('get', 'interface', 'pa', 'error').trim()).toBe('[]')
    ours.vsctl('del-br', 'br1')
    expect(ours.run('ovs-appctl', ['-t', ours.at('ctl'), 'ofproto/list']).trim()).toBe('br0')
  })
})
