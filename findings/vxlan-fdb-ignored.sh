#!/usr/bin/env bash
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Finding:  The kernel answers three requests for a VXLAN device's forwarding entries with success and does nothing: to
#           append a second destination to a unicast MAC, to delete an entry by a destination that it does not have, and
#           to replace or delete by destination an entry that leads to a group of next hops.
# Expected: an error, as for `bridge fdb replace` on the MAC of zeros ("Cannot replace non-unicast fdb entries"), and
#           that `replace` leaves the entry that it was given. A program that trusts the answer believes a host to be
#           reachable that is not, and one that compares afterwards changes it for ever.
# Versions: iproute2 6.1.0 on Linux 6.18.
# Seen:     the lines below EXPECTED.
# Remedy:   read the entries back; delete an entry of a group by its MAC alone, then add the new one.
set -eu

skip() {
    echo "SKIP: $*"
    exit 77
}

[ "$(id -u)" = 0 ] || skip "needs root for a network namespace"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -qq -o APT::Sandbox::User= download iproute2=6.1.0-3 || skip "apt cannot download iproute2 6.1.0-3"
dpkg-deb -x iproute2_*.deb root
unshare --net root/bin/ip link add type vxlan id 5 dstport 4789 2>/dev/null || skip "this kernel has no VXLAN"

cat >inside.sh <<'SHELL'
set -eu
PATH=$PWD/root/bin:$PWD/root/sbin:$PATH
mac=02:00:00:00:00:02
ip link add eth0 type veth peer name eth1
ip link set eth0 up
ip addr add 172.17.0.1/24 dev eth0
ip link add vxlan0 type vxlan id 5 dstport 4789 local 172.17.0.1 dev eth0 nolearning
ip link set vxlan0 up
has() { bridge fdb show dev vxlan0 | sed -n "s/^$1 \(.*\) self.*/\1/p" | xargs; }
request() { # label, then words of `bridge fdb`
    answer=success
    bridge fdb "${@:2}" 2>error || answer=$(sed 's/^Error: //' error)
    echo "$1: $answer; has: $(has "$3")"
}
request "add .2" add "$mac" dev vxlan0 dst 172.17.0.2
request "append .3" append "$mac" dev vxlan0 dst 172.17.0.3
request "delete with .9" del "$mac" dev vxlan0 dst 172.17.0.9
request "replace by .4" replace "$mac" dev vxlan0 dst 172.17.0.4
request "delete" del "$mac" dev vxlan0
echo "entry of a group"
ip nexthop add id 1 via 172.17.0.2 fdb
ip nexthop add id 10 group 1 fdb
request "add the group" add "$mac" dev vxlan0 nhid 10
request "replace by .4" replace "$mac" dev vxlan0 dst 172.17.0.4
request "delete with .2" del "$mac" dev vxlan0 dst 172.17.0.2
request "delete" del "$mac" dev vxlan0
request "add .4" add "$mac" dev vxlan0 dst 172.17.0.4
echo "MAC of zeros"
request "append .2" append 00:00:00:00:00:00 dev vxlan0 dst 172.17.0.2
request "append .3" append 00:00:00:00:00:00 dev vxlan0 dst 172.17.0.3
request "replace by .4" replace 00:00:00:00:00:00 dev vxlan0 dst 172.17.0.4
SHELL
unshare --net bash inside.sh | tee seen

cat >expected <<'EXPECTED'
add .2: success; has: dst 172.17.0.2
append .3: success; has: dst 172.17.0.2
delete with .9: success; has: dst 172.17.0.2
replace by .4: success; has: dst 172.17.0.4
delete: success; has:
entry of a group
add the group: success; has: nhid 10
replace by .4: success; has: nhid 10
delete with .2: success; has: nhid 10
delete: success; has:
add .4: success; has: dst 172.17.0.4
MAC of zeros
append .2: success; has: dst 172.17.0.2
append .3: success; has: dst 172.17.0.2 dst 172.17.0.3
replace by .4: Cannot replace non-unicast fdb entries.; has: dst 172.17.0.2 dst 172.17.0.3
EXPECTED
if diff -b expected seen; then
    echo "As stated."
else
    echo "CHANGED: see the differences above."
    exit 1
fi
