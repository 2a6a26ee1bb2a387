import { parseIp } from '../../address/ip.ts'

/** What a tunnel port's options say (ovs-vswitchd.conf.db(5), Interface, "Tunnel Options"). */
export interface TunnelConfig {
  readonly type: 'geneve' | 'vxlan'
  /** Address, `'flow'`, or empty: any. */
  readonly remoteIp: string
  readonly localIp: string
  readonly inKey: bigint | 'flow' | undefined
  readonly outKey: bigint | 'flow' | undefined
  readonly port: number
  readonly tos: number | 'inherit'
  readonly ttl: number | 'inherit'
  readonly df: boolean
  readonly csum: boolean
  /** Group based policy, vxlan's `exts`. */
  readonly gbp: boolean
  readonly egressMark: number | undefined
}

/** Options of tunnels (ovs-vswitchd.conf.db(5)), and those that only say how a tunnel is protected. */
const OPTIONS: ReadonlySet<string> = new Set([
  ...['remote_ip', 'local_ip', 'in_key', 'out_key', 'key', 'dst_port', 'tos', 'ttl', 'df_default', 'csum', 'seq'],
  ...['exts', 'egress_pkt_mark', 'packet_type', 'pmd-rxq-affinity'],
  ...['psk', 'remote_cert', 'remote_name', 'certificate', 'private_key', 'use_ssl_cert', 'local_name'],
])

/** What of a tunnel's options is not heeded. */
export function ignoredOptions(name: string, type: string, options: ReadonlyMap<string, string>): string[] {
  const complaints: string[] = []
  const local = options.get('local_ip')
  if (local !== undefined && local !== 'flow' && parseIp(local) === undefined) {
    complaints.push(`${name}: bad ${type} 'local_ip'`)
  }
  for (const option of options.keys()) {
    if (!OPTIONS.has(option) && !option.startsWith('ipsec_')) {
      complaints.push(`${name}: unknown ${type} argument '${option}'`)
    }
  }
  return complaints
}

/** Whether two tunnels could not be told apart by their packets. */
export function sameTunnel(a: TunnelConfig, b: TunnelConfig): boolean {
  return (
    a.type === b.type &&
    a.remoteIp === b.remoteIp &&
    a.localIp === b.localIp &&
    a.port === b.port &&
    (a.inKey ?? 0n) === (b.inKey ?? 0n)
  )
}

/** Undefined, and why, when the options make no tunnel. */
export function tunnelConfig(
  name: string,
  type: string,
  options: ReadonlyMap<string, string>,
): TunnelConfig | { readonly error: string } {
  if (type !== 'geneve' && type !== 'vxlan') return { error: `${name}: tunnel type ${type} is not supported` }
  const remoteIp = options.get('remote_ip') ?? ''
  const missing = `${name}: ${type} type requires valid 'remote_ip' argument`
  if (!remoteIp) return { error: missing }
  if (remoteIp !== 'flow' && parseIp(remoteIp) === undefined) {
    return { error: `${name}: bad ${type} 'remote_ip'\n${missing}` }
  }
  const local = options.get('local_ip') ?? ''
  const key = (which: string): bigint | 'flow' | undefined => {
    const text = options.get(which) ?? options.get('key')
    if (text === undefined) return undefined
    if (text === 'flow') return 'flow'
    return /^(0x[0-9a-fA-F]+|[0-9]+)$/.test(text) ? BigInt(text) : undefined
  }
  const ttl = options.get('ttl')
  const tos = options.get('tos')
  const mark = options.get('egress_pkt_mark')
  return {
    type,
    remoteIp,
    localIp: local === 'flow' || parseIp(local) !== undefined ? local : '',
    inKey: key('in_key'),
    outKey: key('out_key'),
    port: Number(options.get('dst_port')) || (type === 'geneve' ? 6081 : 4789),
    ttl: ttl === 'inherit' ? 'inherit' : Number(ttl) || 64,
    tos: tos === 'inherit' ? 'inherit' : Number(tos) || 0,
    df: options.get('df_default') !== 'false',
    csum: options.get('csum') === 'true',
    gbp: (options.get('exts') ?? '').split(',').includes('gbp'),
    egressMark: mark === undefined ? undefined : Number(mark) >>> 0,
  }
}
