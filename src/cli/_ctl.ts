import type { Random } from '../base/random.ts'
import { CtlError } from '../ctl/error.ts'
import { type Invocation, parseInvocation, tablesOf } from '../ctl/grammar.ts'
import type { Program } from '../ctl/program.ts'
import { type CtlResult, informationText, runInvocation, TIMED_OUT } from '../ctl/run.ts'
import { SystemClock } from '../io/clock.ts'
import { systemRandom } from '../io/random.ts'
import { RemoteReplica } from '../ovsdb/client/remote.ts'
import type { TableRequests } from '../ovsdb/client/replica.ts'
import { dialer } from './_dial.ts'

/** How a ctl tool finds its database and its daemon. */
export interface CtlMain<T> {
  readonly program: Program<T>
  /** The environment variable that names the database. */
  readonly databaseVariable: string | undefined
  readonly defaultDatabase: () => string
  /** The environment variable with options that come before those of the command line. */
  readonly optionsVariable: string | undefined
  /** The environment variable that names the daemon's control socket. */
  readonly daemonVariable: string | undefined
}

/** Writes what a run left, then ends. */
function leave(result: CtlResult): void {
  process.exitCode = result.status === TIMED_OUT ? 1 : result.status
  const end = () => {
    // the shell is to see what a program that SIGALRM ended looks like
    if (result.status === TIMED_OUT) process.kill(process.pid, 'SIGALRM')
    else process.exit()
  }
  const errors = () => (result.stderr ? process.stderr.write(result.stderr, end) : end())
  if (result.stdout) process.stdout.write(result.stdout, errors)
  else errors()
}

/** The words of an options variable, as the shell would split them without quotes. */
const words = (text: string | undefined): string[] => (text ?? '').split(/\s+/).filter((w) => w)

/** Runs a ctl tool: the whole program but its name. */
export function ctlMain<T>(main: CtlMain<T>): void {
  // whoever read the output has seen enough
  process.stdout.on('error', () => process.exit(1))
  const { program } = main
  const args = process.argv.slice(2)
  const own = main.optionsVariable ? words(process.env[main.optionsVariable]) : []
  let invocation: Invocation<T>
  try {
    invocation = parseInvocation(program, [...own, ...args])
  } catch (e) {
    if (!(e instanceof CtlError)) throw e
    leave({ stdout: '', stderr: `${program.name}: ${e.message}\n`, status: e.status })
    return
  }
  const text = informationText(program, invocation)
  if (text !== undefined) {
    leave({ stdout: text, stderr: '', status: 0 })
    return
  }
  const { globals } = invocation
  const socket = globals.get('unixctl') ?? (main.daemonVariable ? process.env[main.daemonVariable] : undefined)
  if (globals.has('detach')) import('./_ctl-daemon.ts').then((m) => m.runDaemon(main, globals))
  else if (socket && !globals.has('db')) {
    const variable = globals.has('unixctl') ? undefined : main.daemonVariable
    const call = { socket, variable, program: program.name, globals, commands: invocation.words }
    import('./_ctl-client.ts').then((m) => m.runAtDaemon(call, leave))
  } else runDirectly(main, invocation)
}

/** The database that a tool talks to. */
export function databaseOf<T>(main: CtlMain<T>, globals: ReadonlyMap<string, string>): string {
  const variable = main.databaseVariable ? process.env[main.databaseVariable] : undefined
  return globals.get('db') ?? (variable || main.defaultDatabase())
}

/** The remotes of `unix:FILE,tcp:...`, shuffled if the options let it be. */
export function remotesOf(database: string, globals: ReadonlyMap<string, string>, random: Random): string[] {
  const remotes = database.split(',').filter((r) => r)
  if (globals.has('no-shuffle-remotes')) return remotes
  for (let i = remotes.length - 1; i > 0; i--) {
    const j = random.u32() % (i + 1)
    ;[remotes[i], remotes[j]] = [remotes[j] as string, remotes[i] as string]
  }
  return remotes
}

function runDirectly<T>(main: CtlMain<T>, invocation: Invocation<T>): void {
  const { program } = main
  const { globals } = invocation
  const clock = new SystemClock()
  let names: Set<string>
  try {
    names = tablesOf(program, invocation)
  } catch (e) {
    if (!(e instanceof CtlError)) throw e
    leave({ stdout: '', stderr: `${program.name}: ${e.message}\n`, status: e.status })
    return
  }
  const tables = Object.fromEntries([...names].map((name) => [name, true])) as TableRequests<T>
  const replica = new RemoteReplica<T>({
    schema: program.schema,
    tables,
    remotes: remotesOf(databaseOf(main, globals), globals, systemRandom),
    dial: dialer(globals),
    clock,
    leaderOnly: program.name !== 'ovs-vsctl' && !globals.has('no-leader-only'),
    onUnreachable: (error) => {
      if (!globals.has('retry')) leave({ stdout: '', stderr: `${program.name}: ${error}\n`, status: 1 })
    },
  })
  runInvocation(program, invocation, { replica, clock, random: systemRandom }, leave)
}
