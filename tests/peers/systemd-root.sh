#!/bin/bash
# A systemd of its own: PID 1 of new namespaces, over a copy-on-write view of this machine's files.
#   unshare --mount --pid --fork --uts --ipc --cgroup --net --kill-child systemd-root.sh LAB
# LAB holds bin/ (programs for /usr/local/bin), units/ (for /etc/systemd/system), schemas/ and check.sh, which runs as
# a unit and writes to LAB/results.
set -e
lab=$1
mount --make-rprivate /
# What is written stays in memory and goes with the namespace.
mkdir -p "$lab/root"
mount -t tmpfs tmpfs "$lab/root"
mkdir "$lab/root/upper" "$lab/root/work" "$lab/root/merged"
cd "$lab/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$PWD/upper,workdir=$PWD/work" merged
cd merged
mount -t proc proc proc
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs sys
mkdir -p sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty; do
    touch "dev/$node"
    mount --bind "/dev/$node" "dev/$node"
done
mkdir dev/shm dev/pts
ln -s /proc/self/fd dev/fd
: >dev/console
# The lab, and what the overlay does not show of other file systems.
for path in "$lab" "$2" "$3"; do
    mkdir -p ".$path"
    mount --bind "$path" ".$path"
done
rm -rf etc/systemd/system/*.wants var/lib/ovn var/lib/openvswitch var/log/ovn var/log/openvswitch
cp "$lab"/units/* etc/systemd/system/
mkdir -p usr/local/bin usr/share/ovn usr/share/openvswitch
for program in "$lab"/bin/*; do ln -sf "$program" usr/local/bin/; done
cp "$lab"/schemas/ovn-*.ovsschema usr/share/ovn/
cp "$lab"/schemas/vswitch.ovsschema usr/share/openvswitch/
cat >etc/systemd/system/check.service <<EOF
[Unit]
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
ExecStart=/bin/bash $lab/check.sh
TimeoutStartSec=300
StandardOutput=file:$lab/results
StandardError=file:$lab/errors
EOF
export container=ovn-ts-lab
unset NOTIFY_SOCKET OVS_RUNDIR OVN_RUNDIR OVS_LOGDIR OVN_LOGDIR OVS_DBDIR OVN_DBDIR
exec chroot . /lib/systemd/systemd --system --log-target=journal --unit=check.service
