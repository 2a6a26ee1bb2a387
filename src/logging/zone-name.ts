import { readFileSync } from 'node:fs'
import { Malformed, parse, type Reader } from '../base/bytes.ts'

/** What of a file of the time zone database names the zone's times (RFC 8536). */
interface Zone {
  /** Seconds since 1970 at which another time begins, in order. */
  readonly changes: readonly number[]
  /** The time that begins then, as an index of `names`. */
  readonly kinds: readonly number[]
  readonly names: readonly string[]
  /** What holds behind the last change, as TZ would say it: `EST5EDT,M3.2.0,M11.1.0`. */
  readonly rule: string
}

/** RFC 8536 §3: the second header and data block, whose times have 64 bits, and the footer. */
export function readZone(reader: Reader): Zone {
  const first = header(reader)
  if (first.version < 2) return block(reader, first, 4)
  reader.skip(blockLength(first, 4))
  return block(reader, header(reader), 8)
}

interface Counts {
  readonly version: number
  readonly utc: number
  readonly standard: number
  readonly leaps: number
  readonly changes: number
  readonly types: number
  readonly letters: number
}

function header(reader: Reader): Counts {
  if (Buffer.from(reader.take(4)).toString('latin1') !== 'TZif') throw new Malformed('no zone')
  const version = reader.u8() - 0x30
  reader.skip(15)
  const [utc, standard, leaps, changes, types, letters] = [
    ...[reader.u32(), reader.u32(), reader.u32(), reader.u32(), reader.u32(), reader.u32()],
  ] as [number, number, number, number, number, number]
  return { version, utc, standard, leaps, changes, types, letters }
}

function blockLength(c: Counts, size: number): number {
  return c.changes * (size + 1) + c.types * 6 + c.letters + c.leaps * (size + 4) + c.standard + c.utc
}

function block(reader: Reader, c: Counts, size: 4 | 8): Zone {
  const times = reader.sub(c.changes * size)
  const changes = Array.from({ length: c.changes }, () =>
    size === 8 ? Number(BigInt.asIntN(64, times.u64())) : times.u32() | 0,
  )
  const kinds = [...reader.take(c.changes)]
  const types = reader.sub(c.types * 6)
  const starts = Array.from({ length: c.types }, () => {
    types.skip(5)
    return types.u8()
  })
  const letters = Buffer.from(reader.take(c.letters)).toString('latin1')
  reader.skip(c.leaps * (size + 4) + c.standard + c.utc)
  const names = starts.map((at) => letters.slice(at).split('\0')[0] ?? '')
  const rule = size === 8 ? Buffer.from(reader.rest()).toString('latin1').trim() : ''
  return { changes, kinds, names, rule }
}

/** The name of the time that holds at `seconds` since 1970, `offset` minutes east of Greenwich. */
export function nameIn(zone: Zone, seconds: number, offset: number): string | undefined {
  const { changes } = zone
  const last = changes.at(-1)
  if ((last === undefined || seconds >= last) && zone.rule !== '') return nameByRule(zone.rule, offset)
  let [low, high] = [0, changes.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((changes[middle] as number) <= seconds) low = middle + 1
    else high = middle
  }
  return zone.names[low > 0 ? (zone.kinds[low - 1] ?? 0) : 0]
}

/** Of `EST5EDT,...` the name whose offset it is; an offset is west of Greenwich there. */
function nameByRule(rule: string, offset: number): string | undefined {
  const m = /^(?:<([^>]+)>|([A-Za-z]+))([-+]?)(\d{1,3})(?::(\d\d))?(?::\d\d)?(?:<([^>]+)>|([A-Za-z]+))?/.exec(rule)
  if (!m) return undefined
  const west = (Number(m[4]) * 60 + Number(m[5] ?? 0)) * (m[3] === '-' ? -1 : 1)
  const [standard, summer] = [m[1] ?? m[2], m[6] ?? m[7]]
  return offset === -west || summer === undefined ? standard : summer
}

const zones = new Map<string, Zone | undefined>()

/** The zone that TZ names, or this machine's; undefined where there is no file of it. */
function zoneOf(name: string | undefined): Zone | undefined {
  const key = name ?? ''
  if (!zones.has(key)) zones.set(key, load(name))
  return zones.get(key)
}

function load(name: string | undefined): Zone | undefined {
  const given = name?.replace(/^:/, '')
  if (given?.includes('..')) return undefined
  const path = given === undefined ? '/etc/localtime' : given.startsWith('/') ? given : `/usr/share/zoneinfo/${given}`
  try {
    const zone = parse(readFileSync(path), readZone)
    return zone.ok ? zone.value : undefined
  } catch {
    return undefined
  }
}

/** `CET`, `IST`: what the C library calls this place's time at a moment, milliseconds since 1970. */
export function zoneName(ms: number): string {
  const date = new Date(ms)
  const zone = zoneOf(process.env['TZ'])
  const name = zone && nameIn(zone, Math.floor(ms / 1000), -date.getTimezoneOffset())
  if (name !== undefined) return name
  // Without the database the name is the browser's, which has few short ones.
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(date)
  return parts.find((p) => p.type === 'timeZoneName')?.value ?? ''
}
