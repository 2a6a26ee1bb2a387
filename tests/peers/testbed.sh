#!/usr/bin/env bash
# testbed.sh - a real multi-chassis OVN deployment on one machine.
#
# Network namespaces are the hosts, the OVS userspace (netdev) datapath is the
# data plane, so no openvswitch/geneve kernel module is needed.  Every OVN
# daemon can be replaced through an environment variable.  See docs/TESTBED.md.
#
#   testbed.sh up | check [GLOB...] | down | status | loop [N]
#   testbed.sh nbctl ARGS.. | sbctl ARGS.. | vsctl CHASSIS ARGS.. | exec NODE CMD..
#   testbed.sh kill NAME.. | start NAME.. | restart NAME..

set -u
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
SELF=$(readlink -f "$0")

# ---------------------------------------------------------------- settings --
# Order of preference: the environment, what `up` recorded, these defaults.
declare -A DEFAULTS=(
  [OVSDB_SERVER_NB]="ovsdb-server"            [OVSDB_SERVER_SB]="ovsdb-server"
  [NORTHD]="ovn-northd"                       [CONTROLLER]="ovn-controller"
  [NBCTL]="ovn-nbctl"                         [SBCTL]="ovn-sbctl"
  [OVSDB_SERVER_OVS]="ovsdb-server"           [VSWITCHD]="ovs-vswitchd"
  [VSCTL]="ovs-vsctl"                         [APPCTL]="ovs-appctl"
  [OVSDB_TOOL]="ovsdb-tool"
  [NB_SCHEMA]="/usr/share/ovn/ovn-nb.ovsschema"
  [SB_SCHEMA]="/usr/share/ovn/ovn-sb.ovsschema"
  [OVS_SCHEMA]="/usr/share/openvswitch/vswitch.ovsschema"
  [TESTBED_PREFIX]="tb"                       # namespaces are PREFIX-NODE
  [TESTBED_CHASSIS]="gw1 gw2 hv1"             # gw*: gateways, priority 20, 10, ..
  [TESTBED_VMS]=""                            # vm@chassis ..; empty: see vms_default
  [TESTBED_FAILOVER]="kill link"              # failover modes that check runs
  [TESTBED_BFD]=""                            # "min_rx min_tx mult"; empty: OVN's own
  [TESTBED_TIMEOUT]="30"                      # seconds a wait-until may take
  [TESTBED_RELEASE]=""                        # 26.03, 25.03, 23.03: daemons of ./reference-ovn; empty: those on PATH
)
# (OVSDB_TOOL="" = do not create the NB and SB database files beforehand.)
# CONTROLLER_<chassis> replaces CONTROLLER on that chassis only.

# Addresses (all of them live inside namespaces only)
MGMT=10.10.0                  # eth0: OVSDB traffic, plain kernel interfaces
TUN=10.20.0                   # br-phys: geneve underlay, IP on the bridge's tap
SUBNET=10.0.0.0/24 GW_IP=10.0.0.1 GW_MAC=0a:00:00:00:00:01
DHCP_MAC=0a:00:00:00:00:fe LEASE=3600 MTU=1400 DNS=10.0.0.253
PUB_NET=172.16.0.0/24 PUB_IP=172.16.0.1 PUB_MAC=0a:00:00:00:01:01
OUT_IP=172.16.0.100 INET_IP=198.51.100.1
FIP_C=172.16.0.20 FIP_D=172.16.0.30 FIP_D_MAC=0a:00:00:00:02:13
vm_ip()  { echo "10.0.0.$((10 + ${1#vm}))"; }
vm_mac() { printf '0a:00:00:00:00:%02x\n' $((16 + ${1#vm})); }

# ----------------------------------------------------------------- helpers --
die()    { echo "testbed: $*" >&2; exit 2; }
now()    { echo "${EPOCHREALTIME/./}"; }                          # microseconds
since()  { local d=$(( $(now) - $1 )); printf '%d.%02d' $((d / 1000000)) $((d % 1000000 / 10000)); }
wait_until() {   # SECONDS CMD.. - poll CMD until it succeeds
  local end=$(( ${EPOCHREALTIME/./} + $1 * 1000000 )); shift
  until "$@" >/dev/null 2>&1; do
    (( ${EPOCHREALTIME/./} < end )) || return 1
    sleep 0.05
  done
}
ns()     { echo "$TESTBED_PREFIX-$1"; }
in_ns()  { local n=$TESTBED_PREFIX-$1; shift; nsenter --net="/run/netns/$n" -- "$@"; }
nsip()   { local n=$TESTBED_PREFIX-$1; shift; ip -n "$n" "$@"; }
has_if() { nsip "$1" link show dev "$2" >/dev/null 2>&1; }

chassis_index() { local i=1 c; for c in $TESTBED_CHASSIS; do [[ $c == "$1" ]] && { echo $i; return; }; ((i++)); done; return 1; }
gateways()      { local c; for c in $TESTBED_CHASSIS; do [[ $c == gw* ]] && echo "$c"; done; }
hypervisors()   { local c; for c in $TESTBED_CHASSIS; do [[ $c == gw* ]] || echo "$c"; done; }
vms_default()   {   # vm1: SNAT only, vm2: centralized FIP, vm3: distributed FIP
  local hv gw; mapfile -t hv < <(hypervisors); mapfile -t gw < <(gateways)
  echo "vm1@${hv[0]} vm2@${hv[1]:-${gw[-1]}} vm3@${hv[0]}"
}
vms()     { local v; for v in $TESTBED_VMS; do echo "${v%@*}"; done; }
vm_host() { local v; for v in $TESTBED_VMS; do [[ $v == "$1"@* ]] && echo "${v#*@}"; done; }
nodes()   { echo net central outside $TESTBED_CHASSIS $(vms); }

# --- processes: pid and start time are kept, so only our own get signals -----
# (no subshells here: these are polled)
pfile()  { echo "$DIR/pids/${1//\//:}"; }
pstat()  { local s; STARTED=; read -r s 2>/dev/null <"/proc/$1/stat" || return 1   # sets STARTED
           s=${s##*) }; set -- $s; [[ $1 != Z ]] && STARTED=${20}; }
alive()  { local p t; read -r p t 2>/dev/null <"$DIR/pids/${1//\//:}" || return 1
           pstat "$p" && [[ $STARTED == "$t" ]]; }
pstart() {   # NAME NODE COMMAND-LINE - run in a namespace, own session, output in out/NAME
  local name=$1 node=$2 cmd=$3 out pid
  alive "$name" && return 0
  out=$DIR/out/${name//\//:}
  ( exec setsid ip netns exec "$(ns "$node")" bash -c "exec $cmd" \
      >>"$out" 2>>"$out.err" </dev/null ) &
  pid=$!
  pstat $pid; echo "$pid $STARTED" >"$DIR/pids/${name//\//:}"
  disown $pid 2>/dev/null
  return 0
}
pkill_one() { local p t; alive "$2" || return 0; read -r p t <"$(pfile "$2")"; kill "-$1" -- "-$p" 2>/dev/null || kill "-$1" "$p" 2>/dev/null; }
pdead()     { ! alive "$1"; }
pstop()     {   # NAME [SIGNAL] - end one daemon (its process group) that we started
  pkill_one "${2:-TERM}" "$1"
  wait_until 5 pdead "$1" || { pkill_one KILL "$1"; wait_until 5 pdead "$1"; }
  rm -f "$(pfile "$1")"
}

# --- command lines ----------------------------------------------------------
# A command with an @WORD@ in it is used as it stands after substitution;
# any other one gets the arguments that Debian's daemon would.
expand() {   # COMMAND DEFAULT-ARGS - placeholders come from the array P
  local c=$1 k
  [[ $c =~ @[A-Z_]+@ ]] || c="$c $2"
  for k in "${!P[@]}"; do c=${c//"@$k@"/"${P[$k]}"}; done
  echo "$c"
}
common_P() {   # DAEMON-DIR DAEMON-NAME
  P=([DIR]=$DIR/$1 [NAME]=$2 [CTL]=$DIR/$1/$2.ctl [LOG]=$DIR/$1/$2.log
     [NB]=unix:$DIR/central/nb.sock [SB]=unix:$DIR/central/sb.sock
     [NBTCP]=tcp:$MGMT.1:6641 [SBTCP]=tcp:$MGMT.1:6642)
}
env_for() { echo "env OVS_RUNDIR=$DIR/$1 OVS_LOGDIR=$DIR/$1 OVS_DBDIR=$DIR/$1 OVS_SYSCONFDIR=$DIR/$1" \
                 "OVN_RUNDIR=$DIR/$1 OVN_LOGDIR=$DIR/$1 OVN_DBDIR=$DIR/$1 OVN_SYSCONFDIR=$DIR/$1"; }
ctl() {   # COMMAND DEFAULT-ARGS ARGS.. - run a *ctl in the central namespace
  local -A P; local c; common_P central ctl; c=$(expand "$1" "$2"); shift 2
  in_ns central timeout 60 bash -c "exec $c \"\$@\"" ctl "$@"
}
nb()    { ctl "$NBCTL" "--db=@NB@" "$@"; }
sb()    { ctl "$SBCTL" "--db=@SB@" "$@"; }
vsctl() { local c=$1; shift; in_ns "$c" timeout 60 $VSCTL --db="unix:$DIR/$c/db.sock" "$@"; }
appctl(){ local c=$1; shift; in_ns "$c" timeout 10 $APPCTL -t "$DIR/$c/vswitchd.ctl" "$@"; }

# ---------------------------------------------------------------- networks --
mk_ns() {
  local n; n=$(ns "$1")
  if [[ ! -e $DIR/netns/$1 ]]; then     # what is there is ours only if it is on record
    [[ ! -e /run/netns/$n ]] || { echo "testbed: namespace $n exists and is not ours: set TESTBED_PREFIX" >&2; return 1; }
    ip netns add "$n" && touch "$DIR/netns/$1" || return 1
  fi
  # No IPv6 noise; answer ARP and accept packets only on the interface that
  # owns the address (OVS reads eth1 through AF_PACKET, the kernel sees it too).
  ip netns exec "$n" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 \
    net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1
}
# Only an end at which a kernel stack talks to OVS needs this: OVS would pass
# on the unfinished checksum of a packet that veth never had to complete.
no_offload() { in_ns "$1" ethtool -K "$2" tx off >/dev/null || die "ethtool fails in $1"; }
mk_veth() {  # NODE-A IF-A NODE-B IF-B
  has_if "$1" "$2" || ip link add "$2" netns "$(ns "$1")" type veth peer name "$4" netns "$(ns "$3")" || die "cannot link $1 and $3"
}
mk_networks() {
  local n c i b batch="link set lo up\n"
  for n in $(nodes); do mk_ns "$n" & done; wait
  for n in $(nodes); do [[ -e $DIR/netns/$n ]] || die "cannot make namespace $(ns "$n")"; done
  for b in br-mgmt br-tun br-ext; do
    has_if net $b || batch+="link add $b type bridge forward_delay 0 mcast_snooping 0\n"
    batch+="link set $b up\n"
  done
  mk_veth net m-central central eth0; batch+="link set m-central master br-mgmt up\n"
  mk_veth net x-outside outside eth0; batch+="link set x-outside master br-ext up\n"
  for c in $TESTBED_CHASSIS; do
    i=$(( $(chassis_index "$c") + 10 ))
    mk_veth net "m-$c" "$c" eth0; batch+="link set m-$c master br-mgmt up\n"   # management
    mk_veth net "t-$c" "$c" eth1; batch+="link set t-$c master br-tun up\n"    # geneve underlay
    mk_veth net "x-$c" "$c" eth2; batch+="link set x-$c master br-ext up\n"    # external network
    printf 'link set %s up\n' lo eth0 eth1 eth2 | nsip "$c" -batch - || die "cannot set up $c"
    nsip "$c" addr replace $MGMT.$i/24 dev eth0
  done
  printf "$batch" | nsip net -batch - || die "cannot set up the networks"
  printf '%s\n' "link set lo up" "link set eth0 up" "addr replace $MGMT.1/24 dev eth0" | nsip central -batch - || die "cannot set up central"
  no_offload outside eth0    # "the internet" on lo lies behind the default route
  printf '%s\n' "link set lo up" "link set eth0 up" "addr replace $OUT_IP/24 dev eth0" "addr replace $INET_IP/32 dev lo" | nsip outside -batch - || die "cannot set up outside"
}

# ----------------------------------------------------------------- central --
mk_db() { [[ -e $1 || -z $OVSDB_TOOL ]] || $OVSDB_TOOL create "$1" "$2" || die "cannot create $1"; }
start_nb() {
  local -A P; common_P central nb; P+=([DB]=$DIR/central/nb.db [SCHEMA]=$NB_SCHEMA [SOCK]=$DIR/central/nb.sock [PORT]=6641 [DBNAME]=OVN_Northbound)
  mk_db "${P[DB]}" "$NB_SCHEMA"
  pstart nb central "$(env_for central) $(expand "$OVSDB_SERVER_NB" "-vconsole:off --log-file=@LOG@ --unixctl=@CTL@ --remote=punix:@SOCK@ --remote=ptcp:@PORT@:0.0.0.0 --remote=db:OVN_Northbound,NB_Global,connections @DB@")"
}
start_sb() {
  local -A P; common_P central sb; P+=([DB]=$DIR/central/sb.db [SCHEMA]=$SB_SCHEMA [SOCK]=$DIR/central/sb.sock [PORT]=6642 [DBNAME]=OVN_Southbound)
  mk_db "${P[DB]}" "$SB_SCHEMA"
  pstart sb central "$(env_for central) $(expand "$OVSDB_SERVER_SB" "-vconsole:off --log-file=@LOG@ --unixctl=@CTL@ --remote=punix:@SOCK@ --remote=ptcp:@PORT@:0.0.0.0 --remote=db:OVN_Southbound,SB_Global,connections @DB@")"
}
start_northd() {
  local -A P; common_P central northd
  pstart northd central "$(env_for central) $(expand "$NORTHD" "-vconsole:off --log-file=@LOG@ --unixctl=@CTL@ --ovnnb-db=@NB@ --ovnsb-db=@SB@")"
}
tcp_listens() { in_ns "$1" ss -Hltn "sport = :$2" | grep -q .; }
start_central() {
  start_nb; start_sb
  wait_until "$TESTBED_TIMEOUT" test -S "$DIR/central/nb.sock" || die "NB server made no socket (see $DIR/out/nb.err)"
  wait_until "$TESTBED_TIMEOUT" test -S "$DIR/central/sb.sock" || die "SB server made no socket (see $DIR/out/sb.err)"
  wait_until "$TESTBED_TIMEOUT" tcp_listens central 6641 || die "NB server does not listen on 6641"
  wait_until "$TESTBED_TIMEOUT" tcp_listens central 6642 || die "SB server does not listen on 6642"
  wait_until "$TESTBED_TIMEOUT" nb init || die "NBCTL init fails: $(nb init 2>&1 | tail -1)"
  wait_until "$TESTBED_TIMEOUT" sb init || die "SBCTL init fails: $(sb init 2>&1 | tail -1)"
  start_northd
}

# ----------------------------------------------------------------- chassis --
start_ovsdb() {
  local c=$1; local -A P; common_P "$c" ovsdb; P+=([DB]=$DIR/$c/conf.db [SCHEMA]=$OVS_SCHEMA [SOCK]=$DIR/$c/db.sock)
  [[ -e $DIR/$c/conf.db ]] || ovsdb-tool create "$DIR/$c/conf.db" "$OVS_SCHEMA" || die "cannot create conf.db"
  pstart "$c/ovsdb" "$c" "$(env_for "$c") $(expand "$OVSDB_SERVER_OVS" "-vconsole:off --log-file=@LOG@ --unixctl=@CTL@ --remote=punix:@SOCK@ @DB@")"
  wait_until "$TESTBED_TIMEOUT" vsctl "$c" --no-wait init || die "$c: ovsdb-server does not answer"
}
configure_ovs() {
  local c=$1 i; i=$(( $(chassis_index "$c") + 10 ))
  vsctl "$c" --no-wait \
    -- set open . external_ids:system-id="$c" external_ids:hostname="$c" \
         external_ids:ovn-remote="tcp:$MGMT.1:6642" external_ids:ovn-encap-type=geneve \
         external_ids:ovn-encap-ip="$TUN.$i" external_ids:ovn-bridge=br-int \
         external_ids:ovn-bridge-datapath-type=netdev external_ids:ovn-bridge-mappings=physnet:br-ex \
    -- --may-exist add-br br-int  -- set bridge br-int  datapath_type=netdev fail_mode=secure other-config:disable-in-band=true \
    -- --may-exist add-br br-phys -- set bridge br-phys datapath_type=netdev \
    -- --may-exist add-port br-phys eth1 \
    -- --may-exist add-br br-ex   -- set bridge br-ex   datapath_type=netdev \
    -- --may-exist add-port br-ex eth2
}
has_route() { appctl "$1" ovs/route/show | grep -q "^[^ ]*: $TUN.0/24 dev br-phys"; }
start_vswitchd() {   # taps of the userspace datapath die with the daemon: the IP is put back each time
  local c=$1 i; i=$(( $(chassis_index "$c") + 10 )); local -A P; common_P "$c" vswitchd
  P+=([OVS]=unix:$DIR/$c/db.sock [CHASSIS]=$c)
  pstart "$c/vswitchd" "$c" "$(env_for "$c") $(expand "$VSWITCHD" "-vconsole:off --log-file=@LOG@ --unixctl=@CTL@ --disable-system @OVS@")"
  wait_until "$TESTBED_TIMEOUT" has_if "$c" br-phys || die "$c: no br-phys (see $DIR/$c/vswitchd.log)"
  nsip "$c" addr replace "$TUN.$i/24" dev br-phys; nsip "$c" link set br-phys up
  wait_until "$TESTBED_TIMEOUT" has_route "$c" || die "$c: OVS knows no route to the underlay"
}
start_controller() {
  local c=$1 v=CONTROLLER_$1; local -A P; common_P "$c" controller
  P+=([OVS]=unix:$DIR/$c/db.sock [CHASSIS]=$c [RUNDIR]=$DIR/$c)
  pstart "$c/controller" "$c" "$(env_for "$c") $(expand "${!v:-$CONTROLLER}" "-vconsole:off --log-file=@LOG@ @OVS@")"   # it has no --unixctl
}
# The real controller sets flow-restore-wait to false and, 3 ms later, to true again: a real switch that
# reads both at once waits for ever, and its BFD stays down (docs/TESTBED.md). Ours waits for the switch.
end_restore_wait() {
  local v=CONTROLLER_$1
  [[ ${!v:-$CONTROLLER} == ovn-controller && $VSWITCHD == ovs-vswitchd ]] || return 0
  vsctl "$1" set open . other_config:flow-restore-wait=false || die "$1: ovs-vswitchd does not take its configuration"
}
start_chassis() {
  start_ovsdb "$1"; configure_ovs "$1" || die "$1: cannot configure OVS"
  start_vswitchd "$1"; end_restore_wait "$1"; start_controller "$1"
}
kill_chassis()  { local d; for d in vswitchd controller ovsdb; do pkill_one KILL "$1/$d"; done
                  for d in vswitchd controller ovsdb; do wait_until 5 pdead "$1/$d"; rm -f "$(pfile "$1/$d")"; done; }

daemon() {   # start|stop|kill NAME; NAME: nb sb northd central CHASSIS CHASSIS/{ovsdb,vswitchd,controller}
  local op=$1 n=$2 c=${2%/*}
  case $op:$n in
    start:nb) start_nb ;; start:sb) start_sb ;; start:northd) start_northd ;;
    start:central) start_central ;;
    stop:central|kill:central) for n in northd sb nb; do daemon "$op" $n; done ;;
    start:*/ovsdb) start_ovsdb "$c" ;; start:*/vswitchd) start_vswitchd "$c" ;;
    start:*/controller) start_controller "$c" ;;
    kill:nb|kill:sb|kill:northd|kill:*/*) pstop "$n" KILL ;;
    stop:nb|stop:sb|stop:northd|stop:*/*) pstop "$n" ;;
    *) chassis_index "$n" >/dev/null || die "no daemon or chassis '$n'"
       case $op in start) start_chassis "$n" ;; kill) kill_chassis "$n" ;;
         stop) for c in controller vswitchd ovsdb; do pstop "$n/$c"; done ;; esac ;;
  esac
}

use_release() {   # the real daemons and schemas of another release
  local ref; ref=$(dirname "$SELF")/reference-ovn
  [[ -n $TESTBED_RELEASE ]] || return 0
  PATH=$("$ref" bin "$TESTBED_RELEASE"):$PATH || die "no release $TESTBED_RELEASE"
  NB_SCHEMA=$("$ref" schema "$TESTBED_RELEASE" ovn-nb)
  SB_SCHEMA=$("$ref" schema "$TESTBED_RELEASE" ovn-sb)
  OVS_SCHEMA=$("$ref" schema "$TESTBED_RELEASE" vswitch)
}

# --------------------------------------------------------------- OVN config --
configure_nb() {   # few, large transactions: each run of nbctl costs time
  local v d gw p=20 a=()
  for v in $(vms); do
    a+=(-- --may-exist lsp-add private "$v" -- lsp-set-addresses "$v" "$(vm_mac "$v") $(vm_ip "$v")"
        -- lsp-set-port-security "$v" "$(vm_mac "$v") $(vm_ip "$v")")
  done
  nb -- --may-exist ls-add private -- set logical_switch private other_config:subnet=$SUBNET \
        other_config:exclude_ips="10.0.0.1..10.0.0.200" "${a[@]}" \
     -- --may-exist lr-add r1 \
     -- --may-exist lrp-add r1 r1-private $GW_MAC $GW_IP/24 \
     -- --may-exist lsp-add private private-r1 -- lsp-set-type private-r1 router \
     -- lsp-set-addresses private-r1 router -- lsp-set-options private-r1 router-port=r1-private \
     -- --may-exist ls-add public \
     -- --may-exist lrp-add r1 r1-public $PUB_MAC $PUB_IP/24 \
     -- --may-exist lsp-add public public-r1 -- lsp-set-type public-r1 router \
     -- lsp-set-addresses public-r1 router \
     -- lsp-set-options public-r1 router-port=r1-public nat-addresses=router \
     -- --may-exist lsp-add public public-ln -- lsp-set-type public-ln localnet \
     -- lsp-set-addresses public-ln unknown -- lsp-set-options public-ln network_name=physnet || return 1
  a=()
  for gw in $(gateways); do
    a+=(-- lrp-set-gateway-chassis r1-public "$gw" $p)
    p=$(( p > 10 ? p - 10 : 5 ))
  done
  if [[ -n $TESTBED_BFD ]]; then
    set -- $TESTBED_BFD
    a+=(-- set nb_global . options:bfd-min-rx="$1" options:bfd-min-tx="${2:-$1}" options:bfd-mult="${3:-3}")
  fi
  nb "${a[@]}" -- --may-exist lr-route-add r1 0.0.0.0/0 $OUT_IP \
     -- --may-exist lr-nat-add r1 snat $PUB_IP $SUBNET \
     -- --may-exist lr-nat-add r1 dnat_and_snat $FIP_C "$(vm_ip vm2)" \
     -- --may-exist lr-nat-add r1 dnat_and_snat $FIP_D "$(vm_ip vm3)" vm3 $FIP_D_MAC || return 1
  d=$(nb --bare --columns=_uuid find dhcp_options cidr=$SUBNET)
  [[ -n $d ]] || d=$(nb create dhcp_options cidr=$SUBNET) || return 1
  a=()
  for v in $(vms); do a+=(-- lsp-set-dhcpv4-options "$v" "$d"); done
  nb dhcp-options-set-options "$d" router=$GW_IP server_id=$GW_IP server_mac=$DHCP_MAC \
     lease_time=$LEASE mtu=$MTU dns_server=$DNS "${a[@]}"
}

# --------------------------------------------------------------------- VMs --
write_dhcp_files() {
  cat >"$DIR/dhclient.conf" <<'CONF'
timeout 30; retry 2; initial-interval 1; backoff-cutoff 2; reboot 2; select-timeout 0;
request subnet-mask, broadcast-address, routers, domain-name-servers, interface-mtu, domain-name;
CONF
  cat >"$DIR/dhclient-script" <<'SCRIPT'
#!/bin/sh
# Applies the lease inside the VM's namespace, never touches /etc/resolv.conf.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
case $reason in
  PREINIT) ip link set "$interface" up ;;
  BOUND|RENEW|REBIND|REBOOT)
    [ -z "$new_interface_mtu" ] || ip link set "$interface" mtu "$new_interface_mtu"
    ip addr replace "$new_ip_address/$new_subnet_mask" broadcast "$new_broadcast_address" dev "$interface"
    for r in $new_routers; do ip route replace default via "$r" dev "$interface"; done
    env | grep -E '^(reason|new_|interface)' | sort >"$TB_OUT.tmp" && mv "$TB_OUT.tmp" "$TB_OUT" ;;
  EXPIRE|FAIL|RELEASE|STOP) ip -4 addr flush dev "$interface" ;;
esac
exit 0
SCRIPT
  chmod +x "$DIR/dhclient-script"
}
plug_vm() {
  local v=$1 h; h=$(vm_host "$v")
  mk_veth "$h" "$v" "$v" eth0; no_offload "$v" eth0
  nsip "$h" link set "$v" up
  printf '%s\n' "link set lo up" "link set eth0 address $(vm_mac "$v") up" | nsip "$v" -batch - || return 1
  vsctl "$h" --may-exist add-port br-int "$v" -- set interface "$v" external_ids:iface-id="$v" \
     external_ids:iface-status=active external_ids:attached-mac="$(vm_mac "$v")"
}
start_dhclient() {
  local v=$1
  mkdir -p "$DIR/$v"
  pstart "$v/dhclient" "$v" "dhclient -4 -d -v -cf $DIR/dhclient.conf -lf $DIR/$v/leases -pf $DIR/$v/dhclient.pid -sf $DIR/dhclient-script -e TB_OUT=$DIR/$v/lease.env eth0"
}
drop_lease() {
  local v=$1
  pstop "$v/dhclient"
  rm -f "$DIR/$v/lease.env" "$DIR/$v/leases"
  nsip "$v" -4 addr flush dev eth0; nsip "$v" link set eth0 mtu 1500
}
lsp_up()  { [[ $(nb lsp-get-up "$1") == up ]]; }
all_up()     { local v; for v in $(vms); do lsp_up "$v" || return 1; done; }
all_leased() { local v; for v in $(vms); do [[ -s $DIR/$v/lease.env ]] || return 1; done; }
ping1()   { in_ns "$1" ping -n -c1 -W1 "$2"; }

# ---------------------------------------------------------------------- up --
stage() { printf '%-34s %6ss\n' "$1" "$(since "$T_STAGE")" | tee -a "$DIR/timings"; T_STAGE=$(now); }
RC=0
warn()  { echo "testbed: warning: $*"; RC=1; }
cmd_up() {
  local t_up t_daemons c v j=() rc=0 t
  for t in ip bridge ss ethtool tcpdump dhclient ping nsenter setsid sysctl python3 ovsdb-tool ovs-vsctl; do
    command -v $t >/dev/null || die "needs the command '$t' (apt-get install iproute2 ethtool tcpdump isc-dhcp-client iputils-ping procps python3 openvswitch-switch)"
  done
  [[ $(id -u) == 0 ]] || die "must run as root"
  mkdir -p "$DIR"/{pids,out,netns,central} || die "cannot make $DIR"
  for c in $TESTBED_CHASSIS $(vms); do mkdir -p "$DIR/$c"; done
  save_settings; write_dhcp_files; : >"$DIR/timings"
  echo "testbed: state in $DIR"
  t_up=$(now); T_STAGE=$t_up
  mk_networks;                                       stage "namespaces and links"
  t_daemons=$(now)
  start_central;                                     stage "central daemons"
  configure_nb || die "configuring the NB database failed"; stage "NB configuration"
  for c in $TESTBED_CHASSIS; do start_chassis "$c" & j+=($!); done
  for c in "${j[@]}"; do wait "$c" || rc=1; done
  (( rc == 0 )) || die "a chassis did not start"
  c=$(c_daemons) || { for v in ${c#*: }; do tail -n 3 "$DIR/out/${v//\//:}.err"; done >&2; die "$c"; }
                                                     stage "chassis daemons"
  for v in $(vms); do plug_vm "$v" || die "cannot plug $v"; done
  wait_until "$TESTBED_TIMEOUT" all_up || { for v in $(vms); do lsp_up "$v" || warn "port $v is not up"; done; v=$(c_daemons) || echo "testbed: $v"; }
                                                     stage "VM ports plugged and up"
  for v in $(vms); do start_dhclient "$v"; done
  wait_until "$TESTBED_TIMEOUT" all_leased || for v in $(vms); do [[ -s $DIR/$v/lease.env ]] || warn "no DHCP lease for $v"; done
                                                     stage "DHCP leases"
  if wait_until "$TESTBED_TIMEOUT" ping1 vm1 "$(vm_ip vm2)"; then
    printf '%-34s %6ss\n' "daemons -> first ping vm1-vm2" "$(since "$t_daemons")" | tee -a "$DIR/timings"
  else warn "vm1 cannot ping vm2"; fi
  if wait_until "$TESTBED_TIMEOUT" ping1 vm1 $OUT_IP; then
    printf '%-34s %6ss\n' "daemons -> first ping vm1-outside" "$(since "$t_daemons")" | tee -a "$DIR/timings"
  else warn "vm1 cannot ping the outside"; fi
                                                     stage "first pings"
  printf '%-34s %6ss\n' "up in total" "$(since "$t_up")" | tee -a "$DIR/timings"
  return $RC
}

# ------------------------------------------------------------------ checks --
# A check is a function: its output is the detail (after '#') when it succeeds
# and the reason when it fails.
PASSED=0 FAILED=0 PATTERNS=()
run_check() {   # NAME FUNCTION ARGS..
  local name=$1 t out p hit=0; shift
  if ((${#PATTERNS[@]})); then
    for p in "${PATTERNS[@]}"; do [[ $name == $p ]] && hit=1; done
    ((hit)) || return 0
  fi
  t=$(now)
  if out=$("$@" 2>&1); then
    PASSED=$((PASSED + 1)); echo "ok $name # $(since "$t")s${out:+ $(echo "$out" | tail -1)}"
  else
    FAILED=$((FAILED + 1)); echo "not ok $name: $(echo "${out:-no reason given}" | tail -1) ($(since "$t")s)"
  fi
}
cap_start() {   # NAME NODE IF FILTER
  pstop "cap-$1"       # left behind by a check that was cut short
  rm -f "$DIR/out/cap-$1" "$DIR/out/cap-$1.err"
  pstart "cap-$1" "$2" "tcpdump -l --immediate-mode -n -e -v -s 200 -i $3 $4"
  wait_until 10 grep -q 'listening on' "$DIR/out/cap-$1.err" || { echo "tcpdump does not start: $(tail -1 "$DIR/out/cap-$1.err")"; return 1; }
}
cap_text() { awk '/^[ \t]/{printf " %s", $0; next} {if (NR>1) print ""; printf "%s", $0} END{print ""}' "$DIR/out/cap-$1"; }   # one packet a line
cap_has()  { cap_text "$1" | grep -Eq "$2"; }
cap_stop() { pstop "cap-$1" INT; }
ping_all() {  # NODE DST [PING-ARGS] - first one that works, then 5 of 5
  local n=$1 d=$2 out; shift 2
  wait_until "$TESTBED_TIMEOUT" ping1 "$n" "$d" || { echo "no answer from $d within ${TESTBED_TIMEOUT}s"; return 1; }
  out=$(in_ns "$n" ping -n -c5 -i0.2 -W2 "$@" "$d") || { echo "$(echo "$out" | grep transmitted)"; return 1; }
  grep -q ' 0% packet loss' <<<"$out" || { echo "$(echo "$out" | grep transmitted)"; return 1; }
  PING_TTL=$(sed -n 's/.*ttl=\([0-9]*\).*/\1/p' <<<"$out" | sort -u | tr '\n' ' ')
  PING_TTL=${PING_TTL% }
  PING_RTT=$(sed -n 's/^rtt.*= //p' <<<"$out")
}
cr_chassis() { local u; u=$(sb --bare --columns=chassis find port_binding logical_port=cr-r1-public); [[ -n $u ]] && sb --bare --columns=name list chassis "$u"; }
cr_is()      { [[ $(cr_chassis) == "$1" ]]; }
fdb_port()   { bridge -n "$(ns net)" fdb show br br-ext | awk -v m="$1" 'tolower($1) == m && !/permanent/ {print $3; exit}'; }
fdb_is()     { [[ $(fdb_port "$1") == "$2" ]]; }
bfd_state()  { # CHASSIS PEER
  vsctl "$1" --bare --columns=bfd_status find interface type=geneve "options:remote_ip=\"$TUN.$(( $(chassis_index "$2") + 10 ))\"" | tr ' ' '\n' | sed -n 's/^state=//p'; }
bfd_is()     { [[ $(bfd_state "$1" "$2") == "$3" ]]; }

c_daemons() {
  local d bad=() l=(nb sb northd)
  for d in $TESTBED_CHASSIS; do l+=("$d/ovsdb" "$d/vswitchd" "$d/controller"); done
  for d in "${l[@]}"; do alive "$d" || bad+=("$d"); done
  ((${#bad[@]} == 0)) || { echo "not running: ${bad[*]}"; return 1; }
  echo "${#l[@]} daemons"
}
c_chassis() {
  local c i got
  for c in $TESTBED_CHASSIS; do
    i=$(( $(chassis_index "$c") + 10 ))
    reg() { [[ $(sb --bare --columns=ip find encap chassis_name="$c" type=geneve) == "$TUN.$i" ]]; }
    wait_until "$TESTBED_TIMEOUT" reg || { echo "$c has no geneve encap $TUN.$i in SB"; return 1; }
  done
}
c_route() { local c; for c in $TESTBED_CHASSIS; do wait_until 5 has_route "$c" || { echo "$c: ovs/route/show has no $TUN.0/24 via br-phys"; return 1; }; done; }
c_sync()  { nb --timeout=30 --wait=hv sync || { echo "ovn-nbctl --wait=hv sync failed"; return 1; }; }
c_ports() { local v; for v in $(vms); do wait_until "$TESTBED_TIMEOUT" lsp_up "$v" || { echo "$v is not up"; return 1; }; done; }
c_bfd() {
  local gw hv c; mapfile -t gw < <(gateways)
  for c in ${gw[@]:1} $(vm_host vm1); do
    wait_until "$TESTBED_TIMEOUT" bfd_is "$c" "${gw[0]}" up || { echo "$c -> ${gw[0]}: BFD state '$(bfd_state "$c" "${gw[0]}")'"; return 1; }
  done
}
c_gateway() {
  local gw; gw=$(gateways | head -1)
  wait_until "$TESTBED_TIMEOUT" cr_is "$gw" || { echo "cr-r1-public is on '$(cr_chassis)', not $gw"; return 1; }
  ping_all vm1 $OUT_IP || return 1
  wait_until 5 fdb_is $PUB_MAC "x-$gw" || { echo "router MAC is behind '$(fdb_port $PUB_MAC)', not x-$gw"; return 1; }
}
c_dhcp() {
  local v=$1 e=$DIR/$1/lease.env l rc=0 k want
  drop_lease "$v"
  cap_start "dhcp-$v" "$v" eth0 "udp src port 67" || return 1
  start_dhclient "$v"
  wait_until "$TESTBED_TIMEOUT" test -s "$e" || { cap_stop "dhcp-$v"; echo "no lease: $(tail -1 "$DIR/out/$v:dhclient.err")"; return 1; }
  wait_until 5 cap_has "dhcp-$v" "$DHCP_MAC > .*BOOTP/DHCP, Reply" || { echo "reply did not come from server_mac $DHCP_MAC"; rc=1; }
  cap_stop "dhcp-$v"
  for k in "new_ip_address=$(vm_ip "$v")" new_subnet_mask=255.255.255.0 new_routers=$GW_IP new_interface_mtu=$MTU \
           new_dhcp_lease_time=$LEASE new_dhcp_server_identifier=$GW_IP new_domain_name_servers=$DNS; do
    grep -qx "$k" "$e" || { echo "want $k, got '$(grep "^${k%%=*}=" "$e")'"; rc=1; }
  done
  l=$(nsip "$v" -o link show eth0); [[ $l == *" mtu $MTU "* ]] || { echo "interface MTU was not set: $l"; rc=1; }
  ((rc)) || echo "$(vm_ip "$v")"
  return $rc
}
c_router() { ping_all vm1 $GW_IP && echo "rtt $PING_RTT"; }
c_same()   { ping_all vm1 "$(vm_ip vm3)" || return 1; [[ $PING_TTL == 64 ]] || { echo "ttl $PING_TTL, want 64"; return 1; }; echo "rtt $PING_RTT"; }
c_geneve() {
  local rc=0 h; h=$(vm_host vm1)
  [[ $h != "$(vm_host vm2)" ]] || { echo "vm1 and vm2 are on one chassis"; return 1; }
  cap_start geneve net "t-$h" "udp port 6081 and not udp[8:2]=0xffff" || return 1
  ping_all vm1 "$(vm_ip vm2)" || rc=1
  ((rc)) || wait_until 5 cap_has geneve "Geneve.*$(vm_ip vm1) > $(vm_ip vm2): ICMP echo request" || { echo "no geneve packet with the ping on the underlay"; rc=1; }
  cap_stop geneve
  ((rc)) && return 1
  [[ $PING_TTL == 64 ]] || { echo "ttl $PING_TTL, want 64"; return 1; }
  echo "rtt $PING_RTT"
}
c_mtu() {
  ping_all vm1 "$(vm_ip vm2)" -M do -s $((MTU - 28)) || { echo "full-size packets are lost"; return 1; }
  in_ns vm1 ping -n -c1 -W1 -M do -s $((MTU - 27)) "$(vm_ip vm2)" 2>&1 | grep -qi 'too long' || { echo "a packet above the MTU was not refused"; return 1; }
  echo "$MTU bytes with DF across geneve"
}
c_pmtu() {   # gateway_mtu: the router answers too-big packets
  local rc=0 m=1300
  toobig() { in_ns vm1 ping -n -c1 -W1 -M do -s $((MTU - 28)) $OUT_IP 2>&1 | grep -q "Frag needed and DF set (mtu = $m)"; }
  nb --wait=hv set logical_router_port r1-public options:gateway_mtu=$m || return 1
  wait_until 10 toobig || { echo "no 'fragmentation needed' with mtu $m"; rc=1; }
  nb --wait=hv remove logical_router_port r1-public options gateway_mtu || rc=1
  in_ns vm1 ip route flush cache
  return $rc
}
c_snat() {
  local rc=0
  cap_start snat outside eth0 icmp || return 1
  ping_all vm1 $OUT_IP || rc=1
  ((rc)) || wait_until 5 cap_has snat "$PUB_MAC > .*ttl 63.* $PUB_IP > $OUT_IP: ICMP echo request" ||
    { echo "outside saw: $(cap_text snat | grep 'echo request' | tail -1)"; rc=1; }
  ((rc)) || ! cap_has snat "$(vm_ip vm1) >" || { echo "private source address leaked"; rc=1; }
  cap_stop snat
  ((rc)) && return 1
  [[ $PING_TTL == 63 ]] || { echo "reply ttl $PING_TTL, want 63"; return 1; }
  echo "source $PUB_IP, ttl 63 both ways, rtt $PING_RTT"
}
c_default() { ping_all vm1 $INET_IP && echo "$INET_IP via $OUT_IP"; }
c_ttl() {
  exceeded() { in_ns vm1 ping -n -c1 -W1 -t1 $OUT_IP 2>&1 | grep -q "From $GW_IP .*Time to live exceeded"; }
  wait_until 10 exceeded || { echo "no time-exceeded from $GW_IP: $(in_ns vm1 ping -n -c1 -W1 -t1 $OUT_IP 2>&1 | sed -n 2p)"; return 1; }
}
c_fip_in() {   # FIP VM MAC PORT
  local fip=$1 v=$2 mac=$3 port=$4 rc=0
  cap_start "fip-$v" "$v" eth0 icmp || return 1
  ping_all outside "$fip" || rc=1
  ((rc)) || wait_until 5 cap_has "fip-$v" "ttl 63.* $OUT_IP > $(vm_ip "$v"): ICMP echo request" || { echo "$v did not see the translated request"; rc=1; }
  cap_stop "fip-$v"
  ((rc)) && return 1
  [[ $PING_TTL == 63 ]] || { echo "reply ttl $PING_TTL, want 63"; return 1; }
  nsip outside neigh show "$fip" | grep -q "$mac" || { echo "ARP says $(nsip outside neigh show "$fip"), want $mac"; return 1; }
  fdb_is "$mac" "$port" || { echo "$mac is behind $(fdb_port "$mac"), want $port"; return 1; }
  echo "$fip is $mac behind $port, rtt $PING_RTT"
}
c_fip_out() {  # FIP VM MAC
  local rc=0
  cap_start "fipo-$2" outside eth0 icmp || return 1
  ping_all "$2" $OUT_IP || rc=1
  ((rc)) || wait_until 5 cap_has "fipo-$2" "$3 > .* $1 > $OUT_IP: ICMP echo request" || { echo "outside saw: $(cap_text "fipo-$2" | grep 'echo request' | tail -1)"; rc=1; }
  cap_stop "fipo-$2"
  ((rc)) || echo "source $1"
  return $rc
}
c_tcp() {      # SERVER-NODE CLIENT-NODE ADDRESS - one MiB, so checksums matter
  local s=$1 c=$2 a=$3 n
  pstart "tcp-$s" "$s" "/usr/bin/python3 -c 'import socket
s=socket.create_server((\"0.0.0.0\",8080))
while 1:
    k,_=s.accept(); k.sendall(bytes(range(256))*4096); k.close()'"
  wait_until 10 tcp_listens "$s" 8080 || { pstop "tcp-$s"; echo "test server does not start"; return 1; }
  n=$(in_ns "$c" timeout 20 bash -c "exec 3<>/dev/tcp/$a/8080; cat <&3" | sha1sum)
  pstop "tcp-$s"
  [[ $n == "$TCP_SUM  -" ]] || { echo "transfer failed or was damaged"; return 1; }
  echo "1 MiB"
}
TCP_SUM=$(/usr/bin/python3 -c 'import hashlib;print(hashlib.sha1(bytes(range(256))*4096).hexdigest())' 2>/dev/null)

# --- failover ---------------------------------------------------------------
gap() {        # PINGLOG SINCE(us) - longest silence after that time, in seconds
  awk -v k="$2" '/bytes from/ {t = substr($1, 2) + 0; if (t >= k / 1e6 - 0.5) {if (l && t - l > g) g = t - l} l = t} END {printf "%.2f", g}' "$1"; }
last_reply_after() { awk -v k="$2" '/bytes from/ {t = substr($1, 2) + 0} END {exit !(t * 1e6 > k)}' "$1"; }
replies()          { (( $(grep -c 'bytes from' "$1") >= $2 )); }
links()            { local p; for p in t x m; do nsip net link set "$p-$1" "$2"; done; }
c_failover() { # MODE - kill: SIGKILL all of gw1's daemons; link: cut all of its cables
  local mode=$1 gw log t0 t1 rc=0 n; mapfile -t gw < <(gateways)
  ((${#gw[@]} > 1)) || { echo "skipped, one gateway only"; return 0; }
  wait_until "$TESTBED_TIMEOUT" cr_is "${gw[0]}" || { echo "${gw[0]} is not active beforehand"; return 1; }
  log=$DIR/out/ping-$mode; rm -f "$log"
  pstart "ping-$mode" vm1 "ping -n -D -i 0.1 $OUT_IP"
  wait_until 20 replies "$log" 5 || { pstop "ping-$mode"; echo "no ping before the failure"; return 1; }
  t0=$(now)
  if [[ $mode == kill ]]; then kill_chassis "${gw[0]}"; else links "${gw[0]}" down; fi
  wait_until 60 cr_is "${gw[1]}" || { echo "SB still has cr-r1-public on '$(cr_chassis)' after 60s"; rc=1; }
  t1=$(now)
  ((rc)) || wait_until 60 last_reply_after "$log" "$t1" || { echo "no answer through ${gw[1]} after 60s"; rc=1; }
  n=$(grep -c 'bytes from' "$log"); ((rc)) || wait_until 10 replies "$log" $((n + 3))
  ((rc)) || fdb_is $PUB_MAC "x-${gw[1]}" || { echo "router MAC is behind $(fdb_port $PUB_MAC), not x-${gw[1]}"; rc=1; }
  pstop "ping-$mode" INT
  ((rc)) || echo "outage $(gap "$log" "$t0")s; SB moved the port to ${gw[1]} within $(( (t1 - t0) / 10000 ))0 ms"
  return $rc
}
c_failback() {
  local mode=$1 gw log t0 t1 rc=0 n; mapfile -t gw < <(gateways)
  ((${#gw[@]} > 1)) || { echo "skipped, one gateway only"; return 0; }
  log=$DIR/out/pingback-$mode; rm -f "$log"
  pstart "pingback-$mode" vm1 "ping -n -D -i 0.1 $OUT_IP"
  wait_until 20 replies "$log" 5 || { echo "no ping through ${gw[1]}"; rc=1; }
  t0=$(now)
  if [[ $mode == kill ]]; then start_chassis "${gw[0]}"; else links "${gw[0]}" up; fi
  wait_until 90 cr_is "${gw[0]}" || { echo "SB has cr-r1-public on '$(cr_chassis)', not ${gw[0]}, after 90s"; rc=1; }
  t1=$(now)
  ((rc)) || wait_until 30 fdb_is $PUB_MAC "x-${gw[0]}" || { echo "traffic does not come back to ${gw[0]}"; rc=1; }
  ((rc)) || wait_until 30 last_reply_after "$log" "$t1" || { echo "no answer through ${gw[0]}"; rc=1; }
  n=$(grep -c 'bytes from' "$log"); ((rc)) || wait_until 10 replies "$log" $((n + 5))
  pstop "pingback-$mode" INT
  ((rc)) || echo "back on ${gw[0]} after $(( (t1 - t0) / 10000 ))0 ms; outage $(gap "$log" "$t0")s"
  return $rc
}

cmd_check() {
  local v m gw h2; gw=$(gateways | head -1)
  PATTERNS=("$@")
  run_check daemons-running        c_daemons
  run_check chassis-registered     c_chassis
  run_check underlay-route         c_route
  run_check nb-sync-hv             c_sync
  run_check ports-up               c_ports
  run_check bfd-up                 c_bfd
  for v in $(vms); do run_check "dhcp-$v" c_dhcp "$v"; done
  run_check ping-router            c_router
  run_check ping-same-chassis      c_same
  run_check ping-geneve            c_geneve
  run_check mtu-geneve             c_mtu
  run_check gateway-active         c_gateway
  run_check snat                   c_snat
  run_check default-route          c_default
  run_check ttl-exceeded           c_ttl
  run_check pmtu-gateway           c_pmtu
  run_check fip-central-in         c_fip_in  $FIP_C vm2 $PUB_MAC "x-$gw"
  run_check fip-central-out        c_fip_out $FIP_C vm2 $PUB_MAC
  run_check fip-distributed-in     c_fip_in  $FIP_D vm3 $FIP_D_MAC "x-$(vm_host vm3)"
  run_check fip-distributed-out    c_fip_out $FIP_D vm3 $FIP_D_MAC
  run_check tcp-geneve             c_tcp vm2 vm1 "$(vm_ip vm2)"
  run_check tcp-snat               c_tcp outside vm1 $OUT_IP
  run_check tcp-fip-central        c_tcp vm2 outside $FIP_C
  run_check tcp-fip-distributed    c_tcp vm3 outside $FIP_D
  for m in $TESTBED_FAILOVER; do
    run_check "failover-$m"        c_failover "$m"
    run_check "failback-$m"        c_failback "$m"
  done
  echo "$PASSED passed, $FAILED failed"
  ((FAILED == 0))
}

# -------------------------------------------------------------------- down --
cmd_down() {
  local f n p
  [[ -n ${DIR:-} && -d $DIR ]] || { echo "down: nothing to do"; rm -f "$POINTER"; return 0; }
  for f in "$DIR"/pids/*; do [[ -e $f ]] && n=${f##*/} && pkill_one TERM "${n//:/\/}"; done
  for f in "$DIR"/pids/*; do [[ -e $f ]] && n=${f##*/} && pstop "${n//:/\/}"; done
  for n in "$DIR"/netns/*; do
    [[ -e $n ]] || continue
    n=${n##*/}
    for p in $(ip netns pids "$(ns "$n")" 2>/dev/null); do kill -KILL "$p" 2>/dev/null; done   # strays in our own namespace
    ip netns del "$(ns "$n")" && rm -f "$DIR/netns/$n"
  done
  [[ $(cat "$POINTER" 2>/dev/null) == "$DIR" ]] && rm -f "$POINTER"
  if [[ -n ${TESTBED_KEEP:-} ]]; then echo "down: done, logs kept in $DIR"; rm -rf "${DIR:?}/pids" "${DIR:?}/netns"; return 0; fi
  ( cd "$DIR" && rm -rf pids out netns central $TESTBED_CHASSIS $(vms) settings timings dhclient.conf dhclient-script )
  rmdir "$DIR" 2>/dev/null
  echo "down: done"
}

# ------------------------------------------------------------ other commands --
cmd_status() {
  local d l=(nb sb northd) p t
  echo "state in $DIR"
  for d in $TESTBED_CHASSIS; do l+=("$d/ovsdb" "$d/vswitchd" "$d/controller"); done
  for d in $(vms); do l+=("$d/dhclient"); done
  for d in "${l[@]}"; do
    if alive "$d"; then read -r p t <"$(pfile "$d")"; printf '%-18s running pid %-8s %s\n' "$d" "$p" "$(tr '\0' ' ' <"/proc/$p/cmdline" | cut -c1-100)"
    else printf '%-18s stopped\n' "$d"; fi
  done
}
cmd_loop() {   # N times up, check, down, with a summary
  local i n=${1:-5} log t bad=0; log=$(mktemp -d)
  for ((i = 1; i <= n; i++)); do
    echo "=== run $i of $n (load $(cut -d' ' -f1-3 /proc/loadavg))"
    t=$(now); "$SELF" up    2>&1 | tee "$log/up.$i";    echo "--- up    $(since "$t")s"
    t=$(now); "$SELF" check 2>&1 | tee "$log/check.$i"; echo "--- check $(since "$t")s"
    t=$(now); "$SELF" down  2>&1;                       echo "--- down  $(since "$t")s"
  done
  echo "=== summary of $n runs"
  for ((i = 1; i <= n; i++)); do
    echo "run $i: $(tail -1 "$log/check.$i"); $(grep -h 'first ping\|up in total' "$log/up.$i" | sed 's/  */ /g' | paste -sd';')"
    grep -q ' 0 failed$' "$log/check.$i" || bad=1
  done
  grep -h '^not ok' "$log"/check.* | sort | uniq -c
  rm -rf "$log"
  return $bad
}

SAVED=("${!DEFAULTS[@]}")
save_settings() {
  local v; { for v in "${SAVED[@]}" $(compgen -v CONTROLLER_); do declare -p "$v"; done; } | sed 's/^declare -[-a-zA-Z]* /SAVED_/' >"$DIR/settings"
  echo "$DIR" >"$POINTER"
}
load_settings() {
  local v s
  POINTER=/run/ovn-testbed-${TESTBED_PREFIX:-tb}
  DIR=${TESTBED_DIR:-$(cat "$POINTER" 2>/dev/null)}
  if [[ -z $DIR && $1 == up ]]; then DIR=$(mktemp -d "${TMPDIR:-/tmp}/ovntb.XXXXXX"); fi
  [[ -z $DIR ]] || DIR=$(readlink -m "$DIR")
  ((${#DIR} <= 70)) || die "TESTBED_DIR is too long for unix sockets: $DIR"
  [[ -n $DIR && -r $DIR/settings ]] && . "$DIR/settings"
  for v in "${SAVED[@]}"; do
    s=SAVED_$v
    printf -v "$v" %s "${!v-${!s-${DEFAULTS[$v]}}}"
  done
  for s in $(compgen -v SAVED_CONTROLLER_); do v=${s#SAVED_}; printf -v "$v" %s "${!v-${!s}}"; done
  POINTER=/run/ovn-testbed-$TESTBED_PREFIX
  [[ -n $TESTBED_VMS ]] || TESTBED_VMS=$(vms_default)
  if [[ $1 == up && -s $POINTER && $(cat "$POINTER") != "$DIR" && -d $(cat "$POINTER") ]]; then
    die "prefix '$TESTBED_PREFIX' is in use by $(cat "$POINTER"): take it down or set TESTBED_PREFIX"
  fi
}

cmd=${1:-help}; shift || true
case $cmd in
  loop|help|-h|--help) ;;
  *) load_settings "$cmd"; use_release
     [[ $cmd == up || $cmd == down ]] || [[ -n $DIR && -d $DIR/pids ]] || die "no testbed is up (set TESTBED_DIR or run 'up')" ;;
esac
case $cmd in
  up)      cmd_up ;;
  check)   cmd_check "$@" ;;
  down)    cmd_down ;;
  status)  cmd_status ;;
  loop)    cmd_loop "$@" ;;
  nbctl)   nb "$@" ;;
  sbctl)   sb "$@" ;;
  vsctl)   vsctl "$@" ;;
  appctl)  appctl "$@" ;;
  exec)    n=$1; shift   # ovs-ofctl, ovn-appctl, ovn-trace .. find their sockets
           exec ip netns exec "$(ns "$n")" $(env_for "$n") OVN_NB_DB="unix:$DIR/central/nb.sock" OVN_SB_DB="unix:$DIR/central/sb.sock" "$@" ;;
  kill|start) for n in "$@"; do daemon "$cmd" "$n"; done ;;
  restart) for n in "$@"; do daemon stop "$n"; daemon start "$n"; done; save_settings ;;
  *)       sed -n '2,11s/^# \{0,1\}//p' "$SELF" ;;
esac
