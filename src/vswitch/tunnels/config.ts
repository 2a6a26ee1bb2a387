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

/** Undefined, and why, when the options make no tunnel. */
export function tunnelConfig(
  name: string,
  type: string,
  options: ReadonlyMap<string, string>,
): TunnelConfig | { readonly error: string } {
  if (type !== 'geneve' && type !== 'vxlan') return { error: `${name}: tunnel type ${type} is not supported` }
  const remoteIp = options.get('remote_ip') ?? ''
  if (!remoteIp) return { error: `${name}: ${type} type requires valid 'remote_ip' argument` }
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
    localIp: options.get('local_ip') ?? '',
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
