import { expect, it } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { keptLog } from '../../base/log.ts'
import { channelPair } from '../../openflow/connection/pair.ts'
import { matchOf } from '../../openflow/fields/match.ts'
import type { Message } from '../../openflow/messages/message.ts'
import { cookieOf, type Flow, flowKey } from '../flow.ts'
import { FlowInstaller } from './installer.ts'

it('says of which flow an OpenFlow error is: the switch that refused it does not', () => {
  const clock = new VirtualClock()
  const { log, lines } = keptLog()
  const flow: Flow = {
    table: 8,
    priority: 50,
    match: matchOf() ?? [],
    actions: [],
    cookie: cookieOf('00ab12cd-0000-4000-8000-000000000000'),
  }
  const flows = new Map([[flowKey(flow.table, flow.priority, flow.match), flow]])
  const installer = new FlowInstaller(
    { flows, groups: new Map(), meters: new Map() },
    { clock, log, ready: () => true },
  )
  const [controller, datapath] = channelPair(clock)
  controller.onMessage = (m) => installer.receive(m)
  // A switch that has nothing, and takes no flow.
  const answer = (m: Message): Message | undefined => {
    const { xid } = m
    if (m.type === 'tlv_table_request') return { type: 'tlv_table_reply', xid, maxSpace: 256, maxFields: 64, maps: [] }
    if (m.type === 'barrier_request') return { type: 'barrier_reply', xid }
    if (m.type === 'bundle_add') return { type: 'error', xid, error: 'OFPFMFC_BAD_TABLE_ID', data: new Uint8Array() }
    if (m.type !== 'multipart_request') return undefined
    const { kind } = m.request
    if (kind === 'flow') return { type: 'multipart_reply', xid, flags: 0, reply: { kind, flows: [] } }
    if (kind === 'group_desc') return { type: 'multipart_reply', xid, flags: 0, reply: { kind, groups: [] } }
    if (kind === 'meter_config') return { type: 'multipart_reply', xid, flags: 0, reply: { kind, meters: [] } }
    return undefined
  }
  datapath.onMessage = (m) => {
    const reply = answer(m)
    if (reply) datapath.send(reply)
  }
  installer.connected(controller)
  clock.advance(100)
  expect(lines.map(({ message, fields }) => ({ message, fields }))).toEqual([
    {
      message: 'OpenFlow error: OFPFMFC_BAD_TABLE_ID',
      fields: { code: 'openflow-error', xid: expect.any(Number), cookie: '00ab12cd', table: 8 },
    },
  ])
})
