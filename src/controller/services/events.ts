import { uuid4 } from '../../base/random.ts'
import type { Operation } from '../../ovsdb/client/operation.ts'
import type { ControllerState } from '../controller.ts'
import { US } from '../interfaces.ts'
import type { Effect } from '../packet-in/effect.ts'

type Event = Extract<Effect, { type: 'event' }>

/** Reports events to the CMS as rows of Controller_Event (ovn-sb(5)); one that is there already is not repeated. */
export class Events {
  private readonly pending = new Map<string, Event>()
  private sequence = 0

  constructor(private readonly state: ControllerState) {
    state.southbound.rows.watch('event', (key) => this.operations(key))
  }

  report(event: Event): void {
    const key = `${event.event} ${[...event.info].join(' ')}`
    this.pending.set(key, event)
    this.state.southbound.rows.mark('event', key)
  }

  private operations(key: string): readonly Operation[] {
    const event = this.pending.get(key)
    const us = this.state.chassis.us.peek(US)
    if (!event || !us) return []
    const { sb, random } = this.state.options
    for (const row of sb.table('Controller_Event').values()) {
      const same = [...event.info].every(([name, value]) => row.event_info.get(name) === value)
      if (row.event_type === event.event && row.chassis === us.uuid && same) {
        this.pending.delete(key)
        return []
      }
    }
    const row = { event_type: event.event, event_info: event.info, chassis: us.uuid, seq_num: ++this.sequence }
    return [{ op: 'insert', table: 'Controller_Event', uuid: uuid4(random), row }]
  }
}
