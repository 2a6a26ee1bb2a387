import type { Ip } from '../address/ip.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import { DnsCode, DnsFlag, type DnsRecord, dnsQuery, emitDns, parseDns, UdpPort } from '../packet/index.ts'
import type { UdpLayer } from './udp.ts'

/** What became of a question. */
export type Resolution =
  | { readonly ok: true; readonly records: readonly DnsRecord[]; readonly server: Ip }
  | { readonly ok: false; readonly error: 'no server' | 'timeout' | 'name error' | 'server failure' }

/** Milliseconds to wait for one server, and how often all are asked (resolv.conf(5) has 5 s and 2). */
const TIMEOUT = 2000
const ROUNDS = 2

/** A stub resolver (RFC 1034 §5.3.1): asks one server after the other over UDP. */
export function resolve(
  clock: Clock,
  random: Random,
  udp: UdpLayer,
  servers: readonly Ip[],
  name: string,
  type: number,
  done: (result: Resolution) => void,
): void {
  if (!servers.length) {
    clock.after(0, () => done({ ok: false, error: 'no server' }))
    return
  }
  const socket = udp.bind()
  const id = random.u32() & 0xffff
  const query = emitDns(dnsQuery(id, name, type))
  const order = Array.from({ length: ROUNDS }, () => servers).flat()
  let timer: Timer | undefined
  let at = -1

  const finish = (result: Resolution) => {
    timer?.cancel()
    socket.close()
    done(result)
  }
  const next = () => {
    timer?.cancel()
    const server = order[++at]
    if (server === undefined) {
      finish({ ok: false, error: 'timeout' })
      return
    }
    timer = clock.after(TIMEOUT, next)
    socket.send(server, UdpPort.dns, query)
  }

  socket.onError = next
  socket.onDatagram = (data, from) => {
    const parsed = parseDns(data)
    if (!parsed.ok || from.port !== UdpPort.dns || from.address !== order[at]) return
    const m = parsed.value
    const asked = m.questions[0]
    // RFC 5452 §9.1: an answer must match the question it answers.
    const matches = m.id === id && asked?.name.toLowerCase() === name.toLowerCase() && asked.type === type
    if (!(m.flags & DnsFlag.response) || !matches) return
    const code = m.flags & 15
    if (code === DnsCode.noError) finish({ ok: true, records: m.answers, server: from.address })
    else if (code === DnsCode.nameError) finish({ ok: false, error: 'name error' })
    else if (at + 1 < order.length) next()
    else finish({ ok: false, error: 'server failure' })
  }
  next()
}
