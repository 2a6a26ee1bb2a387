import { formatIpv4 } from '../address/ipv4.ts'
import { formatIpv6 } from '../address/ipv6.ts'
import type { Random } from '../base/random.ts'
import {
  CT_STATE,
  evaluate,
  FLAG,
  type FlowState,
  formatAction,
  formatField,
  LOG_FLAGS,
  LOG_INPORT,
  LOG_OUTPORT,
  type LogicalAction,
  type MatchEnv,
  PIPELINE_LENGTH,
  type Pipeline,
} from '../logical/index.ts'
import type { Field } from '../openflow/fields/field.ts'
import { F, REGISTERS } from '../openflow/fields/table.ts'
import { applyEffect } from './effects.ts'
import { formatCtState } from './format-flow.ts'
import {
  forgetOriginal,
  icmp4Error,
  icmp6Error,
  makeArp,
  makeNeighbourAdvertisement,
  makeNeighbourSolicitation,
  rememberOriginal,
  tcpReset,
} from './packets.ts'
import type { Datapath, Flow, Port, TraceModel } from './southbound.ts'
import { add, type TraceNode } from './tree.ts'

export interface TraceOptions {
  /** What each ct_next and its like report, in order; then `est|trk`. */
  readonly ct: readonly bigint[]
  readonly lbDst?: { readonly family: 4 | 6; readonly address: bigint; readonly port: number }
  readonly selectId?: number
  readonly friendlyNames: boolean
  /** Chooses backends and members where no option does. */
  readonly random: Random
}

const TRK = 1n << BigInt(CT_STATE.trk)
const DNAT = 1n << BigInt(CT_STATE.dnat)
const SNAT = 1n << BigInt(CT_STATE.snat)
const DEFAULT_CT = TRK | (1n << BigInt(CT_STATE.est))
const CUSTOMIZE = ' /* default (use --ct to customize) */'
// Beyond these, a network forwards in a circle.
/** Flows hit one after the other. */
const MAX_DEPTH = 1500
/** Pipelines and copies inside each other. */
const MAX_NESTING = 150
/** Flows hit, each as often as pipelines are around it: a flood of a large network is fine, a circle that doubles is not. */
const MAX_WORK = 2_000_000
const CIRCLE = '*** packet goes in circles'

/** Where a list of actions stands. */
interface Place {
  readonly datapath: Datapath
  readonly pipeline: Pipeline
  readonly table: number
}

/** Follows one packet through the logical pipelines (ovn-trace(8)). */
export class Tracer {
  private ctUsed = 0
  private depth = 0
  private work = 0
  private nesting = 0

  constructor(
    private readonly model: TraceModel,
    private readonly options: TraceOptions,
  ) {}

  portName(port: Port | undefined): string {
    return port ? ((this.options.friendlyNames ? port.friendly : undefined) ?? port.name) : ''
  }

  datapathName(datapath: Datapath): string {
    return (this.options.friendlyNames ? datapath.friendly : undefined) ?? datapath.name
  }

  /** Puts the names for people into a match or an action. */
  private friendly(text: string): string {
    if (!this.options.friendlyNames || !text.includes('"')) return text
    return text.replace(/"([^"\\]*)"/g, (quoted, name: string) => {
      const friendly = this.model.ports.get(name)?.friendly
      return friendly === undefined ? quoted : `"${friendly}"`
    })
  }

  private env(datapath: Datapath): MatchEnv {
    return {
      lookupPort: (name) => (name === '' ? 0 : datapath.keys.get(name)),
      isChassisResident: (name) => this.model.ports.has(name),
    }
  }

  private nextCt(): { readonly state: bigint; readonly comment: string } {
    const given = this.options.ct[this.ctUsed++]
    return given === undefined ? { state: DEFAULT_CT, comment: CUSTOMIZE } : { state: given | TRK, comment: '' }
  }

  start(datapath: Datapath, state: FlowState): TraceNode[] {
    const nodes: TraceNode[] = []
    const port = datapath.portsByKey.get(Number(state.read(LOG_INPORT)))
    const inside = add(
      nodes,
      'pipeline',
      `ingress(dp="${this.datapathName(datapath)}", inport="${this.portName(port)}")`,
    )
    this.trace(datapath, state, 'ingress', 0, inside)
    return nodes
  }

  private trace(datapath: Datapath, state: FlowState, pipeline: Pipeline, from: number, siblings: TraceNode[]): void {
    if (this.nesting >= MAX_NESTING || this.work >= MAX_WORK) {
      add(siblings, 'error', CIRCLE)
      return
    }
    const outer = this.depth
    this.nesting++
    const env = this.env(datapath)
    let at = siblings
    for (let table = from; table < PIPELINE_LENGTH[pipeline]; ) {
      const flows = datapath.flows.get(`${pipeline} ${table}`) ?? []
      const flow = flows.find((f) => evaluate(f.match, state, env))
      if (!flow) {
        const stage = flows[0]?.stage
        add(at, 'table', `${number(table)}${stage ? `${stage}: ` : ''}no match (implicit drop)`)
        break
      }
      const [only, more] = flow.actions
      if (
        flow.matchText === '1' &&
        only?.type === 'next' &&
        !more &&
        only.pipeline === pipeline &&
        only.table === table + 1
      ) {
        // A flow that matches all and only goes on is not worth a line.
        table++
        continue
      }
      this.work += this.nesting
      if (this.work >= MAX_WORK || ++this.depth >= MAX_DEPTH) {
        add(at, 'error', CIRCLE)
        break
      }
      const inside = add(at, 'table', this.heading(flow))
      const goesOn = this.execute(flow.actions, state, { datapath, pipeline, table }, inside)
      if (goesOn === undefined) break
      at = inside
      table = goesOn
    }
    this.depth = outer
    this.nesting--
  }

  private heading(flow: Flow): string {
    const stage = flow.stage && flow.source ? `${flow.stage} (${flow.source}): ` : flow.stage ? `${flow.stage}: ` : ''
    const match = this.friendly(flow.matchText)
    return `${number(flow.table)}${stage}${match}, priority ${flow.priority}, uuid ${flow.uuid.slice(0, 8)}`
  }

  /** The table in which a last `next` goes on with the same packet; undefined where there is none. */
  private execute(
    actions: readonly LogicalAction[],
    state: FlowState,
    at: Place,
    siblings: TraceNode[],
    nested = false,
  ): number | undefined {
    if (actions.length === 0) {
      add(siblings, 'action', 'drop;')
      return undefined
    }
    for (const [i, a] of actions.entries()) {
      add(siblings, 'action', this.friendly(formatAction(a, at)))
      if (!nested && a.type === 'next' && a.pipeline === at.pipeline && i === actions.length - 1) return a.table
      if (!this.run(a, state, at, siblings)) return undefined
    }
    return undefined
  }

  /** False: the packet ends here. */
  private run(a: LogicalAction, state: FlowState, at: Place, siblings: TraceNode[]): boolean {
    const { datapath, pipeline, table } = at
    switch (a.type) {
      case 'next':
        if (a.pipeline === pipeline) this.trace(datapath, state.clone(), pipeline, a.table, siblings)
        else this.jump(a.pipeline, a.table, state, datapath, siblings)
        return true
      case 'output':
        this.output(state, at, siblings)
        return true
      case 'clone':
        this.execute(a.actions, state.clone(), at, add(siblings, 'transformation', 'clone'), true)
        return true
      case 'arp':
      case 'icmp4':
      case 'icmp4_error':
      case 'icmp6':
      case 'icmp6_error':
      case 'tcp_reset':
      case 'sctp_abort':
      case 'nd_na':
      case 'nd_na_router':
      case 'nd_ns':
      case 'reject':
        this.transform(a, state, at, siblings)
        return true
      case 'ct_next': {
        const { state: flags, comment } = this.nextCt()
        const name = `ct_next(ct_state=${formatCtState(flags)}${comment})`
        this.goOn(state, at, add(siblings, 'transformation', name), (s) => s.write(F.ct_state, flags))
        return true
      }
      case 'ct_commit_to_zone': {
        const { state: flags, comment } = this.nextCt()
        const name = `ct_commit_to_zone(${a.zone})${comment}`
        this.goOn(state, at, add(siblings, 'transformation', name), (s) => s.write(F.ct_state, flags))
        return true
      }
      case 'ct_dnat':
      case 'ct_snat':
      case 'ct_dnat_in_czone':
      case 'ct_snat_in_czone':
        this.nat(a, state, at, siblings)
        return true
      case 'ct_commit_nat': {
        const tracked = this.track(state)
        const name = `ct_commit_nat /* assuming no un-nat entry, so no change */${tracked.comment}`
        this.goOn(state, at, add(siblings, 'transformation', name), (s) => s.write(F.ct_state, tracked.state))
        return true
      }
      case 'ct_lb':
      case 'ct_lb_mark':
      case 'ct_lb_mark_local':
        this.balance(a, state, at, siblings)
        return true
      case 'select': {
        const given = a.values.find((v) => v.id === this.options.selectId)
        const chosen = given ?? a.values[this.options.random.u32() % a.values.length]
        const id = chosen?.id ?? 0
        const comment = given ? '' : ' /* Randomly selected. Use --select-id to specify. */'
        const inside = add(siblings, 'transformation', `select: ${formatField(a.dst)} = ${id}${comment}`)
        this.goOn(state, at, inside, (s) => s.set(a.dst, BigInt(id)))
        return true
      }
      case 'mirror':
        this.mirror(a.port, state, at, siblings)
        return true
      default: {
        // What is neither needs state that a trace does not have, or none at all: a no-op.
        const effect = applyEffect(
          a,
          state,
          { model: this.model, datapath, pipeline, table, env: this.env(datapath) },
          siblings,
        )
        return effect !== 'end'
      }
    }
  }

  /** After an action that leads on by itself: a copy, changed, in the next table. */
  private goOn(state: FlowState, at: Place, inside: TraceNode[], change: (state: FlowState) => void): void {
    const copy = state.clone()
    if (state.read(F.ct_state) === 0n) rememberOriginal(copy)
    change(copy)
    if (copy.read(F.ct_state) === 0n) forgetOriginal(copy)
    this.trace(at.datapath, copy, at.pipeline, at.table + 1, inside)
  }

  private jump(pipeline: Pipeline, table: number, state: FlowState, datapath: Datapath, siblings: TraceNode[]): void {
    const key = Number(state.read(pipeline === 'ingress' ? LOG_INPORT : LOG_OUTPORT))
    const side = pipeline === 'ingress' ? 'inport' : 'outport'
    const name = this.portName(datapath.portsByKey.get(key))
    const inside = add(siblings, 'pipeline', `${pipeline}(dp="${this.datapathName(datapath)}", ${side}="${name}")`)
    this.trace(datapath, state.clone(), pipeline, table, inside)
  }

  /** The connection's state for an action that only sets it where nothing did before. */
  private track(state: FlowState): { readonly state: bigint; readonly comment: string } {
    const old = state.read(F.ct_state)
    return old & TRK ? { state: old, comment: '' } : this.nextCt()
  }

  private nat(
    a: Extract<LogicalAction, { type: 'ct_dnat' | 'ct_snat' | 'ct_dnat_in_czone' | 'ct_snat_in_czone' }>,
    state: FlowState,
    at: Place,
    siblings: TraceNode[],
  ): void {
    const destination = a.type.startsWith('ct_dnat')
    if (!a.address && !destination && at.datapath.gateway) {
      // ovn-trace(8): ct_snat without an address does nothing on a gateway router.
      note(siblings, 'ct_snat has no visible effect in a gateway router.')
      this.trace(at.datapath, state.clone(), at.pipeline, at.table + 1, siblings)
      return
    }
    const letter = destination ? 'd' : 's'
    const verb = `ct_${letter}nat${a.type.endsWith('_in_czone') ? 'in_czone' : ''}`
    const tracked = this.track(state)
    const side = destination ? 'dst' : 'src'
    const name = a.address
      ? `${verb}(ip${a.address.family}.${side}=${a.address.family === 4 ? formatIpv4(Number(a.address.value)) : formatIpv6(a.address.value)})`
      : `${verb} /* assuming no un-${letter}nat entry, so no change */`
    this.goOn(state, at, add(siblings, 'transformation', name + tracked.comment), (s) => {
      s.write(F.ct_state, tracked.state)
      if (!a.address) return
      const v4 = a.address.family === 4
      s.write(destination ? (v4 ? F.ip_dst : F.ipv6_dst) : v4 ? F.ip_src : F.ipv6_src, a.address.value)
      s.write(F.ct_state, tracked.state | (destination ? DNAT : SNAT))
    })
  }

  private balance(
    a: Extract<LogicalAction, { type: 'ct_lb' | 'ct_lb_mark' | 'ct_lb_mark_local' }>,
    state: FlowState,
    at: Place,
    siblings: TraceNode[],
  ): void {
    const v4 = state.read(F.eth_type) === 0x800n
    const wanted = this.options.lbDst
    let target: { readonly address: bigint; readonly port: number } | undefined
    if (a.backends.length) {
      const here = a.backends.filter((b) => b.lport === undefined || this.model.ports.has(b.lport))
      const given = here.find(
        (b) =>
          wanted && b.address.family === wanted.family && b.address.value === wanted.address && b.port === wanted.port,
      )
      const chosen = given ?? here[here.length > 1 ? this.options.random.u32() % here.length : 0]
      if (chosen) target = { address: chosen.address.value, port: chosen.port }
    } else if (wanted && wanted.family === (v4 ? 4 : 6)) target = wanted
    const { state: flags, comment } = this.nextCt()
    this.goOn(state, at, add(siblings, 'transformation', `${a.type}${comment}`), (s) => {
      let ct = s.read(F.ct_state) | flags
      if (target) {
        s.write(v4 ? F.ip_dst : F.ipv6_dst, target.address)
        const proto = s.read(F.nw_proto)
        const field: Field | undefined =
          proto === 6n ? F.tcp_dst : proto === 17n ? F.udp_dst : proto === 132n ? F.sctp_dst : undefined
        if (target.port && field) s.write(field, BigInt(target.port))
        ct |= DNAT
      }
      s.write(F.ct_state, ct)
    })
  }

  private transform(
    a: Extract<LogicalAction, { readonly actions: readonly LogicalAction[] }>,
    state: FlowState,
    at: Place,
    siblings: TraceNode[],
  ): void {
    const packet = state.clone()
    const v4 = state.read(F.eth_type) === 0x800n
    let name: string = a.type
    switch (a.type) {
      case 'arp':
        makeArp(packet)
        break
      case 'nd_ns':
        makeNeighbourSolicitation(packet)
        break
      case 'nd_na':
      case 'nd_na_router':
        name = 'nd_na'
        makeNeighbourAdvertisement(packet)
        break
      case 'icmp4':
      case 'icmp4_error':
        name = 'icmp4'
        icmp4Error(packet)
        break
      case 'icmp6':
      case 'icmp6_error':
        name = 'icmp6'
        icmp6Error(packet)
        break
      case 'tcp_reset':
        tcpReset(packet)
        break
      case 'reject':
        name =
          state.read(F.nw_proto) === 6n
            ? 'tcp_reset'
            : state.read(F.nw_proto) === 132n
              ? 'sctp_abort'
              : v4
                ? 'icmp4'
                : 'icmp6'
        if (name === 'icmp4') icmp4Error(packet)
        else if (name === 'icmp6') icmp6Error(packet)
        else if (name === 'tcp_reset') tcpReset(packet)
        swapEnds(packet, v4)
        break
    }
    this.execute(a.actions, packet, at, add(siblings, 'transformation', name), true)
  }

  private mirror(name: string, state: FlowState, at: Place, siblings: TraceNode[]): void {
    const mirror = at.datapath.keys.get(name)
    const port = mirror === undefined ? undefined : at.datapath.portsByKey.get(mirror)
    if (!port) {
      add(siblings, 'error', '/* omitting output because no taget port found. */')
      return
    }
    const copy = state.clone()
    copy.write(LOG_OUTPORT, BigInt(port.key))
    this.trace(at.datapath, copy, 'egress', 0, add(siblings, 'transformation', 'clone'))
  }

  private output(state: FlowState, at: Place, siblings: TraceNode[]): void {
    const { datapath } = at
    const key = Number(state.read(LOG_OUTPORT))
    const group = datapath.groupsByKey.get(key)
    const port = datapath.portsByKey.get(key)
    if (key === 0) add(siblings, 'error', '*** output to null logical port')
    else if (!port && (at.pipeline === 'egress' || !group)) {
      add(siblings, 'error', `*** unknown port or multicast group ${key}`)
    } else if (at.pipeline === 'egress') this.deliver(state, port as Port, siblings)
    else if (group && !port) {
      const name = `multicast(dp="${this.datapathName(datapath)}", mcgroup="${group.name}")`
      const inside = add(siblings, 'pipeline', name)
      for (const member of group.ports) {
        const heading = this.egressName(state, datapath, member)
        this.egress(state, datapath, member, add(inside, 'pipeline', heading, !this.hairpins(state, member)))
      }
    } else this.toPort(state, datapath, port as Port, siblings)
  }

  private toPort(state: FlowState, datapath: Datapath, port: Port, siblings: TraceNode[]): void {
    let to = port
    if (port.type === 'chassisredirect') {
      const name = port.options.get('distributed-port')
      const peer = name === undefined ? undefined : this.model.ports.get(name)
      if (!peer || peer.datapath !== datapath) {
        add(
          siblings,
          'error',
          `*** output to type "${port.type}" port "${this.portName(port)}" with no or invalid distributed port`,
        )
        return
      }
      remark(
        siblings,
        `Replacing type "${port.type}" outport "${this.portName(port)}" with distributed port "${this.portName(peer)}".`,
      )
      to = peer
    }
    if (this.hairpins(state, to)) {
      remark(siblings, 'omitting output because inport == outport && !flags.loopback')
      return
    }
    this.egress(state, datapath, to, add(siblings, 'pipeline', this.egressName(state, datapath, to)))
  }

  private hairpins(state: FlowState, port: Port): boolean {
    const loopback = (state.read(LOG_FLAGS) >> BigInt(FLAG.loopback)) & 1n
    return state.read(LOG_INPORT) === BigInt(port.key) && loopback === 0n
  }

  private egressName(state: FlowState, datapath: Datapath, port: Port): string {
    const from = this.portName(datapath.portsByKey.get(Number(state.read(LOG_INPORT))))
    return `egress(dp="${this.datapathName(datapath)}", inport="${from}", outport="${this.portName(port)}")`
  }

  private egress(state: FlowState, datapath: Datapath, port: Port, inside: TraceNode[]): void {
    if (this.hairpins(state, port)) {
      remark(inside, 'omitting output because inport == outport && !flags.loopback')
      return
    }
    const copy = state.clone()
    clearRegisters(copy)
    copy.write(LOG_OUTPORT, BigInt(port.key))
    this.trace(datapath, copy, 'egress', 0, inside)
  }

  /** Out of the egress pipeline: to a neighbour datapath, or out of the network. */
  private deliver(state: FlowState, port: Port, siblings: TraceNode[]): void {
    remark(siblings, `output to "${this.portName(port)}", type "${port.type}"`)
    const peerName = port.options.get('peer')
    const peer =
      (port.type === 'patch' || port.type === 'l3gateway') && peerName ? this.model.ports.get(peerName) : undefined
    if (!peer) {
      add(siblings, 'output', `output("${this.portName(port)}")`)
      return
    }
    const copy = state.clone()
    clearRegisters(copy)
    copy.write(LOG_FLAGS, 0n)
    copy.write(LOG_INPORT, BigInt(peer.key))
    copy.write(LOG_OUTPORT, 0n)
    const name = `ingress(dp="${this.datapathName(peer.datapath)}", inport="${this.portName(peer)}")`
    this.trace(peer.datapath, copy, 'ingress', 0, add(siblings, 'pipeline', name))
  }
}

const number = (table: number) => `${String(table).padStart(2)}. `

/** What came of an action. */
function note(siblings: TraceNode[], text: string): void {
  add(siblings, 'action', `/* ${text} */`)
}

/** What becomes of output. */
function remark(siblings: TraceNode[], text: string): void {
  add(siblings, 'remark', `/* ${text} */`)
}

function clearRegisters(state: FlowState): void {
  for (const field of REGISTERS.slice(0, 10)) state.write(field, 0n)
}

function swapEnds(s: FlowState, v4: boolean): void {
  const swap = (a: Field, b: Field) => {
    const x = s.read(a)
    s.write(a, s.read(b))
    s.write(b, x)
  }
  swap(F.eth_src, F.eth_dst)
  swap(v4 ? F.ip_src : F.ipv6_src, v4 ? F.ip_dst : F.ipv6_dst)
}
