import { isObject, type Json } from '../../jsonrpc/json.ts'

/** What `_Server` says of a server: why it will not do, and how far it is. */
export interface ServerVerdict {
  readonly refusal?: string
  readonly index?: number
}

/**
 * Judges an update of the row that table Database of `_Server` has for our database
 * (ovsdb-server(5)): a relay will not do, a clustered server has to be the leader, in touch with its cluster, and not
 * behind what we have seen. `whole`: the update is the initial contents, so that no row means no
 * such database.
 */
export function serverAccepts(updates: Json, database: string, minIndex: number, whole: boolean): ServerVerdict {
  const rows = isObject(updates) ? updates['Database'] : undefined
  const changes = Object.values(isObject(rows) ? rows : {})
  if (whole && !changes.length) return { refusal: `server does not have ${database} database` }
  for (const update of changes) {
    const row = isObject(update) ? (update['initial'] ?? update['insert'] ?? update['modify']) : undefined
    if (!isObject(row)) continue
    if (whole && row['model'] === 'relay') {
      const why = row['connected'] === true ? 'cannot be a leader' : 'has not yet connected to the relay source'
      return { refusal: `relay database server ${why}; trying another server` }
    }
    if (whole && row['model'] !== 'clustered') return {}
    // a difference tells only what changed; the initial contents leave out what is false
    const untold = whole ? false : undefined
    if ((row['connected'] ?? untold) === false) {
      return { refusal: 'clustered database server is disconnected from cluster; trying another server' }
    }
    if ((row['leader'] ?? untold) === false) {
      return { refusal: 'clustered database server is not cluster leader; trying another server' }
    }
    const index = row['index']
    if (typeof index !== 'number') continue
    if (index < minIndex) return { refusal: 'clustered database server has stale data; trying another server' }
    return { index }
  }
  return {}
}
