import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Listener, listen } from '../io/socket.ts'
import { openChannel } from '../openflow/connection/stream-channel.ts'
import type { Server } from '../ovsdb/server/index.ts'
import type { SandboxChassis } from './chassis.ts'
import type { Sandbox } from './sandbox.ts'

export interface ServeOptions {
  /** TCP ports on 127.0.0.1; 0 for a free one. */
  readonly nbPort: number
  readonly sbPort: number
  /** Where the unix sockets go; a temporary directory, removed at the end, unless given. */
  readonly rundir?: string
}

export interface Served {
  readonly rundir: string
  readonly nbPort: number
  readonly sbPort: number
  /** How to talk to it, for people. */
  readonly howTo: string
  close(): Promise<void>
}

/** Listens on one connection method; the port where there is one. Rejects with the method and the reason. */
function listening(server: Server, method: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.listen(method, (error) => {
      if (error !== undefined) reject(new Error(error.startsWith(method) ? error : `${method}: ${error}`))
      else resolve(server.remotes.port(method))
    })
  })
}

/** The switch's OpenFlow connections, as `br-int.mgmt` of a real one: for ovs-ofctl and other controllers. */
function serveOpenFlow(sandbox: Sandbox, chassis: SandboxChassis, path: string): Promise<Listener> {
  return new Promise((resolve, reject) => {
    listen(
      { kind: 'unix', path },
      (stream) => {
        openChannel(stream, { clock: sandbox.clock, probeInterval: 0 }, (r) => {
          if (!r.ok) return
          if (!chassis.up || !chassis.switch.connect('br-int', r.value))
            r.value.close(new Error('the chassis is stopped'))
        })
      },
      (r) => (r.ok ? resolve(r.value) : reject(new Error(`${path}: ${r.error}`))),
    )
  })
}

/** Opens the sandbox to other programs: both databases on TCP and unix sockets, each chassis' database and switch. */
export async function serveSandbox(sandbox: Sandbox, options: ServeOptions): Promise<Served> {
  const rundir = options.rundir ?? mkdtempSync(join(tmpdir(), 'ovn-ts-'))
  const listeners: Listener[] = []
  const close = async () => {
    for (const l of listeners) l.close()
    for (const server of [sandbox.nbServer, sandbox.sbServer, ...sandbox.allChassis.map((c) => c.server)])
      server.remotes.close()
    await new Promise((resolve) => setImmediate(resolve))
    if (options.rundir === undefined) rmSync(rundir, { recursive: true, force: true })
  }
  try {
    mkdirSync(rundir, { recursive: true })
    const nb = join(rundir, 'ovnnb_db.sock')
    const sb = join(rundir, 'ovnsb_db.sock')
    await listening(sandbox.nbServer, `punix:${nb}`)
    await listening(sandbox.sbServer, `punix:${sb}`)
    const nbPort = await listening(sandbox.nbServer, `ptcp:${options.nbPort}:127.0.0.1`)
    const sbPort = await listening(sandbox.sbServer, `ptcp:${options.sbPort}:127.0.0.1`)
    for (const chassis of sandbox.allChassis) {
      const dir = join(rundir, chassis.name)
      mkdirSync(dir, { recursive: true })
      await listening(chassis.server, `punix:${join(dir, 'db.sock')}`)
      listeners.push(await serveOpenFlow(sandbox, chassis, join(dir, 'br-int.mgmt')))
    }
    const [first] = sandbox.allChassis
    const howTo = [
      'Talk to it from another terminal; the real tools work as well:',
      `  bin/ovn-nbctl --db=tcp:127.0.0.1:${nbPort} show      (or --db=unix:${nb})`,
      `  bin/ovn-sbctl --db=tcp:127.0.0.1:${sbPort} show      (or --db=unix:${sb})`,
      ...(first
        ? [
            `  bin/ovs-vsctl --db=unix:${join(rundir, first.name, 'db.sock')} show`,
            `  ovs-ofctl -O OpenFlow15 dump-flows ${join(rundir, first.name, 'br-int.mgmt')}`,
            `  the other chassis: ${sandbox.allChassis.map((c) => c.name).join(' ')}, each in its own folder of ${rundir}`,
          ]
        : []),
    ].join('\n')
    return { rundir, nbPort, sbPort, howTo, close }
  } catch (e) {
    await close()
    throw e
  }
}
