import type { Reader } from '../../base/bytes.ts'
import { LOG_SEVERITY, LOG_VERDICT } from '../../logical/opcodes.ts'
import { TABLE } from '../../logical/registers.ts'
import type { PacketIn } from '../../openflow/messages/message.ts'
import type { Effect } from './effect.ts'
import { formatFrameFlow } from './flow-text.ts'

function nameOf(values: Readonly<Record<string, number>>, n: number, otherwise: string): string {
  return Object.entries(values).find(([, v]) => v === n)?.[0] ?? otherwise
}

/** log(...): the line of an access control list (ovn-nb(5), ACL.log). */
export function aclLog(m: PacketIn, body: Reader): Effect[] {
  const verdict = nameOf(LOG_VERDICT, body.u8(), '<unknown>')
  const severity = nameOf(LOG_SEVERITY, body.u8(), 'info')
  const name = new TextDecoder().decode(body.rest())
  const direction = m.table >= TABLE.LOG_EGRESS ? 'to-lport' : 'from-lport'
  const message = `name="${name || '<unnamed>'}", verdict=${verdict}, severity=${severity}, direction=${direction}: ${formatFrameFlow(m.packet)}`
  return [{ type: 'log', module: 'acl_log', level: 'info', message }]
}
