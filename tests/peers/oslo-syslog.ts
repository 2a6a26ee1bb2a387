// Logs the events of standard input as the files of oslo.log's options say: the sockets' end is oslo-syslog.py.
import { readFileSync } from 'node:fs'
import type { LogEvent } from '../../src/logging/event.ts'
import { osloBackend } from '../../src/logging/oslo/backend.ts'
import { parseOsloOptions } from '../../src/logging/oslo/options.ts'

const input = JSON.parse(readFileSync(0, 'utf8')) as { readonly texts: string[]; readonly events: LogEvent[] }

const wait = (ms: number) => new Promise((done) => setTimeout(done, ms))

for (const text of input.texts) {
  const parsed = parseOsloOptions(text, 'oslo.conf', 'ovn-northd')
  if (!parsed.ok) throw new Error(parsed.error)
  const backend = osloBackend(parsed.value.options, {
    ...{ component: 'ovn-northd', hostname: 'host', pid: 4242, now: () => 0, resolve: (p: string) => p },
    onTrouble(message) {
      throw new Error(message)
    },
  })
  for (const event of input.events) {
    if (!backend.enabled(event.level, event.component, event.module)) continue
    backend.write(event)
    // A socket of datagrams holds ten, and nothing here waits for its reader.
    await wait(100)
  }
  backend.close()
}
