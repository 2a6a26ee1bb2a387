import { expectTypeOf, it } from 'vitest'
import type { Draft, IdOf, RowId } from './library.ts'
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
    // @ts-expect-error there is no such column
    tx.verify('Logical_Switch', sw, 'nam')
    tx.addMember('Logical_Switch', sw, 'ports', port)
    tx.setKey('Logical_Switch', sw, 'other_config', 'subnet', '10.0.0.0/24')
  }
  expectTypeOf(edits).toBeFunction()
})
