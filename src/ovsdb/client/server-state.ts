import { isObject, type Json, type JsonObject } from '../../jsonrpc/json.ts'

/** How a refusal begins that says that the database is not there. */
export const NO_DATABASE = 'server does not have'

/** How a refusal ends for which another server may do. */
export const ELSEWHERE = 'trying another server'

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

/** The row that table Database of `_Server` has for our database (ovsdb-server(5)), as far as the server told it. */
export class ServerState {
  private row: JsonObject | undefined

  /** Takes the `<table-updates2>` of a monitor on that row alone. */
  take(updates: Json): void {
    const rows = isObject(updates) ? updates['Database'] : undefined
    for (const update of Object.values(isObject(rows) ? rows : {})) {
      if (!isObject(update)) continue
      const { initial, insert, modify } = update
      const whole = initial ?? insert
      if (isObject(whole)) this.row = whole
      else if (isObject(modify)) this.row = { ...this.row, ...modify }
      else if ('delete' in update) this.row = undefined
    }
  }

  /**
   * A relay has to have its source, and will not do for a leader; a member of a cluster has to be in touch with it,
   * not behind what we have seen, and the leader where only that will do.
   */
  judge(demands: ServerDemands): ServerVerdict {
    const { row } = this
    if (!row) return { refusal: `${NO_DATABASE} ${demands.database} database` }
    const { model, index } = row
    if (model !== 'relay' && model !== 'clustered') return {}
    const refusal = model === 'relay' ? refusalOfRelay(row, demands) : refusalOfMember(row, demands)
    if (refusal !== undefined) return { refusal: `${refusal}; ${ELSEWHERE}` }
    return model === 'clustered' && typeof index === 'number' ? { index } : {}
  }
}

/** What is told leaves out what is false. */
function refusalOfRelay(row: JsonObject, { leaderOnly }: ServerDemands): string | undefined {
  if (row['connected'] !== true) return 'relay database server has not yet connected to the relay source'
  return leaderOnly ? 'relay database server cannot be a leader' : undefined
}

function refusalOfMember(row: JsonObject, { leaderOnly, minIndex }: ServerDemands): string | undefined {
  if (row['connected'] !== true) return 'clustered database server is disconnected from cluster'
  if (leaderOnly && row['leader'] !== true) return 'clustered database server is not cluster leader'
  const { index } = row
  return typeof index === 'number' && index < minIndex ? 'clustered database server has stale data' : undefined
}
