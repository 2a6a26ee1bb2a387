import { type Atom, type Datum, fail, type Row } from '../schema/index.ts'
import type { Requester } from './operation.ts'
import type { Overlay } from './overlay.ts'

/** What role-based access control lets a client do to one table (ovsdb-server(7), 3.2 and 4.1.3). */
export interface Permission {
  readonly table: string
  readonly role: string
  /** Undefined for a client without a verified certificate: it may change nothing. */
  readonly id: string | undefined
  /** `column` or `column:key` to be compared with the client's id; empty text: no comparison. */
  readonly authorization: readonly string[]
  /** There is no permission of the role for this table. */
  readonly none: boolean
  readonly insertDelete: boolean
  readonly update: readonly string[]
}

const strings = (datum: Datum): readonly string[] =>
  datum === undefined ? [] : ((typeof datum === 'object' ? [...(datum as readonly Atom[])] : [datum]) as string[])

/** The client's permission for a table; undefined when everything is allowed. */
export function permissionOf(requester: Requester, overlay: Overlay, table: string): Permission | undefined {
  const role = requester.role
  const roles = overlay.tables.get('RBAC_Role')
  if (!role || !roles) return undefined
  const { id } = requester
  const none: Permission = { table, role, id, authorization: [], none: true, insertDelete: false, update: [] }
  const row = [...roles.rows.values()].find((r) => r['name'] === role)
  const uuid = (row?.['permissions'] as ReadonlyMap<Atom, Atom> | undefined)?.get(table)
  const target = roles.schema.columns.get('permissions')?.type.value?.refTable
  const permission = uuid === undefined || !target ? undefined : overlay.tables.get(target)?.rows.get(uuid as string)
  if (!permission) return none
  return {
    ...none,
    none: false,
    authorization: strings(permission['authorization']),
    insertDelete: permission['insert_delete'] === true,
    update: strings(permission['update']),
  }
}

/** Whether one of the authorization columns of the row holds the client's id. */
function authorized(permission: Permission, row: Row): boolean {
  const { id } = permission
  if (id === undefined) return false
  return permission.authorization.some((entry) => {
    if (entry === '') return true
    const colon = entry.indexOf(':')
    const name = colon < 0 ? entry : entry.slice(0, colon)
    const datum = row[name]
    if (colon >= 0) return datum instanceof Map && datum.get(entry.slice(colon + 1)) === id
    return strings(datum instanceof Map ? [...datum.keys()] : datum).includes(id)
  })
}

function refuse(permission: Permission, what: string): never {
  fail(
    'permission error',
    `RBAC rules for client "${permission.id ?? '(null)'}" role "${permission.role}" prohibit ${what}`,
  )
}

export function allowInsert(permission: Permission, row: Row): void {
  if (permission.insertDelete && authorized(permission, row)) return
  refuse(permission, `row insertion into table "${permission.table}".`)
}

export function allowDelete(permission: Permission, row: Row): void {
  if (permission.insertDelete && authorized(permission, row)) return
  refuse(permission, `row deletion from table "${permission.table}".`)
}

export function allowModify(
  permission: Permission,
  row: Row,
  columns: readonly string[],
  what: 'modification of' | 'mutate operation on',
): void {
  const updatable = (c: string) => permission.update.includes(c)
  if (!authorized(permission, row) || !columns.every(updatable))
    refuse(permission, `${what} table "${permission.table}".`)
}

/** Refuses a client that is nobody, or has no permission for the table, before any row is looked at. */
export function allowAnyone(permission: Permission, what: string): void {
  if (permission.id === undefined || permission.none) refuse(permission, `${what} table "${permission.table}".`)
}
