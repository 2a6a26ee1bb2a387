import type { Clock, Timer } from '../../../base/clock.ts'
import type { Device, DeviceDriver } from '../device.ts'
import { AF_PACKET, type Libc, libc, O_NONBLOCK, O_RDWR, SOCK_NONBLOCK, SOCK_RAW } from './libc.ts'
import { Links, request } from './link.ts'

const ETH_P_ALL = 0x0003
const SOL_PACKET = 263
const PACKET_ADD_MEMBERSHIP = 1
const PACKET_AUXDATA = 8
const PACKET_IGNORE_OUTGOING = 23
const PACKET_MR_PROMISC = 1
const TUNSETIFF = 0x400454ca
const TUNSETOFFLOAD = 0x400454d0
const IFF_TAP = 2
const IFF_NO_PI = 0x1000

/** Frames read at one go, so that one busy port does not starve the others. */
const BATCH = 64
const LARGEST = 65_600
/** How often links are looked at, milliseconds: netlink would tell at once, and costs a socket more. */
const LOOK = 500

abstract class NativeDevice implements Device {
  onFrame: ((frame: Uint8Array) => void) | undefined
  onChange: (() => void) | undefined
  up: boolean
  mtu: number
  abstract readonly driver: string
  private stopReading: (() => void) | undefined
  protected readonly buffer = new Uint8Array(LARGEST)

  constructor(
    protected readonly c: Libc,
    protected readonly links: Links,
    protected readonly fd: number,
    readonly name: string,
    readonly mac: number,
    readonly index: number,
  ) {
    this.up = links.up(name)
    this.mtu = links.mtu(name)
    this.stopReading = c.readable(fd, () => this.readMany())
  }

  setMtu(mtu: number): void {
    this.links.setMtu(this.name, mtu)
    this.mtu = this.links.mtu(this.name)
  }

  setUp(up: boolean): void {
    this.links.setUp(this.name, up)
  }

  /** Looks whether the link changed. */
  look(): void {
    const up = this.links.up(this.name)
    const mtu = this.links.mtu(this.name)
    if (up === this.up && mtu === this.mtu) return
    this.up = up
    this.mtu = mtu
    this.onChange?.()
  }

  protected abstract readOne(): Uint8Array | undefined

  private readMany(): void {
    for (let i = 0; i < BATCH; i++) {
      const frame = this.readOne()
      if (!frame) return
      this.onFrame?.(frame)
    }
  }

  send(frame: Uint8Array): void {
    this.c.write(this.fd, frame, frame.length)
  }

  close(): void {
    this.stopReading?.()
    this.stopReading = undefined
    this.c.close(this.fd)
  }
}

class PacketDevice extends NativeDevice {
  get driver(): string {
    return this.links.driver(this.name)
  }

  protected readOne(): Uint8Array | undefined {
    const { length, tag } = this.c.receive(this.fd, this.buffer)
    if (length < 14) return undefined
    if (!tag) return this.buffer.slice(0, length)
    // the kernel took the tag off: put it back where it was
    const frame = new Uint8Array(length + 4)
    frame.set(this.buffer.subarray(0, 12))
    new DataView(frame.buffer).setUint32(12, tag)
    frame.set(this.buffer.subarray(12, length), 16)
    return frame
  }
}

class TapDevice extends NativeDevice {
  readonly driver = 'tun'

  protected readOne(): Uint8Array | undefined {
    const length = this.c.read(this.fd, this.buffer, LARGEST)
    return length < 14 ? undefined : this.buffer.slice(0, length)
  }
}

/**
 * Devices of a Linux host: `system` ones are network interfaces that exist, read and written through
 * AF_PACKET; `internal` and `tap` ones are made, as taps. Needs root or CAP_NET_ADMIN and CAP_NET_RAW.
 */
export class NativeDriver implements DeviceDriver {
  readonly types = ['system', 'internal', 'tap']
  private readonly open_ = new Set<NativeDevice>()
  private timer: Timer | undefined
  /** Called when a link changed, or an interface came or went. */
  onLinks: (() => void) | undefined
  private known = ''

  private constructor(
    private readonly c: Libc,
    private readonly links: Links,
    private readonly clock: Clock,
    private readonly names: () => string[],
  ) {
    this.watch()
  }

  /** @param names lists the host's interfaces: when they change, ports that had no device are tried again. */
  static make(clock: Clock, names: () => string[]): NativeDriver | Error {
    const c = libc()
    return c instanceof Error ? c : new NativeDriver(c, new Links(c), clock, names)
  }

  private watch(): void {
    this.timer = this.clock.after(LOOK, () => {
      for (const d of this.open_) d.look()
      const now = this.names().join()
      if (now !== this.known) {
        this.known = now
        this.onLinks?.()
      }
      this.watch()
    })
  }

  private failure(name: string, what: string): { readonly error: string } {
    const text = this.c.errorText(this.c.errno())
    return { error: `${what} ${name} (${text})` }
  }

  open(
    name: string,
    type: string,
    options: { readonly mac: number; readonly mtu: number | undefined },
  ): Device | { readonly error: string } {
    const device = type === 'system' ? this.openPacket(name) : this.openTap(name, options.mac)
    if ('error' in device) return device
    if (options.mtu !== undefined) device.setMtu(options.mtu)
    this.open_.add(device)
    const close = device.close.bind(device)
    device.close = () => {
      this.open_.delete(device)
      close()
    }
    return device
  }

  private openPacket(name: string): NativeDevice | { readonly error: string } {
    const index = this.links.index(name)
    if (index === undefined) return { error: `could not open network device ${name} (No such device)` }
    const big = ((ETH_P_ALL & 0xff) << 8) | (ETH_P_ALL >> 8)
    const fd = this.c.socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0)
    if (fd < 0) return this.failure(name, 'could not open network device')
    const on = new Uint8Array([1, 0, 0, 0])
    this.c.setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, on, 4)
    this.c.setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, on, 4)
    const membership = new Uint8Array(16)
    const m = new DataView(membership.buffer)
    m.setInt32(0, index, true)
    m.setUint16(4, PACKET_MR_PROMISC, true)
    this.c.setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership, membership.length)
    // struct sockaddr_ll
    const address = new Uint8Array(20)
    const a = new DataView(address.buffer)
    a.setUint16(0, AF_PACKET, true)
    a.setUint16(2, big, true)
    a.setInt32(4, index, true)
    if (this.c.bind(fd, address, address.length) !== 0) {
      const e = this.failure(name, 'could not open network device')
      this.c.close(fd)
      return e
    }
    return new PacketDevice(this.c, this.links, fd, name, this.links.mac(name), index)
  }

  private openTap(name: string, mac: number): NativeDevice | { readonly error: string } {
    const fd = this.c.open('/dev/net/tun', O_RDWR | O_NONBLOCK)
    if (fd < 0) return this.failure('/dev/net/tun', 'opening')
    const r = request(name)
    r.view.setUint16(16, IFF_TAP | IFF_NO_PI, true)
    if (this.c.ioctl(fd, TUNSETIFF, r.bytes) !== 0) {
      const e = this.failure(name, 'could not create tap device')
      this.c.close(fd)
      return e
    }
    // Frames have no room for offloads here: the kernel must finish checksums and segments itself.
    this.c.ioctl(fd, TUNSETOFFLOAD, null)
    this.links.setMac(name, mac)
    return new TapDevice(this.c, this.links, fd, name, this.links.mac(name), this.links.index(name) ?? 0)
  }

  close(): void {
    this.timer?.cancel()
    for (const d of [...this.open_]) d.close()
  }
}
