#!/usr/bin/env bash
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Finding:  `import limit N action block` of BIRD 2 stays shut once it was hit, however many routes the peer withdraws;
#           a `configure` of the receiver opens it, even with a configuration that did not change. BIRD 3 opens it by
#           itself and goes on to show [HIT]. With neither does that bring refused routes back: it takes a reload,
#           `reload in NAME` in BIRD 2 and `reload filters in NAME` in BIRD 3.
# Expected: that a limit of three lets three in at any time, that [HIT] says whether routes are being refused now, and
#           that a configuration that did not change changes nothing.
# Versions: BIRD 2.17.6 and 3.1.8 of Debian 13; 2.0.12 is like 2.17.6.
# Seen:     the lines below EXPECTED. The peer announces 10.65.0.1, .2 … ; the receiver's limit is 3.
# Remedy:   after the cause is gone: configure, then the reload of that version.
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
# inside.sh VERSION: a peer and a receiver in one network namespace.
set -eu
version=$1
ip link set lo up
libraries=$(echo libraries/usr/lib/*-linux-gnu)
program() { # of BIRD, then its words
    "$libraries"/ld-linux-*.so.* --library-path "$libraries" "$version/usr/sbin/$1" "${@:2}"
}
peer() { program birdc -s peer.ctl "$@"; }
receiver() { program birdc -s receiver.ctl "$@"; }
announce() { # the last numbers of the addresses
    {
        echo 'router id 192.0.2.2; protocol device {} protocol static pods { ipv4;'
        printf 'route 10.65.0.%s/32 blackhole;\n' "$@"
        echo '} protocol bgp session1 { local 127.0.0.2 as 64512; neighbor 127.0.0.1 as 64513; multihop;'
        echo 'strict bind on; connect delay time 1; connect retry time 1;'
        echo 'ipv4 { import none; export where proto = "pods"; }; }'
    } >peer.conf
}
cat >receiver.conf <<'CONF'
router id 192.0.2.1;
protocol device {}
protocol bgp session1 {
    local 127.0.0.1 as 64513;
    neighbor 127.0.0.2 as 64512;
    multihop;
    strict bind on;
    connect delay time 1;
    connect retry time 1;
    ipv4 { import limit 3 action block; import all; export none; };
}
CONF
state() {
    has=$(receiver show route | sed -n 's/^10.65.0\(.[0-9]*\).*/\1/p' | sort -V | xargs)
    echo "has ${has:-nothing}, $(receiver show protocols all session1 | grep -q HIT && echo HIT || echo 'no HIT')"
}
settle() { sleep 5; } # some of what is shown is that nothing comes
announce 1 2 3 4 5
program bird -f -c peer.conf -s peer.ctl 2>/dev/null &
program bird -f -c receiver.conf -s receiver.ctl 2>/dev/null &
for _ in $(seq 60); do
    sleep 1
    if receiver show protocols all session1 2>/dev/null | grep -q HIT; then break; fi
done
settle
echo "five announced: $(state | sed 's/has .*,/has three,/')"
announce 6
peer configure >/dev/null
settle
echo "all five withdrawn, .6 announced: $(state)"
receiver configure >/dev/null
settle
echo "receiver configured, nothing changed: $(state)"
announce 6 7
peer configure >/dev/null
settle
echo ".7 announced: $(state)"
reload='reload in session1'
[ "${version%%.*}" = 2 ] || reload='reload filters in session1'
# shellcheck disable=SC2086  # words of a command
receiver $reload >/dev/null
settle
echo "$reload: $(state)"
SHELL
for version in 2.17.6 3.1.8; do
    echo "BIRD $version"
    unshare --net --pid --fork --kill-child bash inside.sh "$version"
done | tee seen

cat >expected <<'EXPECTED'
BIRD 2.17.6
five announced: has three, HIT
all five withdrawn, .6 announced: has nothing, HIT
receiver configured, nothing changed: has nothing, no HIT
.7 announced: has .7, no HIT
reload in session1: has .6 .7, no HIT
BIRD 3.1.8
five announced: has three, HIT
all five withdrawn, .6 announced: has .6, HIT
receiver configured, nothing changed: has .6, HIT
.7 announced: has .6 .7, HIT
reload filters in session1: has .6 .7, HIT
EXPECTED
if diff expected seen; then
    echo "As stated."
else
    echo "CHANGED: see the differences above."
    exit 1
fi
