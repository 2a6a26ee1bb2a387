import type { ControlCommand } from '../base/command.ts'

/** A command of a real daemon: name, usage as list-commands prints it, and how many arguments it takes. */
export type CommandForm = readonly [name: string, usage: string, minArgs: number, maxArgs: number]

const MANY = Number.POSITIVE_INFINITY

/** Answers, for each, that ovn-ts does not have it. */
export function notBuilt(forms: readonly CommandForm[]): ControlCommand[] {
  return forms.map(([name, usage, minArgs, maxArgs]) => ({
    ...{ name, usage, minArgs, maxArgs },
    run: (_, reply) => reply.error(`"${name}" is not built yet in ovn-ts: see docs/COMPATIBILITY.md`),
  }))
}

/** Of ovs-vswitchd (with --enable-dummy, which adds those of `dpif-dummy` and `netdev-dummy`). */
export const SWITCH_NOT_BUILT: readonly CommandForm[] = [
  ['bond/hash', 'mac [vlan] [basis]', 1, 3],
  ['dpctl/add-dp', 'dp [iface...]', 1, MANY],
  ['dpctl/add-flow', '[dp] flow actions', 2, 3],
  ['dpctl/add-flows', '[dp] file', 1, 2],
  ['dpctl/add-if', 'dp iface...', 2, MANY],
  ['dpctl/cache-get-size', '[dp]', 0, 1],
  ['dpctl/cache-set-size', 'dp cache <size>', 3, 3],
  ['dpctl/ct-bkts', '[dp] [gt=N]', 0, 2],
  ['dpctl/ct-disable-tcp-seq-chk', '[dp]', 0, 1],
  ['dpctl/ct-enable-tcp-seq-chk', '[dp]', 0, 1],
  ['dpctl/ct-get-sweep-interval', '[dp]', 0, 1],
  ['dpctl/ct-get-tcp-seq-chk', '[dp]', 0, 1],
  ['dpctl/ct-set-sweep-interval', '[dp] ms', 1, 2],
  ['dpctl/del-dp', 'dp', 1, 1],
  ['dpctl/del-flow', '[dp] flow', 1, 2],
  ['dpctl/del-if', 'dp iface...', 2, MANY],
  ['dpctl/get-flow', '[dp] ufid', 1, 2],
  ['dpctl/ipf-get-status', '[dp]', 0, 1],
  ['dpctl/ipf-set-disabled', '[dp] v4|v6', 1, 2],
  ['dpctl/ipf-set-enabled', '[dp] v4|v6', 1, 2],
  ['dpctl/ipf-set-max-nfrags', '[dp] maxfrags', 1, 2],
  ['dpctl/ipf-set-min-frag', '[dp] v4|v6 minfragment', 2, 3],
  ['dpctl/list-commands', '', 0, MANY],
  ['dpctl/mod-flow', '[dp] flow actions', 2, 3],
  ['dpctl/mod-flows', '[dp] file', 1, 2],
  ['dpctl/normalize-actions', 'actions', 2, MANY],
  ['dpctl/offload-stats-show', '[dp]', 0, 1],
  ['dpctl/parse-actions', 'actions', 1, MANY],
  ['dpctl/set-if', 'dp iface...', 2, MANY],
  ['dpif-dummy/change-port-number', 'dp port new-number', 3, 3],
  ['dpif-netdev/bond-show', '[dp]', 0, 1],
  ['dpif-netdev/pmd-perf-log-set', 'on|off [-b before] [-a after] [-e|-ne] [-us usec] [-q qlen]', 0, 10],
  ['dpif-netdev/pmd-perf-show', '[-nh] [-it iter-history-len] [-ms ms-history-len] [-pmd core] [dp]', 0, 8],
  ['dpif-netdev/pmd-rxq-rebalance', '[dp]', 0, 1],
  ['dpif-netdev/pmd-rxq-show', '[-pmd core] [-secs secs] [dp]', 0, 5],
  ['dpif-netdev/pmd-sleep-show', '[dp]', 0, 1],
  ['dpif-netdev/pmd-stats-clear', '[-pmd core] [dp]', 0, 3],
  ['dpif/offload/show', '', 0, 0],
  ['dpif/set-dp-features', '[--force] bridge [feature [value]]', 1, 4],
  ['dpif/show-dp-features', 'bridge', 1, 1],
  ['netdev-dummy/conn-state', '[netdev]', 0, 1],
  ['netdev-dummy/ip4addr', '[netdev] ipaddr/mask-prefix-len', 2, 2],
  ['netdev-dummy/ip6addr', '[netdev] ip6addr', 2, 2],
  ['netdev-dummy/receive', 'name [--qid queue_id] packet|flow [--len packet_len]', 2, MANY],
  ['netdev-dummy/set-admin-state', '[netdev] up|down', 1, 2],
  ['ofproto/detrace', 'UFID [pmd=PMD-ID]', 1, 2],
  [
    'ofproto/trace-packet-out',
    '[-consistent] {[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet] actions',
    2,
    MANY,
  ],
  ['ovs/route/add', 'ip/plen dev [gw] [pkt_mark=mark] [src=src_ip] [table=id]', 2, 6],
  ['ovs/route/del', 'ip/plen [pkt_mark=mark] [table=id]', 1, 3],
  ['ovs/route/rule/add', '[-6] [not] from=all|ip/plen [prio=num] table=local|main|default|id', 2, 5],
  ['ovs/route/rule/del', '[-6] [not] from=all|ip/plen [prio=num] table=local|main|default|id', 2, 5],
  ['ovs/route/rule/show', '[-6]', 0, 1],
  ['qos/show', 'interface', 1, 1],
  ['qos/show-types', 'interface', 1, 1],
  ['tnl/arp/aging', '[SECS]', 0, 1],
  ['tnl/arp/flush', '', 0, 0],
  ['tnl/arp/set', 'BRIDGE IP MAC', 3, 3],
  ['tnl/arp/show', '', 0, 0],
  ['tnl/egress_port_range', 'min max', 0, 2],
  ['tnl/neigh/aging', '[SECS]', 0, 1],
  ['tnl/neigh/flush', '', 0, 0],
  ['tnl/neigh/retrans_time', '[MSECS]', 0, 1],
  ['tnl/neigh/set', 'BRIDGE IP MAC', 3, 3],
  ['tnl/neigh/show', '', 0, 0],
  ['upcall/disable-ufid', '', 0, 0],
  ['upcall/enable-ufid', '', 0, 0],
]

/** Commands of ovn-controller that are about what it does once it has a southbound database to follow. */
export const CONTROLLER_COMMANDS: readonly CommandForm[] = [
  ['ct-zone-list', '', 0, 0],
  ['debug/delay-nb-cfg-report', 'SECONDS', 1, 1],
  ['debug/dump-lflow-conj-ids', '', 0, 0],
  ['debug/dump-local-bindings', '', 0, 0],
  ['debug/dump-local-datapaths', '', 0, 0],
  ['debug/dump-local-template-vars', '', 0, 0],
  ['debug/dump-mac-bindings', '', 0, 0],
  ['debug/dump-peer-ports', '', 0, 0],
  ['debug/dump-related-ports', '', 0, 0],
  ['debug/pause', '', 0, 0],
  ['debug/resume', '', 0, 0],
  ['flush-lflow-cache', '[deprecated]', 0, 0],
  ['group-table-list', '', 0, 0],
  ['inc-engine/clear-stats', '', 0, 0],
  ['inc-engine/compute-log-timeout', '', 1, 1],
  ['inc-engine/list-stopwatches', '', 0, 1],
  ['inc-engine/recompute', '', 0, 0],
  ['inc-engine/show-stats', '', 0, 2],
  ['inject-pkt', 'MICROFLOW', 1, 1],
  ['lflow-cache/flush', '', 0, 0],
  ['lflow-cache/show-stats', '', 0, 0],
  ['meter-table-list', '', 0, 0],
  ['recompute', '[deprecated]', 0, 0],
  ['sb-cluster-state-reset', '', 0, 0],
  ['stopwatch/reset', '[NAME]', 0, 1],
  ['stopwatch/show', '[NAME]', 0, 1],
]

/** Stand in for those commands as long as there is nothing to ask. */
export function notReady(forms: readonly CommandForm[]): ControlCommand[] {
  return forms.map(([name, usage, minArgs, maxArgs]) => ({
    ...{ name, usage, minArgs, maxArgs },
    run: (_, reply) => reply.error('ovn-controller not ready.'),
  }))
}

/** Of ovn-controller. */
export const CONTROLLER_NOT_BUILT: readonly CommandForm[] = [
  ['evpn/remote-vtep-list', '', 0, 0],
  ['evpn/vtep-arp-list', '', 0, 0],
  ['evpn/vtep-binding-list', '', 0, 0],
  ['evpn/vtep-fdb-list', '', 0, 0],
  ['evpn/vtep-multicast-group-list', '', 0, 0],
]
