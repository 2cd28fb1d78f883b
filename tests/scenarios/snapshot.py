# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is, as far as anything of ours could change it: kernel, files, daemons."""

from __future__ import annotations

import hashlib
import json
import os
import time
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from stage import Stage

Snapshot = t.Dict[str, t.Dict[str, t.Any]]

FOLDERS: t.Final = (
    "etc",
    "var/lib/cni",
    "run/podnet-calico",
    "run/podnet.calico",
    "run/netns",
    "usr/lib/sysctl.d",
    "usr/lib/systemd/system",
)
SYSCTLS: t.Final = r"^net\.ipv4\.(ip_forward$|conf\.)|^net\.ipv6\.conf\.(all|default|eth0)\."
SHOWN: t.Final = (
    "ip -j -d link; ip -j addr; ip -j -d route show table all; ip -j -d -6 route show table all; ip -j rule"
)


def take(stage: Stage) -> dict[str, Snapshot]:
    """Return the snapshots of all nodes by name, when their new addresses have settled (RFC 4862, section 5.4)."""
    for name in stage.names:
        while stage.ask(name, "ip -6 addr show tentative"):
            time.sleep(0.1)
    return {name: _node(stage, name) for name in stage.names}


def _node(stage: Stage, name: str) -> Snapshot:
    parts = [json.loads(line) if line else [] for line in _json_lines(stage.ask(name, SHOWN))]
    links, addresses, routes, routes6, rules = parts
    return {
        "links": {link["ifname"]: _link(link) for link in links},
        "addresses": {link["ifname"]: [_address(a) for a in link["addr_info"]] for link in addresses},
        "routes": {json.dumps(route, sort_keys=True): True for route in (*routes, *routes6)},
        "rules": {json.dumps(rule, sort_keys=True): True for rule in rules},
        "neighbours": dict.fromkeys(stage.lines(name, "ip neigh show nud permanent; bridge fdb show"), True),
        "nft": dict.fromkeys(stage.lines(name, "nft -s list ruleset"), True),
        "sysctls": dict(
            line.split(" = ", 1) for line in stage.lines(name, f"sysctl -a -r '{SYSCTLS}' 2>/dev/null") if " = " in line
        ),
        "services": {"bird": stage.run(name, "systemctl is-active bird; systemctl is-enabled bird").stdout.split()},
        "files": {path: what for folder in FOLDERS for path, what in _files(stage.root(name), folder)},
    }


def _json_lines(text: str) -> list[str]:
    """Return the answers of several commands: each is one line of JSON, and nothing at all for an empty list."""
    decoder, found, rest = json.JSONDecoder(), [], text.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        found.append(json.dumps(value))
        rest = rest[end:].strip()
    return found


def _link(link: dict[str, t.Any]) -> dict[str, t.Any]:
    kept = ("mtu", "operstate", "address", "ifalias", "master", "flags", "link_type")
    info = link.get("linkinfo", {})
    settings = {key: value for key, value in info.get("info_data", {}).items() if not key.endswith("_timer")}
    return {**{key: link[key] for key in kept if key in link}, "kind": info.get("info_kind"), "settings": settings}


def _address(address: dict[str, t.Any]) -> str:
    return f"{address['local']}/{address['prefixlen']} {address['scope']}"


def _files(root: Path, folder: str) -> t.Iterator[tuple[str, str]]:
    """Yield every path below a folder with its kind, mode, owner, and what is in it."""
    for parent, folders, files in os.walk(root / folder):
        for name in sorted(folders + files):
            path = Path(parent, name)
            status = path.lstat()
            owner = f"{status.st_mode:o} {status.st_uid}:{status.st_gid}"
            if path.is_symlink():
                what = f"link to {os.readlink(path)}"
            elif folder == "run/netns":
                what = "namespace"
            elif path.is_file():
                what = f"file {hashlib.sha256(path.read_bytes()).hexdigest()}"
            else:
                what = "folder" if path.is_dir() else "special"
            yield f"/{path.relative_to(root)}", f"{owner} {what}"


def differences(before: dict[str, Snapshot], after: dict[str, Snapshot]) -> list[str]:
    """Return what differs, one line each: "node1 files /etc/x: before -> after"; None stands for nothing there."""
    found = []
    for node in sorted({*before, *after}):
        old, new = before.get(node, {}), after.get(node, {})
        for part in sorted({*old, *new}):
            here, there = old.get(part, {}), new.get(part, {})
            for key in sorted({*here, *there}):
                if here.get(key) != there.get(key):
                    found.append(f"{node} {part} {key}: {here.get(key)} -> {there.get(key)}")
    return found
