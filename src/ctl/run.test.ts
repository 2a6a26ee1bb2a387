import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { seeded } from '../base/random.ts'
import { localReplica } from '../ovsdb/client/local.ts'
import type { TypedSchema } from '../ovsdb/client/replica.ts'
import { Database } from '../ovsdb/transaction/index.ts'
import { CtlError } from './error.ts'
import { parseInvocation, tablesOf } from './grammar.ts'
import { nbctl } from './nbctl/index.ts'
import type { Program } from './program.ts'
import { type CtlResult, runCtl, TIMED_OUT } from './run.ts'
import { sbctl } from './sbctl/index.ts'
import { vsctl } from './vsctl/index.ts'

class Tool<T> {
  readonly clock = new VirtualClock()
  readonly random = seeded(3)
  readonly database: Database
  readonly replica

  constructor(
    readonly program: Program<T>,
    schema: TypedSchema<T> = program.schema,
  ) {
    this.database = new Database(schema, this.clock, this.random)
    this.replica = localReplica(this.database, schema, { clock: this.clock })
  }

  /** Starts a command; the result is there once it has ended. */
  start(line: string): { result: CtlResult | undefined; cancel(): void } {
    const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map((m) => m[1] ?? m[2] ?? '')
    const run: { result: CtlResult | undefined; cancel(): void } = { result: undefined, cancel: () => {} }
    run.cancel = runCtl(this.program, words, this, (r) => {
      run.result = r
    })
    return run
  }

  run(line: string): CtlResult {
    const run = this.start(line)
    this.clock.settle()
    if (!run.result) throw new Error(`${line}: no end`)
    return run.result
  }

  out(line: string): string {
    const { stdout, stderr, status } = this.run(line)
    expect([stderr, status]).toEqual(['', 0])
    return stdout.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UUID')
  }
}

describe('ovn-nbctl', () => {
  it('builds a network and shows it, by name', () => {
    const nb = new Tool(nbctl)
    nb.out(
      "ls-add private -- lsp-add private vm2 -- lsp-add private vm1 -- lsp-set-addresses vm1 '0a:00:00:00:00:01 10.0.0.6'",
    )
    nb.out(
      'lr-add r1 -- lrp-add r1 r1-private 0a:00:00:00:01:01 10.0.0.1/24 -- lsp-add-router-port private private-r1 r1-private',
    )
    nb.out('lrp-set-gateway-chassis r1-private gw1 20 -- lr-nat-add r1 snat 172.16.0.1 10.0.0.0/24')
    expect(nb.out('show')).toBe(
      [
        'switch UUID (private)',
        '    port private-r1',
        '        type: router',
        '        router-port: r1-private',
        '    port vm1',
        '        addresses: ["0a:00:00:00:00:01 10.0.0.6"]',
        '    port vm2',
        'router UUID (r1)',
        '    port r1-private',
        '        mac: "0a:00:00:00:01:01"',
        '        ipv6-lla: "fe80::800:ff:fe00:101"',
        '        networks: ["10.0.0.1/24"]',
        '        gateway chassis: [gw1]',
        '    nat UUID',
        '        external ip: "172.16.0.1"',
        '        logical ip: "10.0.0.0/24"',
        '        type: "snat"',
        '',
      ].join('\n'),
    )
  })

  it('does all of a line or nothing', () => {
    const nb = new Tool(nbctl)
    expect(nb.run('ls-add a -- ls-del nosuch')).toMatchObject({
      status: 1,
      stderr: 'ovn-nbctl: nosuch: switch name not found\n',
    })
    expect(nb.out('ls-list')).toBe('')
    expect(nb.out('--dry-run ls-add a -- ls-list')).toBe('UUID (a)\n')
    expect(nb.out('ls-list')).toBe('')
    expect(nb.out('--oneline ls-add a -- ls-list -- ls-add b -- ls-list')).toBe('\nUUID (a)\n\nUUID (a)\\nUUID (b)\n')
  })

  it('lets two tools add ports to one switch at a time', () => {
    const nb = new Tool(nbctl)
    nb.out('ls-add s')
    const runs = ['a', 'b', 'c'].map((p) => nb.start(`lsp-add s ${p}`))
    nb.clock.settle()
    expect(runs.map((r) => r.result?.status)).toEqual([0, 0, 0])
    expect(nb.out('lsp-list s')).toBe('UUID (a)\nUUID (b)\nUUID (c)\n')
  })

  it('waits until the southbound, or all chassis, are as far', () => {
    const nb = new Tool(nbctl)
    const [sb, hv] = [nb.start('--wait=sb ls-add s'), nb.start('--wait=hv sync')]
    nb.clock.advance(5)
    expect([sb.result, hv.result]).toEqual([undefined, undefined])
    const set = (row: Record<string, number>) =>
      nb.database.transact([{ op: 'update', table: 'NB_Global', where: [], row }])
    set({ sb_cfg: 1 })
    nb.clock.settle()
    expect([sb.result?.status, hv.result]).toEqual([0, undefined])
    set({ hv_cfg: 1 })
    nb.clock.settle()
    expect(hv.result).toBeUndefined()
    set({ hv_cfg: 2 })
    nb.clock.settle()
    expect(hv.result?.status).toBe(0)
    // nothing changed: nothing to wait for
    expect(nb.out('--wait=hv ls-list')).toBe('UUID (s)\n')
  })

  it('waits for a condition, as long as it may', () => {
    const nb = new Tool(nbctl)
    const [waits, short, given] = ['', '-t 2 ', ''].map((o) =>
      nb.start(`${o}wait-until Logical_Switch s other_config:a=b`),
    )
    nb.clock.settle()
    given?.cancel()
    nb.clock.advance(2000)
    expect(short?.result).toMatchObject({ status: TIMED_OUT })
    nb.out('ls-add s')
    expect(waits?.result).toBeUndefined()
    nb.out('set Logical_Switch s other_config:a=b')
    expect(waits?.result?.status).toBe(0)
    expect(given?.result).toBeUndefined()
  })

  it('answers for itself', () => {
    const nb = new Tool(nbctl)
    expect(nb.run('--version').stdout).toContain('DB Schema 7.18.0')
    const help = nb.run('--help').stdout
    for (const command of nbctl.commands) expect(help).toContain(command.name)
  })
})

describe('ovn-sbctl', () => {
  it('shows chassis with what is bound to them', () => {
    const sb = new Tool(sbctl)
    sb.out('chassis-add hv1 geneve,vxlan 192.0.2.1')
    const datapath = sb.run('create Datapath_Binding tunnel_key=1').stdout.trim()
    sb.out(`create Port_Binding logical_port=vm1 tunnel_key=1 datapath=${datapath}`)
    sb.out('lsp-bind vm1 hv1')
    const encap = (type: string) => `    Encap ${type}\n        ip: "192.0.2.1"\n        options: {csum="true"}\n`
    expect(sb.out('show')).toBe(`Chassis hv1\n${encap('geneve')}${encap('vxlan')}    Port_Binding vm1\n`)
  })
})

describe('ovs-vsctl', () => {
  it('waits for the switch unless told not to', () => {
    const vs = new Tool(vsctl)
    const run = vs.start('add-br br0')
    vs.clock.settle()
    expect(run.result).toBeUndefined()
    vs.database.transact([{ op: 'update', table: 'Open_vSwitch', where: [], row: { cur_cfg: 1 } }])
    vs.clock.settle()
    expect(run.result?.status).toBe(0)
    expect(vs.out('--no-wait add-port br0 p0 tag=5 -- set Interface p0 type=internal')).toBe('')
    expect(vs.out('show')).toBe(
      'UUID\n    Bridge br0\n        Port br0\n            Interface br0\n                type: internal\n' +
        '        Port p0\n            tag: 5\n            Interface p0\n                type: internal\n',
    )
    expect(vs.run('br-exists nope')).toEqual({ stdout: '', stderr: '', status: 2 })
    expect(vs.out('--no-wait set open . external_ids:ovn-bridge-mappings=datacentre:br-ex')).toBe('')
    expect(vs.out('get open . external_ids:ovn-bridge-mappings')).toBe('"datacentre:br-ex"\n')
  })
})

describe('any command line', () => {
  const tools = { nbctl: new Tool(nbctl), sbctl: new Tool(sbctl), vsctl: new Tool(vsctl) }

  it.each(Object.entries(tools))('%s: is run or refused', (_, tool) => {
    const program = tool.program as Program<unknown>
    const names = program.commands.map((c) => c.name).filter((n) => n !== 'wait-until')
    const options = program.commands.flatMap((c) => c.options ?? []).map((o) => `--${o}1`.replace(/([^=])1$/, '$1'))
    const tables = [...program.schema.tables.keys()]
    const word = fc.oneof(
      fc.constantFrom(...names, ...tables),
      fc.constantFrom(...options, '--', '-t', '-f', 'csv', '--no-wait', '--if-exists', '--may-exist'),
      fc.constantFrom('a', 'b', '.', '5', 'a=b', 'name=x', '10.0.0.1/24', '00:00:00:00:00:01', 'ip4', 'drop', ''),
      fc.string({ maxLength: 5 }),
    )
    fc.assert(
      fc.property(fc.array(word, { maxLength: 9 }), (args) => {
        try {
          const invocation = parseInvocation(program, args)
          for (const table of tablesOf(program, invocation)) expect(program.schema.tables.has(table)).toBe(true)
        } catch (e) {
          expect(e).toBeInstanceOf(CtlError)
        }
        let result: CtlResult | undefined
        const cancel = runCtl(program, args, tool as never, (r) => {
          result = r
        })
        tool.clock.settle()
        cancel()
        if (result) expect([0, 1, 2]).toContain(result.status)
      }),
      { numRuns: 1500 },
    )
  })
})
