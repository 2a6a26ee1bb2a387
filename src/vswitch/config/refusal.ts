import type { Fields, Log } from '../../base/log.ts'
import type { OVS } from '../../schema/index.ts'
import type { TunnelConfig } from '../tunnels/config.ts'

/** Why an Interface row makes no port: what its column `error` says, and where in the real switch it went wrong. */
export interface Refusal {
  readonly error: string
  /** `type`: there is no such type. `options`: they do not fit it. `twin`: another tunnel is configured the same way. */
  readonly of: 'type' | 'options' | 'twin' | 'device'
  /** The name and configuration of the other tunnel. */
  readonly twin?: { readonly name: string; readonly config: TunnelConfig }
}

/** What a line about an interface carries: its row, and the logical port that it is for. */
export function about(iface: OVS.Interface): Fields {
  return { interface: iface.name, port: iface.external_ids.get('iface-id'), row: iface._uuid }
}

/** Another tunnel with the same ends and keys: packets could not tell them apart. */
export function refusedTwin(name: string, twin: { readonly name: string; readonly config: TunnelConfig }): Refusal {
  return { error: `could not add network device ${name} to ofproto (File exists)`, of: 'twin', twin }
}

/** Says it in the modules, levels and words of the real switch, which tells most of it twice. */
export function sayRefused(log: Log, bridge: string, iface: OVS.Interface, refusal: Refusal): void {
  const { name, type } = iface
  const fields = about(iface)
  switch (refusal.of) {
    case 'type':
      log.child('netdev').warn(`could not create netdev ${name} of unknown type ${type}`, {
        code: 'interface-open',
        ...fields,
      })
      break
    case 'options':
      if (type === 'patch') log.child('netdev_vport').err(refusal.error, { code: 'interface-options', ...fields })
      else log.child('netdev_vport').warn(refusal.error, { code: 'interface-options', ...fields })
      log.child('netdev').warn(`${name}: could not set configuration (Invalid argument)`, {
        code: 'interface-options',
        ...fields,
      })
      return
    case 'twin':
      if (refusal.twin) {
        const { config, name: other } = refusal.twin
        const key =
          config.inKey === undefined ? '0' : config.inKey === 'flow' ? 'flow' : `0x${config.inKey.toString(16)}`
        const ends = `${config.localIp || '::'}->${config.remoteIp}, key=${key}, legacy_l2, dp port=${config.port}`
        log
          .child('tunnel')
          .warn(`${name}: attempting to add tunnel port with same config as port '${other}' (${ends})`, {
            code: 'interface-options',
            ...fields,
          })
      }
      log.child('ofproto').warn(`${bridge}: could not add port ${name} (File exists)`, {
        code: 'interface-open',
        ...fields,
      })
      break
    case 'device':
      break
  }
  log.child('bridge').warn(refusal.error, { code: 'interface-open', ...fields })
}

/** Options of a tunnel that are ignored are told of. */
export function sayIgnored(log: Log, iface: OVS.Interface, complaints: readonly string[]): void {
  for (const text of complaints) {
    log.child('netdev_vport').warn(text, { code: 'interface-options', ...about(iface) })
  }
}
