import { Command, Option } from 'commander'
import type { Log, LogLine } from '../base/log.ts'
import { logTo, silent } from '../base/log.ts'
import { err } from '../base/result.ts'
import { SystemClock } from '../io/clock.ts'
import { systemRandom } from '../io/random.ts'
import { socketTransport } from '../ovsdb/transport/sockets.ts'
import type { Demo } from '../sandbox/demo/checks.ts'
import { type Outcome, runChecks, startDemo } from '../sandbox/demo/run.ts'
import { serveSandbox } from '../sandbox/serve.ts'

interface Options {
  check?: boolean
  demo: boolean
  nbPort: string
  sbPort: string
  rundir?: string
  verbose?: boolean
}

const program = new Command('ovn-sandbox')
  .description('Brings up a whole virtual network in this process: databases, northd, four chassis, two machines.')
  .addOption(new Option('--check', 'show on virtual time that everything works, then exit with 0 or 1'))
  .addOption(new Option('--no-demo', 'load the network, but do not run the checks before serving'))
  .addOption(new Option('--nb-port <port>', 'TCP port of the northbound database on 127.0.0.1').default('6641'))
  .addOption(new Option('--sb-port <port>', 'TCP port of the southbound database on 127.0.0.1').default('6642'))
  .addOption(new Option('--rundir <directory>', 'where the unix sockets go; a temporary directory unless given'))
  .addOption(new Option('-v, --verbose', 'print the log of all parts'))
// Whoever reads the output may go before we do.
process.stdout.on('error', () => {})
program.parse()
const options = program.opts<Options>()

function port(text: string, what: string): number {
  const n = Number(text)
  if (!Number.isInteger(n) || n < 0 || n > 65535) {
    console.error(`ovn-sandbox: ${what} is '${text}', not a port number from 0 to 65535`)
    process.exit(2)
  }
  return n
}

const nbPort = port(options.nbPort, '--nb-port')
const sbPort = port(options.sbPort, '--sb-port')
const log: Log = options.verbose
  ? logTo((l: LogLine) => console.error(`${l.level.toUpperCase()} ${l.module}: ${l.message}`), '', 'info')
  : silent

function tellCheck(o: Outcome): void {
  console.log(o.ok ? `ok ${o.name} # ${o.detail}` : `not ok ${o.name}: ${o.detail}`)
}

function summary(outcomes: readonly Outcome[]): number {
  const failed = outcomes.filter((o) => !o.ok).length
  console.log(`${outcomes.length - failed} passed, ${failed} failed`)
  return failed
}

async function check(): Promise<void> {
  const begin = performance.now()
  let demo: Demo
  try {
    demo = await startDemo({ log })
  } catch (e) {
    tellCheck({ name: 'start', ok: false, detail: e instanceof Error ? e.message : String(e), took: 0 })
    console.log('0 passed, 1 failed')
    process.exit(1)
  }
  const up = performance.now() - begin
  const outcomes: Outcome[] = [
    { name: 'start', ok: true, detail: `parts up and network loaded in ${Math.round(up)} ms`, took: up },
  ]
  outcomes.forEach(tellCheck)
  outcomes.push(...(await runChecks(demo, tellCheck)))
  await demo.sandbox.stop()
  process.exit(summary(outcomes) ? 1 : 0)
}

async function serve(): Promise<void> {
  const begin = performance.now()
  const demo: Demo = await startDemo({
    clock: new SystemClock(),
    random: systemRandom,
    log,
    transport: socketTransport(() => err('the sandbox has no certificates')),
  })
  const { sandbox } = demo
  const served = await serveSandbox(sandbox, {
    nbPort,
    sbPort,
    ...(options.rundir === undefined ? {} : { rundir: options.rundir }),
  })
  const stop = async () => {
    console.log('\nstopping ...')
    await served.close()
    await sandbox.stop()
    process.exit(0)
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  console.log(
    `up in ${Math.round(performance.now() - begin)} ms: two databases, northd, ${sandbox.allChassis.length} chassis, the network loaded\n`,
  )
  if (options.demo) {
    const show = (o: Outcome) =>
      console.log(`${o.ok ? 'ok' : 'not ok'} ${(o.took / 1000).toFixed(2).padStart(6)} s  ${o.name}: ${o.detail}`)
    await runChecks(demo, show)
  }
  console.log(`\n${served.howTo}\nCtrl-C ends it.`)
}

await (options.check ? check() : serve()).catch((e: unknown) => {
  console.error(`ovn-sandbox: ${e instanceof Error ? e.message : String(e)}`)
  process.exit(1)
})
