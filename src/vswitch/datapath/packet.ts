import { extract, type Layers, newLayers } from '../classifier/extract.ts'
import { type Key, L2, newKey } from '../classifier/key.ts'
import type { Connection } from '../conntrack/connection.ts'
import type { TunnelInfo } from './action.ts'

/** A frame on its way through the datapath, with its flow key and metadata. */
export class Packet {
  frame: Uint8Array = new Uint8Array(0)
  /** Whether `frame` is ours to write to: those that came in or went out are not. */
  owned = false
  readonly key: Key = newKey()
  readonly layers: Layers = newLayers()
  tunnel: TunnelInfo | undefined = undefined
  connection: Connection | undefined = undefined
  /** Bytes to leave off at the next output. */
  maxLen = 0
  /** Whether its checksums were found right: what changes it keeps them so. */
  verified = false
  /** Whether the key no longer describes the frame's layers. */
  stale = false

  /** Starts anew with a frame from `port` and no metadata. */
  receive(frame: Uint8Array, port: number): void {
    this.frame = frame
    this.owned = false
    this.tunnel = undefined
    this.connection = undefined
    this.maxLen = 0
    this.verified = false
    this.stale = false
    this.key.fill(0, 0, L2)
    this.key[1] = port
    extract(frame, this.key, this.layers)
  }

  copyFrom(other: Packet): void {
    this.frame = other.frame
    this.owned = false
    other.owned = false
    this.key.set(other.key)
    this.layers.l2Type = other.layers.l2Type
    this.layers.l3 = other.layers.l3
    this.layers.l4 = other.layers.l4
    this.layers.end = other.layers.end
    this.tunnel = other.tunnel
    this.connection = other.connection
    this.maxLen = other.maxLen
    this.verified = other.verified
    this.stale = other.stale
  }

  /** The frame, made our own first. */
  writable(): Uint8Array {
    if (!this.owned) {
      this.frame = this.frame.slice()
      this.owned = true
    }
    return this.frame
  }

  /** Reads the key from the frame again, after changes that moved layers. */
  refresh(): void {
    extract(this.frame, this.key, this.layers)
    this.stale = false
  }
}
