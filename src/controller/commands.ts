import { type ControlCommand, command } from '../base/command.ts'
import type { Action } from '../openflow/actions/action.ts'
import { formatActions } from '../openflow/text/actions-format.ts'
import type { Controller } from './controller.ts'
import type { Group } from './flow-installer/desired.ts'
import { conjunctionKeyParts } from './lowering/lowering.ts'

const byName = <T>(entries: Iterable<[string, T]>): [string, T][] => [...entries].sort(([a], [b]) => (a < b ? -1 : 1))

/** The control commands of ovn-controller(8), RUNTIME MANAGEMENT COMMANDS. */
export function controllerCommands(
  c: Controller,
  hooks: { readonly exit: (restart: boolean, done: () => void) => void },
): ControlCommand[] {
  const { state } = c
  const { sb, log } = state.options
  const none = [0, 0] as const
  const main = log.child('main')
  return [
    command('connection-status', '', none, () =>
      sb.state === 'synced' || sb.state === 'syncing' ? 'connected' : 'not connected',
    ),
    command('ct-zone-list', '', none, () => lines(byName(state.zones.contents).map(([key, zone]) => `${key} ${zone}`))),
    command('group-table-list', '', none, () => {
      const ids = byName([...state.lowering.groupIds.contents])
      return lines(ids.map(([key, id]) => `${groupText(state.lowering.groups.peek(String(id))) ?? key}: ${id}`))
    }),
    command('meter-table-list', '', none, () =>
      lines(byName(state.lowering.meterIds.contents).map(([name, id]) => `${name}: ${id}`)),
    ),
    command('debug/dump-local-bindings', '', none, () => localBindings(c)),
    command('debug/dump-local-datapaths', '', none, () =>
      lines([
        'Local datapaths:',
        ...[...state.datapaths.local.contents.values()]
          .sort((a, b) => (a.name < b.name ? -1 : 1))
          .map((d) => `Datapath: ${d.name}, type: ${d.kind}`),
      ]),
    ),
    command('debug/dump-peer-ports', '', none, () => {
      const out: string[] = []
      for (const p of state.datapaths.peerings.contents.values()) {
        const dp = state.datapaths.local.peek(p.from)
        if (dp) out.push(`dp ${dp.name} : local = ${p.port}, remote = ${p.peer}`)
      }
      return lines(out.sort())
    }),
    command('debug/dump-related-ports', '', none, () => lines([...state.environment.related.contents.keys()].sort())),
    command('debug/dump-mac-bindings', '', none, () => 'Local MAC bindings:'),
    command('debug/dump-lflow-conj-ids', '', none, () => conjunctions(c)),
    command('debug/dump-local-template-vars', '', none, () => {
      const out = ['Local template vars:']
      for (const variables of state.environment.templates.contents.values()) {
        for (const [name, value] of byName(variables)) out.push(`name: '${name}' value: '${value}'`)
      }
      return lines(out)
    }),
    command('debug/pause', '', none, () => {
      main.info('User triggered execution pause.')
      c.setPaused(true)
      return ''
    }),
    command('debug/resume', '', none, () => {
      main.info('User triggered execution resume.')
      c.setPaused(false)
      return ''
    }),
    command('debug/status', '', none, () => (c.isPaused ? 'paused' : 'running')),
    command('debug/delay-nb-cfg-report', 'SECONDS', [1, 1], ([seconds]) => {
      if (!/^\d{1,9}$/.test(seconds ?? '')) return new Error('unsigned integer required')
      c.acknowledgeDelay = 1000 * Number(seconds)
      return c.acknowledgeDelay ? `delay nb_cfg report for ${seconds} seconds.` : 'no delay for nb_cfg report.'
    }),
    ...(['recompute', 'inc-engine/recompute'] as const).map((name) =>
      command(name, name === 'recompute' ? '[deprecated]' : '', none, () => {
        log.child('inc_proc_eng').info('User triggered force recompute.')
        c.recompute()
        return ''
      }),
    ),
    command('inject-pkt', 'MICROFLOW', [1, 1], ([microflow = '']) => {
      const error = c.inject(microflow)
      return error === undefined ? '' : new Error(error)
    }),
    command('inc-engine/show-stats', '', [0, 2], ([rule, counter]) => statistics(c, rule, counter)),
    command('inc-engine/clear-stats', '', none, () => {
      state.graph.runs.clear()
      return ''
    }),
    command('inc-engine/list-stopwatches', '', [0, 1], ([part]) =>
      lines([...state.graph.runs.keys()].filter((name) => part === undefined || name.includes(part)).sort()),
    ),
    // Nothing is kept apart from the relations themselves.
    command('lflow-cache/show-stats', '', none, () =>
      lines([
        'Enabled: false',
        ...['high-watermark  ', 'total           ', 'cache-expr      ', 'cache-matches   ', 'trim count      '].map(
          (name) => `${name}: 0`,
        ),
        'Mem usage (KB)  : 0',
      ]),
    ),
    ...(['lflow-cache/flush', 'flush-lflow-cache'] as const).map((name) =>
      command(name, name === 'flush-lflow-cache' ? '[deprecated]' : '', none, () => {
        main.info('User triggered lflow cache flush.')
        c.recompute()
        return ''
      }),
    ),
    command('sb-cluster-state-reset', '', none, () => {
      main.info('Resetting southbound database cluster state')
      sb.forgetIndex()
      return ''
    }),
    command('debug/why', 'RELATION KEY', [2, 2], ([relation, key]) => {
      const text = c.why(relation as string, key as string)
      return text ?? new Error(`no relation ${relation}`)
    }),
    command('debug/relations', '', none, () =>
      lines(state.graph.allRelations.map((r) => `${r.name} ${r.contents.size}`).sort()),
    ),
    {
      name: 'exit',
      usage: '',
      minArgs: 0,
      maxArgs: 1,
      run: (args, reply) => hooks.exit(args[0] === '--restart', () => reply.ok('')),
    },
  ]
}

const lines = (all: readonly string[]): string => (all.length ? `${all.join('\n')}\n` : '')

function groupText(group: Group | undefined): string | undefined {
  if (!group) return undefined
  const selection = group.selection
  const head = `type=${group.type}${selection ? `,selection_method=${selection.method}` : ''}`
  const param = selection?.param ? `,selection_method_param=0x${selection.param.toString(16)}` : ''
  const buckets = group.buckets.map((b) => `,bucket=bucket_id=${b.id},weight:${b.weight},actions=${text(b.actions)}`)
  return head + param + buckets.join('')
}

const text = (actions: readonly Action[]): string => formatActions(actions)

function localBindings(c: Controller): string {
  const { bindings, interfaces } = c.state
  const out = ['Local bindings:']
  const owners = new Set<string>()
  for (const b of bindings.all.contents.values()) {
    if (b.kind === 'vif' || b.kind === 'localport') owners.add(b.name)
    if (b.parent !== undefined) owners.add(b.parent)
  }
  for (const name of [...owners].sort()) {
    const own = bindings.all.peek(name)
    const children = [...bindings.all.contents.values()].filter((b) => b.parent === name)
    const count = children.length + (own ? 1 : 0)
    const iface = interfaces.vifs.peek(name)?.name ?? 'NULL'
    out.push(`name: [${name}], OVS interface name : [${iface}], num binding lports : [${count}]`)
    if (own?.kind === 'localport') out.push(`localport lport : [${name}]`)
    else if (own) out.push(`primary lport : [${name}]`)
    children
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .forEach((b, i) => {
        out.push(`child lport[${i + 1}] : [${b.name}], type : [${b.kind === 'container' ? 'CONTAINER' : 'VIRTUAL'}]`)
      })
    out.push('----------------------------------------')
  }
  return lines(out)
}

function conjunctions(c: Controller): string {
  const groups = new Map<string, { lflow: string; dp: string; ids: number[] }>()
  for (const [key, id] of c.state.lowering.conjunctionIds.contents) {
    const { lflow, datapath } = conjunctionKeyParts(key)
    const name = `${lflow} ${datapath}`
    const group = groups.get(name) ?? { lflow, dp: datapath, ids: [] }
    group.ids.push(id)
    groups.set(name, group)
  }
  const out = ['Conjunction IDs allocations:']
  for (const [, g] of byName(groups)) {
    out.push(`lflow: ${g.lflow}, dp: ${g.dp}, start: ${Math.min(...g.ids)}, n: ${g.ids.length}`)
  }
  return lines([...out, '---', `Total ${c.state.lowering.conjunctionIds.contents.size} IDs used.`])
}

function statistics(c: Controller, rule: string | undefined, counter: string | undefined): string | Error {
  const runs = c.state.graph.runs
  if (rule === undefined) {
    return lines(
      byName(runs).flatMap(([name, n]) => [
        `Node: ${name}`,
        '- recompute:            0',
        `- compute: ${String(n).padStart(12)}`,
        '- cancel:               0',
      ]),
    )
  }
  const n = runs.get(rule) ?? 0
  if (counter === undefined || counter === 'compute') return `${n}\n`
  return counter === 'recompute' || counter === 'cancel' ? '0\n' : new Error(`${counter}: no such counter`)
}
