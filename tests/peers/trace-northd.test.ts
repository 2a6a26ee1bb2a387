import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DEMO, DEMO_NORTHBOUND } from '../../src/sandbox/demo/network.ts'
import { words } from '../../src/sandbox/words.ts'
import { referenceBin, referenceSchema } from './reference.ts'

const northd = fileURLToPath(new URL('../../bin/ovn-northd', import.meta.url))
const started: ChildProcess[] = []
const folders: string[] = []

/** The demo network in real databases, compiled by one northd; gives how to trace in its southbound. */
async function deploy(bin: string, command: string): Promise<(...args: string[]) => string> {
  const dir = mkdtempSync(join(tmpdir(), 'ovn-ts-trace-'))
  folders.push(dir)
  const start = (program: string, args: string[]) => started.push(spawn(program, args, { stdio: 'ignore' }))
  for (const db of ['nb', 'sb'] as const) {
    execFileSync(join(bin, 'ovsdb-tool'), ['create', join(dir, `${db}.db`), referenceSchema(`ovn-${db}`)])
    start(join(bin, 'ovsdb-server'), [
      join(dir, `${db}.db`),
      `--remote=punix:${dir}/${db}.sock`,
      `--unixctl=${dir}/${db}.ctl`,
      '-vconsole:off',
    ])
  }
  const end = Date.now() + 10_000
  while (!existsSync(`${dir}/nb.sock`) || !existsSync(`${dir}/sb.sock`)) {
    if (Date.now() > end) throw new Error('the database servers do not start')
    await sleep(20)
  }
  const run = (program: string, db: string, ...args: string[]) =>
    execFileSync(join(bin, program), [`--db=unix:${dir}/${db}.sock`, ...args], { encoding: 'utf8', timeout: 120_000 })
  run('ovn-nbctl', 'nb', 'init')
  run('ovn-sbctl', 'sb', 'init')
  for (const [i, c] of ['gw1', 'gw2', 'hv1', 'hv2'].entries())
    run('ovn-sbctl', 'sb', 'chassis-add', c, 'geneve', `10.20.0.${11 + i}`)
  start(command, [
    `--ovnnb-db=unix:${dir}/nb.sock`,
    `--ovnsb-db=unix:${dir}/sb.sock`,
    `--unixctl=${dir}/northd.ctl`,
    '-vconsole:off',
    `--log-file=${dir}/northd.log`,
  ])
  run('ovn-nbctl', 'nb', '--wait=sb', ...words(DEMO_NORTHBOUND.join(' -- ')))
  for (const [port, chassis] of [
    ['vm1', 'hv1'],
    ['vm2', 'hv2'],
    ['cr-lrp-public', 'gw1'],
  ] as const)
    run('ovn-sbctl', 'sb', 'lsp-bind', port, chassis)
  run('ovn-nbctl', 'nb', '--wait=sb', 'sync')
  return (...args) => run('ovn-trace', 'sb', ...args)
}

/** Without where a flow was written, under which uuid it is stored, and the port's number, drawn in order of arrival. */
const plain = (text: string) =>
  text
    .replace(/\((northd\.c|[\w./-]+\.[tj]s)(:\d+)?\)/g, '(source)')
    .replace(/uuid [0-9a-f]{8}/g, 'uuid')
    .replace(/^# (.*)reg14=0x[0-9a-f]+/m, '# $1reg14')

const { vm1, vm2, router, outside } = DEMO
const frame = (port: string, mac: string, to: string) => `inport=="${port}" && eth.src==${mac} && eth.dst==${to}`
const ip = (from: string, to: string) => `ip4.src==${from} && ip4.dst==${to} && ip.ttl==64 && icmp4.type==8`

// The real ovn-trace says the same of our southbound as of the real northd's.
describe.sequential('the real ovn-trace on our southbound', () => {
  let real: (...args: string[]) => string = () => ''
  let ours: (...args: string[]) => string = () => ''
  beforeAll(async () => {
    const bin = referenceBin('26.03')
    real = await deploy(bin, join(bin, 'ovn-northd'))
    ours = await deploy(bin, northd)
  }, 300_000)
  afterAll(() => {
    for (const p of started) p.kill('SIGKILL')
    for (const f of folders) rmSync(f, { recursive: true, force: true })
  })

  it.each([
    ['vm1 to vm2', 'private', `${frame('vm1', vm1.mac, vm2.mac)} && ${ip(vm1.ip, vm2.ip)}`, 'output to "vm2"'],
    ['vm1 to outside', 'private', `${frame('vm1', vm1.mac, router.mac)} && ${ip(vm1.ip, outside.ip)}`, 'ct_snat'],
    [
      'DHCP discover',
      'private',
      `${frame('vm1', vm1.mac, 'ff:ff:ff:ff:ff:ff')} && ip4.src==0.0.0.0 && ip4.dst==255.255.255.255 && ip.ttl==64 && udp.src==68 && udp.dst==67`,
      'put_dhcp_opts',
    ],
    [
      'outside to the floating IP',
      'public',
      `${frame('provnet', outside.mac, router.publicMac)} && ${ip(outside.ip, vm1.floating)}`,
      'ct_dnat',
    ],
    [
      'outside to the distributed floating IP',
      'public',
      `${frame('provnet', outside.mac, vm2.floatingMac)} && ${ip(outside.ip, vm2.floating)}`,
      'ct_dnat',
    ],
  ])('%s', (_name, datapath, flow, shows) => {
    const want = real(datapath, flow)
    expect(want).toContain(shows)
    const got = ours(datapath, flow)
    expect(plain(got)).toBe(plain(want))
    expect(got).toMatch(/\([\w-]+\/[\w-]+\.ts:\d+\): /)
    expect(got).not.toMatch(/\.ts\): /)
  })
})
