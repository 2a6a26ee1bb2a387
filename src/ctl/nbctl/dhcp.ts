import { parsePrefix } from '../../address/prefix.ts'
import { parseUuid } from '../../ovsdb/schema/index.ts'
import type { NB } from '../../schema/index.ts'
import { fatal } from '../error.ts'
import { type NbCall, type NbCommand, readPairs } from './lookup.ts'

function needOptions(call: NbCall, text: string): NB.DHCPOptions {
  const uuid = parseUuid(text)
  return (uuid && call.db.get('DHCP_Options', uuid)) || fatal(`${text}: dhcp options UUID not found`)
}

function create(call: NbCall): void {
  const cidr = call.arg(0)
  if (!parsePrefix(cidr)) fatal(`Invalid cidr format '${cidr}'`)
  call.db.insert('DHCP_Options', { cidr, external_ids: readPairs(call.args.slice(1)) })
}

function list(call: NbCall): void {
  const rows = [...call.db.rows('DHCP_Options')]
  rows.sort((a, b) => (a.cidr < b.cidr ? -1 : a.cidr > b.cidr ? 1 : a._uuid < b._uuid ? -1 : 1))
  for (const row of rows) call.print(`${row._uuid}\n`)
}

const TABLES = ['DHCP_Options'] as const

export const dhcpCommands: readonly NbCommand[] = [
  {
    name: 'dhcp-options-create',
    args: [1, Number.POSITIVE_INFINITY],
    usage: 'CIDR [EXTERNAL_IDS]',
    access: 'rw',
    tables: TABLES,
    run: create,
  },
  { name: 'dhcp-options-list', args: [0, 0], access: 'ro', tables: TABLES, run: list },
  {
    name: 'dhcp-options-del',
    args: [1, 1],
    usage: 'DHCP_OPTIONS_UUID',
    access: 'rw',
    tables: TABLES,
    run: (call) => call.db.delete('DHCP_Options', needOptions(call, call.arg(0))._uuid),
  },
  {
    name: 'dhcp-options-set-options',
    args: [1, Number.POSITIVE_INFINITY],
    usage: 'DHCP_OPTIONS_UUID [KEY=VALUE]...',
    access: 'rw',
    tables: TABLES,
    run: (call) => {
      const row = needOptions(call, call.arg(0))
      call.db.update('DHCP_Options', row._uuid, { options: readPairs(call.args.slice(1)) })
    },
  },
  {
    name: 'dhcp-options-get-options',
    args: [1, 1],
    usage: 'DHCP_OPTIONS_UUID',
    access: 'ro',
    tables: TABLES,
    run: (call) => {
      for (const [k, v] of needOptions(call, call.arg(0)).options) call.print(`${k}=${v}\n`)
    },
  },
]
