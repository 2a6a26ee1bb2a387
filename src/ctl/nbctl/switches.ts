import { fatal } from '../error.ts'
import { findRouter, findSwitch, type NbCall, type NbCommand, needRouter, needSwitch, printNamed } from './lookup.ts'

function add(call: NbCall, table: 'Logical_Switch' | 'Logical_Router', kind: string): void {
  const name = call.args[0]
  const duplicate = call.has('add-duplicate')
  const mayExist = call.has('may-exist')
  if (mayExist && duplicate) fatal('--may-exist and --add-duplicate may not be used together')
  if (name === undefined) {
    if (mayExist) fatal(`--may-exist requires specifying a name`)
    if (duplicate) fatal(`--add-duplicate requires specifying a name`)
    call.db.insert(table, {})
    return
  }
  if (!duplicate && call.db.rows(table).some((row) => row.name === name)) {
    if (mayExist) return
    fatal(`${name}: a ${kind} with this name already exists`)
  }
  call.db.insert(table, { name })
}

function del(call: NbCall, table: 'Logical_Switch' | 'Logical_Router'): void {
  const find = table === 'Logical_Switch' ? findSwitch : findRouter
  const need = table === 'Logical_Switch' ? needSwitch : needRouter
  const row = call.has('if-exists') ? find(call, call.arg(0)) : need(call, call.arg(0))
  if (row) call.db.delete(table, row._uuid)
}

/** Switches and routers as such. */
export const switchCommands: readonly NbCommand[] = (
  [
    ['ls', 'Logical_Switch', 'switch', 'SWITCH'],
    ['lr', 'Logical_Router', 'router', 'ROUTER'],
  ] as const
).flatMap(([prefix, table, kind, usage]): NbCommand[] => [
  {
    name: `${prefix}-add`,
    args: [0, 1],
    usage: `[${usage}]`,
    options: ['may-exist', 'add-duplicate'],
    access: 'rw',
    tables: [table],
    run: (call) => add(call, table, kind),
  },
  {
    name: `${prefix}-del`,
    args: [1, 1],
    usage,
    options: ['if-exists'],
    access: 'rw',
    tables: [table],
    run: (call) => del(call, table),
  },
  {
    name: `${prefix}-list`,
    args: [0, 0],
    access: 'ro',
    tables: [table],
    run: (call) => printNamed(call, call.db.rows(table)),
  },
])
