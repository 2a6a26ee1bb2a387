import { afterAll, beforeAll, expect, test } from 'vitest'
import { openflowTable } from '../../src/logical/index.ts'
import { F } from '../../src/openflow/fields/table.ts'
import type { FlowStats, GroupDescription } from '../../src/openflow/messages/multipart.ts'
import { ControllerLab, type LabFlow } from './controller-lab.ts'
import { actionText, matchText, realGroupText } from './flow-text.ts'
import { COOKIE, filtered, type Line, lines, ours, PRIORITY, TABLE } from './logical-flow-lines.ts'
import { dumpSwitch } from './switch-dump.ts'

let lab: ControllerLab
let real: readonly FlowStats[]
let groups: ReadonlyMap<number, GroupDescription>
let complaints: ReadonlyMap<string, string>

beforeAll(async () => {
  lab = new ControllerLab()
  await lab.up(['vm1', 'vm2'])
  const nb = (text: string) => lab.nbctl(...text.split(' '))
  nb('ls-add sw')
  for (const [i, name] of ['vm1', 'vm2', 'vm3'].entries()) {
    nb(`lsp-add sw ${name}`)
    lab.nbctl('lsp-set-addresses', name, `fa:16:3e:50:47:6${2 + i} 10.0.0.${6 + i}`)
  }
  nb('lr-add r1')
  nb('lrp-add r1 rp fa:16:3e:97:e5:c6 10.0.0.1/24 fd00::1/64')
  nb('lsp-add sw sw-r1')
  nb('lsp-set-type sw-r1 router')
  nb('lsp-set-addresses sw-r1 router')
  nb('lsp-set-options sw-r1 router-port=rp')
  lab.nbctl('create', 'Address_Set', 'name=as4', 'addresses="10.1.0.0/24","10.1.2.3"')
  nb('pg-add pg1 vm1 vm2')
  lab.vsctl(
    ...['--', '--id=@br', 'get', 'bridge', 'br-int', '--', '--id=@i', 'create', 'ipfix', 'targets="127.0.0.1:4739"'],
    ...['--', 'create', 'Flow_Sample_Collector_Set', 'id=1', 'bridge=@br', 'ipfix=@i'],
  )
  lab.sync()
  lab.pauseNorthd()
  lab.quietRateLimits()
  const datapaths = { sw: lab.datapath('sw'), r1: lab.datapath('r1') }
  lab.insertFlows(
    lines.map(
      (l, i): LabFlow => ({
        uuid: `${(COOKIE + i).toString(16)}-0000-4000-8000-000000000001`,
        datapath: l.router ? datapaths.r1 : datapaths.sw,
        pipeline: l.pipeline,
        table: TABLE,
        priority: PRIORITY + i,
        match: l.match,
        actions: l.actions,
      }),
    ),
  )
  await lab.settle()
  const dump = await dumpSwitch(`${lab.dir}/br-int.mgmt`)
  real = dump.flows
  groups = new Map(dump.groups.map((g) => [g.group, g]))
  const found = new Map<string, string>()
  for (const [, kind, text, message] of lab
    .controllerLog()
    .matchAll(/\|lflow\|WARN\|error parsing (match|actions) "(.*)": (.*)$/gm)) {
    found.set(`${kind} ${text}`, message ?? '')
  }
  complaints = found
  const refused = /OpenFlow error: [^|]*|\|ofctrl\|ERR\|.*/.exec(lab.controllerLog())
  if (refused) throw new Error(`the switch refused a flow of the real controller: ${refused[0]}`)
})

afterAll(async () => {
  await lab?.down()
})

function theirs(line: Line, index: number): { flows: string[]; base: number } {
  const actionError = complaints.get(`actions ${line.actions}`)
  const matchError = complaints.get(`match ${line.match}`)
  if (actionError !== undefined) return { flows: [`actions: ${actionError}`], base: 0 }
  if (matchError !== undefined) return { flows: [`match: ${matchError}`], base: 0 }
  const table = openflowTable(line.pipeline, TABLE)
  const mine = real.filter((f) => f.priority === PRIORITY + index && f.table === table)
  const ids = mine.flatMap((f) => f.match.filter((m) => m.field === F.conj_id).map((m) => Number(m.value)))
  const flows = mine
    .map((f) => `${matchText(f.match)} -> ${actionText(f.actions, (id) => realGroupText(groups, id))}`)
    .sort()
  return { flows, base: ids.length ? Math.min(...ids) : 0 }
}

test.each(lines.map((l, i) => [l.text, l, i] as const))('%s', (_text, line, index) => {
  const expected = theirs(line, index)
  expect(filtered(ours(line, index, expected.base))).toEqual(expected.flows)
})
