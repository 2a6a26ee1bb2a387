import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { referenceBin } from './reference.ts'

/**
 * One deployment of three chassis in network namespaces, in which the daemons are swapped between
 * the real ones and ours while it runs; after each swap all of its checks must pass. What each
 * check looks at, and how to run it by hand, is in docs/TESTBED.md.
 */
const SCRIPT = fileURLToPath(new URL('./testbed.sh', import.meta.url))
const TOOLS = ['ip', 'bridge', 'ss', 'ethtool', 'tcpdump', 'dhclient', 'ping', 'nsenter', 'setsid', 'sysctl', 'python3']
const ours = (name: string): string =>
  `${process.execPath} ${fileURLToPath(new URL(`../../bin/${name}`, import.meta.url))}`

/** Which daemons of the deployment are whose; all are named, so that one case does not depend on another. */
const REAL = {
  OVSDB_SERVER_NB: 'ovsdb-server',
  OVSDB_SERVER_SB: 'ovsdb-server',
  OVSDB_SERVER_OVS: 'ovsdb-server',
  NORTHD: 'ovn-northd',
  CONTROLLER: 'ovn-controller',
  CONTROLLER_hv1: 'ovn-controller',
  VSWITCHD: 'ovs-vswitchd',
  NBCTL: 'ovn-nbctl',
  SBCTL: 'ovn-sbctl',
  VSCTL: 'ovs-vsctl',
}
type Deployment = { readonly [K in keyof typeof REAL]?: string }
const OURS: Deployment = Object.fromEntries(Object.entries(REAL).map(([key, program]) => [key, ours(program)]))
const OUR_SERVERS: Deployment = {
  OVSDB_SERVER_NB: ours('ovsdb-server'),
  OVSDB_SERVER_SB: ours('ovsdb-server'),
  OVSDB_SERVER_OVS: ours('ovsdb-server'),
}

const CHASSIS = ['gw1', 'gw2', 'hv1']
const CONTROLLERS = CHASSIS.map((c) => `${c}/controller`)
/** Without failover; with it there are two more for each way to fail. */
const CHECKS = 26

interface Case {
  readonly name: string
  readonly deployment: Deployment
  /** What changes hands in comparison with the case before. */
  readonly restart: readonly string[]
  readonly failover?: string
}

const CASES: readonly Case[] = [
  { name: 'our northd beside all real', deployment: { NORTHD: ours('ovn-northd') }, restart: ['northd'] },
  {
    name: 'our controller on all chassis over the real ovs-vswitchd',
    deployment: { CONTROLLER: ours('ovn-controller'), CONTROLLER_hv1: ours('ovn-controller') },
    restart: ['northd', ...CONTROLLERS],
  },
  {
    name: 'our controller on one chassis beside real ones',
    deployment: { CONTROLLER_hv1: ours('ovn-controller') },
    restart: CONTROLLERS.slice(0, 2),
  },
  {
    name: 'our ovs-vswitchd under the real controller',
    deployment: { VSWITCHD: ours('ovs-vswitchd') },
    restart: CHASSIS,
  },
  {
    name: 'our ovsdb-servers under everything real',
    deployment: OUR_SERVERS,
    restart: ['nb', 'sb', ...CHASSIS],
  },
  { name: 'everything ours', deployment: OURS, restart: ['northd', ...CHASSIS], failover: 'kill link' },
]

/** Why this cannot run here; undefined: it can. */
function obstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root'
  if (spawnSync('ip', ['netns', 'list']).status !== 0) return 'needs network namespaces'
  const missing = TOOLS.filter((t) => spawnSync('bash', ['-c', 'command -v "$0"', t]).status !== 0)
  if (missing.length) return `needs the commands ${missing.join(', ')}`
  if (spawnSync('test', ['-c', '/dev/net/tun']).status !== 0) return 'needs /dev/net/tun'
  try {
    referenceBin('26.03')
  } catch {
    return 'needs the real OVN 26.03'
  }
  return undefined
}

const why = obstacle()
let dir = ''

/** Runs the script with some daemons other than the real ones; what it prints, and its exit status. */
function testbed(
  args: readonly string[],
  deployment: Deployment = {},
  more: { readonly [name: string]: string } = {},
  seconds = 60,
): Promise<{ readonly status: number; readonly out: string }> {
  const env = {
    ...process.env,
    ...REAL,
    ...deployment,
    TESTBED_DIR: dir,
    TESTBED_PREFIX: `swap${process.pid}`,
    TESTBED_RELEASE: '26.03',
    TESTBED_TIMEOUT: '10',
    ...more,
  }
  return new Promise((done) => {
    execFile('bash', [SCRIPT, ...args], { env, timeout: seconds * 1000 }, (e, stdout, stderr) => {
      done({ status: e ? (typeof e.code === 'number' ? e.code : 1) : 0, out: stdout + stderr })
    })
  })
}

/** The last words of the daemons, for the message of a failure. */
function lastWords(): string {
  const out = join(dir, 'out')
  return readdirSync(out)
    .filter((f) => f.endsWith('.err') && !f.includes('dhclient') && !f.includes('cap-'))
    .flatMap((f) => {
      const text = readFileSync(join(out, f), 'utf8').trim()
      return text ? [`${f}: ${text.slice(-500)}`] : []
    })
    .join('\n')
}

describe.skipIf(why !== undefined)(
  `swaps in a running deployment${why === undefined ? '' : ` (skipped: ${why})`}`,
  () => {
    beforeAll(async () => {
      dir = mkdtempSync(join(tmpdir(), 'ovnts.'))
      const up = await testbed(['up'])
      expect(up.status, up.out).toBe(0)
    }, 70_000)

    afterAll(async () => {
      if (!dir) return
      await testbed(['down'])
      rmSync(dir, { recursive: true, force: true })
    }, 70_000)

    test.each(CASES)('$name', { timeout: 280_000 }, async ({ deployment, restart, failover = '' }) => {
      const more = { TESTBED_FAILOVER: failover }
      const count = CHECKS + 2 * failover.split(' ').filter(Boolean).length
      const swap = await testbed(['restart', ...restart], deployment, more, 60)
      expect(swap.status, `${swap.out}\n${lastWords()}`).toBe(0)
      const { out } = await testbed(['check'], deployment, more, failover ? 180 : 120)
      const failures = out
        .trim()
        .split('\n')
        .filter((l) => !l.startsWith('ok '))
      expect(failures, lastWords()).toEqual([`${count} passed, 0 failed`])
    })
  },
)
