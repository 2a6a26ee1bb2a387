import type { Clock, Timer } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import { printJson } from '../jsonrpc/json.ts'
import { Draft } from '../ovsdb/client/draft.ts'
import type { OperationResult } from '../ovsdb/client/operation.ts'
import { describeTransactError, type Replica, type TransactError } from '../ovsdb/client/replica.ts'
import { type Call, TryAgain } from './command.ts'
import { CtlError } from './error.ts'
import { type Invocation, parseInvocation, type Written } from './grammar.ts'
import { commandsText, helpText, optionsText } from './help.ts'
import { styleOf } from './options.ts'
import type { Program, Waiting } from './program.ts'
import { SymbolTable } from './symbols.ts'
import { formatTable, type Table, type TableStyle } from './table.ts'

/** What a run of a tool leaves: its outputs, and its exit status. 142: the time was up (SIGALRM). */
export interface CtlResult {
  readonly stdout: string
  readonly stderr: string
  readonly status: number
}

export interface CtlEnvironment<T> {
  readonly replica: Replica<T>
  readonly clock: Clock
  readonly random: Random
}

/** Status of a program that SIGALRM ended, as a shell sees it. */
export const TIMED_OUT = 142

/**
 * Runs a ctl tool's command line against a replica: `done` is called once, from the clock. Nothing
 * else is touched, so that this is the tool for tests, for a daemon and for the sandbox alike.
 * Returns how to give it up: then `done` is not called.
 */
export function runCtl<T>(
  program: Program<T>,
  args: readonly string[],
  environment: CtlEnvironment<T>,
  done: (result: CtlResult) => void,
): () => void {
  const { clock } = environment
  let invocation: Invocation<T>
  try {
    invocation = parseInvocation(program, args)
  } catch (e) {
    const result = failure(program, e, '')
    const timer = clock.after(0, () => done(result))
    return () => timer.cancel()
  }
  const text = informationText(program, invocation)
  if (text === undefined) return runInvocation(program, invocation, environment, done)
  const timer = clock.after(0, () => done({ stdout: text, stderr: '', status: 0 }))
  return () => timer.cancel()
}

/** What --help or --version print; undefined when neither was asked for. */
export function informationText<T>(program: Program<T>, invocation: Invocation<T>): string | undefined {
  if (invocation.globals.has('help')) return helpText(program)
  if (invocation.globals.has('version')) return program.version
  if (invocation.globals.has('commands')) return commandsText(program)
  if (invocation.globals.has('options')) return optionsText(program)
  return undefined
}

function failure<T>(program: Program<T>, e: unknown, warnings: string): CtlResult {
  if (!(e instanceof CtlError)) throw e
  const text = e.message === '' ? '' : `${program.name}: ${e.message}\n`
  return { stdout: '', stderr: warnings + text, status: e.status }
}

/** Runs a command line that was read already. */
export function runInvocation<T>(
  program: Program<T>,
  invocation: Invocation<T>,
  environment: CtlEnvironment<T>,
  done: (result: CtlResult) => void,
): () => void {
  const run = new Run(program, invocation, environment, done)
  run.start()
  return () => run.cancel()
}

class Run<T> {
  private stops: (() => void)[] = []
  private timer: Timer | undefined
  private finished = false
  private warnings: string[] = []
  private lines = 1
  private busy = false

  constructor(
    private readonly program: Program<T>,
    private readonly invocation: Invocation<T>,
    private readonly environment: CtlEnvironment<T>,
    private readonly done: (result: CtlResult) => void,
  ) {}

  start(): void {
    const seconds = Number(this.invocation.globals.get('timeout') ?? 0)
    if (seconds > 0) {
      this.timer = this.environment.clock.after(seconds * 1000, () => {
        this.warn('fatal_signal', 'terminating with signal 14 (Alarm clock)')
        this.finish({ stdout: '', stderr: this.stderr(), status: TIMED_OUT })
      })
    }
    this.stops.push(this.environment.replica.onSynced(() => this.attempt()))
  }

  private attempt(): void {
    if (this.finished || this.busy || this.environment.replica.state !== 'synced') return
    this.warnings = []
    this.lines = 1
    try {
      this.execute()
    } catch (e) {
      if (e instanceof TryAgain) this.afterChange(() => this.attempt())
      else this.finish(failure(this.program, e, this.stderr()))
    }
  }

  /** Calls `run` once, when the replica has changed. */
  private afterChange(run: () => void): void {
    const stop = this.environment.replica.onChange(() => {
      stop()
      run()
    })
    this.stops.push(stop)
  }

  private execute(): void {
    const { program, invocation, environment } = this
    const { globals } = invocation
    const draft = new Draft<T>(environment.replica, environment.random)
    const symbols = new SymbolTable(environment.random)
    const output = new Output(styleOf(program.style, globals), globals.has('oneline'))
    let forced = false
    program.begin(draft)
    for (const written of invocation.calls) {
      output.begin()
      written.command.run(this.call(written, draft, symbols, output, () => (forced = true)))
      output.end()
    }
    for (const text of symbols.finish(draft)) this.warn(program.name === 'ovs-vsctl' ? 'vsctl' : 'ovn_dbctl', text)
    if (globals.has('dry-run')) {
      this.finish({ stdout: output.text, stderr: this.stderr(), status: 0 })
      return
    }
    const waiting = program.wait(draft, globals, forced, environment.clock)
    if (draft.changed) draft.comment(program.comment(invocation.args))
    const own = draft.operations()
    const operations = [...own, ...(waiting?.operations ?? [])]
    if (!operations.length) {
      this.finish({ stdout: output.text, stderr: this.stderr(), status: 0 })
      return
    }
    this.busy = true
    environment.replica.transact(operations, (outcome) => {
      this.busy = false
      if (this.finished) return
      if (outcome.ok) this.committed(output.text, waiting, outcome.results.slice(own.length))
      else this.refused(outcome.error)
    })
  }

  private committed(stdout: string, waiting: Waiting<T> | undefined, results: readonly OperationResult[]): void {
    if (!waiting) {
      this.finish({ stdout, stderr: this.stderr(), status: 0 })
      return
    }
    const { replica } = this.environment
    const arrived = waiting.done(results)
    const check = () => {
      if (!arrived(replica)) {
        this.afterChange(check)
        return
      }
      const ending = waiting.ending?.(replica, results) ?? {}
      const stderr = this.stderr() + (ending.stderr ?? '')
      this.finish({ stdout: stdout + (ending.stdout ?? ''), stderr, status: ending.status ?? 0 })
    }
    check()
  }

  private refused(error: TransactError): void {
    if (error.kind === 'conflict') {
      // what another changed is either here already or will be soon
      this.environment.clock.after(1, () => this.attempt())
      return
    }
    if (error.kind === 'refused') {
      const { details, syntax } = error.error
      const json = printJson({
        ...(details === undefined ? {} : { details }),
        error: error.error.error,
        ...(syntax === undefined ? {} : { syntax }),
      })
      this.warn('ovsdb_idl', `transaction error: ${json}`)
      this.finish(failure(this.program, new CtlError(`transaction error: ${json}`), this.stderr()))
      return
    }
    if (error.kind === 'disconnected') return // the replica synchronises again, and so does this run
    this.finish(failure(this.program, new CtlError(describeTransactError(error)), this.stderr()))
  }

  private call(written: Written<T>, db: Draft<T>, symbols: SymbolTable, output: Output, force: () => void): Call<T> {
    const { args, options } = written
    return {
      args,
      options,
      db,
      arg: (i) => args[i] ?? '',
      has: (option) => options.has(option),
      print: (text) => output.print(text),
      table: (table) => output.table(table),
      warn: (module, text) => this.warn(module, text),
      symbols: (name) => symbols.resolve(name),
      declare: (id, table) => symbols.declare(id, table),
      bind: (id, uuid) => symbols.bind(id, uuid),
      retry: () => {
        throw new TryAgain()
      },
      forceWait: force,
    }
  }

  private warn(module: string, text: string): void {
    const time = new Date(this.environment.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')
    this.warnings.push(`${time}|${String(++this.lines).padStart(5, '0')}|${module}|WARN|${text}\n`)
  }

  private stderr(): string {
    return this.warnings.join('')
  }

  private finish(result: CtlResult): void {
    if (this.finished) return
    this.cancel()
    const timer = this.environment.clock.after(0, () => this.done(result))
    this.stops.push(() => timer.cancel())
  }

  cancel(): void {
    this.finished = true
    this.timer?.cancel()
    for (const stop of this.stops) stop()
  }
}

/** Gathers what the commands print. */
class Output {
  text = ''
  private current = ''
  private tables = 0
  private hadTable = false

  constructor(
    private readonly style: TableStyle,
    private readonly oneline: boolean,
  ) {}

  begin(): void {
    this.current = ''
    this.hadTable = false
  }

  print(text: string): void {
    this.current += text
  }

  /** Tables after the first are set off by a blank line. */
  table(table: Table): void {
    this.hadTable = true
    if (this.tables++) this.text += '\n'
    this.text += formatTable(table, this.style)
  }

  end(): void {
    if (this.hadTable) return
    if (!this.oneline) {
      this.text += this.current
      return
    }
    const line = this.current.replace(/\n$/, '')
    this.text += `${line.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`
  }
}
