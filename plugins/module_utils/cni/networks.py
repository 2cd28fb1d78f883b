# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the container runtime has of our networks: from where pods get addresses, and what host-local has noted."""

from __future__ import annotations

import glob
import ipaddress
import json
import os
import time
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.ip import overlaps

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Network


def ranges_within(folder: str, cidrs: t.Sequence[Network]) -> list[str]:
    """Return the ranges of our networks in a folder that lie in some networks, or hold them."""
    found = []
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "*podnet-calico*"))):
        for text in _subnets(_content(path)):
            subnet = ipaddress.ip_network(text, strict=False)
            if any(overlaps(subnet, cidr) for cidr in cidrs):
                found.append(text)
    return list(dict.fromkeys(found))


def _content(path: str) -> t.Any:
    """Return a network's description; None for what is none, of which no runtime makes use."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def _subnets(value: t.Any) -> t.Iterator[str]:
    """Yield what stands under "subnet", wherever it is (host-local)."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "subnet":
                yield str(item)
            else:
                yield from _subnets(item)
    elif isinstance(value, list):
        for item in value:
            yield from _subnets(item)


def leases(folder: str, network: str = "", *, age: float = 0) -> dict[str, str]:
    """Return what host-local has noted, by address: "container" and the first twelve letters of its ID.

    network: its name; empty for all. age: how old, in seconds, a note has to be at least.
    """
    found = {}
    for path in glob.glob(os.path.join(glob.escape(folder), glob.escape(network) or "*", "*")):
        name = os.path.basename(path)
        if name[0].isdigit() or ":" in name:  # beside leases there are a lock and the last address of each range
            try:
                if age and time.time() - os.stat(path).st_mtime < age:
                    continue
                with open(path, encoding="utf-8", errors="replace") as file:
                    found[name] = f"container {file.readline().strip()[:12]}"
            except OSError:  # it was released in this moment
                continue
    return found
