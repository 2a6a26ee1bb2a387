import { formatIp, parseIp } from '../../address/ip.ts'
import { formatMac } from '../../address/mac.ts'
import { concatBytes } from '../../base/bytes.ts'
import type { Capture } from '../../hosts/index.ts'
import { decodeFrame, type Packet } from '../../packet/index.ts'
import type { Guest } from '../guest.ts'
import type { Sandbox } from '../sandbox.ts'
import { DEMO } from './network.ts'

/** The network of the demo with its machines plugged in. */
export interface Demo {
  readonly sandbox: Sandbox
  readonly vm1: Guest
  readonly vm2: Guest
  readonly outside: Guest
}

/** One thing that is shown to happen: resolves with a detail for the reader, rejects with why not. */
export interface Check {
  readonly name: string
  run(demo: Demo): Promise<string>
}

/** The packets of a capture, taken apart. */
function packets(capture: Capture): Packet[] {
  return capture.frames.flatMap(({ frame }) => {
    const p = decodeFrame(frame)
    return p.ok ? [p.value] : []
  })
}

function expectThat(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise)
}

function same(what: string, got: unknown, want: unknown): void {
  expectThat(got === want, `${what} is ${String(got)}, not ${String(want)}`)
}

/** An echo request as text: `fa:16:3e:... > ... vlan 10 ttl 63 172.16.0.110 > 172.16.0.100`. */
function describe(p: Packet): string {
  const vlan = p.eth.tags.map((t) => `vlan ${t.vid} `).join('')
  const ip = p.ip4 ? `ttl ${p.ip4.ttl} ${formatIp(p.ip4.src)} > ${formatIp(p.ip4.dst)}` : ''
  return `${formatMac(p.eth.src)} > ${formatMac(p.eth.dst)} ${vlan}${ip}`
}

const ECHO_REQUEST = 8

/** Pings, and gives the echo requests that `capture` saw meanwhile. */
async function pingSeenBy(
  from: Guest,
  to: string,
  capture: Capture,
): Promise<{ ttl: number | undefined; rtt: number | undefined; requests: Packet[] }> {
  const r = await from.ping(to, { timeout: 3000 })
  capture.stop()
  expectThat(r.received === 1, `no answer from ${to}: ${r.error ?? 'lost'}`)
  return { ttl: r.ttl, rtt: r.rtt, requests: packets(capture).filter((p) => p.icmp4?.type === ECHO_REQUEST) }
}

/** The chassis that has the gateway port. */
function gateway(s: Sandbox): string | undefined {
  for (const row of s.sb.table('Port_Binding').values()) {
    if (row.logical_port === 'cr-lrp-public' && row.chassis !== undefined)
      return s.sb.table('Chassis').get(row.chassis)?.name
  }
  return undefined
}

function dhcpCheck(which: 'vm1' | 'vm2'): Check {
  return {
    name: `dhcp-${which}`,
    async run(demo) {
      const lease = await demo[which].dhcp()
      const { ip, chassis } = DEMO[which]
      same('the address', `${lease.address}/${lease.prefixLength}`, `${ip}/24`)
      same('the router', lease.router, DEMO.lease.router)
      same('the MTU', lease.mtu, DEMO.lease.mtu)
      same('the lease time', lease.leaseTime, DEMO.lease.time)
      same('the server identifier', lease.server, DEMO.lease.server)
      return `${which} got ${lease.address} from ${lease.server}, answered on ${chassis}: router ${lease.router}, MTU ${lease.mtu}, ${lease.leaseTime} s`
    },
  }
}

/** vm1 pings outside: what leaves by `chassis`, and that it is seen from `source`. */
async function snatThrough(demo: Demo, chassis: string, source: string = DEMO.vm1.floating): Promise<string> {
  const { sandbox, vm1, outside } = demo
  const wire = sandbox.physical.capture(chassis)
  const seen = outside.capture()
  const r = await pingSeenBy(vm1, DEMO.outside.ip, seen)
  wire.stop()
  const request = packets(wire).find((p) => p.icmp4?.type === ECHO_REQUEST)
  expectThat(request !== undefined, `${chassis} sent no echo request`)
  same('the VLAN on the wire of br-ex', request.eth.tags[0]?.vid, DEMO.outside.vlan)
  same('the source', request.ip4 && formatIp(request.ip4.src), source)
  same('the source MAC', formatMac(request.eth.src), DEMO.router.publicMac)
  same('the TTL outside', r.requests[0]?.ip4?.ttl, 63)
  same('the TTL of the reply', r.ttl, 63)
  return `vm1 > ${DEMO.outside.ip}, seen there from ${source}; ${chassis} sent ${describe(request)}`
}

/** A TCP server that sends a known megabyte back to who connects, in both directions of NAT. */
async function tcp(server: Guest, client: Guest, address: string): Promise<string> {
  const block = Uint8Array.from({ length: 65536 }, (_, i) => (i * 7 + (i >> 8)) & 255)
  const listener = server.host.tcp.listen(8080, (c) => {
    c.onData = () => {
      for (let i = 0; i < 4; i++) c.write(block)
      c.close()
    }
  })
  try {
    const got = await client.exchange(address, 8080, Uint8Array.of(1))
    const want = concatBytes(block, block, block, block)
    expectThat(
      got.length === want.length && got.every((b, i) => b === want[i]),
      `${got.length} bytes came, ${want.length} were sent, or they differ`,
    )
    return `${client.name} read ${got.length} bytes from ${address}:8080`
  } finally {
    listener.close()
  }
}

export const CHECKS: readonly Check[] = [
  {
    name: 'ports-up',
    async run({ sandbox }) {
      await sandbox.until('vm1 and vm2 are up', () =>
        ['vm1', 'vm2'].every((name) =>
          [...sandbox.nb.table('Logical_Switch_Port').values()].some((p) => p.name === name && p.up === true),
        ),
      )
      await sandbox.nbctl('--wait=hv sync')
      await sandbox.until('gw1 has the gateway port', () => gateway(sandbox) === 'gw1')
      return `vm1 on hv1, vm2 on hv2, the gateway port on gw1`
    },
  },
  dhcpCheck('vm1'),
  dhcpCheck('vm2'),
  {
    name: 'ping-tunnel',
    async run({ sandbox, vm1, vm2 }) {
      const seen = vm2.capture()
      const stop = sandbox.countTunnel('hv1', 'hv2')
      const r = await pingSeenBy(vm1, DEMO.vm2.ip, seen)
      const datagrams = stop()
      same('the TTL', r.ttl, 64)
      const [request] = r.requests
      same('the source MAC at vm2', request && formatMac(request.eth.src), DEMO.vm1.mac)
      same('the TTL at vm2', request?.ip4?.ttl, 64)
      expectThat(datagrams > 0, 'nothing went through the tunnel from hv1 to hv2')
      return `vm1 > vm2 (${DEMO.vm2.ip}), ttl 64, ${datagrams} Geneve datagrams from hv1 to hv2`
    },
  },
  {
    name: 'ping-router',
    async run({ vm1 }) {
      const r = await vm1.ping(DEMO.router.ip)
      expectThat(r.received === 1, r.error ?? 'lost')
      return `vm1 > ${DEMO.router.ip}, ttl ${r.ttl}`
    },
  },
  { name: 'snat-floating', run: (demo) => snatThrough(demo, 'gw1') },
  {
    // A floating IP goes before the subnet's rule, so vm1's is taken away for a moment.
    name: 'snat-subnet',
    async run(demo) {
      const { sandbox } = demo
      await sandbox.nbctl(`--wait=hv lr-nat-del r1 dnat_and_snat ${DEMO.vm1.floating}`)
      try {
        return await snatThrough(demo, 'gw1', DEMO.router.publicIp)
      } finally {
        await sandbox.nbctl(`--wait=hv lr-nat-add r1 dnat_and_snat ${DEMO.vm1.floating} ${DEMO.vm1.ip}`)
      }
    },
  },
  {
    name: 'default-route',
    async run({ vm1 }) {
      const r = await vm1.ping(DEMO.outside.beyond)
      expectThat(r.received === 1, r.error ?? 'lost')
      return `vm1 > ${DEMO.outside.beyond} by way of ${DEMO.outside.gateway}`
    },
  },
  {
    name: 'fip-central',
    async run({ sandbox, vm1, outside }) {
      const wire = sandbox.physical.capture('gw1')
      const r = await pingSeenBy(outside, DEMO.vm1.floating, vm1.capture())
      wire.stop()
      same('the destination at vm1', r.requests[0]?.ip4 && formatIp(r.requests[0].ip4.dst), DEMO.vm1.ip)
      same('the TTL at vm1', r.requests[0]?.ip4?.ttl, 63)
      expectThat(
        packets(wire).some((p) => p.icmp4?.type === ECHO_REQUEST),
        'it did not go through gw1',
      )
      return `outside > ${DEMO.vm1.floating} is vm1, through gw1`
    },
  },
  {
    name: 'fip-distributed',
    async run({ sandbox, vm2, outside }) {
      const wire = sandbox.physical.capture('hv2')
      const r = await pingSeenBy(outside, DEMO.vm2.floating, vm2.capture())
      wire.stop()
      same('the destination at vm2', r.requests[0]?.ip4 && formatIp(r.requests[0].ip4.dst), DEMO.vm2.ip)
      const reply = packets(wire).find((p) => p.icmp4?.type === 0)
      expectThat(reply !== undefined, 'the reply did not leave by hv2')
      same('the MAC of the reply', formatMac(reply.eth.src), DEMO.vm2.floatingMac)
      return `outside > ${DEMO.vm2.floating} is vm2, on hv2 itself: ${describe(reply)}`
    },
  },
  {
    name: 'fip-distributed-out',
    async run({ vm2, outside }) {
      const r = await pingSeenBy(vm2, DEMO.outside.ip, outside.capture())
      same('the source outside', r.requests[0]?.ip4 && formatIp(r.requests[0].ip4.src), DEMO.vm2.floating)
      same('the source MAC', r.requests[0] && formatMac(r.requests[0].eth.src), DEMO.vm2.floatingMac)
      return `vm2 > ${DEMO.outside.ip}, seen there from ${DEMO.vm2.floating}`
    },
  },
  { name: 'tcp-tunnel', run: ({ vm1, vm2 }) => tcp(vm2, vm1, DEMO.vm2.ip) },
  { name: 'tcp-snat', run: ({ vm1, outside }) => tcp(outside, vm1, DEMO.outside.ip) },
  { name: 'tcp-fip-central', run: ({ vm1, outside }) => tcp(vm1, outside, DEMO.vm1.floating) },
  { name: 'tcp-fip-distributed', run: ({ vm2, outside }) => tcp(vm2, outside, DEMO.vm2.floating) },
  {
    name: 'ttl-exceeded',
    async run({ vm1 }) {
      const r = await vm1.ping(DEMO.outside.ip, { ttl: 1 })
      same('the outcome', r.error, `time-exceeded from ${DEMO.router.ip}`)
      return `vm1 > outside with ttl 1: ${r.error}`
    },
  },
  {
    name: 'icmp-error-through-nat',
    async run({ sandbox, vm1 }) {
      const outsideIp = parseIp(DEMO.outside.ip)
      expectThat(outsideIp !== undefined, 'no address')
      const socket = vm1.host.udp()
      try {
        const error = await sandbox.complete<string>('a port unreachable', (done) => {
          socket.onError = (e) =>
            done(
              typeof e === 'object' && 'kind' in e && 'from' in e ? `${e.kind} from ${formatIp(e.from)}` : 'not sent',
            )
          socket.send(outsideIp, 9, Uint8Array.of(1))
        })
        same('the outcome', error, `port-unreachable from ${DEMO.outside.ip}`)
        return `vm1 sent UDP to a closed port outside: ${error}`
      } finally {
        socket.close()
      }
    },
  },
  {
    name: 'failover',
    async run(demo) {
      const { sandbox, vm1 } = demo
      const wire = sandbox.physical.capture('gw2')
      sandbox.chassis('gw1').stop()
      const begin = sandbox.clock.monotonic()
      await sandbox.until('gw2 has the gateway port', () => gateway(sandbox) === 'gw2')
      const moved = sandbox.clock.monotonic() - begin
      let answered = 0
      for (let i = 0; i < 50 && !answered; i++) answered = (await vm1.ping(DEMO.outside.ip, { timeout: 100 })).received
      expectThat(answered === 1, 'no answer from outside through gw2')
      const outage = sandbox.clock.monotonic() - begin
      await snatThrough(demo, 'gw2')
      wire.stop()
      const announced = packets(wire).some(
        (p) => p.arp && p.arp.spa === p.arp.tpa && formatIp(p.arp.spa) === DEMO.router.publicIp,
      )
      expectThat(announced, 'gw2 sent no gratuitous ARP for the router')
      return `gw1 stopped: gw2 has the gateway port after ${Math.round(moved)} ms, traffic goes on after ${Math.round(outage)} ms`
    },
  },
  {
    name: 'failback',
    async run(demo) {
      const { sandbox } = demo
      sandbox.chassis('gw1').start()
      const begin = sandbox.clock.monotonic()
      await sandbox.until('gw1 has the gateway port', () => gateway(sandbox) === 'gw1')
      const moved = sandbox.clock.monotonic() - begin
      await sandbox.advance(1000)
      await snatThrough(demo, 'gw1')
      return `gw1 came back and has the gateway port after ${Math.round(moved)} ms`
    },
  },
]
