import { SystemClock } from '../io/clock.ts'
import { systemRandom } from '../io/random.ts'
import { RemoteReplica } from '../ovsdb/client/remote.ts'
import type { TableRequests } from '../ovsdb/client/replica.ts'
import { type Southbound, southbound } from '../schema/southbound.ts'
import { parseTraceArguments, type TraceInvocation } from '../trace/command-line.ts'
import { formatTrace, TRACE_TABLES, type TraceTables, trace, traceModel } from '../trace/index.ts'
import { remotesOf } from './_ctl.ts'
import { dialer } from './_dial.ts'

const HELP = `ovn-trace: follow a packet through an OVN logical network
usage: ovn-trace [OPTIONS] [DATAPATH] MICROFLOW

Forms of output:
  --detailed              every table and logical flow on the way (default)
  --summary               pipelines and actions only
  --minimal               only what changes the packet, and where it comes out
  --all                   all three

Assumptions:
  --ct=FLAGS              what the next ct_next reports (trk,est by default); may be repeated
  --lb-dst=IP[:PORT]      the backend that a load balancer chooses
  --select-id=ID          the member that select chooses

Others:
  --no-friendly-names     ports and datapaths by their OVN names
  --db=DATABASE           the southbound database
  --no-leader-only        any member of a cluster will do
  -h, --help              this text
  -V, --version           the version
`

function leave(stdout: string, stderr: string, status: number): void {
  process.exitCode = status
  const end = () => process.exit()
  const errors = () => (stderr ? process.stderr.write(stderr, end) : end())
  if (stdout) process.stdout.write(stdout, errors)
  else errors()
}

const request = parseTraceArguments(process.argv.slice(2))
if (!request.ok) leave('', `ovn-trace: ${request.error}\n`, 1)
else if (request.value.kind === 'help') leave(HELP, '', 0)
else if (request.value.kind === 'version') leave('ovn-trace 26.03.1\nDB Schema 21.8.0\n', '', 0)
else run(request.value.invocation)

function run(invocation: TraceInvocation): void {
  const { globals } = invocation
  const rundir = process.env['OVN_RUNDIR'] || '/var/run/ovn'
  const database = globals.get('db') ?? (process.env['OVN_SB_DB'] || `unix:${rundir}/ovnsb_db.sock`)
  const replica = new RemoteReplica<Southbound>({
    schema: southbound,
    tables: Object.fromEntries(TRACE_TABLES.map((name) => [name, true])) as TableRequests<Southbound>,
    remotes: remotesOf(database, globals, systemRandom),
    dial: dialer(globals),
    clock: new SystemClock(),
    leaderOnly: !globals.has('no-leader-only'),
    onUnreachable: (error) =>
      leave('', `ovn-trace: ${database}: database connection failed (${error.replace(/^.*: /, '')})\n`, 1),
  })
  replica.onSynced(() => {
    const tables = Object.fromEntries(
      TRACE_TABLES.map((name) => [name, [...replica.table(name).values()]]),
    ) as unknown as TraceTables
    const model = traceModel(tables)
    const warnings = model.warnings.map((w) => `ovntrace|WARN|${w}\n`).join('')
    const result = trace(model, invocation.datapath, invocation.microflow, {
      ...invocation.options,
      random: systemRandom,
    })
    leave(result.ok ? formatTrace(result.value, invocation.forms) : result.error, warnings, 0)
  })
}
