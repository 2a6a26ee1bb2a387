import { OFPP } from '../../openflow/actions/action.ts'
import type { PortDescription } from '../../openflow/messages/message.ts'
import type { DpPort } from '../datapath/datapath.ts'
import type { Effect } from '../datapath/dependency.ts'
import type { TunnelConfig } from '../tunnels/config.ts'
import type { Bridge } from './bridge.ts'

/** OFPPC_*: what a controller may set on a port. */
export const PORT_DOWN = 1
export const NO_STP = 2
export const NO_RECV = 4
export const NO_RECV_STP = 8
export const NO_FLOOD = 16
export const NO_FWD = 32
export const NO_PACKET_IN = 64

/** OFPPS_*: what the port's state is. */
export const LINK_DOWN = 1
export const LIVE = 4

/** Counts what a port received, or sent. */
export class PortCredit implements Effect {
  constructor(
    private readonly port: BridgePort,
    private readonly received: boolean,
  ) {}

  credit(packets: number, bytes: number): void {
    if (this.received) {
      this.port.rxPackets += packets
      this.port.rxBytes += bytes
    } else {
      this.port.txPackets += packets
      this.port.txBytes += bytes
    }
  }
}

export type PortKind = 'system' | 'internal' | 'patch' | 'tunnel'

export type VlanMode = 'access' | 'trunk' | 'native-tagged' | 'native-untagged' | 'dot1q-tunnel'

/** VLANs of a port under NORMAL (ovs-vswitchd.conf.db(5), Port). */
export interface PortVlan {
  readonly mode: VlanMode
  /** Access or native VLAN; 0 for untagged trunks. */
  readonly tag: number
  /** Empty: all. */
  readonly trunks: ReadonlySet<number>
  readonly priorityTags: boolean
}

export const TRUNK_ALL: PortVlan = { mode: 'trunk', tag: 0, trunks: new Set(), priorityTags: false }

/** A port of a bridge, as OpenFlow sees it. */
export class BridgePort {
  /** The datapath port that sends for it: none for a patch port. */
  datapath: DpPort | undefined
  /** The other end of a patch port, by name. */
  peer: string | undefined
  tunnel: TunnelConfig | undefined
  vlan: PortVlan = TRUNK_ALL
  /** Ports of one Port row (a bond) share it: NORMAL treats them as one. */
  bundle: string
  config = 0
  state = 0
  /** Whether floods of NORMAL leave it out (`other_config:protected` and the like). */
  protectedPort = false
  /** Rises with every change that Interface's columns show. */
  revision = 0
  /** For patch and tunnel ports, which have no counters of the datapath of their own. */
  rxPackets = 0
  rxBytes = 0
  txPackets = 0
  txBytes = 0
  /** For bonds and fast failover: BFD's word, undefined where it does not run. */
  bfdUp: boolean | undefined = undefined

  constructor(
    readonly bridge: Bridge,
    readonly number: number,
    readonly name: string,
    readonly kind: PortKind,
    public mac: number,
    readonly created: number,
  ) {
    this.bundle = name
  }

  /** Fit to carry packets, for watch_port. */
  get live(): boolean {
    return (this.config & PORT_DOWN) === 0 && (this.state & LINK_DOWN) === 0 && this.bfdUp !== false
  }

  describe(): PortDescription {
    return {
      port: this.number,
      mac: this.mac,
      name: this.name,
      config: this.config,
      state: (this.state & ~LIVE) | (this.live ? LIVE : 0),
      current: 0,
      advertised: 0,
      supported: 0,
      peer: 0,
      currentSpeed: 0,
      maxSpeed: 0,
    }
  }

  get isLocal(): boolean {
    return this.number === OFPP.LOCAL
  }
}
