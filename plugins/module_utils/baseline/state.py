# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host's network is, as far as anything of ours could change it: kernel, files, BIRD's unit. Reads only.

A baseline has sections, and each of them has texts by name; so two are compared name by name.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel import route_wire, sysctls, vtep_tables
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import Link, links
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_dump import everything
from ansible_collections.podnet.calico.plugins.module_utils.kernel.vtep_tables import AF_BRIDGE
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import address_text
from ansible_collections.podnet.calico.plugins.module_utils.marks import BASELINE
from ansible_collections.podnet.calico.plugins.module_utils.owned_file import HEADER

Baseline = t.Dict[str, t.Dict[str, str]]

FOLDERS = (
    "/etc/NetworkManager/conf.d",
    "/etc/bird",
    "/etc/cni",
    "/etc/iproute2",
    "/etc/podnet-calico",
    "/etc/sysctl.d",
    "/etc/systemd/network",
    "/etc/systemd/networkd.conf.d",
    "/etc/systemd/system",
    "/opt/cni",
    "/run/podnet-calico",
    "/run/podnet.calico",
    os.path.dirname(BASELINE),
)
SYSCTLS = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
OURS = "of podnet.calico"
"""What the text of a file or a link ends in that carries our mark."""

_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}
_Names = t.Mapping[int, str]


def take(service: str) -> Baseline:
    """Return the baseline of this host; service: BIRD's unit."""
    with Netlink() as netlink:
        found = links(netlink)
        names = {link.index: link.name for link in found}
        kernel = {
            "link": {link.name: _link(link) for link in found},
            "address": dict(_addresses(netlink, names)),
            "route": dict(_routes(netlink, names)),
            "neighbour": dict(_entries(netlink, names, 0)),
            "fdb": dict(_entries(netlink, names, AF_BRIDGE)),
        }
    return {
        **kernel,
        "rule": {line: "" for option in ("-4", "-6") for line in _lines("ip", option, "rule")},
        "sysctl": sysctls.read(SYSCTLS),
        "nft": dict(_tables()),
        "file": {path: text for folder in FOLDERS for path, text in _files(folder)},
        "service": {service: " ".join(state(service))},
    }


def _link(link: Link) -> str:
    words = [link.kind or "device", "up" if link.up else "down", f"mtu {link.mtu}", link.mac]
    words += [f'alias "{link.alias}"'] if link.alias else []
    return " ".join([*filter(None, words), *([OURS] if link.ours else [])])


def _addresses(netlink: Netlink, names: _Names) -> t.Iterator[tuple[str, str]]:
    for index, name in names.items():
        for address in vtep_tables.addresses(netlink, index):
            yield f"{address} dev {name}", ""


def _routes(netlink: Netlink, names: _Names) -> t.Iterator[tuple[str, str]]:
    """Yield all routes of all tables, without what the kernel says of the moment."""
    for route in map(route_wire.decode, everything(netlink)):
        way = route_wire.words(route.way, lambda index: names.get(index, str(index)))
        yield f"{route_wire.name(route)} {way} proto {route.protocol}", ""


def _entries(netlink: Netlink, names: _Names, family: int) -> t.Iterator[tuple[str, str]]:
    """Yield permanent neighbours, or forwarding entries (FDB) that name another host."""
    for index, address, mac in vtep_tables.permanent(netlink, family):
        if address:
            yield f"{address_text(address)} {mac.hex(':')} dev {names.get(index, index)}", ""


def _tables() -> t.Iterator[tuple[str, str]]:
    """Yield the nftables tables, each with a digest of its text without counters."""
    for table in re.findall(r"^table [^}]*?\{$.*?^\}", "\n".join(_lines("nft", "-s", "list", "ruleset")), re.M | re.S):
        head, __, content = table.partition("{")
        yield head.strip(), _digest(content.encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _files(folder: str) -> t.Iterator[tuple[str, str]]:
    """Yield a folder and all paths below it; the baseline itself is left out."""
    if not os.path.isdir(folder):
        return
    paths = [folder, *(os.path.join(at, name) for at, *rest in os.walk(folder) for names in rest for name in names)]
    for path in paths:
        if path not in (BASELINE, os.path.dirname(BASELINE)):
            yield path, _file(path)


def _file(path: str) -> str:
    status = os.lstat(path)
    owner = f"{stat.S_IMODE(status.st_mode):o} {status.st_uid}:{status.st_gid}"
    if stat.S_ISLNK(status.st_mode):
        return f"{owner} link to {os.readlink(path)}"
    if not stat.S_ISREG(status.st_mode):
        return f"{owner} folder" if stat.S_ISDIR(status.st_mode) else f"{owner} special"
    with open(path, "rb") as file:
        content = file.read()
    mark = f" {OURS}" if HEADER.encode() in content[:200] else ""
    return f"{owner} file {_digest(content)}{mark}"


def state(service: str) -> tuple[str, str]:
    """Return whether a unit is active and enabled, in systemctl's words; "inactive", "not-found" if there is none."""
    active = _lines("systemctl", "is-active", service)[:1] or ["inactive"]
    enabled = _lines("systemctl", "is-enabled", service)[:1] or ["not-found"]
    return active[0], enabled[0]


def _lines(*command: str) -> list[str]:
    """Return the lines that a program prints; none where there is no such program."""
    program = shutil.which(command[0], path=_ENVIRONMENT["PATH"])
    if program is None:
        return []
    answer = subprocess.run([program, *command[1:]], capture_output=True, text=True, env=_ENVIRONMENT, check=False)
    return [line.rstrip() for line in answer.stdout.splitlines()]
