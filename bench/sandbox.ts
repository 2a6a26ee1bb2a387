// The sandbox: start, memory, DHCP exchanges a second, packets a second through two chassis and a tunnel.
import { DEMO } from '../src/sandbox/demo/network.ts'
import { startDemo } from '../src/sandbox/demo/run.ts'
import { Sandbox } from '../src/sandbox/index.ts'
import { number, table } from './_measure.ts'

const gc = (globalThis as { gc?: () => void }).gc ?? (() => {})

let begin = performance.now()
const empty = await Sandbox.start()
const bare = performance.now() - begin
await empty.stop()

begin = performance.now()
const demo = await startDemo()
const start = performance.now() - begin
const { sandbox, vm1, vm2 } = demo

await vm2.dhcp()
await vm1.dhcp()

/** Milliseconds of the machine's time that `what` took. */
async function timed(what: () => Promise<unknown>): Promise<number> {
  const t = performance.now()
  await what()
  return performance.now() - t
}

const LEASES = 200
const leases = await timed(async () => {
  for (let i = 0; i < LEASES; i++) await vm1.dhcp({ probe: { count: 0, interval: 0 } })
})

await vm1.ping(DEMO.vm2.ip)
const PINGS = 2000
const pings = await timed(() => vm1.ping(DEMO.vm2.ip, { count: PINGS, interval: 1 }))

const PACKETS = 40_000
const sink = vm2.host.udp(9000)
let arrived = 0
sink.onDatagram = () => arrived++
const source = vm1.host.udp()
const payload = new Uint8Array(1000)
const target = vm2.host.interface().addresses.find((a) => a.family === 4)?.address ?? 0
const stream = await timed(async () => {
  for (let i = 0; i < PACKETS / 100; i++) {
    for (let k = 0; k < 100; k++) source.send(target, 9000, payload)
    await sandbox.settle()
  }
})
gc()
const { rss, heapUsed } = process.memoryUsage()

table(
  ['sandbox', 'value'],
  [
    ['four chassis registered', number(bare, 'ms', 0)],
    ['and the demo network loaded, two machines up', number(start, 'ms', 0)],
    [
      `DHCP exchanges (4 messages, ${LEASES} of them)`,
      `${number((LEASES / leases) * 1000, '/s', 0)}, ${number(leases / LEASES, 'ms')} each`,
    ],
    [`pings vm1 to vm2 through the tunnel, and back (${PINGS})`, number((PINGS / pings) * 1000, '/s', 0)],
    [
      `UDP of 1000 bytes, vm1 to vm2 (${arrived} of ${PACKETS} arrived)`,
      number((arrived / stream) * 1000, 'packets/s', 0),
    ],
    ['memory, resident', number(rss / 1048576, 'MiB', 0)],
    ['heap in use', number(heapUsed / 1048576, 'MiB', 0)],
  ],
)
await sandbox.stop()
