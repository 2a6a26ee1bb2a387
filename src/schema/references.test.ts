import { expectTypeOf, it } from 'vitest'
import type { AnyRows, Draft, IdOf, OvsdbConnection, RowId, TableRequests } from './library.ts'
import type { LogicalSwitch, LogicalSwitchPort, Northbound } from './northbound.ts'

// Looked at by the compiler: `npm run check` fails where a line that must be an error is none.

it('knows whose uuid is whose', () => {
  expectTypeOf<IdOf<LogicalSwitch>>().toEqualTypeOf<RowId<'Logical_Switch'>>()
  expectTypeOf<LogicalSwitch['ports'][number]>().toEqualTypeOf<LogicalSwitchPort['_uuid']>()
  // a plain string will do
  expectTypeOf<string>().toExtend<RowId<'Logical_Switch'>>()
  expectTypeOf<RowId<'Logical_Switch'>>().not.toExtend<RowId<'Logical_Router'>>()
})

it('does not let a uuid of one table into another', () => {
  const edits = (tx: Draft<Northbound>): void => {
    const port = tx.insert('Logical_Switch_Port', { name: 'p' })
    const sw = tx.insert('Logical_Switch', { name: 's', ports: [port] })
    // @ts-expect-error a switch is no port of a switch
    tx.insert('Logical_Switch', { name: 's', ports: [sw] })
    // @ts-expect-error a port is no switch
    tx.update('Logical_Switch', port, { name: 't' })
    // @ts-expect-error ports are what goes into ports
    tx.addMember('Logical_Switch', sw, 'ports', sw)
    // @ts-expect-error a map of strings
    tx.setKey('Logical_Switch', sw, 'other_config', 'subnet', 5)
    tx.update('Logical_Switch', sw, { other_config: { subnet: '10.0.0.0/24' } })
    tx.update('Logical_Switch', sw, { other_config: new Map([['subnet', '10.0.0.0/24']]) })
    // @ts-expect-error a map of texts
    tx.update('Logical_Switch', sw, { other_config: { subnet: 5 } })
    // @ts-expect-error a set is no map
    tx.update('Logical_Switch', sw, { ports: { a: port } })
    // @ts-expect-error there is no such column
    tx.verify('Logical_Switch', sw, 'nam')
    tx.addMember('Logical_Switch', sw, 'ports', port)
    tx.setKey('Logical_Switch', sw, 'other_config', 'subnet', '10.0.0.0/24')
  }
  expectTypeOf(edits).toBeFunction()
})

it('knows the tables, the columns and their values that are asked for', () => {
  const asked = (requests: TableRequests<Northbound>) => requests
  asked({ Logical_Switch: { columns: ['name', 'ports'], where: [['name', '==', 'public']], required: ['name'] } })
  asked({ Logical_Switch_Port: { where: [true, ['tag', '==', 5], ['tag', '==', undefined], ['_uuid', '==', 'x']] } })
  asked({ Logical_Switch: { where: [['other_config', 'includes', new Map([['subnet', '10.0.0.0/24']])]] } })
  // @ts-expect-error there is no such table
  asked({ Logical_Swich: true })
  // @ts-expect-error there is no such column
  asked({ Logical_Switch: { columns: ['nmae'] } })
  // @ts-expect-error there is no such column
  asked({ Logical_Switch: { required: ['nmae'] } })
  // @ts-expect-error there is no such column
  asked({ Logical_Switch: { where: [['nmae', '==', 'public']] } })
  // @ts-expect-error a name is a text
  asked({ Logical_Switch: { where: [['name', '==', 5]] } })
  // @ts-expect-error there is no such function
  asked({ Logical_Switch: { where: [['name', '=', 'public']] } })
  const later = (nb: OvsdbConnection<Northbound>): void => {
    nb.setCondition('Logical_Switch', [['name', '==', 'public']])
    // @ts-expect-error there is no such column
    nb.setCondition('Logical_Switch', [['nmae', '==', 'public']])
  }
  expectTypeOf(later).toBeFunction()
  // of a schema that is known only at run time any name will do
  const any: TableRequests<AnyRows> = { Whatever: { columns: ['x'], where: [['x', '==', 1]] } }
  expectTypeOf(any).toBeObject()
})
