import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask, DaemonLab, realDaemons, type Side, until } from './daemon-lab.ts'

// Commands of ovs-vswitchd about what is not configured, and about the host: the answers of the real one.

const run = realDaemons() ? describe : describe.skip

const LINES: readonly string[] = [
  ...['bond/list', 'bond/show', 'bond/show x', 'bond/enable-member x y', 'bond/disable-member x y'],
  ...['bond/set-active-member x y', 'bond/migrate a b c', 'lacp/show', 'lacp/show x', 'lacp/show-stats'],
  ...['lacp/show-stats x', 'stp/show', 'stp/show br-int', 'stp/tcn', 'stp/tcn no', 'rstp/show', 'rstp/show br-int'],
  ...['rstp/tcn', 'rstp/tcn no', 'cfm/show', 'cfm/show x', 'cfm/set-fault true', 'cfm/set-fault foo'],
  ...['cfm/set-fault x true', 'mdb/show br-int', 'mdb/show no', 'mdb/flush', 'mdb/flush br-int', 'mdb/flush no'],
  ...['autoattach/status', 'autoattach/show-isid', 'autoattach/statistics no', 'upcall/disable-megaflows'],
  ...['upcall/enable-megaflows', 'ovs/route/lookup x'],
  ...['ovs/route/lookup 127.0.0.1 pkt_mark=7'],
  ...[
    'ovs/route/lookup 127.0.0.1 src=x',
    'ovs/route/lookup 127.0.0.1 src=203.0.113.9',
    'ovs/route/lookup 127.0.0.1 foo',
  ],
  ...['ovs/route/lookup 127.0.0.0/8', 'ovs/route/lookup', 'bond/list x'],
]

run('commands', () => {
  let lab: DaemonLab
  beforeAll(async () => {
    lab = await DaemonLab.make()
    await Promise.all(lab.sides.map((side) => side.deploy()))
  }, 120_000)
  afterAll(() => lab.close())

  const control = (side: Side) => side.control('ovs-vswitchd')

  test('answer as those of the real ovs-vswitchd', async () => {
    const bridge = async (side: Side) => (await ask(control(side), 'ofproto/list')).stdout.includes('br-int')
    for (const side of lab.sides) expect(await until(() => bridge(side), 60)).toBe(true)
    const answers = async (side: Side) => {
      const said: string[] = []
      for (const line of LINES) {
        const [name = '', ...args] = line.split(' ')
        const { code, stdout, stderr } = await ask(control(side), name, args)
        said.push(`${line} -> ${code} ${stdout}${stderr}`)
      }
      return said
    }
    const [real, ours] = [await answers(lab.real), await answers(lab.ours)]
    expect(ours).toEqual(real)
  }, 120_000)
})
