#!/usr/bin/env bash
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Finding:  Of what makes a VXLAN tunnel work, `ip link set vxlan0 down` and `up` again leave half: its forwarding
#           entries and its IPv4 address stay, its neighbours go although they are PERMANENT as well, and with them its
#           routes and its IPv6 address.
# Expected: that PERMANENT means the same for both tables, and that a device that is up with all its forwarding entries
#           is whole. Nothing brings the neighbours back: the device has no entry by which it could ask for them.
# Versions: iproute2 6.1.0 on Linux 6.18.
# Seen:     the lines below EXPECTED.
# Remedy:   compare all of addresses, neighbours, forwarding entries and routes, not one for all.
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
ip link set eth1 up
ip addr add 172.17.0.1/24 dev eth0
ip link add vxlan0 type vxlan id 5 dstport 4789 local 172.17.0.1 dev eth0 nolearning
ip link set vxlan0 up
ip addr add 10.65.1.0/32 dev vxlan0
ip addr add fd65::1:0/128 dev vxlan0 nodad
for peer in 10.65.2.0 fd65::2:0; do
    ip neigh add "$peer" lladdr "$mac" dev vxlan0 nud permanent
done
bridge fdb add "$mac" dev vxlan0 dst 172.17.0.2
ip route add 10.65.2.0/26 via 10.65.2.0 dev vxlan0 onlink
ip route add fd65::2:0/122 via fd65::2:0 dev vxlan0 onlink
line() { echo "$1: $(sed "${@:2}" | xargs)"; }
show() {
    echo "$1"
    ip -4 addr show vxlan0 | line "IPv4 address" -n 's/.*inet \([^ ]*\).*/\1/p'
    ip -6 addr show vxlan0 scope global | line "IPv6 address" -n 's/.*inet6 \([^ ]*\).*/\1/p'
    bridge fdb show dev vxlan0 | line "forwarding entries" 's/ *$//'
    ip neigh show dev vxlan0 nud permanent | line "neighbours" 's/lladdr //'
    { ip -4 route show proto boot; ip -6 route show proto boot; } | line "routes" 's/ via.*//'
}
show before
ip link set vxlan0 down
ip link set vxlan0 up
show after
SHELL
unshare --net bash inside.sh | tee seen

cat >expected <<'EXPECTED'
before
IPv4 address: 10.65.1.0/32
IPv6 address: fd65::1:0/128
forwarding entries: 02:00:00:00:00:02 dst 172.17.0.2 self permanent
neighbours: 10.65.2.0 02:00:00:00:00:02 PERMANENT fd65::2:0 02:00:00:00:00:02 PERMANENT
routes: 10.65.2.0/26 fd65::2:0/122
after
IPv4 address: 10.65.1.0/32
IPv6 address:
forwarding entries: 02:00:00:00:00:02 dst 172.17.0.2 self permanent
neighbours:
routes:
EXPECTED
if diff -b expected seen; then
    echo "As stated."
else
    echo "CHANGED: see the differences above."
    exit 1
fi
