import type { Monitor } from '../monitor/index.ts'
import type { Delta } from '../transaction/index.ts'
import { SharedText } from './dumps.ts'
import { enclosed } from './output.ts'

/** An update notification up to its `<table-updates>`. */
export function updateHead(key: string, monitor: Monitor): string {
  const since = monitor.version === 3 ? `"${monitor.database.lastId}",` : ''
  const method = monitor.version === 1 ? 'update' : `update${monitor.version}`
  return `{"id":null,"method":"${method}","params":[${key},${since}`
}

/** Notifications of one commit, made once for all clients whose monitors are called and ask for the same. */
export type UpdateMessages = Map<string, SharedText | Uint8Array | undefined>

/** The notification of a commit; undefined when nothing of it is for this monitor. */
export function sharedMessage(
  key: string,
  monitor: Monitor,
  delta: Delta,
  messages: UpdateMessages,
): SharedText | Uint8Array | undefined {
  const name = monitor.messageKey(key)
  if (messages.has(name)) return messages.get(name)
  const rest = monitor.update(delta)
  const first = rest.next()
  const head = updateHead(key, monitor)
  let message: SharedText | Uint8Array | undefined
  if (!first.done) {
    const second = first.value ? rest.next() : undefined
    message = second?.done
      ? Buffer.from(`${head}${first.value}]}`)
      : new SharedText(enclosed(head, [first.value, second?.value ?? ''], rest, ']}'))
  }
  messages.set(name, message)
  return message
}

/** All who are told of the commit have them: what the last has read can go. */
export function sealMessages(messages: UpdateMessages): void {
  for (const message of messages.values()) if (message instanceof SharedText) message.seal()
}
