/** systemd's JOURNAL_NATIVE_PROTOCOL: the socket that takes datagrams of fields. */
export const JOURNAL_SOCKET = '/run/systemd/journal/socket'

/** Names of fields have capital letters, digits and underscores, begin with a letter, and end at 64 characters. */
function fieldName(name: string): string | undefined {
  const upper = name.toUpperCase().replace(/[^A-Z0-9_]/g, '_')
  return /^[A-Z]/.test(upper) && upper.length <= 64 ? upper : undefined
}

/** One datagram: `NAME=VALUE`, or for a value of several lines its name, length (8 bytes, little endian) and bytes. */
export function journalDatagram(fields: Iterable<readonly [string, string]>): Buffer {
  const parts: Buffer[] = []
  for (const [given, value] of fields) {
    const name = fieldName(given)
    if (name === undefined) continue
    if (!value.includes('\n')) {
      parts.push(Buffer.from(`${name}=${value}\n`))
      continue
    }
    const bytes = Buffer.from(value)
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(bytes.length))
    parts.push(Buffer.from(`${name}\n`), length, bytes, Buffer.from('\n'))
  }
  return Buffer.concat(parts)
}
