import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asRootUser, DaemonLab, realDaemons } from './daemon-lab.ts'
import { referenceBin, referenceSchema } from './reference.ts'

// The units of packaging/ under a real systemd, which is PID 1 of namespaces of its own (systemd-root.sh).

const UNITS = ['switch-db', 'vswitchd', 'nb-db', 'sb-db', 'northd', 'controller'].map((u) => `ovn-ts-${u}`)

/** Runs within, as a unit: one line for each thing seen. */
const CHECK = `
show() { systemctl show -p "$2" --value "$1.service"; }
state() { echo "$(show "$1" ActiveState)/$(show "$1" SubState)/$(show "$1" Result)"; }
settled() { # until a condition holds, a minute at most
    for _ in $(seq 300); do eval "$1" && return; sleep 0.2; done
    return 1
}
for unit in ${UNITS.join(' ')}; do
    systemctl start $unit
    echo "start $unit $? $(state $unit) $(cat /proc/$(show $unit MainPID)/comm)"
done
for unit in ${UNITS.join(' ')}; do
    before=$(show $unit MainPID)
    systemctl restart $unit
    echo "restart $unit $? $(state $unit) $([ "$before" != "$(show $unit MainPID)" ] && echo another)"
done
for signal in KILL SEGV ABRT; do
    before=$(show ovn-ts-northd MainPID)
    systemctl kill --signal=$signal ovn-ts-northd
    settled '[ "$(show ovn-ts-northd MainPID)" != $before ] && [ "$(show ovn-ts-northd ActiveState)" = active ]'
    echo "after SIG$signal $(state ovn-ts-northd) restarts=$(show ovn-ts-northd NRestarts)"
done
ovs-appctl -t /run/ovn/ovn-northd.$(show ovn-ts-northd MainPID).ctl status
systemctl try-reload-or-restart ovn-ts-nb-db
echo "reload $? $(state ovn-ts-nb-db)"
ovs-appctl -t /run/ovn/ovn-northd.$(show ovn-ts-northd MainPID).ctl exit
settled '[ "$(show ovn-ts-northd ActiveState)" = inactive ]'
echo "exit $(state ovn-ts-northd)"
for unit in controller northd sb-db nb-db vswitchd switch-db; do
    systemctl stop ovn-ts-$unit
    echo "stop $unit $? $(state ovn-ts-$unit)"
done
# One that cannot start says so at once.
chmod 000 /var/lib/ovn/ovnnb_db.db; echo nonsense >/var/lib/ovn/ovnnb_db.db
sed -i 's/^Restart=.*/Restart=no/' /etc/systemd/system/ovn-ts-nb-db.service
systemctl daemon-reload
systemctl start ovn-ts-nb-db 2>/dev/null
echo "broken $([ $? = 0 ] || echo refused) $(state ovn-ts-nb-db)"
journalctl --sync
echo "journal: started $(journalctl -u ovn-ts-northd --no-pager -o cat | grep -c '^Started ovn-ts-northd.service')"
echo "journal: $(journalctl SYSLOG_IDENTIFIER=ovn-northd PRIORITY=4 _SYSTEMD_UNIT=ovn-ts-northd.service --no-pager -o cat | cut -d'|' -f3-)"
echo "left: $(ls /run/ovn /run/openvswitch | grep -c 'pid$') pidfiles, $(ls /run/ovn /run/openvswitch | grep -c 'ctl$') sockets"
`

/** Why there is no systemd to be had here; undefined: there is. */
function obstacle(): string | undefined {
  if (!asRootUser() || !realDaemons()) return 'needs root and the real programs'
  if (!existsSync('/lib/systemd/systemd')) return 'needs systemd'
  const flags = ['--mount', '--pid', '--fork', '--uts', '--ipc', '--cgroup', '--net', '--kill-child']
  const mounts = 'mount --make-rprivate / && mount -t tmpfs t /mnt && mkdir /mnt/c && mount -t cgroup2 c /mnt/c'
  const tried = spawnSync('/usr/bin/unshare', [...flags, 'sh', '-c', mounts], { encoding: 'utf8', timeout: 20_000 })
  return tried.status === 0 ? undefined : `needs namespaces and cgroup2 (${(tried.stderr ?? '').trim()})`
}

const why = obstacle()

describe.skipIf(why !== undefined)(`the units under systemd${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  let lab: DaemonLab
  beforeAll(async () => {
    lab = await DaemonLab.make()
    const { ours } = lab
    mkdirSync(join(lab.dir, 'units'))
    for (const unit of readdirSync('packaging').filter((f) => f.endsWith('.service'))) {
      copyFileSync(join('packaging', unit), join(lab.dir, 'units', unit))
    }
    mkdirSync(join(lab.dir, 'schemas'))
    for (const name of ['ovn-nb', 'ovn-sb', 'vswitch'] as const) {
      copyFileSync(referenceSchema(name), join(lab.dir, 'schemas', `${name}.ovsschema`))
    }
    for (const tool of ['ovsdb-tool', 'ovs-vsctl', 'ovs-appctl']) {
      symlinkSync(join(referenceBin(), tool), join(ours.bin, tool))
    }
    writeFileSync(join(lab.dir, 'check.sh'), CHECK)
  }, 60_000)
  afterAll(() => lab.close())

  test('start, serve, are restarted after a crash, and stop', () => {
    const flags = ['--mount', '--pid', '--fork', '--uts', '--ipc', '--cgroup', '--net', '--kill-child']
    const script = join(process.cwd(), 'tests/peers/systemd-root.sh')
    const paths = [lab.dir, process.cwd(), dirname(referenceBin())]
    spawnSync('/usr/bin/unshare', [...flags, script, ...paths], { stdio: 'ignore', timeout: 280_000 })
    const results = join(lab.dir, 'results')
    const said = existsSync(results) ? readFileSync(results, 'utf8').trim().split('\n') : []
    const comm = (unit: string) =>
      ({ 'ovn-ts-vswitchd': 'ovs-vswitchd', 'ovn-ts-northd': 'ovn-northd', 'ovn-ts-controller': 'ovn-controller' })[
        unit
      ] ?? 'ovsdb-server'
    expect(said, readFileSync(join(lab.dir, 'errors'), 'utf8')).toEqual([
      ...UNITS.map((unit) => `start ${unit} 0 active/running/success ${comm(unit)}`),
      ...UNITS.map((unit) => `restart ${unit} 0 active/running/success another`),
      'after SIGKILL active/running/success restarts=1',
      'after SIGSEGV active/running/success restarts=2',
      'after SIGABRT active/running/success restarts=3',
      'Status: active',
      'reload 0 active/running/success',
      'exit inactive/dead/success',
      ...['controller', 'northd', 'sb-db', 'nb-db', 'vswitchd', 'switch-db'].map(
        (u) => `stop ${u} 0 inactive/dead/success`,
      ),
      'broken refused failed/failed/exit-code',
      // Once at first, once by hand, three times after a crash.
      'journal: started 5',
      'journal: fatal_signal|WARN|terminating with signal 15 (Terminated)',
      // The sockets are those of the three that crashed.
      'left: 0 pidfiles, 3 sockets',
    ])
  }, 300_000)
})
