import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { concatBytes } from '../../src/base/bytes.ts'
import type { FramePort } from '../../src/base/frame.ts'
import { seeded } from '../../src/base/random.ts'
import { echoService, type PingOptions, type PingResult, VirtualHost } from '../../src/hosts/index.ts'
import { SystemClock } from '../../src/io/clock.ts'

/** A virtual host against the Linux kernel's stack in a network namespace, joined by a tap device. */
const NS = `ovnts-hosts-${process.pid}`
const RELAY = fileURLToPath(new URL('./tap-relay.py', import.meta.url))
const have = (...command: [string, string]) => spawnSync(command[0], [command[1]], { stdio: 'ignore' }).status === 0
const able = process.getuid?.() === 0 && have('ip', 'netns') && have('python3', '--version')
if (!able) console.log('skipped: network namespaces need root, and the relay at the tap device python3')

const children: ChildProcess[] = []
let host: VirtualHost
const clock = new SystemClock()
const random = seeded(1)
/** Percent of frames lost, each way. */
let loss = 0
const lost = () => random.u32() % 100 < loss

function linux(...args: string[]): string {
  return execFileSync('ip', ['netns', 'exec', NS, ...args], { encoding: 'utf8' })
}

/** Runs a program in the namespace without blocking this process; its output and exit status. */
function inLinux(...args: string[]): Promise<{ status: number | null; out: string }> {
  return new Promise((done) => {
    const child = spawn('ip', ['netns', 'exec', NS, ...args])
    children.push(child)
    let out = ''
    child.stdout.on('data', (d) => (out += d))
    child.stderr.on('data', (d) => (out += d))
    child.on('close', (status) => done({ status, out }))
  })
}

function ping(to: string, options: PingOptions): Promise<PingResult> {
  return new Promise((done) => host.ping(to, options, done))
}

beforeAll(async () => {
  if (!able) return
  execFileSync('ip', ['netns', 'add', NS])
  const relay = spawn('ip', ['netns', 'exec', NS, 'python3', RELAY, 'tap0'], { stdio: ['pipe', 'pipe', 'pipe'] })
  children.push(relay)
  await new Promise((done) => relay.stderr?.once('data', done))
  linux('sysctl', '-qw', 'net.ipv6.conf.tap0.accept_dad=0')
  linux('ip', 'link', 'set', 'lo', 'up')
  linux('ip', 'link', 'set', 'tap0', 'up')
  linux('ip', 'addr', 'add', '10.77.0.1/24', 'dev', 'tap0')
  linux('ip', 'addr', 'add', 'fd77::1/64', 'dev', 'tap0')
  const port: FramePort = {
    onFrame: undefined,
    send(frame) {
      if (lost()) return
      relay.stdin?.write(concatBytes(Uint8Array.of(frame.length >> 8, frame.length & 255), frame))
    },
  }
  let pending = new Uint8Array(0)
  relay.stdout?.on('data', (chunk: Buffer) => {
    pending = new Uint8Array(concatBytes(pending, chunk))
    for (;;) {
      const n = ((pending[0] ?? 0) << 8) | (pending[1] ?? 0)
      if (pending.length < 2 || pending.length < 2 + n) break
      if (!lost()) port.onFrame?.(pending.slice(2, 2 + n))
      pending = pending.slice(2 + n)
    }
  })
  const addresses = ['10.77.0.2/24', 'fd77::2/64']
  host = new VirtualHost({ name: 'vm', clock, port, mac: 'fa:16:3e:77:00:02', addresses })
  echoService(host)
})

afterAll(() => {
  for (const c of children) c.kill()
  if (able) spawnSync('ip', ['netns', 'del', NS])
})

const ECHO = `
import socket, sys
data = bytes(i * 7 % 251 for i in range(300000))
s = socket.create_connection((sys.argv[1], 7), timeout=60)
import threading
threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR))).start()
got = b''
while True:
    part = s.recv(65536)
    if not part: break
    got += part
print('same' if got == data else 'differs %d' % len(got))
`

const SERVE = `
import socket
s = socket.create_server(('10.77.0.1', 8080))
print('listening', flush=True)
c, peer = s.accept()
n = 0
while True:
    part = c.recv(65536)
    if not part: break
    n += len(part)
c.sendall(b'got %d' % n)
c.close()
`

describe.skipIf(!able)('a virtual host and Linux', () => {
  test('Linux pings us: small, large in fragments, both families', async () => {
    for (const args of [['10.77.0.2'], ['-s', '4000', '10.77.0.2'], ['fd77::2'], ['-s', '4000', 'fd77::2']]) {
      const { status, out } = await inLinux('ping', '-c', '2', '-i', '0.2', '-W', '20', ...args)
      expect([status, out]).toEqual([0, expect.stringContaining('2 received')])
    }
  })

  test('we ping Linux, small and large', async () => {
    for (const to of ['10.77.0.1', 'fd77::1']) {
      expect((await ping(to, { count: 2, interval: 100 })).received).toBe(2)
      expect((await ping(to, { size: 4000 })).received).toBe(1)
    }
    expect((await ping('10.77.0.9', { timeout: 30_000 })).events).toMatchObject([{ error: 'host-unreachable' }])
  })

  test.each(['10.77.0.2', 'fd77::2'])('Linux sends 300,000 bytes through our echo: %s', async (to) => {
    const { out } = await inLinux('python3', '-c', ECHO, to)
    expect(out.trim()).toBe('same')
  })

  test('over a lossy path too', async () => {
    loss = 5
    try {
      const { out } = await inLinux('python3', '-c', ECHO, '10.77.0.2')
      expect(out.trim()).toBe('same')
    } finally {
      loss = 0
    }
  })

  test('we connect to Linux, send, close our half, and read its answer', async () => {
    const server = inLinux('python3', '-u', '-c', SERVE)
    await new Promise((done) => children.at(-1)?.stdout?.once('data', done))
    const text = await new Promise<string>((done, fail) => {
      const c = host.tcp.connect('10.77.0.1', 8080)
      let got = ''
      c.onOpen = () => {
        c.write(new Uint8Array(200_000))
        c.end()
      }
      c.onData = (b) => (got += new TextDecoder().decode(b))
      c.onClose = (e) => (e ? fail(e) : done(got))
    })
    expect(text).toBe('got 200000')
    expect((await server).status).toBe(0)
  })

  test('closed ports are refused both ways', async () => {
    const ours = await new Promise<string>((done) => {
      host.tcp.connect('10.77.0.1', 9).onClose = (e) => done(e?.message ?? 'closed')
    })
    expect(ours).toBe('Connection refused')
    const dial =
      "import socket\ntry: socket.create_connection(('10.77.0.2', 9), timeout=30)\nexcept Exception as e: print(e)"
    expect((await inLinux('python3', '-c', dial)).out).toContain('Connection refused')
    const udp =
      "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.settimeout(30)\ns.connect(('10.77.0.2', 9))\ns.send(b'x')\ntry: s.recv(9)\nexcept Exception as e: print(e)"
    expect((await inLinux('python3', '-c', udp)).out).toContain('Connection refused')
  })
})
