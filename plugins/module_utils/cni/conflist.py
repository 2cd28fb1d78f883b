# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of the network for the container runtime: a CNI configuration list (CNI specification 1.0.0)."""

from __future__ import annotations

import ipaddress
import json
import typing as t


def conflist(cni: t.Mapping[str, t.Any], name: str, version: str, present: str = "") -> str:
    """Return the configuration list as text; cni is the part "cni" of a NodePlan as data.

    ptp makes a veth pair per pod and host-local hands out the addresses of the node's own blocks; a pod gets one
    address of each IP version. portmap and bandwidth serve the runtime's capabilities. present: the text of a list
    whose MTU is not exceeded, for as long as larger packets would not get through.
    """
    families: dict[int, list[dict[str, str]]] = {}
    for cidr in cni["ranges"]:
        families.setdefault(ipaddress.ip_network(cidr).version, []).append({"subnet": cidr})
    routes = [{"dst": {4: "0.0.0.0/0", 6: "::/0"}[version]} for version in sorted(families)]
    ipam = {"type": "host-local", "ranges": [families[version] for version in sorted(families)], "routes": routes}
    plugins = [
        {"type": "ptp", "mtu": min(cni["mtu"], _mtu_in(present) or cni["mtu"]), "ipMasq": False, "ipam": ipam},
        {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True},
        {"type": "bandwidth", "capabilities": {"bandwidth": True}},
    ]
    return json.dumps({"cniVersion": version, "name": name, "plugins": plugins}, indent=2) + "\n"


def _mtu_in(text: str) -> int | None:
    """Return the MTU of pods in a configuration list; None for none, and for what is no such list."""
    try:
        plugins = json.loads(text)["plugins"]
        return next((int(plugin["mtu"]) for plugin in plugins if plugin.get("mtu")), None)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
