import { isMulticastMac } from '../../address/mac.ts'
import { Malformed, parse, type Reader, Truncated } from '../../base/bytes.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { OPCODE } from '../../logical/opcodes.ts'
import { F } from '../../openflow/fields/table.ts'
import type { PacketIn } from '../../openflow/messages/message.ts'
import { putDhcpOptions } from '../packet-in/dhcp.ts'
import type { Effect, PacketInEnvironment } from '../packet-in/effect.ts'
import { datapathOf, inportOf, pipelineField } from '../packet-in/metadata.ts'
import type { Userdata } from '../packet-in/userdata.ts'

type Handler = (m: PacketIn, body: Reader, env: PacketInEnvironment) => Effect[]

/** What is done with each kind of packet. */
const HANDLERS: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [OPCODE.put_arp, (m) => neighbour(m, Number(pipelineField(m.metadata, F.reg0)))],
  [OPCODE.put_nd, (m) => neighbour(m, pipelineField(m.metadata, F.xxreg0))],
  [OPCODE.put_fdb, address],
  [
    OPCODE.bind_vport,
    (m, body) => [{ type: 'bind_vport', datapath: datapathOf(m), vport: body.u32(), parent: inportOf(m) }],
  ],
  [OPCODE.put_dhcp_opts, putDhcpOptions],
])

/** The source address of a frame; undefined where it is none of a host's. */
function source(frame: Uint8Array): number | undefined {
  const mac = parse(frame, (r) => {
    r.skip(6)
    return r.u48()
  })
  return mac.ok && mac.value !== 0 && !isMulticastMac(mac.value) ? mac.value : undefined
}

function neighbour(m: PacketIn, ip: number | bigint): Effect[] {
  const mac = source(m.packet)
  if (mac === undefined || BigInt(ip) === 0n) return []
  return [{ type: 'mac_binding', datapath: datapathOf(m), port: inportOf(m), ip, mac }]
}

function address(m: PacketIn): Effect[] {
  const mac = source(m.packet)
  return mac === undefined ? [] : [{ type: 'fdb', datapath: datapathOf(m), port: inportOf(m), mac }]
}

/** Runs the handler of a packet-in's opcode; what it cannot read is an error, not an exception. */
export function handlePacketIn(m: PacketIn, userdata: Userdata, env: PacketInEnvironment): Result<Effect[]> {
  const handler = HANDLERS.get(userdata.opcode)
  if (!handler) return err(`unrecognized packet-in opcode ${userdata.opcode}`)
  try {
    return ok(handler(m, userdata.body, env))
  } catch (e) {
    if (e instanceof Truncated || e instanceof Malformed) return err(e.message)
    throw e
  }
}
