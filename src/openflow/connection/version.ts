import type { Hello, Version } from '../messages/message.ts'

/**
 * The hello of a side: its highest version, and a bitmap where the version alone would claim more
 * than it speaks (OpenFlow 1.5 §7.5.1). Open vSwitch leaves the bitmap out when it speaks all.
 */
export function helloOf(xid: number, versions: readonly Version[]): Hello {
  const version = Math.max(...versions)
  const all = versions.length === version
  return { type: 'hello', xid, version, ...(all ? {} : { versions: [...versions].sort((a, b) => a - b) }) }
}

/** The versions a hello offers: its bitmap's, or all up to the one in its header. */
export function offered(hello: Hello): readonly number[] {
  if (hello.versions?.length) return hello.versions
  return Array.from({ length: hello.version }, (_, i) => i + 1)
}

/** The highest version both sides speak. */
export function negotiate(mine: readonly Version[], hello: Hello): Version | undefined {
  const theirs = new Set(offered(hello))
  return [...mine].sort((a, b) => b - a).find((v) => theirs.has(v))
}

/** `version 0x01`, `versions 0x04 and 0x06`, `versions 0x04, 0x05, and 0x06`, as Open vSwitch writes sets of versions. */
export function versionsText(versions: readonly number[]): string {
  const names = [...versions].sort((a, b) => a - b).map((v) => `0x${v.toString(16).padStart(2, '0')}`)
  if (names.length === 1) return `version ${names[0]}`
  const list = names.length === 2 ? names.join(' and ') : `${names.slice(0, -1).join(', ')}, and ${names.at(-1)}`
  return `versions ${list}`
}
