import { formatIpv4 } from '../../address/ipv4.ts'
import { formatIpv6 } from '../../address/ipv6.ts'
import type { Action } from '../../openflow/actions/action.ts'
import type { Subfield } from '../../openflow/fields/field.ts'
import { formatAction, formatActions, formatSubfield } from '../../openflow/text/actions-format.ts'
import { parseMatch } from '../../openflow/text/flow.ts'
import { formatMatch } from '../../openflow/text/match.ts'
import type { Names } from '../../openflow/text/names.ts'
import { formatValue } from '../../openflow/text/value.ts'
import * as K from '../classifier/key.ts'
import { writeMasked } from '../classifier/slots.ts'
import type { DpAction, DpNat, DropReason } from '../datapath/action.ts'
import type { Translation } from '../datapath/datapath.ts'
import { formatDpActions } from '../datapath/format.ts'
import type { TraceSink } from '../pipeline/context.ts'
import type { Rule } from '../pipeline/rule.ts'
import { translate } from '../pipeline/translate.ts'
import type { Switch } from '../switch.ts'
import { formatKey, formatMegaflow } from './flow-text.ts'
import { applyMetadata } from './metadata.ts'

type NodeKind = 'bridge' | 'table' | 'bucket' | 'thaw' | 'action' | 'detail' | 'warning' | 'error'

/** A line of a trace with what happened inside it. */
export interface TraceNode {
  readonly kind: NodeKind
  readonly text: string
  readonly children: TraceNode[]
}

/** Gathers a trace as a tree. */
export class TraceTree implements TraceSink {
  readonly nodes: TraceNode[] = []
  private readonly open: TraceNode[][] = [this.nodes]

  constructor(private readonly names?: Names) {}

  private add(kind: NodeKind, text: string): TraceNode {
    const node: TraceNode = { kind, text, children: [] }
    this.open[this.open.length - 1]?.push(node)
    return node
  }

  bridge(name: string): void {
    this.open.push(this.add('bridge', `bridge("${name}")`).children)
  }

  table(table: number, rule: Rule | undefined): void {
    const id = String(table).padStart(2, ' ')
    let text = 'No match.'
    if (rule) {
      const match = formatMatch(rule.match, this.names)
      text = `${match}${match ? ', ' : ''}priority ${rule.priority}`
      if (rule.cookie) text += `, cookie 0x${rule.cookie.toString(16)}`
    }
    const node = this.add('table', `${id}. ${text}`)
    if (!rule || rule.actions.length === 0) node.children.push({ kind: 'action', text: 'drop', children: [] })
    this.open.push(node.children)
  }

  thaw(table: number | undefined): void {
    const node = this.add('thaw', 'thaw')
    if (table !== undefined) node.children.push({ kind: 'table', text: `Resuming from table ${table}`, children: [] })
  }

  end(): void {
    if (this.open.length > 1) this.open.pop()
  }

  action(action: Action): void {
    this.add('action', formatAction(action, this.names))
  }

  step(text: string): void {
    this.add('action', text)
  }

  detail(text: string): void {
    this.add('detail', text)
  }

  warning(text: string): void {
    this.add('warning', text)
  }

  field(field: Subfield, value: bigint): void {
    const whole = field.offset === 0 && field.bits === field.field.bits
    const text = whole
      ? formatValue(field.field, value, field.field.ones, this.names)
      : value
        ? `0x${value.toString(16)}`
        : '0'
    this.add('detail', `${formatSubfield(field)} is now ${text}`)
  }

  clause(rule: Rule): void {
    const match = formatMatch(rule.match, this.names)
    this.add('detail', `conj. priority=${rule.priority}${match ? `,${match}` : ''}`)
  }

  actionSet(actions: readonly Action[], was: boolean): void {
    this.add(
      'detail',
      `action set ${was ? 'was' : 'is'}: ${actions.length ? formatActions(actions, this.names) : 'empty'}`,
    )
  }

  runActionSet(): void {
    // it belongs to the first table, where the packet's way began
    const node: TraceNode = { kind: 'table', text: '--. Executing action set:', children: [] }
    const list = this.open[this.open.length - 1]
    const first = list?.findLast((n) => n.kind === 'table')
    ;(first?.children ?? list)?.push(node)
    this.open.push(node.children)
  }

  bucket(id: number): void {
    this.open.push(this.add('bucket', `bucket ${id}`).children)
  }

  error(text: string): void {
    this.add('error', text)
  }
}

/** The tree in lines: what is last in its list is not indented, so that a chain of tables stays at the margin. */
export function printTrace(nodes: readonly TraceNode[], level = 0): string {
  let out = ''
  nodes.forEach((n, i) => {
    if (n.kind === 'bridge') out += '\n'
    const inner = n.kind !== 'bridge' && n.kind !== 'table'
    const more = inner || i < nodes.length - 1 ? 1 : 0
    const indent = ' '.repeat((level + more) * 4)
    switch (n.kind) {
      case 'detail':
        out += `${indent} -> ${n.text}\n`
        break
      case 'warning':
        out += `${indent} >> ${n.text}\n`
        break
      case 'error':
        out += `${indent} >>>> ${n.text} <<<<\n`
        break
      case 'bridge':
        out += `${indent}${n.text}\n${indent}${'-'.repeat(n.text.length)}\n`
        break
      default:
        out += `${indent}${n.text}\n`
    }
    out += printTrace(n.children, level + more + more)
  })
  return out
}

export interface TraceRequest {
  readonly bridge: string
  readonly flow: string
  /** Values of ct_state for the connection trackings to come, in order. */
  readonly ctNext: readonly number[]
  readonly names: boolean
}

/** `ofproto/trace`: what the switch would do with a packet, without doing it. */
export function trace(sw: Switch, request: TraceRequest): string | Error {
  const bridge = sw.bridge(request.bridge)
  if (!bridge) return new Error(`Unknown bridge ${request.bridge}`)
  const names: Names = {
    portNumber: (name) => bridge.portByName(name)?.number,
    ...(request.names ? { port: (n: number) => bridge.ports.get(n)?.name } : {}),
  }
  const match = parseMatch(request.flow, names)
  if (!match.ok) return new Error(`Failed to parse flow: ${match.error}`)
  const key = K.newKey()
  applyMetadata(key, sw.slots, match.value)
  for (const m of match.value) {
    const s = sw.slots.of(m.field)
    if (s) writeMasked(key, s, m.value, m.mask)
  }
  if ((key[K.VLAN0] as number) & K.VLAN_PRESENT)
    key[K.VLAN0] = ((K.ETH_VLAN << 16) | ((key[K.VLAN0] as number) & 0xffff)) >>> 0
  const inPort = key[K.IN_PORT] as number
  const dp = bridge.ports.get(inPort)?.datapath
  if (!dp) return new Error(`${request.bridge}: no port ${inPort} to come in by`)
  const out: string[] = []
  const pending: { key: K.Key; why: string | undefined }[] = [{ key, why: undefined }]
  const ctNext = [...request.ctNext]
  let first = true
  for (let steps = 0; pending.length > 0 && steps < 64; steps++) {
    const next = pending.shift()
    if (!next) break
    const k = next.key
    if (!first) out.push(next.why ?? '')
    const shown = k.slice()
    shown[K.IN_PORT] = inPort
    restore(sw, shown)
    out.push(`Flow: ${formatKey(shown, sw.slots, !first, names)}\n`)
    const tree = new TraceTree(names)
    k[K.IN_PORT] = dp.number
    let final: K.Key | undefined
    const t = translate(sw, k, {
      live: false,
      trace: tree,
      done: (key) => {
        final = key
      },
    })
    out.push(printTrace(tree.nodes))
    out.push(summary(sw, shown, t, final, first, names))
    recirculations(t.actions, k, ctNext, pending)
    first = false
  }
  return out.join('')
}

/** A recirculated packet's flow as the pipeline sees it. */
function restore(sw: Switch, key: K.Key): void {
  const frozen = key[K.RECIRC_ID] ? sw.frozen.get(key[K.RECIRC_ID] as number) : undefined
  if (!frozen) return
  key.set(frozen.words, K.METADATA_HIGH)
}

function summary(
  sw: Switch,
  before: K.Key,
  t: Translation,
  final: K.Key | undefined,
  first: boolean,
  names: Names,
): string {
  const strip = (key: K.Key): K.Key => {
    const c = key.slice()
    c[K.ACTSET_OUTPUT] = 0
    return c
  }
  const same = !final || strip(final).every((w, i) => w === strip(before)[i])
  const flow = same || !final ? 'unchanged' : formatKey(final, sw.slots, !first, names)
  const shown = before.slice()
  return `\nFinal flow: ${flow}\nMegaflow: ${formatMegaflow(shown, t.wildcards, sw.slots, names)}\nDatapath actions: ${formatDpActions(t.actions)}\n${failure(t)}`
}

const FAILURES: Partial<Readonly<Record<DropReason, string>>> = {
  recursion_too_deep: 'Recursion too deep',
  too_many_resubmit: 'Too many resubmits',
  stack_too_deep: 'Stack too deep',
  no_recirculation_context: 'No recirculation context',
  too_many_mpls_labels: 'Too many MPLS labels',
  unsupported_packet_type: 'Unsupported packet type',
}

function failure(t: Translation): string {
  const [a] = t.actions
  const text = a?.type === 'drop' ? FAILURES[a.reason] : undefined
  return text ? `Translation failed (${text}), packet is dropped.\n` : ''
}

/** Puts the beginning of what a translation would choose from into a flow. Says what changed. */
function simulateNat(key: K.Key, nat: DpNat): string {
  const text = (): string => {
    if (nat.kind === undefined) return ''
    const at = (v4: number, v6: number) =>
      key[K.DL_TYPE] === K.ETH_IPV6
        ? `ipv6_${v4 === K.NW_SRC ? 'src' : 'dst'}=[${formatIpv6(K.u128(key, v6))}]`
        : `nw_${v4 === K.NW_SRC ? 'src' : 'dst'}=${formatIpv4(key[v4] as number)}`
    return `${at(K.NW_SRC, K.IPV6_SRC)},tp_src=${key[K.TP_SRC]},${at(K.NW_DST, K.IPV6_DST)},tp_dst=${key[K.TP_DST]}`
  }
  const before = text()
  const source = nat.kind === 'src'
  if (nat.kind && nat.min !== undefined) {
    if (nat.family === 4) key[source ? K.NW_SRC : K.NW_DST] = Number(nat.min)
    else K.setU128(key, source ? K.IPV6_SRC : K.IPV6_DST, nat.min)
  }
  if (nat.kind && nat.minPort) key[source ? K.TP_SRC : K.TP_DST] = nat.minPort
  return `Replacing src/dst IP/ports to simulate NAT:\n Initial flow: ${before}\n Modified flow: ${text()}\n`
}

const RULE = '='.repeat(79)

/** Follows a packet through the datapath's actions to where it recirculates. */
function recirculations(
  actions: readonly DpAction[],
  from: K.Key,
  ctNext: number[],
  pending: { key: K.Key; why: string | undefined }[],
): void {
  const key = from.slice()
  let tracked = false
  let nat: DpNat | undefined
  for (const a of actions) {
    switch (a.type) {
      case 'set':
        a.words.forEach((w, i) => {
          const m = a.masks[i] as number
          key[w] = ((key[w] as number) & ~m) | ((a.values[i] as number) & m)
        })
        break
      case 'push_vlan':
        key[K.VLAN1] = key[K.VLAN0] as number
        key[K.VLAN0] = ((a.tpid << 16) | a.tci) >>> 0
        break
      case 'pop_vlan':
        key[K.VLAN0] = key[K.VLAN1] as number
        key[K.VLAN1] = 0
        break
      case 'ct':
        key[K.CT_ZONE] = a.zone
        key[K.CT_STATE] = 0
        tracked = true
        nat = a.nat
        break
      case 'clone':
        recirculations(a.actions, key, ctNext, pending)
        break
      case 'check_pkt_len':
        recirculations(a.greater, key, ctNext, pending)
        recirculations(a.lessEqual, key, ctNext, pending)
        break
      case 'recirc': {
        const again = key.slice()
        again[K.RECIRC_ID] = a.id
        // as the real one, only connection tracking is followed
        if (!tracked) break
        const given = ctNext.shift()
        again[K.CT_STATE] = given ?? K.CS_TRK | K.CS_NEW
        const replaced = nat ? simulateNat(again, nat) : ''
        const state =
          given === undefined ? 'default ct_state=trk|new (use --ct-next to customize)' : `ct_state=${stateText(given)}`
        pending.push({
          key: again,
          why: `\n${RULE}\nrecirc(0x${a.id.toString(16)}) - resume conntrack with ${state}\n${replaced}${RULE}\n\n`,
        })
        break
      }
    }
  }
}

const STATES = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat']

export function stateText(state: number): string {
  return STATES.filter((_, i) => state & (1 << i)).join('|')
}

/** `trk,new` or `trk|new` as bits; undefined when a word is none of the states. */
export function parseState(text: string): number | undefined {
  let v = 0
  for (const word of text.split(/[,|]/)) {
    const i = STATES.indexOf(word.trim())
    if (i < 0) return undefined
    v |= 1 << i
  }
  return v
}
