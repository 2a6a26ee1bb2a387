import type { Fields, Level } from '../base/log.ts'

/** How often a message may be logged: `burst` at once, then `perMinute`. */
export interface RateLimit {
  readonly perMinute: number
  readonly burst: number
}

/** What the real daemons allow for most of their warnings: five at once, then one every 12 seconds. */
const USUAL: RateLimit = { perMinute: 5, burst: 5 }

/** Messages about rows of the databases: one at once, so that a thousand bad rows are a line and a number. */
const ROW: RateLimit = { perMinute: 5, burst: 1 }

/** Where the real daemons allow something else, as observed with northd of 26.03. */
const OTHERS: ReadonlyMap<string, RateLimit> = new Map([
  ...['bad-mac', 'bad-dhcpv6', 'bad-nat', 'bad-nat-network', 'bad-prefix', 'bad-nexthop', 'bad-out-port'].map(
    (code) => [code, ROW] as const,
  ),
  ...['no-path', 'bad-policy', 'no-policy-path', 'bad-vip', 'bad-ra'].map((code) => [code, ROW] as const),
  ['bad-dhcp', { perMinute: 1, burst: 5 }],
])

/**
 * Codes that are logged each time, because the real daemons do so too, or because each of them counts:
 * a connection that is lost, a write that failed, a column that a database lacks, the end of the process.
 */
const UNLIMITED: ReadonlySet<string> = new Set([
  'connection-dropped',
  'no-probe-response',
  'old-schema',
  'ended-by-signal',
  'worker-died',
])

/** The most sites remembered; a code is a constant of the sources, so that only a mistake comes near. */
const MOST_SITES = 4096

/** A message that is limited, and what was suppressed of it since it was logged last. */
interface Site {
  /** Messages that may be logged at once. */
  tokens: number
  /** When `tokens` was right, milliseconds of the monotonic clock. */
  filled: number
  dropped: number
  firstDropped: number
  lastDropped: number
}

/** `suppress`: not to be logged. Else the line to be logged before the message, if some were suppressed. */
export type Verdict = 'suppress' | { readonly notice: string | undefined; readonly dropped: number }

const FREE: Verdict = { notice: undefined, dropped: 0 }

/**
 * Keeps a message that comes again and again from filling the disk (ovs-appctl(8), vlog/disable-rate-limit).
 * A site is a module and the stable `code` of a message (docs/MESSAGES.md), whatever its text says: a token bucket
 * each. A message without a code is not limited, nor is an emergency.
 */
export class RateLimits {
  private readonly sites = new Map<string, Site>()
  private readonly lifted = new Set<string>()
  private allLifted = false

  /** Lifts the limits of a module, or puts them back; of all modules where none is named. */
  set(module: string | undefined, on: boolean): void {
    if (module === undefined) {
      this.allLifted = !on
      this.lifted.clear()
      return
    }
    if (on) this.lifted.delete(module)
    else this.lifted.add(module)
  }

  /** What becomes of a message; `now` is in milliseconds of the monotonic clock. */
  judge(module: string, level: Level, fields: Fields | undefined, now: number): Verdict {
    const code = fields?.['code']
    if (typeof code !== 'string' || level === 'emer' || UNLIMITED.has(code)) return FREE
    if (this.allLifted || this.lifted.has(module)) return FREE
    const { perMinute, burst } = OTHERS.get(code) ?? USUAL
    const site = this.site(`${module}\n${code}`, burst, now)
    if (!site) return FREE
    site.tokens = Math.min(burst, site.tokens + (Math.max(0, now - site.filled) * perMinute) / 60_000)
    site.filled = now
    if (site.tokens < 1) {
      if (site.dropped++ === 0) site.firstDropped = now
      site.lastDropped = now
      return 'suppress'
    }
    site.tokens--
    if (site.dropped === 0) return FREE
    const dropped = site.dropped
    site.dropped = 0
    const ago = (time: number) => Math.floor((now - time) / 1000)
    return {
      dropped,
      notice:
        `Dropped ${dropped} log messages in last ${ago(site.firstDropped)} seconds ` +
        `(most recently, ${ago(site.lastDropped)} seconds ago) due to excessive rate`,
    }
  }

  private site(key: string, burst: number, now: number): Site | undefined {
    let site = this.sites.get(key)
    if (!site && this.sites.size < MOST_SITES) {
      site = { tokens: burst, filled: now, dropped: 0, firstDropped: now, lastDropped: now }
      this.sites.set(key, site)
    }
    return site
  }
}
