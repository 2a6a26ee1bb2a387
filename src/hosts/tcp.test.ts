import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { seeded } from '../base/random.ts'
import { decodeFrame, TcpFlag } from '../packet/index.ts'
import type { VirtualHost } from './host.ts'
import { Lab } from './lab.test-data.ts'
import { Resequencer, SendBuffer, seqAdd } from './tcp-buffers.ts'
import type { TcpConnection } from './tcp-connection.ts'

function pair(lab: Lab): [VirtualHost, VirtualHost] {
  return [lab.host('a', ['10.0.0.1/24', 'fd00::1/64']), lab.host('b', ['10.0.0.2/24', 'fd00::2/64'])]
}

/** A connection from a to b's port 80, open at both ends. */
function connected(lab: Lab, a: VirtualHost, b: VirtualHost, to = '10.0.0.2'): [TcpConnection, TcpConnection] {
  let server: TcpConnection | undefined
  b.tcp.listen(80, (c) => {
    server = c
  })
  const client = a.tcp.connect(to, 80)
  lab.clock.advance(10)
  if (!server) throw new Error('not accepted')
  return [client, server]
}

function collect(c: TcpConnection): { bytes: number[]; log: string[] } {
  const out: { bytes: number[]; log: string[] } = { bytes: [], log: [] }
  c.onData = (b) => void out.bytes.push(...b)
  c.onClose = (e) => void out.log.push(e ? e.message : 'closed')
  return out
}

const pattern = (n: number) => Uint8Array.from({ length: n }, (_, i) => (i * 7 + (i >> 8)) & 0xff)

describe('tcp', () => {
  test.each(['10.0.0.2', 'fd00::2'])('opens, carries data both ways, closes: %s', (to) => {
    const lab = new Lab()
    const [client, server] = connected(lab, ...pair(lab), to)
    const atClient = collect(client)
    const atServer = collect(server)
    client.write(pattern(100_000))
    server.write(pattern(50_000))
    lab.clock.advance(100)
    expect(atServer.bytes).toEqual([...pattern(100_000)])
    expect(atClient.bytes).toEqual([...pattern(50_000)])
    client.close()
    lab.clock.advance(100)
    expect([client.state, server.state]).toEqual(['time-wait', 'closed'])
    expect([atClient.log, atServer.log]).toEqual([['closed'], ['closed']])
    lab.clock.advance(120_000)
    expect(client.state).toBe('closed')
    expect(lab.clock.next()).toBeUndefined()
  })

  test('half open: one side ends, the other goes on', () => {
    const lab = new Lab()
    const [client, server] = connected(lab, ...pair(lab))
    const atClient = collect(client)
    const atServer = collect(server)
    server.onEnd = () => void atServer.log.push('end')
    client.write(pattern(10))
    client.end()
    lab.clock.advance(10)
    expect([client.state, server.state, atServer.log]).toEqual(['fin-wait-2', 'close-wait', ['end']])
    server.write(pattern(20))
    server.end()
    lab.clock.advance(10)
    expect(atClient.bytes).toEqual([...pattern(20)])
    expect([client.state, server.state]).toEqual(['time-wait', 'closed'])
  })

  test('a closed port refuses, a silent address is unreachable, a silent path times out', () => {
    const lab = new Lab()
    const [a] = pair(lab)
    const errors: string[] = []
    const dial = (to: string) => {
      a.tcp.connect(to, 81).onClose = (e) => void errors.push(e?.message ?? 'closed')
    }
    dial('10.0.0.2')
    dial('10.0.0.99')
    dial('192.0.2.1')
    lab.clock.advance(5000)
    expect(errors).toEqual(['Network is unreachable', 'Connection refused', 'No route to host'])
    a.addAddress('10.5.0.1/24')
    const hole = lab.host('hole', ['10.5.0.2/24'])
    hole.ip.protocols.set(6, () => true)
    dial('10.5.0.2')
    lab.clock.advance(120_000)
    expect(errors[3]).toBe('Connection timed out')
  })

  test('a reset reaches the other side', () => {
    const lab = new Lab()
    const [client, server] = connected(lab, ...pair(lab))
    const atServer = collect(server)
    client.abort()
    lab.clock.advance(10)
    expect(atServer.log).toEqual(['Connection reset by peer'])
    expect(lab.clock.next()).toBeDefined()
  })

  test('a paused reader holds back the writer, and gets all in the end', () => {
    const lab = new Lab()
    const [client, server] = connected(lab, ...pair(lab))
    const atServer = collect(server)
    server.pause()
    expect(client.write(pattern(200_000))).toBe(false)
    lab.clock.advance(5000)
    expect(atServer.bytes.length).toBe(0)
    expect(client.queued).toBeGreaterThanOrEqual(200_000 - 65_535 - 1)
    let drained = 0
    client.onDrain = () => drained++
    server.resume()
    lab.clock.advance(5000)
    expect(atServer.bytes).toEqual([...pattern(200_000)])
    expect(drained).toBe(1)
  })

  test('segments fit the MTU; a smaller path MTU is followed', () => {
    const lab = new Lab()
    const r = lab.host('r', ['10.0.0.254/24'], { forwarding: true })
    r.addInterface('eth1', lab.switch.port('r1', { access: 9 }), 0xfa163e0000f1, 1300)
    r.addAddress('10.9.0.254/24', 'eth1')
    const a = lab.host('a', ['10.0.0.1/24'], { gateway: '10.0.0.254' })
    const b = lab.host('b', ['10.9.0.2/24'], { mode: { access: 9 }, gateway: '10.9.0.254' })
    const capture = lab.switch.capture()
    const [client, server] = connected(lab, a, b, '10.9.0.2')
    const atServer = collect(server)
    client.write(pattern(20_000))
    lab.clock.advance(5000)
    expect(atServer.bytes).toEqual([...pattern(20_000)])
    const sizes = capture.frames.map((c) => c.frame.length - 14)
    expect(Math.max(...sizes)).toBe(1500)
    expect(capture.lines().some((l) => l.includes('need to frag (mtu 1300)'))).toBe(true)
  })

  test('over a network that loses, repeats and reorders, all arrives once and in order', () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), (seed) => {
        const lab = new Lab()
        const [a, b] = pair(lab)
        const random = seeded(seed)
        const [client, server] = connected(lab, a, b)
        for (const host of [a, b]) {
          const i = host.interface()
          const receive = i.onPayload
          i.onPayload = (eth) => {
            const dice = random.u32() % 10
            if (dice === 0) return
            if (dice === 1) lab.clock.after(random.u32() % 300, () => receive?.(eth))
            if (dice !== 2) receive?.(eth)
            else lab.clock.after(5 + (random.u32() % 50), () => receive?.(eth))
          }
        }
        const atServer = collect(server)
        const atClient = collect(client)
        client.write(pattern(30_000))
        server.write(pattern(10_000))
        client.end()
        lab.clock.advance(400_000)
        expect(atServer.bytes).toEqual([...pattern(30_000)])
        expect(atClient.bytes).toEqual([...pattern(10_000)])
        expect([atClient.log, atServer.log]).toEqual([['closed'], ['closed']])
      }),
      { numRuns: 25, examples: [[4294967268], [309262487]] },
    )
  })

  test('a reset out of the window does nothing', () => {
    const lab = new Lab()
    const [a, b] = pair(lab)
    const capture = b.capture()
    const [client, server] = connected(lab, a, b)
    client.write(pattern(10))
    lab.clock.advance(10)
    const sample = capture.frames.map((c) => decodeFrame(c.frame)).find((p) => p.ok && p.value.tcp?.payload.length)
    if (!sample?.ok || !sample.value.tcp) throw new Error('no segment')
    const { tcp } = sample.value
    for (const off of [-1000, 5, 70_000]) {
      server.receive({ ...tcp, seq: seqAdd(tcp.seq, 10 + off), flags: TcpFlag.rst, payload: new Uint8Array(0) })
      expect(server.state).toBe('established')
    }
    server.receive({ ...tcp, seq: seqAdd(tcp.seq, 10), flags: TcpFlag.rst, payload: new Uint8Array(0) })
    expect(server.state).toBe('closed')
  })

  test('a taken port throws; a second connection may reuse one in time-wait', () => {
    const lab = new Lab()
    const [a, b] = pair(lab)
    let accepted = 0
    b.tcp.listen(80, (c) => {
      accepted++
      c.close()
    })
    expect(() => b.tcp.listen(80, () => {})).toThrow('Address already in use')
    const first = a.tcp.connect('10.0.0.2', 80, { localPort: 5000 })
    lab.clock.advance(100)
    expect(first.state).toBe('closed')
    a.tcp.connect('10.0.0.2', 80, { localPort: 5000 })
    lab.clock.advance(100)
    expect(accepted).toBe(2)
  })
})

describe('buffers', () => {
  test('the send buffer gives what was written, over the wrap of sequence numbers', () => {
    fc.assert(
      fc.property(
        fc.nat(0xffffffff),
        fc.array(fc.uint8Array({ maxLength: 9 })),
        fc.nat(40),
        fc.nat(40),
        (start, chunks, at, n) => {
          const buffer = new SendBuffer(start)
          for (const c of chunks) buffer.push(c)
          const all = chunks.flatMap((c) => [...c])
          expect([...buffer.slice(seqAdd(start, at), n)]).toEqual(all.slice(at, at + n))
          buffer.advance(seqAdd(start, at))
          const rest = all.slice(at)
          expect([...buffer.slice(buffer.start, n)]).toEqual(rest.slice(0, n))
          expect(buffer.length).toBe(rest.length)
        },
      ),
    )
  })

  test('the resequencer puts overlapping segments of any order in order', () => {
    const pieces = fc.array(fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 20 })), { maxLength: 30 })
    fc.assert(
      fc.property(fc.nat(0xffffffff), pieces, (start, list) => {
        const r = new Resequencer(start)
        const got = list.flatMap(([at, n]) =>
          r
            .add(
              seqAdd(start, at),
              Uint8Array.from({ length: n }, (_, i) => at + i),
            )
            .flatMap((b) => [...b]),
        )
        expect(got).toEqual(got.map((_, i) => i))
        const covered = new Set(list.flatMap(([at, n]) => Array.from({ length: n }, (_, i) => at + i)))
        expect(covered.has(got.length)).toBe(false)
      }),
    )
  })
})
