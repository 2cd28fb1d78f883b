#!/usr/bin/env bash
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Finding:  In a rule of nft and in a filter of conntrack "ipip" is protocol 94. Packets of a Linux device of type
#           `ipip` have protocol 4, which both tools call "ipencap".
# Expected: that `ip protocol ipip accept` opens a firewall for IPIP tunnels, since `ip link add type ipip`, Calico's
#           `ipipMode` and `ip link show` call them so. The rule is accepted without a word and never counts a packet.
# Versions: nft 1.0.6, conntrack 1.4.7 and /etc/protocols of netbase 6.4, all of Debian 12; Linux 6.18. iptables 1.8.9
#           and nft 1.1.3 the same.
# Seen:     the lines below EXPECTED.
# Remedy:   write the number, 4, and compare numbers when rules are read back (`nft -n`).
set -eu

skip() {
    echo "SKIP: $*"
    exit 77
}

[ "$(id -u)" = 0 ] || skip "needs root for a network namespace"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
packages="nftables=1.0.6-2+deb12u2 libnftables1=1.0.6-2+deb12u2 libnftnl11=1.2.4-2 conntrack=1:1.4.7-1+b2
    libnetfilter-conntrack3=1.0.9-3 libnfnetlink0=1.0.2-2 libmnl0=1.0.4-3 libjansson4=2.14-2 libxtables12=1.8.9-2
    netbase=6.4"
for package in $packages; do
    apt-get -qq -o APT::Sandbox::User= download "$package" || skip "apt cannot download $package"
done
for package in *.deb; do
    dpkg-deb -x "$package" root
done

cat >inside.sh <<'SHELL'
set -eu
LD_LIBRARY_PATH=$(echo root/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH
nft() { root/usr/sbin/nft "$@"; }
conntrack() { root/usr/sbin/conntrack "$@" 2>/dev/null; }
mount --bind root/etc/protocols /etc/protocols
ip link set lo up
nft add table ip t
nft 'add chain ip t out { type filter hook output priority 0; }'
nft add rule ip t out ct state new counter
nft add rule ip t out ip protocol ipip counter
nft add rule ip t out ip protocol ipencap counter
nft add rule ip t out ip protocol 4 counter
python3 - <<'PYTHON'
import socket

inner = bytes.fromhex("4500001400000000401100000a4101020a410202")  # a header from 10.65.1.2 to 10.65.2.2
for protocol in (4, 94):
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
    for _ in range(protocol == 4 and 3 or 1):
        raw.sendto(inner, ("127.0.0.2", 0))
PYTHON
echo "three packets of protocol 4 and one of protocol 94 were sent"
nft list chain ip t out | sed -n 's/^\t*\(ip protocol.*\) bytes.*/\1/p'
nft -n list chain ip t out | sed -n 's/^\t*\(ip protocol.*\) counter.*/nft -n: \1/p'
nft -j list chain ip t out | grep -o '"right": "ip[a-z]*"' | sed 's/^/nft -j: /'
for name in ipip ipencap 4; do
    echo "conntrack -L -p $name: $(conntrack -L -p "$name" | awk '{print $1, $2}')"
done
SHELL
unshare --net --mount bash inside.sh | tee seen

cat >expected <<'EXPECTED'
three packets of protocol 4 and one of protocol 94 were sent
ip protocol ipip counter packets 1
ip protocol ipencap counter packets 3
ip protocol ipencap counter packets 3
nft -n: ip protocol 94
nft -n: ip protocol 4
nft -n: ip protocol 4
nft -j: "right": "ipip"
nft -j: "right": "ipencap"
nft -j: "right": "ipencap"
conntrack -L -p ipip: unknown 94
conntrack -L -p ipencap: unknown 4
conntrack -L -p 4: unknown 4
EXPECTED
if diff expected seen; then
    echo "As stated."
else
    echo "CHANGED: see the differences above."
    exit 1
fi
