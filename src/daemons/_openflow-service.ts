import { unlinkSync } from 'node:fs'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { ByteStream } from '../base/stream.ts'
import { type Listener, listen, parsePassive } from '../io/socket.ts'
import { openChannel } from '../openflow/connection/stream-channel.ts'
import type { Version } from '../openflow/messages/message.ts'
import type { Dial } from '../ovsdb/client/remote.ts'
import { chosenPort } from '../ovsdb/server/index.ts'
import type { OVS } from '../schema/index.ts'
import type { Switch } from '../vswitch/index.ts'

const VERSIONS: Readonly<Record<string, Version>> = {
  OpenFlow10: 1,
  OpenFlow11: 2,
  OpenFlow12: 3,
  OpenFlow13: 4,
  OpenFlow14: 5,
  OpenFlow15: 6,
}

/** What a controller gets of a packet without a flow, unless it asks for more (OpenFlow 1.0 §5.3.2). */
const MISS_SEND_LEN = 128
const PROBE = 5000
const MAX_BACKOFF = 8000
const OPENFLOW_PORT = 6653

interface Served {
  listener: Listener | undefined
  versions: readonly Version[]
  /** How to stop, by target. */
  readonly controllers: Map<string, () => void>
}

/** OpenFlow of a switch's bridges over sockets: `BRIDGE.mgmt`, and the targets of Controller rows. */
export class OpenFlowService {
  private readonly bridges = new Map<string, Served>()

  constructor(
    private readonly sw: Switch,
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly rundir: string,
    private readonly dial: Dial,
  ) {}

  /** Serves a bridge as its row says. */
  bridgeChanged(name: string, row: OVS.Bridge, controllers: readonly OVS.Controller[]): void {
    // all versions unless the bridge says otherwise
    const versions = (row.protocols.length ? row.protocols : Object.keys(VERSIONS))
      .map((p) => VERSIONS[p])
      .filter((v): v is Version => v !== undefined)
    const s = this.bridges.get(name) ?? this.listen(name)
    s.versions = versions
    const wanted = new Set(controllers.map((c) => c.target))
    for (const [target, stop] of s.controllers) {
      if (wanted.has(target)) continue
      stop()
      s.controllers.delete(target)
    }
    for (const target of wanted) {
      if (!s.controllers.has(target)) s.controllers.set(target, this.controller(name, target, s))
    }
  }

  bridgeRemoved(name: string): void {
    const s = this.bridges.get(name)
    s?.listener?.close()
    for (const stop of s?.controllers.values() ?? []) stop()
    this.bridges.delete(name)
  }

  close(): void {
    for (const name of [...this.bridges.keys()]) this.bridgeRemoved(name)
  }

  private listen(name: string): Served {
    const s: Served = { listener: undefined, versions: [], controllers: new Map() }
    this.bridges.set(name, s)
    const path = `${this.rundir}/${name}.mgmt`
    try {
      unlinkSync(path)
    } catch {
      // there was none
    }
    listen(
      { kind: 'unix', path },
      (stream) => this.accept(name, stream, s),
      (r) => {
        if (!r.ok) this.log.err(`${path}: ${r.error}`, { code: 'listen-failed', bridge: name })
        else if (this.bridges.get(name) !== s) r.value.close()
        else s.listener = r.value
      },
    )
    return s
  }

  /**
   * @param target the controller's, where it is one that the database asks for
   * @param ended called when the connection is over, or did not come about
   */
  private accept(name: string, stream: ByteStream, s: Served, target?: string, ended?: () => void): void {
    const probeInterval = target === undefined ? 0 : PROBE
    const options = { clock: this.clock, versions: [...s.versions], probeInterval, log: this.log }
    openChannel(stream, options, (r) => {
      if (!r.ok) {
        this.log.dbg(() => `${name}<->${stream.peer}: ${r.error}`)
        ended?.()
        return
      }
      const c = this.sw.connect(name, r.value)
      if (!c) {
        r.value.close()
        ended?.()
        return
      }
      if (target === undefined) return
      c.target = target
      c.missSendLen = MISS_SEND_LEN
      this.sw.onConnections?.()
      c.onClose = ended
      this.log.info(`${name}<->${stream.peer}: connected`)
    })
  }

  /** Keeps a connection to a controller, or awaits one. Returns how to stop. */
  private controller(bridge: string, target: string, s: Served): () => void {
    let stopped = false
    const passive = parsePassive(target, OPENFLOW_PORT)
    if (passive) {
      let listener: Listener | undefined
      listen(
        passive,
        (stream) => this.accept(bridge, stream, s),
        (r) => {
          if (!r.ok) this.log.err(`${target}: ${r.error}`, { code: 'listen-failed', bridge })
          else if (stopped) r.value.close()
          else {
            listener = r.value
            const found = chosenPort(target, r.value.port)
            if (found !== undefined) this.log.child('socket_util').info(found)
          }
        },
      )
      return () => {
        stopped = true
        listener?.close()
      }
    }
    let backoff = 1000
    let current: ByteStream | undefined
    const later = () => {
      if (stopped) return
      this.clock.after(backoff, attempt)
      backoff = Math.min(MAX_BACKOFF, backoff * 2)
    }
    const attempt = () => {
      if (stopped) return
      this.dial(target, (r) => {
        if (!r.ok) {
          this.log.dbg(() => `${bridge}<->${target}: ${r.error}`)
          later()
        } else if (stopped) r.value.close()
        else {
          backoff = 1000
          current = r.value
          this.accept(bridge, r.value, s, target, later)
        }
      })
    }
    attempt()
    return () => {
      stopped = true
      current?.close()
    }
  }
}
