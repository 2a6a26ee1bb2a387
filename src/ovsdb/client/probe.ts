import type { Clock, Timer } from '../../base/clock.ts'
import type { RpcClient } from './rpc.ts'

export const NO_RESPONSE = 'no response to inactivity probe'

/** Asks the server for a sign of life after so much silence, and hangs up after as much again. */
export class Probe {
  private timer: Timer

  /** @param interval milliseconds; 0: never. */
  constructor(
    private readonly rpc: RpcClient,
    private readonly clock: Clock,
    private readonly interval: number,
  ) {
    this.timer = interval > 0 ? this.wait(interval) : { cancel() {} }
  }

  private wait(milliseconds: number): Timer {
    return this.clock.after(milliseconds, () => this.look())
  }

  private look(): void {
    const { rpc, interval } = this
    const idle = this.clock.monotonic() - rpc.lastReceived
    if (idle < interval) {
      this.timer = this.wait(interval - idle)
      return
    }
    const asked = rpc.lastReceived
    rpc.probe()
    this.timer = this.clock.after(interval, () => {
      // what arrived while the program was busy is read first
      this.timer = this.clock.after(0, () => this.judge(asked))
    })
  }

  /** `asked`: when something last came before the server was asked. */
  private judge(asked: number): void {
    if (asked === this.rpc.lastReceived) {
      this.rpc.end(`${NO_RESPONSE} after ${(this.interval / 1000).toFixed(1)} seconds, disconnecting`)
    } else this.look()
  }

  stop(): void {
    this.timer.cancel()
  }
}
