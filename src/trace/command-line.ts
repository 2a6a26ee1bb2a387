import { parseIpv4 } from '../address/ipv4.ts'
import { parseIpv6 } from '../address/ipv6.ts'
import { err, ok, type Result } from '../base/result.ts'
import { CT_STATE } from '../logical/index.ts'
import type { TraceOptions } from './execute.ts'
import type { TraceForms } from './index.ts'

/** What ovn-trace's command line says (ovn-trace(8), OPTIONS). */
export interface TraceInvocation {
  readonly forms: TraceForms
  readonly options: Omit<TraceOptions, 'random'>
  readonly datapath: string | undefined
  readonly microflow: string
  /** Options that are not about the trace: `db`, `private-key` ... */
  readonly globals: ReadonlyMap<string, string>
}

export type TraceRequest =
  | { readonly kind: 'trace'; readonly invocation: TraceInvocation }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }

const FLAGS: ReadonlySet<string> = new Set([
  'detailed',
  'summary',
  'minimal',
  'all',
  'friendly-names',
  'no-friendly-names',
  'leader-only',
  'no-leader-only',
  'help',
  'version',
])
const VALUES: ReadonlySet<string> = new Set([
  'db',
  'ct',
  'lb-dst',
  'select-id',
  'private-key',
  'certificate',
  'ca-cert',
  'bootstrap-ca-cert',
  'ssl-protocols',
  'ssl-ciphers',
  'ssl-ciphersuites',
  'ssl-server-name',
  'log-file',
  'syslog-method',
  'syslog-target',
])

/** `--ct=trk,new`: the bits of ct_state. */
export function parseCtState(text: string): Result<bigint> {
  let state = 0n
  for (const word of text.split(/[\s,]+/)) {
    if (!word) continue
    if (!Object.hasOwn(CT_STATE, word)) return err(`${word}: unknown connection tracking state flag`)
    state |= 1n << BigInt(CT_STATE[word as keyof typeof CT_STATE])
  }
  return ok(state)
}

function parseLbDst(text: string): TraceOptions['lbDst'] {
  const m = /^(?:\[([^\]]+)\]|([0-9.]+)|([0-9a-fA-F:.]+))(?::([0-9]{1,5}))?$/.exec(text)
  const port = Number(m?.[4] ?? 0)
  const v4 = m?.[2] === undefined ? undefined : parseIpv4(m[2])
  if (v4 !== undefined) return { family: 4, address: BigInt(v4), port }
  const v6 = parseIpv6(m?.[1] ?? m?.[3] ?? text)
  return v6 === undefined ? undefined : { family: 6, address: v6, port: m?.[1] === undefined ? 0 : port }
}

/** Words behind the program's name. The error is for stderr, behind `ovn-trace: `. */
export function parseTraceArguments(args: readonly string[]): Result<TraceRequest> {
  const flags = new Set<string>()
  const globals = new Map<string, string>()
  const ct: bigint[] = []
  const rest: string[] = []
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string
    if (arg === '--') {
      rest.push(...args.slice(i + 1))
      break
    }
    if (arg === '-h') return ok({ kind: 'help' })
    if (arg === '-V') return ok({ kind: 'version' })
    if (/^-v/.test(arg) || /^--verbose/.test(arg)) continue
    const absent = /^--(ovs|detach)(=|$)/.exec(arg)
    if (absent) return err(`--${absent[1]} is not supported`)
    if (!arg.startsWith('--')) {
      if (arg.startsWith('-') && arg.length > 1) return err(`invalid option -- '${arg[1]}'`)
      rest.push(arg)
      continue
    }
    const [name = '', given] = arg.slice(2).split(/=(.*)/s)
    if (FLAGS.has(name)) {
      flags.add(name)
      continue
    }
    if (!VALUES.has(name)) return err(`unrecognized option '--${name}'`)
    const value = given ?? args[++i]
    if (value === undefined) return err(`option '--${name}' requires an argument`)
    if (name === 'ct') {
      const state = parseCtState(value)
      if (!state.ok) return state
      ct.push(state.value)
    } else globals.set(name, value)
  }
  if (flags.has('help')) return ok({ kind: 'help' })
  if (flags.has('version')) return ok({ kind: 'version' })
  const [first, second] = rest
  if (first === undefined || rest.length > 2) {
    return err('one or two non-option arguments are required (use --help for help)')
  }
  const lb = globals.get('lb-dst')
  const lbDst = lb === undefined ? undefined : parseLbDst(lb)
  if (lb !== undefined && !lbDst) return err(`${lb}: bad address`)
  const select = globals.get('select-id')
  if (select !== undefined && !/^[0-9]+$/.test(select)) return err(`${select}: bad select-id`)
  if (flags.has('no-leader-only')) globals.set('no-leader-only', '')
  const none = !flags.has('detailed') && !flags.has('summary') && !flags.has('minimal')
  const all = flags.has('all')
  return ok({
    kind: 'trace',
    invocation: {
      forms: {
        detailed: all || none || flags.has('detailed'),
        summary: all || flags.has('summary'),
        minimal: all || flags.has('minimal'),
      },
      options: {
        ct,
        ...(lbDst ? { lbDst } : {}),
        ...(select === undefined ? {} : { selectId: Number(select) }),
        friendlyNames: !flags.has('no-friendly-names'),
      },
      datapath: second === undefined ? undefined : first,
      microflow: second ?? first,
      globals,
    },
  })
}
