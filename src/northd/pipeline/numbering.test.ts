import { describe, expect, it } from 'vitest'
import { printSchema, readSchema } from '../../ovsdb/schema/index.ts'
import { southbound } from '../../schema/southbound.ts'
import { NorthdWorld } from '../_world.ts'
import { CURRENT, OLDER } from './numbering.ts'
import { lrIn, lsIn, lsOut, STAGES } from './stage.ts'

type Json = { tables: Record<string, { columns: Record<string, unknown> }> }

/** The southbound as before 25.09: 33 tables a pipeline, and columns less. */
function olderSouthbound() {
  const json = JSON.parse(JSON.stringify(printSchema(southbound))) as Json
  const flow = json.tables['Logical_Flow']?.columns ?? {}
  flow['table_id'] = { type: { key: { type: 'integer', minInteger: 0, maxInteger: 32 } } }
  delete flow['flow_desc']
  delete json.tables['Datapath_Binding']?.columns['nb_uuid']
  delete json.tables['Datapath_Binding']?.columns['type']
  delete json.tables['Load_Balancer']?.columns['ls_datapath_group']
  delete json.tables['Load_Balancer']?.columns['lr_datapath_group']
  return readSchema(json as never)
}

describe('numbers of stages', () => {
  it('fit an older southbound, in the same order', () => {
    expect(STAGES.every((s) => CURRENT.table(s) === s.table)).toBe(true)
    for (const group of [lsIn, lsOut, lrIn]) {
      const numbers = Object.values(group).flatMap((stage) => OLDER.table(stage) ?? [])
      expect(numbers).toEqual(numbers.map((_, i) => i))
      expect(numbers.length).toBeLessThanOrEqual(33)
    }
    expect(OLDER.table(lsIn.network_function)).toBeUndefined()
    const text = `next(pipeline=ingress,table=${lsIn.l2_lkup.table}); next(pipeline=egress, table=${lsOut.qos.table}); table=9`
    expect(OLDER.actions(lsIn.acl_eval, text)).toBe(
      'next(pipeline=ingress,table=30); next(pipeline=egress, table=10); table=9',
    )
    expect(OLDER.actions(lrIn.ip_input, text)).toBe(text)
  })

  it('are those of the southbound there is', () => {
    const world = new NorthdWorld(1, olderSouthbound())
    const sw = world.insert('Logical_Switch', { name: 'sw' })
    world.insert('Logical_Switch_Port', { name: 'p', addresses: ['0a:00:00:00:00:01'] }, [
      'Logical_Switch',
      sw,
      'ports',
    ])
    world.insert('Load_Balancer', { name: 'lb', vips: new Map([['10.0.0.9:80', '10.0.0.1:80']]) }, [
      'Logical_Switch',
      sw,
      'load_balancer',
    ])
    world.clock.settle()
    const flows = [...world.southbound.rows('Logical_Flow')]
    const stages = new Map(
      flows.map((f) => [(f['external_ids'] as Map<string, string>).get('stage-name'), f['table_id']]),
    )
    expect(stages.get('ls_in_l2_lkup')).toBe(30)
    expect(stages.get('ls_out_apply_port_sec')).toBe(13)
    expect(stages.has('ls_in_network_function')).toBe(false)
    const [lb] = world.southbound.rows('Load_Balancer')
    expect(typeof lb?.['datapath_group']).toBe('string')
    expect(world.kept.lines.filter((l) => l.level === 'err')).toEqual([])
  })
})
