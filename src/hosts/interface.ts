import { broadcastOf, formatIp, type Ip, isMulticast } from '../address/ip.ts'
import { isMulticastMac, type Mac } from '../address/mac.ts'
import { contains, type Prefix, parsePrefix } from '../address/prefix.ts'
import type { Clock } from '../base/clock.ts'
import type { Frame, FramePort } from '../base/frame.ts'
import { type Ethernet, EtherType, emitEthernet, parseEthernet, type VlanTag, vlanTag } from '../packet/index.ts'
import { type Capture, Taps } from './capture.ts'

/** Where an interface's frames go, untagged from its own point of view. */
type Transmit = (dst: Mac, src: Mac, tags: readonly VlanTag[], type: number, payload: Uint8Array) => void

/**
 * A network interface: a port, or a VLAN of another interface. It filters by destination MAC and
 * hands payloads up; addresses are kept here, what they mean is the IP layer's matter.
 */
export class NetInterface {
  readonly addresses: Prefix[] = []
  /** A cable that is not plugged: nothing goes in or out. */
  up = true
  readonly counters = { rxFrames: 0, txFrames: 0, rxBytes: 0, txBytes: 0, rxDropped: 0 }
  /** Gets the payload of each frame for this interface. */
  onPayload: ((frame: Ethernet) => void) | undefined
  private readonly vlans = new Map<number, NetInterface>()
  private readonly taps: Taps

  constructor(
    readonly name: string,
    public mac: Mac,
    /** Largest IP packet, bytes. */
    public mtu: number,
    private readonly clock: Clock,
    private readonly transmit: Transmit,
  ) {
    this.taps = new Taps(clock)
  }

  /** An interface at the end of a cable. */
  static onPort(name: string, mac: Mac, mtu: number, clock: Clock, port: FramePort): NetInterface {
    const self: NetInterface = new NetInterface(name, mac, mtu, clock, (dst, src, tags, type, payload) => {
      const frame = emitEthernet({ dst, src, tags, type, payload })
      self.taps.see(frame)
      port.send(frame)
    })
    port.onFrame = (frame) => self.receive(frame)
    return self
  }

  /** The interface for one VLAN of this one, with its own MAC address or this one's. */
  vlan(vid: number, name = `${this.name}.${vid}`, mac = this.mac, tpid: number = EtherType.vlan): NetInterface {
    const tag = vlanTag(vid, 0, tpid)
    const child = new NetInterface(name, mac, this.mtu, this.clock, (dst, src, tags, type, payload) =>
      this.output(dst, src, [tag, ...tags], type, payload),
    )
    this.vlans.set(vid, child)
    return child
  }

  /** Sends an untagged frame from this interface's address. */
  send(dst: Mac, type: number, payload: Uint8Array): void {
    this.output(dst, this.mac, [], type, payload)
  }

  private output(dst: Mac, src: Mac, tags: readonly VlanTag[], type: number, payload: Uint8Array): void {
    if (!this.up) return
    this.counters.txFrames++
    this.counters.txBytes += 14 + 4 * tags.length + payload.length
    this.transmit(dst, src, tags, type, payload)
  }

  /** A frame off the wire, whatever it is. */
  receive(frame: Frame): void {
    if (!this.up) return
    this.taps.see(frame)
    const eth = parseEthernet(frame)
    if (eth.ok) this.input(eth.value)
    else this.counters.rxDropped++
  }

  private input(eth: Ethernet): void {
    if (!this.up) return
    const tag = eth.tags[0]
    const child = tag && this.vlans.get(tag.vid)
    if (child) {
      child.input({ ...eth, tags: eth.tags.slice(1) })
      return
    }
    // A tag with VLAN 0 only carries a priority (IEEE 802.1Q §6.9).
    const foreign = tag !== undefined && (tag.vid !== 0 || eth.tags.length > 1)
    if (foreign || (eth.dst !== this.mac && !isMulticastMac(eth.dst)) || eth.src === this.mac) {
      this.counters.rxDropped++
      return
    }
    this.counters.rxFrames++
    this.counters.rxBytes += 14 + eth.payload.length
    this.onPayload?.(eth)
  }

  /** Frames in and out from now on, those for others too; of a port's interface, not of a VLAN's. */
  capture(filter?: (frame: Frame) => boolean): Capture {
    return this.taps.capture(filter)
  }

  /** `10.0.0.4/24`; false when it is there already. Throws for a text that is none. */
  addAddress(address: string | Prefix): boolean {
    const prefix = typeof address === 'string' ? parsePrefix(address) : address
    if (!prefix) throw new Error(`${address}: not an address with a prefix length`)
    if (this.has(prefix.address)) return false
    this.addresses.push(prefix)
    return true
  }

  removeAddress(ip: Ip): boolean {
    const at = this.addresses.findIndex((p) => p.address === ip)
    if (at >= 0) this.addresses.splice(at, 1)
    return at >= 0
  }

  has(ip: Ip): boolean {
    return this.addresses.some((p) => p.address === ip)
  }

  /** The own address in the network of another one, if that is on this link. */
  onLink(ip: Ip): Prefix | undefined {
    return this.addresses.find((p) => contains(p, ip))
  }

  /** The limited broadcast address or that of one of the networks here. */
  isBroadcast(ip: Ip): boolean {
    return ip === 0xffffffff || (typeof ip === 'number' && this.addresses.some((p) => broadcastOf(p) === ip))
  }

  /** Broadcast or multicast: not to be resolved, and no error may be sent about it. */
  isGroup(ip: Ip): boolean {
    return isMulticast(ip) || this.isBroadcast(ip)
  }

  toString(): string {
    return `${this.name} ${this.addresses.map((p) => `${formatIp(p.address)}/${p.length}`).join(' ')}`
  }
}
