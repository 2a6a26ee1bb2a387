import { type Ipv4, isMulticastIpv4 } from '../address/ipv4.ts'
import { isMulticastMac, MAC_BROADCAST, type Mac } from '../address/mac.ts'
import type { Clock } from '../base/clock.ts'
import { type Arp, ArpOp, type Ethernet, EtherType, emitArp, parseArp } from '../packet/index.ts'
import type { NetInterface } from './interface.ts'
import { NeighborCache } from './neighbors.ts'

/** Milliseconds between two defences of an address (RFC 5227 §1.1 DEFEND_INTERVAL). */
const DEFEND_INTERVAL = 10_000

/** ARP on one interface: resolves, answers, announces, probes, and defends its own addresses. */
export class ArpResponder {
  readonly cache: NeighborCache
  /** Somebody else uses an address of this interface. */
  onConflict: ((ip: Ipv4, mac: Mac) => void) | undefined
  /** Addresses answered for besides the interface's own, or others' (proxy ARP). */
  answersFor: ((ip: Ipv4) => boolean) | undefined
  private readonly defended = new Map<Ipv4, number>()
  private readonly probes = new Map<Ipv4, (mac: Mac) => void>()

  constructor(
    private readonly clock: Clock,
    private readonly link: NetInterface,
  ) {
    this.cache = new NeighborCache(clock, (ip, known) => {
      if (typeof ip === 'number') this.request(ip, known)
    })
  }

  private request(tpa: Ipv4, known: Mac | undefined): void {
    const source = this.link.onLink(tpa) ?? this.link.addresses.find((p) => p.family === 4)
    const spa = source?.family === 4 ? source.address : 0
    this.send(known ?? MAC_BROADCAST, { op: ArpOp.request, sha: this.link.mac, spa, tha: known ?? 0, tpa })
  }

  private send(dst: Mac, arp: Arp): void {
    this.link.send(dst, EtherType.arp, emitArp(arp))
  }

  /** A gratuitous request: "this address is here" (RFC 5227 §3). */
  announce(ip: Ipv4): void {
    this.send(MAC_BROADCAST, { op: ArpOp.request, sha: this.link.mac, spa: ip, tha: 0, tpa: ip })
  }

  /**
   * Asks whether an address is free (RFC 5227 §2.1): `count` probes, `interval` milliseconds apart.
   * Calls back with the MAC address of who has it, or undefined.
   */
  probe(ip: Ipv4, count: number, interval: number, done: (conflict: Mac | undefined) => void): void {
    let left = count
    const step = () => {
      if (!this.probes.has(ip)) return
      if (left-- > 0) {
        this.send(MAC_BROADCAST, { op: ArpOp.request, sha: this.link.mac, spa: 0, tha: 0, tpa: ip })
        this.clock.after(interval, step)
        return
      }
      this.probes.delete(ip)
      done(undefined)
    }
    this.probes.set(ip, (mac) => {
      this.probes.delete(ip)
      done(mac)
    })
    step()
  }

  receive(eth: Ethernet): void {
    const parsed = parseArp(eth.payload)
    if (!parsed.ok) return
    const arp = parsed.value
    if ((arp.op !== ArpOp.request && arp.op !== ArpOp.reply) || isMulticastMac(arp.sha) || isMulticastIpv4(arp.spa))
      return
    if (arp.sha === this.link.mac) return
    // RFC 5227 §2.1.1: another host's probe for the same address is a conflict too.
    const probed = this.probes.get(arp.spa || arp.tpa)
    if (probed && (arp.spa !== 0 || arp.op === ArpOp.request)) probed(arp.sha)
    if (arp.spa !== 0 && this.link.has(arp.spa)) {
      this.conflict(arp.spa, arp.sha)
      return
    }
    const forUs = this.link.has(arp.tpa)
    if (arp.spa !== 0) {
      const confirmed = arp.op === ArpOp.reply && (forUs || eth.dst === this.link.mac)
      this.cache.learn(arp.spa, arp.sha, { create: forUs && arp.op === ArpOp.request, confirmed })
    }
    if (arp.op === ArpOp.request && (forUs || this.answersFor?.(arp.tpa))) {
      this.send(arp.sha, { op: ArpOp.reply, sha: this.link.mac, spa: arp.tpa, tha: arp.sha, tpa: arp.spa })
    }
  }

  /** RFC 5227 §2.4 (b): keep the address, say so once in a while. */
  private conflict(ip: Ipv4, mac: Mac): void {
    const last = this.defended.get(ip)
    if (last === undefined || this.clock.monotonic() - last >= DEFEND_INTERVAL) {
      this.defended.set(ip, this.clock.monotonic())
      this.announce(ip)
    }
    this.onConflict?.(ip, mac)
  }
}
