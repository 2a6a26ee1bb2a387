import { connect } from 'node:net'
import type { ByteStream } from '../../src/base/stream.ts'
import { SystemClock } from '../../src/io/clock.ts'
import { OFPP } from '../../src/openflow/actions/action.ts'
import { openChannel } from '../../src/openflow/connection/stream-channel.ts'
import {
  type FlowStats,
  type GroupDescription,
  MORE,
  type StatsRequest,
} from '../../src/openflow/messages/multipart.ts'

export interface SwitchDump {
  readonly flows: readonly FlowStats[]
  readonly groups: readonly GroupDescription[]
}

function unixStream(path: string): ByteStream {
  const socket = connect(path)
  const stream: ByteStream = {
    write: (bytes) => socket.write(bytes),
    queued: 0,
    close: () => socket.destroy(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    onData: undefined,
    onDrain: undefined,
    onClose: undefined,
    peer: 'unix',
  }
  socket.on('data', (bytes) => stream.onData?.(bytes))
  socket.on('error', (e) => stream.onClose?.(e))
  socket.on('close', () => stream.onClose?.())
  return stream
}

/** All flows and groups of a switch, as structures, over OpenFlow 1.5. */
export function dumpSwitch(path: string): Promise<SwitchDump> {
  return new Promise((resolve, reject) => {
    openChannel(unixStream(path), { clock: new SystemClock(), versions: [6] }, (result) => {
      if (!result.ok) {
        reject(new Error(result.error))
        return
      }
      const channel = result.value
      const flows: FlowStats[] = []
      const groups: GroupDescription[] = []
      const requests: readonly StatsRequest[] = [
        { kind: 'flow', match: [], table: 0xff, outPort: OFPP.NONE, outGroup: 0xffffffff, cookie: 0n, cookieMask: 0n },
        { kind: 'group_desc', group: 0xfffffffc },
      ]
      let asked = 0
      const ask = () => {
        const request = requests[asked++]
        if (request) channel.send({ type: 'multipart_request', xid: asked, flags: 0, request })
        else {
          channel.close()
          resolve({ flows, groups })
        }
      }
      channel.onMessage = (m) => {
        if (m.type === 'error') reject(new Error(JSON.stringify(m)))
        if (m.type !== 'multipart_reply') return
        if (m.reply.kind === 'flow') flows.push(...m.reply.flows)
        if (m.reply.kind === 'group_desc') groups.push(...m.reply.groups)
        if (!(m.flags & MORE)) ask()
      }
      channel.onClose = (e) => reject(e ?? new Error('closed'))
      ask()
    })
  })
}
