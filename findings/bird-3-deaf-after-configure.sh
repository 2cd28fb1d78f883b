#!/usr/bin/env bash
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Finding:  After `birdc configure`, also with a file that did not change, a static protocol of BIRD 3 does not hear of
#           devices any more: a route over a device that goes down stays. A restart of the protocol mends it until the
#           next configure.
# Expected: that the route goes with the device, as it does before the configure and with BIRD 2.
# Versions: BIRD 2.17.6 and 3.1.8 of Debian 13.
# Seen:     the lines below EXPECTED.
# Remedy:   do not depend on it: under BIRD's routes in the kernel a route that refuses packets, and a short scan time.
set -eu

skip() {
    echo "SKIP: $*"
    exit 77
}

[ "$(id -u)" = 0 ] || skip "needs root for a network namespace"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir -p apt/lists/partial apt/cache/archives/partial
touch apt/status
# shellcheck disable=SC2016  # apt fills these in
archive=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 'Component: main' |
    awk '$2 !~ /-/ {print $1; exit}')
[ -n "$archive" ] || skip "apt knows no archive of Debian"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive trixie main" >apt/sources.list
cat >apt/apt.conf <<CONF
Dir::Etc::SourceList "$dir/apt/sources.list";
Dir::Etc::SourceParts "$dir/apt/none";
Dir::State "$dir/apt";
Dir::State::Lists "$dir/apt/lists";
Dir::State::status "$dir/apt/status";
Dir::Cache "$dir/apt/cache";
APT::Sandbox::User "";
Acquire::Languages "none";
CONF
export APT_CONFIG="$dir/apt/apt.conf"
apt-get -qq update || skip "apt cannot read Debian 13's lists"
apt-get -qq download bird2=2.17.6-0+deb13u1 bird3=3.1.8-0+deb13u1 || skip "apt has other versions of BIRD"
apt-get -qq download libc6 libssh-4 libreadline8t64 libtinfo6 zlib1g libssl3t64 libzstd1 libgssapi-krb5-2 libkrb5-3 \
    libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 || skip "apt cannot download BIRD's libraries"
for package in lib*.deb zlib*.deb; do
    dpkg-deb -x "$package" libraries
done
dpkg-deb -x bird2_*.deb 2.17.6
dpkg-deb -x bird3_*.deb 3.1.8

cat >inside.sh <<'SHELL'
# inside.sh VERSION: a BIRD with a static route over a device, in a network namespace.
set -eu
version=$1
libraries=$(echo libraries/usr/lib/*-linux-gnu)
program() { # of BIRD, then its words
    "$libraries"/ld-linux-*.so.* --library-path "$libraries" "$version/usr/sbin/$1" "${@:2}"
}
ask() { program birdc -s bird.ctl "$@"; }
ip link set lo up
ip link add eth0 type veth peer name eth1
ip link set eth1 up
ip link set eth0 up
cat >bird.conf <<'CONF'
router id 192.0.2.1;
protocol device { scan time 1; }
protocol static far { ipv4; route 198.51.100.0/24 via 192.0.2.2%eth0 onlink; }
CONF
cycle() { # what was done before
    ip link set eth0 down
    sleep 3
    shown=$(ask show route | grep -c '^198' || true)
    ip link set eth0 up
    sleep 3
    echo "$1: device down: $([ "$shown" = 0 ] && echo 'no route' || echo 'the route stays')"
}
program bird -f -c bird.conf -s bird.ctl 2>/dev/null &
for _ in $(seq 30); do
    sleep 1
    if ask show route 2>/dev/null | grep -q '^198'; then break; fi
done
cycle "started"
ask configure >/dev/null
cycle "configured, nothing changed"
ask restart far >/dev/null
sleep 1
cycle "protocol restarted"
SHELL
for version in 2.17.6 3.1.8; do
    echo "BIRD $version"
    unshare --net --pid --fork --kill-child bash inside.sh "$version"
done | tee seen

cat >expected <<'EXPECTED'
BIRD 2.17.6
started: device down: no route
configured, nothing changed: device down: no route
protocol restarted: device down: no route
BIRD 3.1.8
started: device down: no route
configured, nothing changed: device down: the route stays
protocol restarted: device down: no route
EXPECTED
if diff expected seen; then
    echo "As stated."
else
    echo "CHANGED: see the differences above."
    exit 1
fi
