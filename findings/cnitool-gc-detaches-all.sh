#!/usr/bin/env bash
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Finding:  `cnitool gc NETWORK NETNS` detaches every container of the network, in whatever network namespace it lives,
#           also with a list of version 1.0.0, which has no garbage collection.
# Expected: as its help has it: "clean up unused network interfaces in the specified network namespace". The argument
#           NETNS has to be there and has no effect; an interface that is in use counts as unused, since the command has
#           no list of what is valid. With a list of 1.0.0 the plugins hear no GC, but DEL all the same.
# Versions: cnitool 1.3.1 (github.com/containernetworking/cni), Go 1.26.
# Seen:     the lines below EXPECTED, from a plugin that writes down how it is called.
# Remedy:   never run it beside running containers. `"disableGC": true` in the list prevents it, with 1.0.0, too.
set -eu

skip() {
    echo "SKIP: $*"
    exit 77
}

[ "$(id -u)" = 0 ] || skip "needs root for network namespaces"
command -v go >/dev/null || skip "needs Go"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOPATH="$dir/gopath" GOCACHE="$dir/gocache" GOBIN="$dir/bin" GOFLAGS="-modcacherw -p=1" GOTOOLCHAIN=local
export CALLS="$dir/calls"
go install github.com/containernetworking/cni/cnitool@v1.3.1 || skip "the Go proxy does not give cnitool 1.3.1"

mkdir plugins lists
cat >plugins/recorder <<'PLUGIN'
#!/bin/sh
# A CNI plugin that does nothing but write down its calls.
cat >/dev/null
case $CNI_COMMAND in
VERSION) echo '{"cniVersion": "1.1.0", "supportedVersions": ["1.0.0", "1.1.0"]}' ;;
GC) echo "GC" >>"$CALLS" ;;
*)
    echo "$CNI_COMMAND in $(basename "$CNI_NETNS")" >>"$CALLS"
    [ "$CNI_COMMAND" != ADD ] || echo "{\"cniVersion\": \"$VERSION\", \"ips\": []}"
    ;;
esac
PLUGIN
chmod +x plugins/recorder

cat >inside.sh <<'SHELL'
set -eu
cnitool() { CNI_PATH="$PWD/plugins" NETCONFPATH="$PWD/lists" bin/cnitool "$@" >/dev/null; }
mkdir -p /run/netns /var/lib/cni
mount -t tmpfs none /run/netns
mount -t tmpfs none /var/lib/cni
for name in one two; do
    ip netns add "$name"
    cnitool add net "/run/netns/$name"
done
cnitool gc net /run/netns/one
echo "exit status of gc: $?"
SHELL

try() { # version, further fields
    export VERSION=$1
    echo "{\"cniVersion\": \"$1\", \"name\": \"net\", $2\"plugins\": [{\"type\": \"recorder\"}]}" >lists/net.conflist
    : >calls
    echo "list of $1${2:+, $2}" | sed "s/, *$//"
    unshare --net --mount bash inside.sh
    sort calls
}
{
    try 1.0.0 ""
    try 1.1.0 ""
    try 1.0.0 '"disableGC": true, '
} | tee seen

cat >expected <<'EXPECTED'
list of 1.0.0
exit status of gc: 0
ADD in one
ADD in two
DEL in one
DEL in two
list of 1.1.0
exit status of gc: 0
ADD in one
ADD in two
DEL in one
DEL in two
GC
list of 1.0.0, "disableGC": true
exit status of gc: 0
ADD in one
ADD in two
EXPECTED
if diff expected seen; then
    echo "As stated."
else
    echo "CHANGED: see the differences above."
    exit 1
fi
