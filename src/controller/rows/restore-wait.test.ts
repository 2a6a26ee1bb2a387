import { describe, expect, test } from 'vitest'
import type { OpenVSwitchRow } from '../../schema/open-vswitch.ts'
import { RestoreWait } from './restore-wait.ts'

const WAIT = 'flow-restore-wait'
const MANAGED = 'ovn-managed-flow-restore-wait'

/** A row with what the operations of a step make of it. */
class Row {
  wait: string | undefined
  managed: string | undefined
  next = 4
  cur = 4
  readonly lines: string[] = []

  step(of: RestoreWait): boolean {
    const map = (key: string, value: string | undefined) => new Map(value === undefined ? [] : [[key, value]])
    const row = {
      _uuid: 'u',
      other_config: map(WAIT, this.wait),
      external_ids: map(MANAGED, this.managed),
      next_cfg: this.next,
      cur_cfg: this.cur,
    } as unknown as OpenVSwitchRow
    const [op] = of.operations(row, (text) => this.lines.push(text), 7)
    if (op?.op !== 'mutate') return false
    for (const [column, mutator, value] of op.mutations) {
      if (column === 'next_cfg') this.next++
      else if (column === 'other_config')
        this.wait = mutator === 'delete' ? undefined : (value as Map<string, string>).get(WAIT)
      else this.managed = mutator === 'delete' ? undefined : (value as Map<string, string>).get(MANAGED)
    }
    return true
  }
}

describe('flow-restore-wait', () => {
  test('nothing happens before the flows are there', () => {
    const row = new Row()
    expect(row.step(new RestoreWait())).toBe(false)
  })

  test('is false until the switch has seen it, and true from then on', () => {
    const row = new Row()
    const wait = new RestoreWait()
    wait.flowsInstalled()
    expect(row.step(wait)).toBe(true)
    expect([row.wait, row.managed, row.next]).toEqual(['false', undefined, 5])
    expect(row.step(wait)).toBe(false)
    row.cur = 5
    expect(row.step(wait)).toBe(true)
    expect([row.wait, row.managed, row.next]).toEqual(['true', 'true', 6])
    expect(row.step(wait)).toBe(false)
    expect(row.lines).toEqual(['Setting flow-restore-wait=false (cur_cfg=7)', 'Setting flow-restore-wait=true'])
  })

  test('a new connection releases the wait that an earlier one left', () => {
    const row = new Row()
    row.wait = 'true'
    row.managed = 'true'
    const wait = new RestoreWait()
    wait.flowsInstalled()
    row.step(wait)
    expect([row.wait, row.managed]).toEqual(['false', undefined])
    row.cur = row.next
    row.step(wait)
    expect(row.step(wait)).toBe(false)
    wait.connected()
    expect(row.step(wait)).toBe(false)
    wait.flowsInstalled()
    row.step(wait)
    expect([row.wait, row.managed]).toEqual(['false', undefined])
  })

  test('begins anew when somebody clears it', () => {
    const row = new Row()
    const wait = new RestoreWait()
    wait.flowsInstalled()
    row.step(wait)
    row.cur = row.next
    row.step(wait)
    row.wait = undefined
    expect(row.step(wait)).toBe(true)
    expect([row.wait, row.managed]).toEqual(['false', undefined])
  })

  test("leaves somebody else's wait alone", () => {
    const row = new Row()
    row.wait = 'true'
    const wait = new RestoreWait()
    wait.flowsInstalled()
    expect(row.step(wait)).toBe(false)
  })
})
