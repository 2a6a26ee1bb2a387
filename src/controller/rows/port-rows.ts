import type { Fields, Log } from '../../base/log.ts'
import type { Operation } from '../../ovsdb/client/operation.ts'
import type { Replica } from '../../ovsdb/client/replica.ts'
import type { PortBinding, Southbound } from '../../schema/southbound.ts'
import type { Binding } from '../binding/binding.ts'
import type { ChassisName } from '../interfaces.ts'

export interface PortRowContext {
  readonly us: ChassisName
  readonly binding: Binding | undefined
  /** Whether the switch has all flows of the port. */
  readonly installed: boolean
}

type Row = { [column: string]: string | boolean | readonly string[] | undefined }

/**
 * What turns the columns of a Port_Binding that are ours to write into what they should be: claims
 * and releases the port, and tells when it is up. Says so in the log as ovn-controller does.
 */
export function portOperations(sb: Replica<Southbound>, row: PortBinding, ctx: PortRowContext, log: Log): Operation[] {
  const { us, binding } = ctx
  const primary = row.chassis === us.uuid
  const additional = row.additional_chassis.includes(us.uuid)
  const fields = { port: row.logical_port, chassis: us.name, datapath: row.datapath, row: row._uuid }
  const update: Row = {}
  const encap = encapOf(sb, us, binding)

  if (binding?.claim === 'chassis') {
    if (!primary) {
      const from = row.chassis === undefined ? undefined : sb.table('Chassis').get(row.chassis)?.name
      if (from !== undefined)
        log.info(`Changing chassis for lport ${row.logical_port} from ${from} to ${us.name}.`, fields)
      else log.info(`Claiming lport ${row.logical_port} for this chassis.`, fields)
      sayAddresses(row, log, fields)
      update['chassis'] = us.uuid
      // Up again when our flows are there; what the former chassis said is about its own.
      if (row.up) update['up'] = false
    } else if (row.up === false && ctx.installed) {
      log.info(`Setting lport ${row.logical_port} up in Southbound`, fields)
      update['up'] = true
    }
    if (row.encap !== encap) update['encap'] = encap
  } else if (primary) {
    log.info(`Releasing lport ${row.logical_port} from this chassis (sb_readonly=0)`, fields)
    update['chassis'] = undefined
    if (row.encap !== undefined) update['encap'] = undefined
    if (row.up) {
      log.info(`Setting lport ${row.logical_port} down in Southbound`, fields)
      update['up'] = false
    }
    if (row.type === 'virtual' && row.virtual_parent !== undefined) update['virtual_parent'] = undefined
  }

  if (binding?.claim === 'additional_chassis') {
    if (!additional) {
      log.info(`Claiming lport ${row.logical_port} for this additional chassis.`, fields)
      sayAddresses(row, log, fields)
      update['additional_chassis'] = [...row.additional_chassis, us.uuid].sort()
      if (encap !== undefined) update['additional_encap'] = [...row.additional_encap, encap].sort()
    }
  } else if (additional) {
    if (!binding) log.info(`Releasing lport ${row.logical_port} from this additional chassis (sb_readonly=0)`, fields)
    update['additional_chassis'] = row.additional_chassis.filter((c) => c !== us.uuid)
    const ours = row.additional_encap.filter((e) => sb.table('Encap').get(e)?.chassis_name === us.name)
    if (ours.length) update['additional_encap'] = row.additional_encap.filter((e) => !ours.includes(e))
  }
  if (!Object.keys(update).length) return []
  return [{ op: 'update', table: 'Port_Binding', where: [['_uuid', '==', row._uuid]], row: update }]
}

function sayAddresses(row: PortBinding, log: Log, fields: Fields): void {
  for (const mac of row.mac) log.info(`${row.logical_port}: Claiming ${mac}`, fields)
}

/** The Encap row of the endpoint that the port's interface asked for (external_ids:encap-ip). */
function encapOf(sb: Replica<Southbound>, us: ChassisName, binding: Binding | undefined): string | undefined {
  const ip = binding?.vif?.encapIp
  if (ip === undefined) return undefined
  for (const e of sb.table('Encap').values()) if (e.chassis_name === us.name && e.ip === ip) return e._uuid
  return undefined
}
