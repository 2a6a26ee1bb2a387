import type { Timer } from '../../base/clock.ts'
import { type ControlCommand, command } from '../../base/command.ts'
import { ok, type Result } from '../../base/result.ts'
import { Follower } from './follower.ts'
import type { Transport } from './remotes.ts'
import { probeInterval } from './replication.ts'
import type { Server } from './server.ts'

export interface RelayOptions {
  readonly probe?: number | undefined
  readonly maxBackoff?: number | undefined
}

const PROBE = 60_000

/**
 * A relay without its source says so after so long, milliseconds, as the real one does: clients leave a relay that is
 * not connected, and need not for a source that is away for the moment of a restart.
 */
const PATIENCE = 30_000

/** The databases that a server offers for others: reads are answered here, transactions there (ovsdb(7), Relay). */
export class Relays {
  private readonly followers = new Map<string, Follower>()
  private readonly losses = new Map<string, Timer>()
  private probe = PROBE

  constructor(
    private readonly server: Server,
    private readonly transport: Transport,
  ) {
    server.onRemoved((name) => {
      this.followers.get(name)?.stop()
      this.followers.delete(name)
      this.losses.get(name)?.cancel()
      this.losses.delete(name)
    })
    server.onClose(() => {
      for (const follower of this.followers.values()) follower.stop()
      for (const loss of this.losses.values()) loss.cancel()
    })
  }

  /** Relays database `name` of the first of `remotes` that has it. */
  add(name: string, remotes: readonly string[], options: RelayOptions = {}): Result<void> {
    const { server } = this
    const added = server.addRelay(name, (params, done) => follower.forward(params, done))
    const follower: Follower = new Follower(server, this.transport, {
      remotes,
      database: name,
      exclude: new Set(),
      probe: options.probe ?? this.probe,
      maxBackoff: options.maxBackoff,
      target: (schema) => server.setSchema(name, schema) ?? `${name}: no longer relayed`,
      onState: (state) => this.follow(name, state === 'replicating'),
    })
    if (!added.ok) return added
    this.followers.set(name, follower)
    follower.start()
    return ok(undefined)
  }

  private follow(name: string, connected: boolean): void {
    if (connected) {
      this.losses.get(name)?.cancel()
      this.losses.delete(name)
      this.server.setConnected(name, true)
      return
    }
    if (!this.server.hosted.get(name)?.connected || this.losses.has(name)) return
    const tell = () => {
      this.losses.delete(name)
      this.server.setConnected(name, false)
    }
    this.losses.set(name, this.server.clock.after(PATIENCE, tell))
  }

  commands(): ControlCommand[] {
    return [
      command('ovsdb-server/set-relay-source-probe-interval', '', [1, 1], ([text = '']) => {
        const probe = probeInterval(text)
        if (probe instanceof Error) return probe
        this.probe = probe
        for (const follower of this.followers.values()) follower.setProbe(probe)
        return ''
      }),
    ]
  }
}
