import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Random } from '../base/random.ts'
import type { Southbound } from '../schema/southbound.ts'
import { parseTraceArguments } from './command-line.ts'
import { formatTrace, type TraceTables, trace, traceModel } from './index.ts'

// Two switches joined by a router, small enough to read.
const DP = { a: '0a', b: '0b', r: '0c' }

const datapath = (uuid: string, name: string, key: number, friendly?: string): Southbound['Datapath_Binding'] => ({
  _uuid: uuid,
  tunnel_key: key,
  load_balancers: [],
  type: undefined,
  nb_uuid: undefined,
  external_ids: new Map([['name', name], ...(friendly ? [['name2', friendly] as const] : [])]),
})

function port(
  name: string,
  dp: string,
  key: number,
  more: Partial<Southbound['Port_Binding']> = {},
): Southbound['Port_Binding'] {
  return {
    _uuid: `p-${name}`,
    logical_port: name,
    type: '',
    gateway_chassis: [],
    ha_chassis_group: undefined,
    options: new Map(),
    datapath: dp,
    tunnel_key: key,
    parent_port: undefined,
    mirror_port: undefined,
    tag: undefined,
    virtual_parent: undefined,
    chassis: undefined,
    additional_chassis: [],
    encap: undefined,
    additional_encap: [],
    mirror_rules: [],
    mac: [],
    port_security: [],
    nat_addresses: [],
    up: true,
    external_ids: new Map(),
    requested_chassis: undefined,
    requested_additional_chassis: [],
    ...more,
  }
}

let serial = 0
function flow(
  dp: string,
  pipeline: 'ingress' | 'egress',
  table: number,
  priority: number,
  match: string,
  actions: string,
) {
  serial++
  return {
    _uuid: `${serial.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`,
    logical_datapath: dp,
    logical_dp_group: undefined,
    pipeline,
    table_id: table,
    priority,
    match,
    actions,
    tags: new Map<string, string>(),
    controller_meter: undefined,
    external_ids: new Map([['stage-name', `stage_${table}`]]),
    flow_desc: undefined,
  } satisfies Southbound['Logical_Flow']
}

const patch = (peer: string) => ({ type: 'patch', options: new Map([['peer', peer]]) })

const tables: TraceTables = {
  Datapath_Binding: [datapath(DP.a, 'a', 1), datapath(DP.b, 'b', 2), datapath(DP.r, 'r', 3, 'gate')],
  Port_Binding: [
    port('a1', DP.a, 1, { port_security: ['00:00:00:00:00:01 10.0.0.1'] }),
    port('a2', DP.a, 2, { external_ids: new Map([['name', 'web']]) }),
    port('a-r', DP.a, 3, patch('r-a')),
    port('r-a', DP.r, 1, patch('a-r')),
    port('r-b', DP.r, 2, patch('b-r')),
    port('b-r', DP.b, 1, patch('r-b')),
    port('b1', DP.b, 2),
  ],
  Multicast_Group: [{ _uuid: 'm', datapath: DP.a, name: '_MC_flood', tunnel_key: 32768, ports: ['p-a1', 'p-a2'] }],
  Logical_Flow: [
    flow(DP.a, 'ingress', 0, 50, '1', 'reg0[15] = check_in_port_sec(); next;'),
    flow(DP.a, 'ingress', 1, 50, 'reg0[15] == 1', 'drop;'),
    flow(DP.a, 'ingress', 1, 0, '1', 'next;'),
    flow(DP.a, 'ingress', 2, 50, 'eth.dst == 00:00:00:00:00:02', 'outport = "a2"; output;'),
    flow(DP.a, 'ingress', 2, 50, 'eth.dst == 00:00:00:00:00:fe', 'outport = "a-r"; output;'),
    flow(DP.a, 'ingress', 2, 60, 'eth.mcast', 'outport = "_MC_flood"; output;'),
    flow(DP.a, 'egress', 0, 0, '1', 'output;'),
    flow(DP.r, 'ingress', 0, 0, '1', 'next;'),
    flow(DP.r, 'ingress', 1, 10, 'ip.ttl == {0, 1}', 'drop;'),
    flow(
      DP.r,
      'ingress',
      1,
      5,
      'ip4.dst == 10.0.1.0/24',
      'ip.ttl--; eth.dst = 00:00:00:00:00:b1; outport = "r-b"; output;',
    ),
    flow(DP.r, 'egress', 0, 0, 'ip4', 'ct_snat(10.0.1.254);'),
    flow(DP.r, 'egress', 1, 0, '1', 'output;'),
    flow(DP.b, 'ingress', 0, 0, 'inport == "b-r"', 'outport = "b1"; output;'),
    flow(DP.b, 'ingress', 0, 0, 'inport == "b1"', 'outport = "b-r"; output;'),
    flow(DP.b, 'egress', 0, 0, '1', 'output;'),
    flow(DP.b, 'ingress', 3, 0, 'this is no match', 'next;'),
  ],
  Logical_DP_Group: [],
  Address_Set: [],
  Port_Group: [],
  MAC_Binding: [],
  Static_MAC_Binding: [],
  FDB: [],
  DHCP_Options: [],
  DHCPv6_Options: [],
}

const random: Random = { u32: () => 0 }
const options = { ct: [], friendlyNames: true, random }
const model = traceModel(tables)

function run(microflow: string, form: 'detailed' | 'summary' | 'minimal' = 'minimal', dp?: string): string {
  const result = trace(model, dp, microflow, options)
  const forms = { detailed: form === 'detailed', summary: form === 'summary', minimal: form === 'minimal' }
  return result.ok ? formatTrace(result.value, forms) : result.error
}

const FROM_A1 = 'inport == "a1" && eth.src == 00:00:00:00:00:01 && ip4.src == 10.0.0.1 && ip.ttl == 64'

describe('a trace', () => {
  test('through a router, in detail', () => {
    expect(run(`${FROM_A1} && eth.dst == 00:00:00:00:00:fe && ip4.dst == 10.0.1.1`, 'detailed')).toBe(`\
# ip,reg14=0x1,vlan_tci=0x0000,dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:fe,nw_src=10.0.0.1,nw_dst=10.0.1.1,nw_proto=0,nw_tos=0,nw_ecn=0,nw_ttl=64,nw_frag=no

ingress(dp="a", inport="a1")
----------------------------
 0. stage_0: 1, priority 50, uuid 00000001
    reg0[15] = check_in_port_sec();
    next;
 2. stage_2: eth.dst == 00:00:00:00:00:fe, priority 50, uuid 00000005
    outport = "a-r";
    output;

egress(dp="a", inport="a1", outport="a-r")
------------------------------------------
 0. stage_0: 1, priority 0, uuid 00000007
    output;
    /* output to "a-r", type "patch" */

ingress(dp="gate", inport="r-a")
--------------------------------
 1. stage_1: ip4.dst == 10.0.1.0/24, priority 5, uuid 0000000a
    ip.ttl--;
    eth.dst = 00:00:00:00:00:b1;
    outport = "r-b";
    output;

egress(dp="gate", inport="r-a", outport="r-b")
----------------------------------------------
 0. stage_0: ip4, priority 0, uuid 0000000b
    ct_snat(10.0.1.254);

ct_snat(ip4.src=10.0.1.254) /* default (use --ct to customize) */
-----------------------------------------------------------------
 1. stage_1: 1, priority 0, uuid 0000000c
    output;
    /* output to "r-b", type "patch" */

ingress(dp="b", inport="b-r")
-----------------------------
 0. stage_0: inport == "b-r", priority 0, uuid 0000000d
    outport = "b1";
    output;

egress(dp="b", inport="b-r", outport="b1")
------------------------------------------
 0. stage_0: 1, priority 0, uuid 0000000f
    output;
    /* output to "b1", type "" */
`)
  })

  test('in short', () => {
    expect(
      run(`${FROM_A1} && eth.dst == 00:00:00:00:00:fe && ip4.dst == 10.0.1.1`).split('\n').slice(1).join('\n'),
    ).toBe(`\
ip.ttl--;
eth.dst = 00:00:00:00:00:b1;
ct_snat(ip4.src=10.0.1.254) /* default (use --ct to customize) */ {
    output("b1");
};
`)
  })

  test('to many, but not back', () => {
    expect(run(`${FROM_A1} && eth.dst == ff:ff:ff:ff:ff:ff && ip4.dst == 10.0.0.255`)).toMatch(/\noutput\("web"\);\n$/)
  })

  test('ends where port security is violated, and where the TTL is', () => {
    expect(run(FROM_A1.replace('00:01', '00:09'), 'summary')).toContain('    next;\n    drop;\n};')
    expect(run(FROM_A1.replace('10.0.0.1', '10.0.0.9'), 'summary')).toContain('drop;')
    const dying = `${FROM_A1.replace('64', '1')} && eth.dst == 00:00:00:00:00:fe && ip4.dst == 10.0.1.1`
    expect(run(dying, 'summary')).toContain('ingress(dp="gate", inport="r-a") {\n            drop;')
  })

  test('names what is wrong with a request', () => {
    expect(run('inport == "zz"')).toBe('unknown port "zz"\n')
    expect(run('ip4')).toBe('error parsing flow: flow match expression does not match on inport\n')
    expect(run('inport == {"a1", "a2"}')).toBe(
      'error parsing flow: flow match expression matches on multiple inports\n',
    )
    expect(run('ip4 && ip6', 'minimal', 'a')).toBe('error parsing flow: Constraints are contradictory.\n')
    expect(run('tcp.src == 80', 'minimal', 'a')).toBe(
      'error parsing flow: Constraints are ambiguous: tcp.src == 0x50 && ip.proto == 0x6 && (eth.type == 0x800 || eth.type == 0x86dd).\n',
    )
    expect(run('1', 'minimal', 'nowhere')).toBe('unknown datapath "nowhere"\n')
    expect(run('1', 'minimal', 'a')).toBe('microflow does not specify ingress port')
    expect(model.warnings).toEqual([
      "this is no match: parsing expression failed (Syntax error at `this' expecting field name.)",
    ])
  })

  test.each([
    ['next(0);', ''],
    ['ct_next;', 'next(0);'],
    ['clone { next(0); };', ''],
    ['clone { next(0); }; clone { next(0); };', ''],
    ['outport = "a-r"; output;', ''],
  ])('of a network that forwards in a circle ends: %s', (first, second) => {
    const circle = traceModel({
      ...tables,
      Logical_Flow: [
        flow(DP.a, 'ingress', 0, 0, '1', first),
        flow(DP.a, 'ingress', 1, 0, '1', second),
        flow(DP.a, 'egress', 0, 0, '1', 'output;'),
        flow(DP.r, 'ingress', 0, 0, '1', 'outport = "r-a"; flags.loopback = 1; output;'),
        flow(DP.r, 'egress', 0, 0, '1', 'output;'),
        flow(DP.a, 'ingress', 0, 1, 'inport == "a-r"', 'outport = "a-r"; flags.loopback = 1; output;'),
      ],
    })
    const result = trace(circle, 'a', 'inport == "a1" && ip4', options)
    for (const form of ['detailed', 'summary', 'minimal'] as const) {
      const forms = { detailed: false, summary: false, minimal: false, [form]: true }
      expect(result.ok && formatTrace(result.value, forms)).toContain('*** packet goes in circles')
    }
  })
})

test('no microflow makes a trace throw', () => {
  const words = [
    'inport == "a1"',
    'ip4',
    'ip6',
    'tcp',
    'arp.op == 1',
    'eth.dst == ff:ff:ff:ff:ff:ff',
    'ip.ttl == 1',
    '&&',
    '||',
    '(',
    ')',
    '!',
    'nd_ns',
    'eth.mcast',
    'ip4.dst == 10.0.1.1',
    '0',
    '1',
  ]
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...words), { maxLength: 10 }),
      fc.constantFrom('a', 'b', 'r', undefined),
      (text, dp) => {
        expect(typeof run(text.join(' '), 'detailed', dp)).toBe('string')
      },
    ),
    { numRuns: 1500 },
  )
})

describe('the command line', () => {
  test('chooses forms, datapath and assumptions', () => {
    const r = parseTraceArguments(['--summary', '--ct=new,rpl', '--ct', 'est', '--lb-dst=[fd00::1]:80', 'sw', 'ip4'])
    expect(r.ok && r.value).toMatchObject({
      kind: 'trace',
      invocation: {
        forms: { detailed: false, summary: true, minimal: false },
        options: { ct: [9n, 2n], lbDst: { family: 6, port: 80 } },
        datapath: 'sw',
        microflow: 'ip4',
      },
    })
    expect(parseTraceArguments([])).toEqual({
      ok: false,
      error: 'one or two non-option arguments are required (use --help for help)',
    })
    expect(parseTraceArguments(['--nonsense', 'x'])).toEqual({ ok: false, error: "unrecognized option '--nonsense'" })
    expect(parseTraceArguments(['--lb-dst=x', 'x'])).toEqual({ ok: false, error: 'x: bad address' })
  })
})
