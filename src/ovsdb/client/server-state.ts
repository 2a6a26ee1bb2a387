import { isObject, type Json, type JsonObject } from '../../jsonrpc/json.ts'

/** What `_Server` says of a server: why it will not do, and how far it is. */
export interface ServerVerdict {
  readonly refusal?: string
  readonly index?: number
}

/** What is asked of a server. */
export interface ServerDemands {
  readonly database: string
  /** Of a cluster, only the leader will do. */
  readonly leaderOnly: boolean
  /** The commit index up to which we have seen; less would be a step back. */
  readonly minIndex: number
}

/**
 * Judges an update of the row that table Database of `_Server` has for our database (ovsdb-server(5)): a
 * relay has to have its source, and will not do for a leader; a member of a cluster has to be in touch with
 * it, not behind what we have seen, and the leader where only that will do. `whole`: the update is the initial
 * contents, so that no row means no such database.
 */
export function serverAccepts(updates: Json, demands: ServerDemands, whole: boolean): ServerVerdict {
  const rows = isObject(updates) ? updates['Database'] : undefined
  const changes = Object.values(isObject(rows) ? rows : {})
  if (whole && !changes.length) return { refusal: `server does not have ${demands.database} database` }
  for (const update of changes) {
    const row = isObject(update) ? (update['initial'] ?? update['insert'] ?? update['modify']) : undefined
    if (!isObject(row)) continue
    const model = row['model']
    if (whole && model === 'relay') {
      const refusal = refusalOfRelay(row, demands)
      return refusal === undefined ? {} : { refusal }
    }
    if (whole && model !== 'clustered') return {}
    const refusal = refusalOfMember(row, demands, whole)
    if (refusal !== undefined) return { refusal }
    const index = row['index']
    if (typeof index === 'number') return { index }
  }
  return {}
}

function refusalOfRelay(row: JsonObject, { leaderOnly }: ServerDemands): string | undefined {
  const refused = (why: string) => `relay database server ${why}; trying another server`
  if (row['connected'] !== true) return refused('has not yet connected to the relay source')
  return leaderOnly ? refused('cannot be a leader') : undefined
}

function refusalOfMember(row: JsonObject, demands: ServerDemands, whole: boolean): string | undefined {
  const refused = (why: string) => `clustered database server ${why}; trying another server`
  // a difference tells only what changed; the initial contents leave out what is false
  const untold = whole ? false : undefined
  if ((row['connected'] ?? untold) === false) return refused('is disconnected from cluster')
  if (demands.leaderOnly && (row['leader'] ?? untold) === false) return refused('is not cluster leader')
  const index = row['index']
  return typeof index === 'number' && index < demands.minIndex ? refused('has stale data') : undefined
}
