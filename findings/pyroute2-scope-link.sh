#!/usr/bin/env bash
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Finding:  pyroute2 cannot delete a pod's route, `10.65.1.2 dev cali1 scope link`, by its destination and device: the
#           kernel answers "No such process" while the route is there. `replace` without a scope turns it into a global
#           one. flush_routes() removes it.
# Expected: that a field that is not given matches anything, as with `ip route del 10.65.1.2/32`: iproute2 then asks for
#           scope "nowhere", which the kernel takes for any; pyroute2 leaves 0, which is "global". Table, protocol, type
#           and metric that are not given match any with both.
# Versions: pyroute2 0.7.2 and 0.9.7, Linux 6.18.
# Seen:     the lines below EXPECTED, the same with both.
# Remedy:   give scope="link", or scope="nowhere" where it may be any.
set -eu

skip() {
    echo "SKIP: $*"
    exit 77
}

[ "$(id -u)" = 0 ] || skip "needs root for a network namespace"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
for version in 0.7.2 0.9.7; do
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
        --target "$version" "pyroute2==$version" || skip "pip cannot install pyroute2 $version"
done

cat >routes.py <<'PYTHON'
import subprocess

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

POD = "10.65.1.2/32"


def ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout.strip()


def attempt(label, call):
    """Say what becomes of a pod's route that the call deletes or not."""
    ip("route", "replace", POD, "dev", "cali1", "scope", "link", "proto", "80")
    try:
        call()
        answer = "success"
    except NetlinkError as error:
        answer = error.args[1]
    print(f"{label}: {answer}; {' '.join(ip('route', 'show', POD).split()) or 'no route'}")
    ip("route", "flush", POD)


with IPRoute() as kernel:
    ip("link", "add", "cali1", "type", "veth", "peer", "name", "pod1")
    for device in ("lo", "cali1", "pod1"):
        ip("link", "set", device, "up")
    cali = kernel.link_lookup(ifname="cali1")[0]
    attempt("ip route del", lambda: ip("route", "del", POD))
    attempt("del", lambda: kernel.route("del", dst=POD))
    attempt("del, oif, proto", lambda: kernel.route("del", dst=POD, oif=cali, proto=80))
    attempt("del, scope link", lambda: kernel.route("del", dst=POD, scope="link"))
    attempt("del, scope nowhere", lambda: kernel.route("del", dst=POD, scope="nowhere"))
    attempt("replace, oif, proto", lambda: kernel.route("replace", dst=POD, oif=cali, proto=80))
    attempt("flush_routes, proto", lambda: kernel.flush_routes(table=254, proto=80))
PYTHON

cat >expected <<'EXPECTED'
ip route del: success; no route
del: No such process; 10.65.1.2 dev cali1 proto 80 scope link
del, oif, proto: No such process; 10.65.1.2 dev cali1 proto 80 scope link
del, scope link: success; no route
del, scope nowhere: success; no route
replace, oif, proto: success; 10.65.1.2 dev cali1 proto 80
flush_routes, proto: success; no route
EXPECTED
changed=0
for version in 0.7.2 0.9.7; do
    echo "pyroute2 $version"
    PYTHONPATH=$version unshare --net python3 routes.py | tee seen
    diff expected seen || changed=1
done
if [ "$changed" = 1 ]; then
    echo "CHANGED: see the differences above."
    exit 1
fi
echo "As stated."
