/** Counts every change that a cached translation may depend on. */
export class Generation {
  value = 0
}

/** One thing that translations read: a flow table, a group, a bridge's addresses, its ports. */
export class Dependency {
  version = 0
  constructor(private readonly generation: Generation) {}

  /** Says that it changed: translations that read it are looked at again when next used. */
  changed(): void {
    this.version++
    this.generation.value++
  }
}

/** Something that is to know of the packets that a cached translation served: a rule, a bucket, a learned address. */
export interface Effect {
  /** @param now monotonic milliseconds of the last of them. */
  credit(packets: number, bytes: number, now: number): void
}
