#!/usr/bin/env bash
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Finding:  On a device without an IPv4 address, as a pod's end on the host is one, rp_filter 2 ("loose") drops what
#           rp_filter 1 ("strict") drops.
# Expected: that loose accepts a source to which there is a route over any device (RFC 3704), as it does on a device
#           with an address. Here the route to the source leads over another device.
# Versions: iproute2 6.1.0 on Linux 6.18.
# Seen:     the lines below EXPECTED; "counted" is IPReversePathFilter of /proc/net/netstat.
# Remedy:   expect the rule of 1 from 2 there. An address on the device, any at all, makes 2 loose.
set -eu

skip() {
    echo "SKIP: $*"
    exit 77
}

[ "$(id -u)" = 0 ] || skip "needs root for network namespaces"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -qq -o APT::Sandbox::User= download iproute2=6.1.0-3 || skip "apt cannot download iproute2 6.1.0-3"
dpkg-deb -x iproute2_*.deb root

cat >packet.py <<'PYTHON'
"""Receive one packet of a pod on the host's address: packet.py PROCESS_IN_THE_POD."""
import socket
import subprocess
import sys

send = (
    "import socket; pod = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); pod.bind(('10.65.1.2', 0));"
    "pod.sendto(b'x', ('172.17.0.1', 9999))"
)
host = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
host.bind(("172.17.0.1", 9999))
host.settimeout(3)
subprocess.run(["nsenter", "--target", sys.argv[1], "--net", sys.executable, "-c", send], check=True)
try:
    host.recv(1)
    print("received", end="")
except socket.timeout:
    print("lost", end="")
names, values = (line.split() for line in open("/proc/net/netstat") if line.startswith("TcpExt:"))
print(f", counted {dict(zip(names, values))['IPReversePathFilter']}")
PYTHON

cat >inside.sh <<'SHELL'
# inside.sh VALUE ADDRESS: a host with an uplink, to which its default route leads, and a pod.
set -eu
PATH=$PWD/root/bin:$PATH
unshare --net sleep 600 &
pod=$!
until [ "$(readlink /proc/self/ns/net)" != "$(readlink "/proc/$pod/ns/net")" ]; do sleep 0.1; done
in_pod() { nsenter --target "$pod" --net "$@"; }
ip link add eth0 type veth peer name far
ip link add cali1 type veth peer name pod1
ip link set pod1 netns "$pod"
for device in lo eth0 far cali1; do
    ip link set "$device" up
done
in_pod ip link set pod1 up
ip addr add 172.17.0.1/24 dev eth0
[ -z "$2" ] || ip addr add "$2" dev cali1
ip route add default via 172.17.0.254
in_pod ip addr add 10.65.1.2/32 dev pod1
in_pod ip route add 172.17.0.1 dev pod1
in_pod ip neigh add 172.17.0.1 lladdr "$(cat /sys/class/net/cali1/address)" dev pod1
echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter
echo "$1" >/proc/sys/net/ipv4/conf/cali1/rp_filter
python3 packet.py "$pod"
SHELL
for address in "" 192.0.2.1/32; do
    for value in 0 1 2; do
        seen=$(unshare --net --mount --pid --fork --kill-child --mount-proc bash -c \
            'mount -t sysfs none /sys; exec bash inside.sh "$@"' - "$value" "$address")
        echo "${address:-no address}, rp_filter $value: $seen"
    done
done | tee seen

cat >expected <<'EXPECTED'
no address, rp_filter 0: received, counted 0
no address, rp_filter 1: lost, counted 1
no address, rp_filter 2: lost, counted 1
192.0.2.1/32, rp_filter 0: received, counted 0
192.0.2.1/32, rp_filter 1: lost, counted 1
192.0.2.1/32, rp_filter 2: received, counted 0
EXPECTED
if diff expected seen; then
    echo "As stated."
else
    echo "CHANGED: see the differences above."
    exit 1
fi
