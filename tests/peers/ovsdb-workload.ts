import { type Lab, type Maker, type Running, sleep, until } from './ovsdb-lab.ts'
import { type Release, referenceSchema } from './reference.ts'

// One day in the life of a database server: every program of OVN at work on it, and what comes of it.

export const PROGRAMS = ['ovn-nbctl', 'ovn-sbctl', 'ovs-vsctl', 'ovsdb-client', 'ovn-northd', 'ovn-controller'] as const
export type Program = (typeof PROGRAMS)[number]

const NB: readonly string[] = [
  'init',
  'ls-add sw -- lsp-add sw p -- lsp-set-addresses p "02:00:00:00:00:01 10.0.0.5" -- lsp-add sw q',
  'ls-add sw',
  'lsp-set-addresses q "02:00:00:00:00:02 10.0.0.6 fd00::6" unknown -- lsp-set-port-security q "02:00:00:00:00:02 10.0.0.6"',
  'lr-add r -- lrp-add r r-sw 02:00:00:00:00:09 10.0.0.1/24 -- lr-route-add r 0.0.0.0/0 10.0.0.254',
  'lsp-add sw sw-r -- lsp-set-type sw-r router -- lsp-set-addresses sw-r router -- lsp-set-options sw-r router-port=r-sw',
  'acl-add sw to-lport 100 "outport == \\"p\\" && ip4" drop -- acl-add sw from-lport 7 ip allow-related',
  'lb-add lb 10.0.0.100:80 10.0.0.5:8080,10.0.0.6:8080 -- ls-lb-add sw lb',
  'lr-nat-add r snat 172.16.0.1 10.0.0.0/24',
  'lrp-set-gateway-chassis r-sw lab 10',
  'create Address_Set name=as addresses="10.0.0.5 10.0.0.6"',
  'set Logical_Switch sw other_config:subnet=10.0.0.0/24 external_ids:a=b -- add Logical_Switch sw external_ids c=d',
  'remove Logical_Switch sw external_ids a -- clear Logical_Switch_Port p port_security',
  'get Logical_Switch sw external_ids other_config:subnet',
  '--bare --columns=name,addresses find Logical_Switch_Port type=router',
  'lsp-del nothing',
  '--if-exists lsp-del nothing',
  'wait-until Logical_Switch sw name=sw',
  'show',
  'acl-list sw',
  'lb-list',
  'lr-route-list r',
  'lr-nat-list r',
  '--format=json --columns=name,networks list Logical_Router_Port',
]

const VS: readonly string[] = [
  'init',
  'set Open_vSwitch . external_ids:system-id=lab external_ids:hostname=lab external_ids:ovn-encap-type=geneve external_ids:ovn-encap-ip=127.0.0.1',
  'add-br br-int -- set Bridge br-int fail-mode=secure datapath_type=dummy',
  'add-port br-int vif -- set Interface vif type=dummy external_ids:iface-id=p',
  'add-br br0 -- add-port br0 eth9 tag=5 -- set Port eth9 other_config:x=y',
  'add-br br0',
  'del-port br0 eth9 -- add-port br0 eth8',
  'br-set-external-id br0 k v -- br-get-external-id br0 k',
  'set-controller br0 tcp:127.0.0.1:1 -- set-manager ptcp:16699',
  '--columns=name,external_ids,datapath_type list Bridge',
  'list-br',
  'list-ports br0',
  'get Interface vif external_ids:iface-id',
  'del-br nothing',
  'show',
]

const SB: readonly string[] = [
  'show',
  '--bare --columns=name list Chassis',
  '--columns=logical_port,type,options find Port_Binding type=patch',
  'lflow-list sw',
  'chassis-add other vxlan 127.0.0.9',
  'lsp-bind q other',
  'get Port_Binding q tag',
  'chassis-del nothing',
  'lsp-unbind q -- chassis-del other',
  '--columns=name,encaps list Chassis other',
]

const CLIENT: readonly string[] = [
  'list-dbs SERVER',
  'get-schema-version SERVER OVN_Northbound',
  'get-schema-cksum SERVER OVN_Northbound',
  'list-tables SERVER OVN_Southbound',
  'list-columns SERVER OVN_Northbound ACL',
  'needs-conversion SERVER SCHEMA',
  'wait SERVER OVN_Northbound connected',
  'transact SERVER ["OVN_Northbound",{"op":"insert","table":"Address_Set","row":{"name":"c"}},{"op":"mutate","table":"Address_Set","where":[["name","==","c"]],"mutations":[["addresses","insert",["set",["1.1.1.1","2.2.2.2"]]]]},{"op":"select","table":"Address_Set","where":[["name","==","c"]],"columns":["name","addresses"]}]',
  'transact SERVER ["OVN_Northbound",{"op":"insert","table":"Address_Set","row":{"name":5}}]',
  'transact SERVER ["Nothing",{"op":"comment","comment":"x"}]',
  'query SERVER ["OVN_Northbound",{"op":"delete","table":"Address_Set","where":[]}]',
  'dump SERVER OVN_Northbound Address_Set name addresses',
  '-f csv dump SERVER _Server Database name model connected leader',
  'convert SERVER SCHEMA',
]

/** Splits a line as a shell does; JSON goes to the line's end. */
const words = (line: string): string[] => {
  const [, head = '', json] = /^(.*?) (\[".*)$/s.exec(line) ?? [undefined, line]
  return [...unquoted(head), ...(json === undefined ? [] : [json])]
}

const unquoted = (line: string) =>
  [...line.matchAll(/((?:[^\s"]|"(?:[^"\\]|\\.)*")+)/g)].map((m) =>
    (m[1] ?? '').replace(/"((?:[^"\\]|\\.)*)"/g, (_, inner: string) => inner.replace(/\\"/g, '"')),
  )

/** Without what differs from run to run: uuids, times, drawn addresses; lines in order. */
function settled(text: string, lab: Lab): string {
  return text
    .replaceAll(lab.dir, 'DIR')
    .replace(/DIR\/w\d+/g, 'DIR/w')
    .replace(/^.*,svc_monitor_mac$/gm, 'svc_monitor_mac')
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, 'UUID')
    .replace(/\b(svc_monitor_mac|mac_prefix|nb_cfg_timestamp)\b=?[^\s,}]*/g, '$1')
    .replace(/^[-0-9T:.]+Z\|\d+\|/gm, '')
    .replace(/\bcookie=0x[0-9a-f]+|\buuid=0x[0-9a-f]+/g, 'id')
    .split('\n')
    .map((line) => line.trimEnd())
    .sort()
    .join('\n')
}

/** What each program brought about. */
export type Outcomes = Readonly<Record<Program, string>>

let count = 0

/**
 * Lets the programs of one maker work on a server of another with databases by the schemas of a release;
 * the outcome of each is what it said, or the rows that it left.
 */
export async function workday(lab: Lab, programs: Maker, server: Maker, schemas: Release): Promise<Outcomes> {
  const tag = `w${count++}`
  const socket = lab.at(`${tag}.sock`)
  const remote = `unix:${socket}`
  const files: string[] = []
  for (const name of ['ovn-nb', 'ovn-sb', 'vswitch'] as const) {
    const path = lab.at(`${tag}.${name}.db`)
    await lab.run('26.03', 'ovsdb-tool', 'create', path, referenceSchema(name, schemas))
    files.push(path)
  }
  const running: Running[] = [await lab.start(server, 'ovsdb-server', `--remote=punix:${socket}`, ...files)]
  const said: Record<string, string> = {}
  const work = async (program: Program, before: readonly string[], lines: readonly string[]) => {
    let text = ''
    for (const line of lines) {
      const filled = words(line).map((w) =>
        w === 'SERVER' ? remote : w === 'SCHEMA' ? referenceSchema('ovn-nb', schemas) : w,
      )
      const { code, stdout, stderr } = await lab.run(programs, program, ...before, ...filled)
      text += `${line} -> ${code}\n${settled(stdout + stderr, lab)}\n`
    }
    said[program] = text
  }
  const rows = async (database: string, table: string, ...columns: string[]) => {
    const { stdout } = await lab.run(
      '26.03',
      'ovsdb-client',
      '-t',
      '10',
      '-f',
      'csv',
      'dump',
      remote,
      database,
      table,
      ...columns,
    )
    return settled(stdout, lab)
  }
  try {
    await work('ovn-nbctl', ['-t', '60', `--db=${remote}`], NB)
    await work('ovs-vsctl', ['-t', '60', '--no-wait', `--db=${remote}`], VS)
    running.push(await lab.start(programs, 'ovn-northd', `--ovnnb-db=${remote}`, `--ovnsb-db=${remote}`))
    const synced = await lab.run('26.03', 'ovn-nbctl', '-t', '60', `--db=${remote}`, '--wait=sb', 'sync')
    said['ovn-northd'] = [
      `sync ${synced.code}`,
      await rows('OVN_Southbound', 'Logical_Flow', 'pipeline', 'table_id', 'priority', 'match', 'actions'),
      await rows('OVN_Southbound', 'Port_Binding', 'logical_port', 'type', 'options', 'mac', 'nat_addresses'),
      await rows('OVN_Southbound', 'Address_Set', 'name', 'addresses'),
      await rows('OVN_Southbound', 'Datapath_Binding', 'external_ids'),
      await rows('OVN_Northbound', 'Logical_Switch_Port', 'name', 'dynamic_addresses'),
    ].join('\n')
    await lab.run(
      '26.03',
      'ovs-vsctl',
      '--no-wait',
      `--db=${remote}`,
      'set',
      'Open_vSwitch',
      '.',
      `external_ids:ovn-remote=${remote}`,
    )
    // A switch that has no packets, for the controller to fill.
    running.push(await lab.start(schemas, 'ovs-vswitchd', remote, '--disable-system', '--enable-dummy=override'))
    running.push(await lab.start(programs, 'ovn-controller', remote))
    await until(
      () => rows('OVN_Southbound', 'Port_Binding', 'logical_port', 'chassis'),
      (text) => /^UUID,p$/m.test(text),
    )
    await sleep(300)
    said['ovn-controller'] = [
      await rows('OVN_Southbound', 'Chassis', 'name', 'hostname', 'other_config', 'external_ids'),
      await rows('OVN_Southbound', 'Encap', 'type', 'ip', 'chassis_name', 'options'),
      await rows('OVN_Southbound', 'Chassis_Private', 'name', 'external_ids'),
      await rows('OVN_Southbound', 'Port_Binding', 'logical_port', 'chassis'),
    ].join('\n')
    await work('ovn-sbctl', ['-t', '60', `--db=${remote}`], SB)
    await work('ovsdb-client', ['-t', '60'], CLIENT)
  } finally {
    for (const one of running.reverse()) await one.end()
  }
  return said as Outcomes
}
