#!/usr/bin/env bash
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Finding:  `podman network prune` with CNI deletes configuration lists that Podman did not write: each file of the
#           directory whose plugins are installed and whose network no container of Podman's uses.
# Expected: that it prunes what `podman network create` made; /etc/cni/net.d is shared with other runtimes, whose
#           containers Podman does not know. It deletes the file, not a record of its own, and names the network as one
#           of its own. A list with a plugin that is missing is spared, for Podman cannot read it.
# Versions: Podman 4.3.1, containernetworking-plugins 1.1.1 of Debian 12.
# Seen:     the lines below EXPECTED.
# Remedy:   a `network_config_dir` of Podman's own in containers.conf, or no prune on such a host.
set -eu

skip() {
    echo "SKIP: $*"
    exit 77
}

[ "$(id -u)" = 0 ] || skip "needs root for a network namespace"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
packages="podman=4.3.1+ds1-8+deb12u1+b3 containernetworking-plugins=1.1.1+ds1-3+b5 conmon=2.1.6+ds1-1
    crun=1.8.1-1+deb12u1 libgpgme11=1.18.0-3+b1 libassuan0=2.5.5-5 libsubid4=1:4.13+dfsg1-1+deb12u2
    libyajl2=2.1.0-3+deb12u2"
for package in $packages; do
    apt-get -qq -o APT::Sandbox::User= download "$package" || skip "apt cannot download $package"
done
for package in *.deb; do
    dpkg-deb -x "$package" root
done
LD_LIBRARY_PATH=$(echo "$dir"/root/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH CONTAINERS_CONF="$dir/containers.conf" HOME="$dir/home"
mkdir home lists
cat >containers.conf <<CONF
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
conmon_path = ["$dir/root/usr/bin/conmon"]
runtime = "crun"
[engine.runtimes]
crun = ["$dir/root/usr/bin/crun"]
[network]
network_backend = "cni"
network_config_dir = "$dir/lists"
cni_plugin_dirs = ["$dir/root/usr/lib/cni"]
CONF
root/usr/bin/podman --version || skip "the machine lacks libraries of Podman"

list() { # file, network, plugin
    cat >"lists/$1" <<LIST
{"cniVersion": "0.4.0", "name": "$2", "plugins": [{"type": "$3",
 "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.65.1.0/26"}]]}}]}
LIST
}
podman() {
    unshare --net --mount root/usr/bin/podman --root "$dir/storage" --runroot "$dir/run" --tmpdir "$dir/run/tmp" \
        --storage-driver vfs "$@" 2>>errors
}
list 10-foreign.conflist foreign ptp
list 20-foreign-too.conflist foreign-too bridge
list 30-incomplete.conflist incomplete not-installed
{
    podman network create own >created
    echo "before: $(cd lists && echo *.conflist)"
    podman network prune -f | sort | sed 's/^/pruned: /'
    echo "after: $(cd lists && echo *.conflist)"
} | tee seen

cat >expected <<'EXPECTED'
before: 10-foreign.conflist 20-foreign-too.conflist 30-incomplete.conflist own.conflist
pruned: foreign
pruned: foreign-too
pruned: own
after: 30-incomplete.conflist
EXPECTED
if diff expected seen; then
    echo "As stated."
else
    cat errors
    echo "CHANGED: see the differences above."
    exit 1
fi
