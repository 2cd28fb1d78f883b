#!/usr/bin/env bash
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Finding:  When one device of an IPv4 route with two next hops is deleted, the whole route goes, also the leg over the
#           device that stays, and the kernel tells nobody. An IPv6 route of the same form keeps its other leg, and each
#           change is told.
# Expected: that a second leg is there to survive the loss of the first, and that who follows RTM_DELROUTE knows the
#           table. For routes with one next hop the difference is the same: IPv4 says nothing.
# Versions: iproute2 6.1.0 on Linux 6.18.
# Seen:     the lines below EXPECTED; "told" are routes out of `ip monitor route` while the device is deleted.
# Remedy:   who follows IPv4 routes also follows links, and reads the table again when one goes down or away.
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

cat >inside.sh <<'SHELL'
set -eu
PATH=$PWD/root/bin:$PATH
ip link set lo up
for n in 1 2; do
    ip link add "eth$n" type veth peer name "far$n"
    ip link set "eth$n" up
    ip link set "far$n" up
    ip addr add "172.17.$n.1/24" dev "eth$n"
    ip addr add "fd17:$n::1/64" dev "eth$n" nodad
done
ip route add 10.65.0.0/26 nexthop via 172.17.1.2 nexthop via 172.17.2.2
ip route add 10.65.1.0/26 via 172.17.1.2
ip route add fd65::/122 nexthop via fd17:1::2 nexthop via fd17:2::2
ip route add fd65::1:0/122 via fd17:1::2
ip monitor route >told &
monitor=$!
await() { # a text in told
    for _ in $(seq 300); do
        if grep -q "$1" told; then return; fi
        sleep 0.1
        ip route replace "$2" via 172.17.2.9
        ip route del "$2"
    done
    echo "ip monitor never told of $1"
}
await 10.99.0.0 10.99.0.0/26
ip link del eth1
await 10.99.1.0 10.99.1.0/26
kill "$monitor"
show() { ip "$1" route show "$2" | sed 's/ metric.*//' | grep . || echo gone; }
echo "10.65.0.0/26, two legs: $(show -4 10.65.0.0/26)"
echo "10.65.1.0/26, one leg: $(show -4 10.65.1.0/26)"
echo "fd65::/122, two legs: $(show -6 fd65::/122)"
echo "fd65::1:0/122, one leg: $(show -6 fd65::1:0/122)"
echo "told of IPv4: $(grep -c '^Deleted 10.65' told || true) routes"
grep '^Deleted fd65' told | sed 's/ metric.*//; s/^/told: /' | sort
SHELL
unshare --net bash inside.sh | tee seen

cat >expected <<'EXPECTED'
10.65.0.0/26, two legs: gone
10.65.1.0/26, one leg: gone
fd65::/122, two legs: fd65::/122 via fd17:2::2 dev eth2
fd65::1:0/122, one leg: gone
told of IPv4: 0 routes
told: Deleted fd65::/122 via fd17:1::2 dev eth1
told: Deleted fd65::1:0/122 via fd17:1::2 dev eth1
EXPECTED
if diff expected seen; then
    echo "As stated."
else
    echo "CHANGED: see the differences above."
    exit 1
fi
