import { formatIpv4 } from '../address/ipv4.ts'
import { formatIpv6 } from '../address/ipv6.ts'
import type { Result } from '../base/result.ts'
import { printArp } from './arp.ts'
import { parseBfd, printBfd } from './bfd.ts'
import { parseDhcp, printDhcp } from './dhcp.ts'
import { parseDhcp6, printDhcp6 } from './dhcpv6.ts'
import { parseDns, printDns } from './dns.ts'
import { printEthernet } from './ethernet.ts'
import { parseGeneve, printGeneve } from './geneve.ts'
import { printIcmp4 } from './icmp4.ts'
import { type Icmp6, printIcmp6 } from './icmp6.ts'
import { printIgmp } from './igmp.ts'
import { isFragment4, printIpv4 } from './ipv4.ts'
import { isFragment6, printIpv6 } from './ipv6.ts'
import { isMld, parseMld, printMld } from './mld.ts'
import { isNd, parseNd, printNd } from './nd.ts'
import { UdpPort } from './numbers.ts'
import { decodeFrame, type Packet } from './packet.ts'
import { printSctp } from './sctp.ts'
import { printTcp } from './tcp.ts'
import { printUdp, type Udp } from './udp.ts'
import { parseVxlan, printVxlan } from './vxlan.ts'

/** One line about a frame in the manner of tcpdump(8); `link` adds the Ethernet header. */
export function printFrame(frame: Uint8Array, link = false): string {
  const p = decodeFrame(frame)
  if (!p.ok) return `[${p.error}]`
  return link ? `${printEthernet(p.value.eth)}: ${printPacket(p.value)}` : printPacket(p.value)
}

export function printPacket(p: Packet): string {
  const bad = p.malformed === undefined ? '' : ` [${p.malformed}]`
  if (p.arp) return `ARP, ${printArp(p.arp)}`
  const transport = printTransport(p)
  if (p.ip4) {
    const ports = portsOf(p)
    const ends = ports
      ? `${formatIpv4(p.ip4.src)}.${ports.src} > ${formatIpv4(p.ip4.dst)}.${ports.dst}`
      : printIpv4(p.ip4)
    const whole = isFragment4(p.ip4)
      ? `ip-proto-${p.ip4.protocol}`
      : `ip-proto-${p.ip4.protocol} ${p.ip4.payload.length}`
    return `IP ${ends}: ${transport ?? whole}${bad}`
  }
  if (p.ip6) {
    const ports = portsOf(p)
    const ends = ports
      ? `${formatIpv6(p.ip6.src)}.${ports.src} > ${formatIpv6(p.ip6.dst)}.${ports.dst}`
      : printIpv6(p.ip6)
    const whole = isFragment6(p.ip6)
      ? `ip-proto-${p.ip6.protocol}`
      : `ip-proto-${p.ip6.protocol} ${p.ip6.payload.length}`
    return `IP6 ${ends}: ${transport ?? whole}${bad}`
  }
  return `ethertype 0x${p.eth.type.toString(16).padStart(4, '0')}, length ${p.eth.payload.length}${bad}`
}

function portsOf(p: Packet): { src: number; dst: number } | undefined {
  return p.udp ?? p.tcp ?? p.sctp
}

function printTransport(p: Packet): string | undefined {
  if (p.icmp4) return printIcmp4(p.icmp4)
  if (p.icmp6) return printMessage6(p.icmp6)
  if (p.igmp) return printIgmp(p.igmp)
  if (p.udp) return printDatagram(p.udp)
  if (p.tcp) return printTcp(p.tcp)
  return p.sctp && printSctp(p.sctp)
}

function printMessage6(m: Icmp6): string {
  if (isNd(m)) {
    const nd = parseNd(m)
    if (nd.ok) return `ICMP6, ${printNd(nd.value)}, length ${8 + m.payload.length}`
  }
  if (isMld(m)) {
    const mld = parseMld(m)
    if (mld.ok) return `ICMP6, ${printMld(mld.value)}, length ${8 + m.payload.length}`
  }
  return printIcmp6(m)
}

function print<T>(value: Result<T>, text: (value: T) => string): string | undefined {
  return value.ok ? text(value.value) : undefined
}

/** What a datagram carries, going by its ports; a tunnel's inner frame behind a colon. */
function printDatagram(u: Udp): string {
  const on = (...ports: number[]) => ports.includes(u.src) || ports.includes(u.dst)
  const bytes = u.payload
  const inner = (frame: Uint8Array) => printFrame(frame)
  let text: string | undefined
  if (on(UdpPort.dhcpServer, UdpPort.dhcpClient)) text = print(parseDhcp(bytes), printDhcp)
  else if (on(UdpPort.dhcp6Server, UdpPort.dhcp6Client)) text = print(parseDhcp6(bytes), printDhcp6)
  else if (on(UdpPort.dns)) text = print(parseDns(bytes), printDns)
  else if (u.dst === UdpPort.bfd) text = print(parseBfd(bytes), printBfd)
  else if (u.dst === UdpPort.geneve) text = print(parseGeneve(bytes), (g) => `${printGeneve(g)}: ${inner(g.payload)}`)
  else if (u.dst === UdpPort.vxlan) text = print(parseVxlan(bytes), (v) => `${printVxlan(v)}: ${inner(v.payload)}`)
  return text === undefined ? printUdp(u) : text
}
