import type { Clock } from '../../base/clock.ts'
import { isObject } from '../../jsonrpc/json.ts'
import type { LockHandle } from './replica.ts'
import type { RpcClient } from './rpc.ts'

/** RFC 7047 §3.1 `<id>`: what a lock may be called. */
export function checkLockName(name: string): void {
  if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name))
    throw new Error(`a lock can not be called "${name}": letters, digits and _ only`)
}

/** A lock (RFC 7047 §4.1.8) asked for again on each connection; lost with the connection. */
export class RemoteLock implements LockHandle {
  owned = false
  onChange: ((owned: boolean) => void) | undefined
  private rpc: RpcClient | undefined

  constructor(
    readonly name: string,
    private readonly clock: Clock,
    private readonly forget: () => void,
  ) {}

  connected(rpc: RpcClient): void {
    this.rpc = rpc
    rpc.request('lock', [this.name], (reply) => {
      if (this.rpc === rpc && isObject(reply.result)) this.told(reply.result['locked'] === true)
    })
  }

  disconnected(): void {
    this.rpc = undefined
    this.told(false)
  }

  told(owned: boolean): void {
    if (this.owned === owned) return
    this.owned = owned
    this.clock.after(0, () => this.onChange?.(owned))
  }

  release(): void {
    this.forget()
    this.rpc?.request('unlock', [this.name], () => {})
    this.disconnected()
  }
}
