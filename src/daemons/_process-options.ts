import type { OptionSpec } from './_options.ts'

/** Options that every daemon has, but for those of its databases and keys. */
export const PROCESS_OPTIONS: readonly OptionSpec[] = [
  { name: 'detach', help: 'run in background as daemon', group: 'Daemon options' },
  { name: 'monitor', help: 'creates a process to monitor this daemon', group: 'Daemon options' },
  {
    name: 'user',
    argument: 'username[:group]',
    help: 'changes the effective daemon user:group',
    group: 'Daemon options',
  },
  { name: 'no-chdir', help: "do not chdir to '/'", group: 'Daemon options' },
  {
    name: 'no-self-confinement',
    help: 'understood: files may lie anywhere',
    group: 'Daemon options',
    hidden: true,
  },
  { name: 'pidfile', argument: 'FILE', optional: true, help: 'create pidfile', group: 'Daemon options' },
  {
    name: 'overwrite-pidfile',
    help: 'with --pidfile, start even if already running',
    group: 'Daemon options',
  },
  {
    name: 'verbose',
    short: 'v',
    argument: 'SPEC',
    optional: true,
    help: 'set logging levels',
    group: 'Logging options',
  },
  {
    name: 'log-file',
    argument: 'FILE',
    optional: true,
    help: 'enable logging to specified FILE',
    group: 'Logging options',
  },
  {
    name: 'logging-config',
    argument: 'FILE',
    help: 'log as the parameters in FILE say',
    own: true,
    group: 'Logging options',
  },
  {
    name: 'syslog-method',
    argument: '(libc|unix:file|udp:ip:port|null)',
    help: 'specify how to send messages to syslog daemon',
    group: 'Logging options',
  },
  {
    name: 'syslog-target',
    argument: 'HOST:PORT',
    help: 'also send syslog msgs to HOST:PORT via UDP',
    group: 'Logging options',
  },
  { name: 'unixctl', argument: 'SOCKET', help: 'override default control socket name', group: 'Other options' },
  {
    name: 'metrics',
    argument: '[ADDRESS:]PORT',
    help: 'serve metrics for Prometheus there by HTTP\n(ADDRESS is 127.0.0.1 where none is given)',
    own: true,
    group: 'Other options',
  },
  { name: 'help', short: 'h', help: 'display this help message', group: 'Other options' },
  { name: 'version', short: 'V', help: 'display version information', group: 'Other options' },
]

/** The same for OVN's daemons, where `--unixctl` has a letter. */
export const OVN_PROCESS_OPTIONS: readonly OptionSpec[] = PROCESS_OPTIONS.map((option) =>
  option.name === 'unixctl' ? { ...option, short: 'u' } : option,
)

/** Whose directories a daemon uses: Open vSwitch's or OVN's. */
export type Family = 'ovs' | 'ovn'

/** An empty variable says nothing. */
const environment = (name: string): string | undefined => process.env[name] || undefined

/** What --help says of options without an argument. */
export function helpDefaults(name: string, family: Family): Readonly<Record<string, string>> {
  return {
    pidfile: `${runDirectory(family)}/${name}.pid`,
    'log-file': `${logDirectory(family)}/${name}.log`,
    unixctl: `${runDirectory(family)}/${name}.PID.ctl`,
  }
}

/** Where pidfiles and sockets are. */
export function runDirectory(family: Family): string {
  if (family === 'ovn') return environment('OVN_RUNDIR') ?? '/var/run/ovn'
  return environment('OVS_RUNDIR') ?? '/var/run/openvswitch'
}

/**
 * Where log files are. The real OVN's daemons look at Open vSwitch's variable only; OVN_LOGDIR counts for ours
 * where that one is not set.
 */
export function logDirectory(family: Family): string {
  const own = family === 'ovn' ? environment('OVN_LOGDIR') : undefined
  return environment('OVS_LOGDIR') ?? own ?? '/var/log/openvswitch'
}

/** Where the database of the switch's configuration is. */
export function databaseDirectory(): string {
  return environment('OVS_DBDIR') ?? `${environment('OVS_SYSCONFDIR') ?? '/etc'}/openvswitch`
}

/** Where files that come with Open vSwitch are: schemas. */
export function dataDirectory(): string {
  return environment('OVS_PKGDATADIR') ?? '/usr/share/openvswitch'
}

/** Where OVN's own configuration files are: `system-id-override`. */
export function ovnConfigurationDirectory(): string {
  return environment('OVN_SYSCONFDIR') ?? '/etc/ovn'
}
