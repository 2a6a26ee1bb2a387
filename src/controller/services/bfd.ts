import { formatIpv4, parseIpv4 } from '../../address/ipv4.ts'
import { formatIpv6, parseIpv6 } from '../../address/ipv6.ts'
import { MAC_BROADCAST, parseMac } from '../../address/mac.ts'
import { contains, parsePrefix } from '../../address/prefix.ts'
import { OFPP } from '../../openflow/actions/action.ts'
import { F } from '../../openflow/fields/table.ts'
import type { Operation } from '../../ovsdb/client/operation.ts'
import { type Bfd, emitBfd, parseBfd } from '../../packet/bfd.ts'
import { craft, decodeFrame, type PacketSpec } from '../../packet/packet.ts'
import type { BFD, PortBinding } from '../../schema/southbound.ts'
import type { ControllerState } from '../controller.ts'
import { set } from '../flow.ts'
import type { Effect } from '../packet-in/effect.ts'
import { packetOut } from '../packet-in/metadata.ts'
import { OFTABLE } from '../tables.ts'
import { BfdSession, type BfdStatus } from './bfd-session.ts'

type Received = Extract<Effect, { type: 'bfd' }>

/** RFC 5881 §4 and §5. */
const PORT = 3784
const TTL = 255

interface Running {
  readonly row: BFD
  readonly session: BfdSession
  readonly datapath: number
  readonly port: number
  status: BfdStatus
}

/** BFD sessions of static routes whose router port is here (ovn-sb(5), BFD). */
export class BfdSessions {
  private readonly running = new Map<string, Running>()
  private readonly stops: (() => void)[] = []

  constructor(private readonly state: ControllerState) {
    const refresh = () => this.refresh()
    state.southbound.rows.watch('bfd', (uuid) => this.operations(uuid))
    this.stops.push(
      state.options.sb.onChange((change) => {
        if (change.tables.BFD) refresh()
      }),
      state.bindings.all.subscribe(refresh),
      state.datapaths.local.subscribe(refresh),
    )
  }

  close(): void {
    for (const stop of this.stops) stop()
    for (const r of this.running.values()) r.session.close()
    this.running.clear()
  }

  received(effect: Received): void {
    const packet = decodeFrame(effect.packet)
    if (!packet.ok || !packet.value.udp) return
    const { ip4, ip6, udp } = packet.value
    const ttl = ip4?.ttl ?? ip6?.hopLimit
    const source = ip4 ? formatIpv4(ip4.src) : ip6 ? formatIpv6(ip6.src) : undefined
    const bfd = parseBfd(udp.payload)
    // RFC 5881 §5: what has passed a router is none of a neighbour's.
    if (!bfd.ok || ttl !== TTL) return
    for (const r of this.running.values()) {
      const ours = bfd.value.yourDiscriminator === r.row.disc || bfd.value.yourDiscriminator === 0
      if (ours && r.row.dst_ip === source && r.datapath === effect.datapath) r.session.receive(bfd.value)
    }
  }

  private refresh(): void {
    const { sb } = this.state.options
    const wanted = new Map<string, { row: BFD; port: PortBinding; datapath: number; ends: Ends }>()
    for (const row of sb.table('BFD').values()) {
      const port = this.state.bindings.portsByName.first(row.logical_port)
      const datapath = port && sb.table('Datapath_Binding').get(port.datapath)
      const ends = port && endsOf(port, row.dst_ip)
      if (port && datapath && ends && this.isHere(port)) {
        wanted.set(row._uuid, { row, port, datapath: datapath.tunnel_key, ends })
      }
    }
    for (const [uuid, r] of this.running) {
      const w = wanted.get(uuid)
      if (w && same(w.row, r.row)) {
        wanted.delete(uuid)
        continue
      }
      r.session.close()
      this.running.delete(uuid)
    }
    for (const [uuid, w] of wanted) this.begin(uuid, w.row, w.port, w.datapath, w.ends)
  }

  /** Whether this chassis speaks for a router port: a gateway router's, or one whose chassis redirect port is here. */
  private isHere(port: PortBinding): boolean {
    const redirect = port.options.get('chassis-redirect-port')
    if (redirect !== undefined) return this.state.bindings.resident.peek(redirect) === true
    if (port.type === 'l3gateway') return this.state.bindings.all.peek(port.logical_port) !== undefined
    return false
  }

  private begin(uuid: string, row: BFD, port: PortBinding, datapath: number, ends: Ends): void {
    const { clock, random } = this.state.options
    const running: Running = {
      row,
      datapath,
      port: port.tunnel_key,
      status: 'down',
      session: new BfdSession({
        clock,
        random,
        parameters: { discriminator: row.disc, minTx: row.min_tx, minRx: row.min_rx, detectMult: row.detect_mult },
        send: (bfd) => this.send(running, ends, bfd),
        report: (status) => {
          running.status = status
          this.state.southbound.rows.mark('bfd', uuid)
        },
      }),
    }
    this.running.set(uuid, running)
    running.session.start()
    this.state.southbound.rows.mark('bfd', uuid)
  }

  private send(r: Running, ends: Ends, bfd: Bfd): void {
    const payload = emitBfd(bfd)
    const packet = craft({
      ...ends,
      udp: { src: r.row.src_port, dst: PORT, payload, ...(ends.ip4 ? { noChecksum: true } : {}) },
    })
    const message = packetOut(packet, [
      set(F.metadata, r.datapath),
      set(F.reg14, r.port),
      { type: 'resubmit', port: OFPP.CONTROLLER, table: OFTABLE.LOG_INGRESS },
    ])
    this.state.send({ ...message, xid: this.state.installer.nextXid() })
  }

  private operations(uuid: string): readonly Operation[] {
    const r = this.running.get(uuid)
    const row = this.state.options.sb.table('BFD').get(uuid)
    // What the operator switched off stays off (ovn-nb(5), BFD.status).
    if (!r || !row || row.status === r.status || row.status === 'admin_down') return []
    return [{ op: 'update', table: 'BFD', where: [['_uuid', '==', uuid]], row: { status: r.status } }]
  }
}

type Ends = Pick<PacketSpec, 'eth' | 'ip4' | 'ip6'>

/** Headers from a router port to a peer: the port's address in the peer's network, else its first of the family. */
function endsOf(port: PortBinding, peer: string): Ends | undefined {
  const [mac = '', ...words] = (port.mac[0] ?? '').split(/\s+/)
  const src = parseMac(mac)
  if (src === undefined) return undefined
  const prefixes = words.flatMap((w) => parsePrefix(w) ?? [])
  const eth = { src, dst: MAC_BROADCAST }
  const dst4 = parseIpv4(peer)
  if (dst4 !== undefined) {
    const own = prefixes.filter((p) => p.family === 4)
    const from = own.find((p) => contains(p, dst4)) ?? own[0]
    return from && { eth, ip4: { src: from.address, dst: dst4, ttl: TTL } }
  }
  const dst6 = parseIpv6(peer)
  if (dst6 === undefined) return undefined
  const own = prefixes.filter((p) => p.family === 6)
  const from = own.find((p) => contains(p, dst6)) ?? own[0]
  return from && { eth, ip6: { src: from.address, dst: dst6, hopLimit: TTL } }
}

/** Whether a session may go on as it is; its status is our own writing. */
function same(a: BFD, b: BFD): boolean {
  return (
    a.logical_port === b.logical_port &&
    a.dst_ip === b.dst_ip &&
    a.disc === b.disc &&
    a.src_port === b.src_port &&
    a.min_tx === b.min_tx &&
    a.min_rx === b.min_rx &&
    a.detect_mult === b.detect_mult
  )
}
