import { openSync, writeSync } from 'node:fs'
import { logTo } from '../base/log.ts'
import { err } from '../base/result.ts'
import { SystemClock } from '../io/clock.ts'
import { systemRandom } from '../io/random.ts'
import { dial, parseActive } from '../io/socket.ts'
import { createNorthd } from '../northd/index.ts'
import { type Dial, RemoteReplica } from '../ovsdb/client/remote.ts'
import { northbound } from '../schema/northbound.ts'
import { southbound } from '../schema/southbound.ts'

const argument = (name: string) => process.argv.find((a) => a.startsWith(`--${name}=`))?.slice(name.length + 3)
const rundir = process.env['OVN_RUNDIR'] ?? '/var/run/ovn'
const logFile = argument('log-file')
const logFd = logFile === undefined ? 2 : openSync(logFile, 'a')
const log = logTo((l) => {
  if (l.level === 'dbg') return
  const line = `${new Date().toISOString()}|${l.module}|${l.level.toUpperCase()}|${l.message}\n`
  writeSync(logFd, line)
})
const clock = new SystemClock()
const dialStream: Dial = (text, done) => {
  const endpoint = parseActive(text)
  if (!endpoint) {
    clock.after(0, () => done(err(`${text}: bad connection method`)))
    return () => undefined
  }
  return dial(endpoint, done)
}
const remotes = (name: string, variable: string, file: string) =>
  (argument(name) ?? process.env[variable] ?? `unix:${rundir}/${file}`).split(',')
const nb = new RemoteReplica({
  schema: northbound,
  remotes: remotes('ovnnb-db', 'OVN_NB_DB', 'ovnnb_db.sock'),
  dial: dialStream,
  clock,
  log,
})
const sb = new RemoteReplica({
  schema: southbound,
  remotes: remotes('ovnsb-db', 'OVN_SB_DB', 'ovnsb_db.sock'),
  dial: dialStream,
  clock,
  log,
})
const northd = createNorthd({
  nb,
  sb,
  clock,
  log: log.child('ovn_northd'),
  random: systemRandom,
  options: { dryRun: process.argv.includes('--dry-run') },
})
northd.start()
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.on(signal, () => {
    northd.close()
    nb.close()
    sb.close()
    process.exit(0)
  })
