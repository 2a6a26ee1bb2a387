import { expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { silent } from '../base/log.ts'
import { seeded } from '../base/random.ts'
import { absentFeatureCommands } from './absent-features.ts'
import { lookUpRoute } from './route-lookup.ts'
import { Switch } from './switch.ts'

const sw = new Switch({ clock: new VirtualClock(), log: silent, random: seeded(1) })
sw.addBridge('b')

/** What a command answers; an error begins with `!`. */
function ask(name: string, ...args: string[]): string {
  const found = absentFeatureCommands(sw).find((c) => c.name === name)
  let answer = 'not there'
  found?.run(args, {
    ok: (text) => {
      answer = text
    },
    error: (text) => {
      answer = `!${text}`
    },
  })
  return answer
}

it.each([
  [['bond/list'], 'bond\ttype\trecircID\tmembers\n'],
  [['bond/show', 'x'], '!no such bond'],
  [['lacp/show'], ''],
  [['stp/show', 'b'], '!no such stp object'],
  [['rstp/tcn'], 'OK'],
  [['cfm/set-fault', 'foo'], '!unknown fault string'],
  [['cfm/set-fault', 'x', 'true'], '!no such CFM object'],
  [['mdb/show', 'b'], '!multicast snooping is disabled'],
  [['mdb/flush', 'no'], '!no such bridge'],
])('%j', ([name = '', ...args], answer) => {
  expect(ask(name, ...args)).toBe(answer)
})

const ROUTES = [
  '192.0.2.2/32 dev eth0 SRC 192.0.2.2 local',
  '192.0.2.0/24 dev eth0 SRC 192.0.2.2',
  '0.0.0.0/0 dev eth1 GW 192.0.2.1 SRC 192.0.2.2',
  'fd00::/64 dev eth0 SRC fd00::2',
]

// As ovs-vswitchd 4.0 answers.
it.each([
  [['192.0.2.5'], 'src 192.0.2.2\ngateway ::\ndev eth0\n'],
  [['10.0.0.1', 'pkt_mark=0', 'src=192.0.2.2'], 'src 192.0.2.2\ngateway 192.0.2.1\ndev eth1\n'],
  [['fd00::5'], 'src fd00::2\ngateway ::\ndev eth0\n'],
  [['fe80::5'], 'Not found'],
  [['10.0.0.1', 'pkt_mark=7'], 'Not found'],
  [['10.0.0.1', 'src=1.1.1.1'], 'Not found'],
  [['10.0.0.1', 'src=x'], 'Invalid pkt_mark or src'],
  [['10.0.0.0/8'], "Invalid 'ip/plen' parameter"],
  [['nonsense'], "Invalid 'ip/plen' parameter"],
])('looks up %j', (args, answer) => {
  const found = lookUpRoute(ROUTES, args)
  expect(found instanceof Error ? found.message : found).toBe(answer)
})
