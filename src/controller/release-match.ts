import type { Log } from '../base/log.ts'
import type { Replica } from '../ovsdb/client/replica.ts'
import { INTERNAL_VERSION } from '../schema/internal-version.ts'
import type { Southbound } from '../schema/southbound.ts'

/** Whether northd's release is one to follow (ovn-controller(8), external_ids:ovn-match-northd-version). */
export class ReleaseMatch {
  /** The version of a northd that is not followed, as long as it is not ours. */
  private unmatched: string | undefined

  constructor(
    private readonly sb: Replica<Southbound>,
    private readonly log: Log,
    /** Whether we are told to follow none but our own release. */
    private readonly strict: () => boolean,
  ) {}

  get waiting(): boolean {
    return this.unmatched !== undefined
  }

  /** Whether northd is of another release and this chassis is to wait for ours. */
  blocks(): boolean {
    const strict = this.strict()
    // without a connection northd is what it was
    if (strict && this.sb.state !== 'synced') return this.waiting
    const version = strict ? this.version() : INTERNAL_VERSION
    if (version === INTERNAL_VERSION) {
      this.unmatched = undefined
      return false
    }
    if (version !== this.unmatched) {
      const text = `controller version - ${INTERNAL_VERSION} mismatch with northd version - ${version}`
      this.log.warn(text, { code: 'version-mismatch' })
    }
    this.unmatched = version
    return true
  }

  private version(): string {
    const [global] = this.sb.table('SB_Global').values()
    return global?.options.get('northd_internal_version') ?? ''
  }
}
