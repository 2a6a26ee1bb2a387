/**
 * Memory that all connections of a server together may take for large messages that have begun and are not yet
 * whole, in bytes. What values need is estimated: a message of many small ones needs twenty times its size.
 */
export class MessageMemory {
  used = 0

  constructor(readonly limit: number) {}
}
