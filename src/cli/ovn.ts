import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Subcommands and the programs they are: `ovn nbctl show` is `ovn-nbctl show`. */
const PROGRAMS: Readonly<Record<string, { readonly file: string; readonly about: string }>> = {
  sandbox: { file: 'ovn-sandbox', about: 'a whole virtual network in one process' },
  nbctl: { file: 'ovn-nbctl', about: 'the northbound database' },
  sbctl: { file: 'ovn-sbctl', about: 'the southbound database' },
  vsctl: { file: 'ovs-vsctl', about: "a switch's configuration" },
  trace: { file: 'ovn-trace', about: 'what becomes of a packet in the logical network' },
  appctl: { file: 'ovn-appctl', about: 'commands of a running daemon' },
  northd: { file: 'ovn-northd', about: 'the daemon from intent to logical flows' },
  controller: { file: 'ovn-controller', about: 'the daemon of a chassis' },
  vswitchd: { file: 'ovs-vswitchd', about: 'the switch daemon' },
  'ovsdb-server': { file: 'ovsdb-server', about: 'the database server' },
  'ovsdb-client': { file: 'ovsdb-client', about: 'a database client' },
  'ovsdb-tool': { file: 'ovsdb-tool', about: 'database files' },
  'ovsdb-types': { file: 'ovsdb-types', about: "TypeScript types of a database's rows" },
  logs: { file: 'ovn-logs', about: 'merge and filter log files' },
}

const here = (name: string) => new URL(`./${name}.js`, import.meta.url)
const [name] = process.argv.slice(2)
const program = name === undefined ? undefined : PROGRAMS[name]
if (!program || !existsSync(fileURLToPath(here(program.file)))) {
  const lines = Object.entries(PROGRAMS)
    .filter(([, p]) => existsSync(fileURLToPath(here(p.file))))
    .map(([n, p]) => `  ovn ${n.padEnd(14)} ${p.about} (${p.file})`)
  const help = name === undefined || name === '--help' || name === '-h'
  const text = `usage: ovn COMMAND [ARG ...]\n\n${lines.join('\n')}\n`
  if (help) process.stdout.write(text)
  else {
    process.stderr.write(`ovn: there is no command '${name}'\n${text}`)
    process.exitCode = 2
  }
} else {
  process.argv.splice(2, 1)
  await import(here(program.file).href)
}
