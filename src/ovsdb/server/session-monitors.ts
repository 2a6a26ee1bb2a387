import type { Clock } from '../../base/clock.ts'
import { type Json, printJson } from '../../jsonrpc/json.ts'
import { Monitor, type MonitorVersion, readConditionChange, readRequests } from '../monitor/index.ts'
import { syntaxError } from '../schema/error.ts'
import { parseUuid } from '../schema/index.ts'
import type { Database, Delta, Steps } from '../transaction/index.ts'
import type { Remembered } from './allowance.ts'
import { type DumpCache, SharedText } from './dumps.ts'
import type { Output } from './output.ts'
import { sharedMessage, type UpdateMessages, updateHead } from './update-messages.ts'

/** How long what a client has missed may be tidied at a time before others are served, in milliseconds. */
const SLICE = 5

/** The monitors of one client, by their names as texts of JSON. */
export class SessionMonitors {
  private readonly monitors = new Map<string, Monitor>()

  constructor(
    private readonly output: Output,
    private readonly clock: Clock,
    private readonly dumps: DumpCache,
    private readonly remembered: Remembered,
  ) {}

  get size(): number {
    return this.monitors.size
  }

  /** Begins a monitor and answers with what is there. @param params [DATABASE, NAME, REQUESTS, LAST-ID of version 3] */
  begin(database: Database, params: readonly Json[], id: Json, version: MonitorVersion): void {
    if (params.length < (version === 3 ? 4 : 3)) syntaxError(params, 'invalid parameters')
    const name = params[1] as Json
    const key = printJson(name, true)
    if (this.monitors.has(key)) syntaxError(name, 'duplicate monitor ID')
    const requests = readRequests(database.schema, params[2], version)
    const last = version === 3 ? readTransactionId(params[3]) : undefined
    const monitor = new Monitor(database, requests, version)
    this.remembered.allow(this.monitors.size, size(key, monitor))
    this.add(key, monitor)
    if (last !== undefined) {
      const since = monitor.since(last)
      if (since !== undefined) {
        const head = `{"id":${printJson(id)},"error":null,"result":[true,"${database.lastId}",`
        this.output.pieces(head, since, ']}')
        return
      }
    }
    const head = `{"id":${printJson(id)},"error":null,"result":`
    const dump = this.dumps.of(monitor)
    if (dump.whole !== undefined) {
      this.output.text(version === 3 ? `${head}[false,"${database.lastId}",${dump.whole}]}` : `${head}${dump.whole}}`)
      return
    }
    const [before, after] = version === 3 ? [`${head}[false,"${database.lastId}",`, ']}'] : [head, '}']
    this.output.produce(dump.pieces, before, after)
  }

  private add(key: string, monitor: Monitor): void {
    this.monitors.set(key, monitor)
    this.remembered.add(size(key, monitor))
  }

  private delete(key: string, monitor: Monitor): void {
    this.monitors.delete(key)
    this.remembered.remove(size(key, monitor))
  }

  /** Gives a monitor other conditions, and another name; tells of the rows that come and go by it. */
  change(params: readonly Json[], bytes: number): void {
    if (params.length !== 3) syntaxError(params, 'invalid parameters')
    const [oldName, newName, requestsJson] = params as readonly [Json, Json, Json]
    const key = printJson(oldName, true)
    const monitor = this.monitors.get(key)
    if (!monitor) syntaxError(oldName, 'unknown monitor session')
    const nextKey = printJson(newName, true)
    if (nextKey !== key && this.monitors.has(nextKey)) syntaxError(newName, 'duplicate monitor ID')
    const requests = readConditionChange(monitor.requests, monitor.database.schema, requestsJson)
    this.remembered.allow(0, bytes)
    this.output.pieces(updateHead(key, monitor), monitor.catchUp(), ']}')
    this.delete(key, monitor)
    const changes = monitor.change(requests)
    this.add(nextKey, monitor)
    this.output.pieces(updateHead(nextKey, monitor), changes, ']}')
  }

  /** Returns whether there was such a monitor. */
  cancel(name: Json): boolean {
    const key = printJson(name, true)
    const monitor = this.monitors.get(key)
    if (!monitor) return false
    this.delete(key, monitor)
    return true
  }

  /** Ends the monitors of a database that goes, and says so. */
  cancelAll(database: Database): void {
    for (const [key, monitor] of [...this.monitors]) {
      if (monitor.database !== database) continue
      this.delete(key, monitor)
      this.output.text(`{"id":null,"method":"monitor_canceled","params":[${key}]}`)
    }
  }

  /** Nobody is to be told of anything any more. */
  clear(): void {
    this.monitors.clear()
  }

  /** Tells of a commit, or notes it while the client is slow. */
  committed(database: Database, delta: Delta, messages: UpdateMessages): void {
    for (const [key, monitor] of this.monitors) {
      if (monitor.database !== database) continue
      if (this.output.busy || monitor.behind) {
        monitor.gather(delta)
        if (monitor.crowded) this.tidy(key, monitor, monitor.tidy())
      } else {
        const message = sharedMessage(key, monitor, delta, messages)
        if (message instanceof SharedText) this.output.produce(message.reader())
        else if (message) this.output.bytes(message)
      }
    }
  }

  /** Makes less of what a slow client has missed, in slices. */
  private tidy(key: string, monitor: Monitor, steps: Steps<void>): void {
    this.clock.after(0, () => {
      const until = this.clock.monotonic() + SLICE
      while (this.monitors.get(key) === monitor && !steps.next().done) {
        if (this.clock.monotonic() < until) continue
        this.tidy(key, monitor, steps)
        return
      }
    })
  }

  /** Tells a slow client what it has missed. */
  flush(): void {
    for (const [key, monitor] of this.monitors) {
      if (monitor.behind) this.output.pieces(updateHead(key, monitor), monitor.catchUp(), ']}')
    }
  }
}

/** Characters of a monitor's name and of what it asks for. */
function size(key: string, monitor: Monitor): number {
  return key.length + monitor.size
}

function readTransactionId(json: Json | undefined): string {
  if (typeof json !== 'string') syntaxError(json, 'last-txn-id must be string')
  return parseUuid(json) ?? syntaxError(json, 'last-txn-id must be UUID format.')
}
