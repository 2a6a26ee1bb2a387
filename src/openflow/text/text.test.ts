import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeMessage, encodeMessage } from '../messages/codec.ts'
import { formatActions } from './actions-format.ts'
import { parseActions } from './actions-parse.ts'
import { formatFlowMod, parseFlow, parseMatch } from './flow.ts'
import { formatMatch } from './match.ts'

/** What ovs-ofctl 4.0 prints for what it is given, with OpenFlow 1.5 in between. */
const MATCHES: readonly (readonly [given: string, printed: string])[] = [
  ['vlan_tci=0x1000/0x1000', 'vlan_tci=0x1000/0x1000'],
  ['vlan_tci=0x1123/0x1f0f', 'vlan_tci=0x1103/0x1f0f'],
  ['vlan_tci=0/0x1000', 'vlan_tci=0x0000/0x1000'],
  ['vlan_tci=0x1005', 'dl_vlan=5,dl_vlan_pcp=0'],
  ['vlan_tci=3/0xfff', 'vlan_tci=0x0003/0x0fff'],
  ['dl_vlan=0xffff', 'vlan_tci=0x0000/0x1fff'],
  ['vlan_vid=0x1005', 'dl_vlan=5'],
  ['dl_vlan_pcp=3', 'dl_vlan_pcp=3'],
  ['vlan_tci=0xf005/0xffff', 'dl_vlan=5,dl_vlan_pcp=7'],
  ['dl_type=0x1234', 'dl_type=0x1234'],
  ['ip,nw_proto=47', 'ip,nw_proto=47'],
  ['ipv6,nw_proto=47,ipv6_src=fe80::/64', 'ipv6,ipv6_src=fe80::/64,nw_proto=47'],
  ['ip,nw_src=1.2.3.4/255.0.255.0', 'ip,nw_src=1.0.3.0/255.0.255.0'],
  ['rarp', 'rarp'],
  ['mpls,mpls_label=3,mpls_tc=1,mpls_bos=0,mpls_ttl=4', 'mpls,mpls_label=3,mpls_tc=1,mpls_ttl=4,mpls_bos=0'],
  ['sctp,tp_src=3/0xf', 'sctp,tp_src=0x3/0xf'],
  ['udp6,udp_src=3', 'udp6,tp_src=3'],
  ['dl_dst=01:00:00:00:00:00/01:00:00:00:00:00', 'dl_dst=01:00:00:00:00:00/01:00:00:00:00:00'],
  ['ct_state=0x21/0x23', 'ct_state=+new-est+trk'],
  ['ct_state=+trk+new+est+rel+rpl+inv+snat+dnat', 'ct_state=new|est|rel|rpl|inv|trk|snat|dnat'],
  ['ct_state=-trk,ct_zone=0x10', 'ct_state=-trk,ct_zone=16'],
  ['tun_flags=0', 'tun_flags=-oam'],
  ['ip_frag=later,ip', 'ip,nw_frag=later'],
  ['ip,nw_frag=not_later', 'ip,nw_frag=not_later'],
  ['tcp,tcp_flags=0x12/0x12', 'tcp,tcp_flags=+syn+ack'],
  ['tcp,tcp_flags=+syn-ack', 'tcp,tcp_flags=+syn-ack'],
  ['tcp,tcp_flags=0x12', 'tcp,tcp_flags=syn|ack'],
  ['tcp,tcp_flags=0', 'tcp,tcp_flags=0'],
  ['in_port=LOCAL', 'in_port=LOCAL'],
  ['in_port=65533', 'in_port=CONTROLLER'],
  ['ip,ip_dscp=3', 'ip,nw_tos=12'],
  ['packet_type=(1,0x800)', 'packet_type=(1,0x800)'],
  ['packet_type=(0,0)', ''],
  ['ct_label=0x5/0xf,metadata=5/7', 'ct_label=0x5/0xf,metadata=0x5/0x7'],
  ['reg0=0/0', ''],
  ['tun_gbp_flags=3,tun_erspan_ver=1', 'tun_gbp_flags=0x3,tun_erspan_ver=1'],
  ['ipv6,ipv6_label=3/0xf', 'ipv6,ipv6_label=0x00003/0x0000f'],
  ['dp_hash=3/7,pkt_mark=1/3', 'pkt_mark=0x1/0x3,dp_hash=0x3/0x7'],
  ['tun_id=5/7', 'tun_id=0x5/0x7'],
  ['xxreg0=5/7', 'reg3=0x5/0x7'],
  ['ip,icmp_type=3', 'ip'],
  ['arp,nw_src=1.2.3.4,nw_proto=2', 'arp,arp_spa=1.2.3.4,arp_op=2'],
  ['nw_src=1.2.3.4', ''],
  ['udp,udp_src=1,udp_dst=2,tcp_src=4', 'udp,tp_src=4,tp_dst=2'],
  [
    'icmp6,icmp_type=135,icmp_code=0,nd_target=1::/64,nd_sll=1:2:3:4:5:6/ff:0:0:0:0:0',
    'icmp6,icmp_type=135,icmp_code=0,nd_target=1::/64,nd_sll=01:00:00:00:00:00/ff:00:00:00:00:00',
  ],
  [
    'tcp6,tcp_dst=80,nw_tos=4,nw_ecn=1,nw_ttl=4,nw_frag=yes,ipv6_label=4',
    'tcp6,ipv6_label=0x00004,nw_tos=4,nw_ecn=1,nw_ttl=4,nw_frag=yes,tp_dst=80',
  ],
  [
    'dl_type=0x894f,nsh_spi=0x3,nsh_flags=1,nsh_si=3,nsh_c1=4/5,nsh_ttl=5,nsh_mdtype=1,nsh_np=1',
    'dl_type=0x894f,nsh_flags=1,nsh_ttl=5,nsh_mdtype=1,nsh_np=1,nsh_spi=0x3,nsh_si=3,nsh_c1=0x4/0x5',
  ],
  [
    'dl_type=0x88cc,dl_src=1:2:3:4:5:6,dl_dst=1:2:3:4:5:7,in_port=5,metadata=3',
    'metadata=0x3,in_port=5,dl_src=01:02:03:04:05:06,dl_dst=01:02:03:04:05:07,dl_type=0x88cc',
  ],
  [
    'in_port=1,tun_id=1,tun_src=1.2.3.4,tun_dst=1.2.3.5,tun_flags=oam,reg0=1,reg1=2/3,reg15=1,pkt_mark=1,' +
      'ct_state=+trk+new,ct_zone=1,ct_mark=1,ct_label=1,metadata=1,tcp,nw_src=1.2.3.4,nw_dst=1.1.1.1,nw_ttl=3,' +
      'nw_tos=4,nw_ecn=1,ip_frag=no,tcp_src=1,tcp_dst=2,tcp_flags=+ack,dl_src=1:2:3:4:5:6,dl_dst=1:2:3:4:5:7,' +
      'dl_vlan=5,dl_vlan_pcp=3,conj_id=4,actset_output=1,ct_nw_src=1.2.3.4,ct_nw_dst=1.2.3.4,ct_nw_proto=6,' +
      'ct_tp_src=1,ct_tp_dst=1',
    'pkt_mark=0x1,conj_id=4,actset_output=1,ct_state=+new+trk,ct_zone=1,ct_mark=0x1,ct_label=0x1,' +
      'ct_nw_src=1.2.3.4,ct_nw_dst=1.2.3.4,ct_nw_proto=6,ct_tp_src=1,ct_tp_dst=1,tcp,reg0=0x1,reg1=0x2/0x3,' +
      'reg15=0x1,tun_id=0x1,tun_src=1.2.3.4,tun_dst=1.2.3.5,tun_flags=+oam,metadata=0x1,in_port=1,dl_vlan=5,' +
      'dl_vlan_pcp=3,dl_src=01:02:03:04:05:06,dl_dst=01:02:03:04:05:07,nw_src=1.2.3.4,nw_dst=1.1.1.1,nw_tos=4,' +
      'nw_ecn=1,nw_ttl=3,nw_frag=no,tp_src=1,tp_dst=2,tcp_flags=+ack',
  ],
]

/** The same for actions; one text where both are the same. */
const ACTIONS: readonly (string | readonly [given: string, printed: string])[] = [
  ['1', 'output:1'],
  'LOCAL',
  'IN_PORT',
  'NORMAL',
  ['controller', 'CONTROLLER:65535'],
  ['controller()', 'CONTROLLER:65535'],
  ['controller:5', 'CONTROLLER:5'],
  ['controller(max_len=5,reason=no_match,id=5)', 'controller(reason=no_match,max_len=5,id=5)'],
  'controller(userdata=01.02.03,pause)',
  'output(port=1,max_len=50)',
  ['output:reg0[1..5]', 'output:NXM_NX_REG0[1..5]'],
  ['enqueue:1:2', 'set_queue:2,output:1,pop_queue'],
  'group:5',
  'drop',
  ['mod_vlan_vid:5', 'push_vlan:0x8100,set_field:4101->vlan_vid'],
  ['mod_vlan_pcp:5', 'push_vlan:0x8100,set_field:5->vlan_pcp'],
  'push_vlan:0x88a8',
  ['mod_dl_src:1:2:3:4:5:6', 'set_field:01:02:03:04:05:06->eth_src'],
  ['mod_nw_tos:16', 'set_field:4->ip_dscp'],
  'mod_nw_ttl:3',
  ['mod_tp_src:5', 'set_field:5->tcp_src'],
  'dec_ttl',
  'dec_ttl(0)',
  'dec_ttl(1,2)',
  ['set_field:5/0xf->reg0', 'set_field:0x5/0xf->reg0'],
  'set_field:1.2.3.4->ip_src',
  'set_field:LOCAL->in_port',
  ['load:5->reg0[1..4]', 'set_field:0xa/0x1e->reg0'],
  ['load:0xffff->in_port', 'set_field:ANY->in_port'],
  ['move:reg0[1..3]->reg2[4..6]', 'move:NXM_NX_REG0[1..3]->NXM_NX_REG2[4..6]'],
  ['push:reg0,pop:reg0[3]', 'push:NXM_NX_REG0[],pop:NXM_NX_REG0[3]'],
  ['set_tunnel64:5', 'set_field:0x5->tun_id'],
  'resubmit:5',
  'resubmit(,5)',
  'resubmit(LOCAL,5)',
  ['resubmit(3)', 'resubmit:3'],
  ['ct', 'ct()'],
  ['ct(table=5,zone=3)', 'ct(table=5,zone=3)'],
  [
    'ct(commit,force,zone=reg0[0..15],nat(src=1.2.3.4),exec(set_field:1->ct_mark))',
    'ct(commit,force,zone=NXM_NX_REG0[0..15],nat(src=1.2.3.4),exec(set_field:0x1->ct_mark))',
  ],
  ['ct(nat,table=3)', 'ct(table=3,nat)'],
  'ct(commit,nat(src))',
  [
    'ct(commit,nat(dst=1.2.3.4-1.2.3.6:80-90,hash,persistent))',
    'ct(commit,nat(dst=1.2.3.4-1.2.3.6:80-90,persistent,hash))',
  ],
  'ct(commit,nat(dst=[fe80::1]:80))',
  'ct(commit,nat(dst=[fe80::1]-[fe80::5]:80-90))',
  'ct(commit,nat(dst=fe80::1-fe80::5))',
  'ct(commit,alg=ftp)',
  'ct_clear',
  ['clone(1,2)', 'clone(output:1,output:2)'],
  ['clone()', 'clone(drop)'],
  'learn(table=1)',
  [
    'learn(table=2,idle_timeout=3,hard_timeout=4,priority=5,cookie=6,send_flow_rem,delete_learned,limit=3,' +
      'result_dst=reg0[0],eth_type=0x800,nw_proto=6,NXM_OF_IP_SRC[]=NXM_OF_IP_DST[],ip_dst=1.2.3.4,' +
      'reg0[1..3]=reg1[1..3],load:5->reg1[1..3],load:reg0[]->reg1[],output:reg0[0..15],fin_idle_timeout=3)',
    'learn(table=2,idle_timeout=3,hard_timeout=4,fin_idle_timeout=3,priority=5,send_flow_rem,delete_learned,' +
      'cookie=0x6,limit=3,result_dst=NXM_NX_REG0[0],eth_type=0x800,nw_proto=6,NXM_OF_IP_SRC[]=NXM_OF_IP_DST[],' +
      'ip_dst=1.2.3.4,NXM_NX_REG0[1..3]=NXM_NX_REG1[1..3],load:0x5->NXM_NX_REG1[1..3],' +
      'load:NXM_NX_REG0[]->NXM_NX_REG1[],output:NXM_NX_REG0[0..15])',
  ],
  'conjunction(5,1/2)',
  ['note:01.02.03', 'note:01.02.03.00.00.00'],
  ['note:', 'note:00.00.00.00.00.00'],
  'exit',
  'fin_timeout(idle_timeout=5,hard_timeout=3)',
  ['multipath(symmetric_l4,50,modulo_n,4,0,reg0[0..3])', 'multipath(symmetric_l4,50,modulo_n,4,0,NXM_NX_REG0[0..3])'],
  'bundle(symmetric_l4,50,active_backup,ofport,members:1,2)',
  [
    'bundle_load(symmetric_l4,50,hrw,ofport,reg0[],members:1,2)',
    'bundle_load(symmetric_l4,50,hrw,ofport,NXM_NX_REG0[],members:1,2)',
  ],
  'sample(probability=5,collector_set_id=1,obs_domain_id=2,obs_point_id=3)',
  'sample(probability=5,collector_set_id=1,obs_domain_id=2,obs_point_id=3,sampling_port=5,ingress)',
  'sample(probability=5,collector_set_id=0,obs_domain_id=NXM_NX_REG0[],obs_point_id=3)',
  ['meter:5,1', 'meter:5,output:1'],
  [
    'clear_actions,write_actions(1,2),write_metadata:5/7,goto_table:5',
    'clear_actions,write_actions(output:1,output:2),write_metadata:0x5/0x7,goto_table:5',
  ],
  ['check_pkt_larger(50)->reg0[0]', 'check_pkt_larger(50)->NXM_NX_REG0[0]'],
  'delete_field:tun_metadata0',
  'encap(nsh(md_type=2,tlv(0x1000,10,0x12345678)))',
  'encap(ethernet)',
  ['decap', 'decap()'],
  'decap(packet_type(ns=1,type=0x800))',
  'set_field:0xabc->tun_metadata0',
  'set_field:fe80::1->tun_ipv6_dst',
  ['set_field:1/1->tun_flags', 'set_field:oam->tun_flags'],
]

const over = (text: string): string => {
  const flow = parseFlow(text)
  if (!flow.ok) return flow.error
  const decoded = decodeMessage(encodeMessage(flow.value, 6))
  return decoded.ok && decoded.value.message.type === 'flow_mod'
    ? formatFlowMod(decoded.value.message)
    : JSON.stringify(decoded)
}

describe('flow syntax', () => {
  test.each(MATCHES)('match %s', (given, printed) => {
    expect(over(`${given},actions=drop`)).toBe(`${printed}${printed ? ' ' : ''}actions=drop`)
  })

  test.each(ACTIONS.map((a) => (typeof a === 'string' ? [a, a] : [...a])))('actions %s', (given, printed) => {
    expect(over(`tcp,actions=${given}`)).toBe(`tcp actions=${printed}`)
  })

  test.each([
    ['ip', 'must specify an action'],
    ['foo=3,actions=drop', 'unknown keyword foo'],
    ['reg0=zz,actions=drop', 'zz: bad syntax for reg0 value'],
    ['table=300,actions=drop', 'unknown table "300"'],
    ['tcp,tp_src=70000,actions=drop', '70000: value too large for 2-byte field tcp_src'],
    ['nw_src=5,ip,actions=drop', '5: invalid IP address'],
    ['dl_src=xx,actions=drop', 'xx: invalid Ethernet address'],
    ['ip,nw_src=1.2.3.4/33,actions=drop', '1.2.3.4/33: IPv4 network prefix bits not between 0 and 32, inclusive'],
    ['priority=65536,actions=drop', 'invalid priority "65536"'],
    ['actions=output', ': output to unknown port'],
    ['actions=foo', 'unknown action foo'],
    ['actions=ct(foo)', 'invalid argument to "ct" action: `foo\''],
    ['actions=resubmit(1,2,3)', '3: unknown parameter'],
    ['actions=load:5->foo', "foo: unknown field `foo'"],
    ['actions=set_field:+syn->tcp_flags', 'tcp_flags is read-only'],
    ['actions=drop,output:1', '"drop" must not be accompanied by any other action or instruction'],
    [
      'actions=goto_table:4,output:1',
      'invalid instruction ordering: apply_actions must appear before goto_table, for OpenFlow 1.1+ compatibility',
    ],
    ['out_port=3,actions=drop', 'unknown keyword out_port'],
  ])('%s: %s', (text, message) => {
    const r = parseFlow(text)
    expect(r).toEqual({ ok: false, error: message })
  })

  test('attributes', () => {
    expect(over('priority=5,table=3,cookie=0x5,idle_timeout=3,importance=2,send_flow_rem,ip actions=drop')).toBe(
      'table=3,cookie=0x5,idle_timeout=3,importance=2,send_flow_rem,priority=5,ip actions=drop',
    )
    const del = parseFlow('cookie=7/-1,table=3,out_port=LOCAL', 'delete')
    expect(del.ok && formatFlowMod(del.value)).toBe('table=3,cookie=0x7/0xffffffffffffffff,out_port=LOCAL')
  })

  test('any text is an error or a flow that prints', () => {
    const words = fc.constantFrom(
      'ip', 'tcp', 'reg0', '=', ',', '(', ')', '->', ':', '[', ']', '..', '/', '0x1', '99999999999', 'ct', 'nat',
      'exec', 'learn', 'load', 'set_field', 'clone', 'actions=', 'resubmit', 'output', 'nw_src', '1.2.3.4', 'fe80::1',
      'conjunction', 'note', '"', '\\', 'tun_metadata0', 'encap', 'nsh', 'tlv', 'write_actions', ' ', '+', '-', 'est',
    ) // biome-ignore format: a list of words
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(words, { maxLength: 30 }).map((w) => w.join('')),
        ),
        (text) => {
          const flow = parseFlow(text)
          if (flow.ok) formatFlowMod(flow.value)
          const actions = parseActions(text)
          if (actions.ok) formatActions(actions.value)
          const match = parseMatch(text)
          if (match.ok) formatMatch(match.value)
        },
      ),
      { numRuns: 3000 },
    )
  })
})
