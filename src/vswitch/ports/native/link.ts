import { existsSync, readFileSync } from 'node:fs'
import { AF_INET, type Libc, SOCK_DGRAM } from './libc.ts'

// netdevice(7)
const SIOCGIFFLAGS = 0x8913
const SIOCSIFFLAGS = 0x8914
const SIOCGIFMTU = 0x8921
const SIOCSIFMTU = 0x8922
const SIOCSIFHWADDR = 0x8924
const SIOCGIFHWADDR = 0x8927
const SIOCGIFINDEX = 0x8933
const IFF_UP = 1
const IFF_RUNNING = 0x40
const NAME = 16

/** A request about an interface: its name, and room for the answer. */
export function request(name: string): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(40)
  bytes.set(new TextEncoder().encode(name).subarray(0, NAME - 1))
  return { bytes, view: new DataView(bytes.buffer) }
}

/** Reads and sets what the kernel knows of its interfaces. */
export class Links {
  private fd = -1
  constructor(private readonly c: Libc) {}

  private call(number: number, r: { bytes: Uint8Array }): boolean {
    if (this.fd < 0) this.fd = this.c.socket(AF_INET, SOCK_DGRAM, 0)
    return this.c.ioctl(this.fd, number, r.bytes) === 0
  }

  /** Undefined: there is no such interface. */
  index(name: string): number | undefined {
    const r = request(name)
    return this.call(SIOCGIFINDEX, r) ? r.view.getInt32(NAME, true) : undefined
  }

  mac(name: string): number {
    const r = request(name)
    if (!this.call(SIOCGIFHWADDR, r)) return 0
    return r.view.getUint16(NAME + 2) * 0x1_0000_0000 + r.view.getUint32(NAME + 4)
  }

  setMac(name: string, mac: number): boolean {
    const r = request(name)
    r.view.setUint16(NAME, 1, true)
    r.view.setUint16(NAME + 2, Math.floor(mac / 0x1_0000_0000))
    r.view.setUint32(NAME + 4, mac % 0x1_0000_0000)
    return this.call(SIOCSIFHWADDR, r)
  }

  mtu(name: string): number {
    const r = request(name)
    return this.call(SIOCGIFMTU, r) ? r.view.getInt32(NAME, true) : 1500
  }

  setMtu(name: string, mtu: number): boolean {
    const r = request(name)
    r.view.setInt32(NAME, mtu, true)
    return this.call(SIOCSIFMTU, r)
  }

  private flags(name: string): number | undefined {
    const r = request(name)
    return this.call(SIOCGIFFLAGS, r) ? r.view.getInt16(NAME, true) : undefined
  }

  /** Administratively up and with a carrier. */
  up(name: string): boolean {
    const f = this.flags(name)
    return f !== undefined && (f & IFF_UP) !== 0 && (f & IFF_RUNNING) !== 0
  }

  setUp(name: string, up: boolean): void {
    const f = this.flags(name)
    if (f === undefined) return
    const r = request(name)
    r.view.setInt16(NAME, up ? f | IFF_UP : f & ~IFF_UP, true)
    this.call(SIOCSIFFLAGS, r)
  }

  driver(name: string): string {
    try {
      const event = readFileSync(`/sys/class/net/${name}/uevent`, 'utf8')
      return /^DEVTYPE=(.*)$/m.exec(event)?.[1] ?? (existsSync(`/sys/class/net/${name}/device`) ? 'nic' : 'veth')
    } catch {
      return 'unknown'
    }
  }
}
