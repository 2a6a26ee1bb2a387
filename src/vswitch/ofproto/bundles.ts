import type { ErrorName } from '../../openflow/messages/errors.ts'
import type { BundleAdd, BundleControl, Message } from '../../openflow/messages/message.ts'
import type { Applied } from './flow-mod.ts'

interface Bundle {
  readonly flags: number
  readonly messages: Message[]
  closed: boolean
}

/** What a bundle needs of its connection. */
export interface BundleHost {
  apply(m: Message): { readonly applied: Applied } | { readonly error: ErrorName }
  fail(m: Message, error: ErrorName): void
  send(m: Message): void
}

const ALLOWED: ReadonlySet<string> = new Set(['flow_mod', 'group_mod', 'port_mod', 'packet_out'])

/** The bundles of one connection (OpenFlow 1.5 §7.3.9): all of one, or nothing of it. */
export class Bundles {
  private readonly bundles = new Map<number, Bundle>()

  constructor(private readonly host: BundleHost) {}

  add(m: BundleAdd): void {
    let b = this.bundles.get(m.bundle)
    if (!b) {
      b = { flags: m.flags, messages: [], closed: false }
      this.bundles.set(m.bundle, b)
    }
    if (b.closed) this.host.fail(m, 'OFPBFC_BUNDLE_CLOSED')
    else if (b.flags !== m.flags) this.host.fail(m, 'OFPBFC_BAD_FLAGS')
    else if (!ALLOWED.has(m.message.type)) this.host.fail(m, 'OFPBFC_MSG_UNSUP')
    else b.messages.push(m.message)
  }

  control(m: BundleControl): void {
    const error = this.step(m)
    if (error) this.host.fail(m, error)
  }

  private step(m: BundleControl): ErrorName | undefined {
    const known = this.bundles.get(m.bundle)
    switch (m.control) {
      case 'open_request':
        if (known) {
          this.bundles.delete(m.bundle)
          return 'OFPBFC_BAD_ID'
        }
        this.bundles.set(m.bundle, { flags: m.flags, messages: [], closed: false })
        this.reply(m, 'open_reply')
        return undefined
      case 'close_request':
        if (!known) return 'OFPBFC_BAD_ID'
        if (known.closed) return 'OFPBFC_BUNDLE_CLOSED'
        if (known.flags !== m.flags) return 'OFPBFC_BAD_FLAGS'
        known.closed = true
        this.reply(m, 'close_reply')
        return undefined
      case 'commit_request':
        if (!known) return 'OFPBFC_BAD_ID'
        this.bundles.delete(m.bundle)
        if (known.flags !== m.flags) return 'OFPBFC_BAD_FLAGS'
        if (!this.commit(known)) return 'OFPBFC_MSG_FAILED'
        this.reply(m, 'commit_reply')
        return undefined
      case 'discard_request':
        if (!known) return 'OFPBFC_BAD_ID'
        this.bundles.delete(m.bundle)
        this.reply(m, 'discard_reply')
        return undefined
      default:
        return 'OFPBFC_BAD_TYPE'
    }
  }

  private reply(m: BundleControl, control: BundleControl['control']): void {
    const { xid, bundle } = m
    this.host.send({ type: 'bundle_control', xid, bundle, control, flags: 0, properties: new Uint8Array(0) })
  }

  private commit(b: Bundle): boolean {
    const done: Applied[] = []
    for (const m of b.messages) {
      const r = this.host.apply(m)
      if ('error' in r) {
        for (const d of done.reverse()) d.undo()
        this.host.fail(m, r.error)
        return false
      }
      done.push(r.applied)
    }
    for (const d of done) d.tell()
    return true
  }
}
