import type { OptionSpec, ParsedOptions } from '../daemons/_options.ts'
import { PROCESS_OPTIONS } from '../daemons/_process-options.ts'

const OTHER = 'Other options'
const FORMAT = 'Output formatting options'
const KEYS = 'PKI configuration (required to use SSL/TLS)'
const TLS = 'SSL/TLS options'

/** Options of daemons that a client that prints for ever has, too. */
const daemon = (...names: string[]): OptionSpec[] =>
  names.flatMap((name) => PROCESS_OPTIONS.filter((option) => option.name === name))

/** The options of ovsdb-client(1), in the order in which an ambiguous beginning of them is told. */
export const CLIENT_OPTIONS: readonly OptionSpec[] = [
  ...daemon('help', 'version'),
  { name: 'timestamp', help: 'say when, in what is printed of a monitor', group: FORMAT },
  { name: 'force', help: 'restore in spite of another schema', group: OTHER },
  {
    ...{ name: 'timeout', short: 't', argument: 'SECS', group: OTHER },
    help: 'end by SIGALRM after that many seconds',
  },
  {
    ...{ name: 'db-change-aware', group: OTHER },
    help: 'of a monitor: be told when its database goes (the default)',
  },
  { name: 'no-db-change-aware', help: 'of a monitor: be disconnected then', group: OTHER },
  { name: 'leader-only', help: "of several servers: only a cluster's leader (the default)", group: OTHER },
  { name: 'no-leader-only', help: 'of several servers: any that is connected to its cluster', group: OTHER },
  { name: 'record', argument: 'DIR', optional: true, help: 'not there: refused', group: OTHER, hidden: true },
  { name: 'replay', argument: 'DIR', optional: true, help: 'not there: refused', group: OTHER, hidden: true },
  ...daemon('detach', 'monitor', 'user', 'no-self-confinement', 'no-chdir', 'pidfile', 'overwrite-pidfile'),
  ...daemon('verbose', 'log-file', 'logging-config', 'syslog-method', 'syslog-target'),
  {
    ...{ name: 'format', short: 'f', argument: 'FORMAT', group: FORMAT },
    help: 'table, list, html, csv or json',
  },
  { name: 'data', short: 'd', argument: 'FORMAT', help: 'of cells: string, bare or json', group: FORMAT },
  { name: 'no-headings', help: 'without the row of headings', group: FORMAT },
  { name: 'pretty', help: 'JSON on several lines', group: FORMAT },
  { name: 'bare', help: 'the same as "--format=list --data=bare --no-headings"', group: FORMAT },
  { name: 'max-column-width', argument: 'N', help: 'cut the cells of tables', group: FORMAT },
  { name: 'private-key', short: 'p', argument: 'FILE', help: 'private key', group: KEYS },
  { name: 'certificate', short: 'c', argument: 'FILE', help: 'certificate for the private key', group: KEYS },
  { name: 'ca-cert', short: 'C', argument: 'FILE', help: "certificate of the peer's authority", group: KEYS },
  {
    ...{ name: 'bootstrap-ca-cert', argument: 'FILE', group: KEYS },
    help: 'the same, kept from the first connection where there is none',
  },
  { name: 'ssl-protocols', argument: 'PROTOS', help: 'range of protocols', group: TLS },
  { name: 'ssl-ciphers', argument: 'CIPHERS', help: 'ciphers for TLSv1.2', group: TLS },
  { name: 'ssl-ciphersuites', argument: 'SUITES', help: 'ciphersuites for TLSv1.3 and later', group: TLS },
  { name: 'ssl-server-name', argument: 'NAME', help: 'for the server name indication', group: TLS },
]

/** Options by name, in the order in which they were last given. */
export function optionMap(options: ParsedOptions): ReadonlyMap<string, string> {
  const out = new Map<string, string>()
  for (const { name, value = '' } of options.given) {
    out.delete(name)
    out.set(name, value)
  }
  return out
}
