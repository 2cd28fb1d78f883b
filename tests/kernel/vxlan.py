# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VXLAN devices in the words of calico_tunnel's options: as the tests want them, and as `ip` and `bridge` see them."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.tests.kernel.net import Namespace, Result

NAME, NAME6 = "vxlan.calico", "vxlan-v6.calico"
PEER2 = {"node": "node2", "address": "10.244.1.0", "mac": "66:00:00:00:00:02", "underlay": "192.0.2.12"}
PEER3 = {"node": "node3", "address": "10.244.2.0", "mac": "66:00:00:00:00:03", "underlay": "192.0.2.13"}
VXLAN: Result = {
    "kind": "vxlan",
    "name": NAME,
    "address": "10.244.0.1/32",
    "mtu": 1450,
    "local": "192.0.2.11",
    "parent": "eth0",
    "mac": "66:00:00:00:00:01",
    "vni": 4096,
    "port": 4789,
    "peers": [PEER2],
}
PEER6 = {"node": "node2", "address": "fd00:2::", "mac": "66:00:00:00:06:02", "underlay": "2001:db8::12"}
VXLAN6: Result = {
    **VXLAN,
    "name": NAME6,
    "address": "fd00:1::/128",
    "mtu": 1430,
    "local": "2001:db8::11",
    "mac": "66:00:00:00:06:01",
    "peers": [PEER6],
}


def tunnels(**changed: t.Any) -> Result:
    """Return the module's parameters for the IPv4 device, with some options changed."""
    return {"tunnels": [{**VXLAN, **changed}]}


def view(host: Namespace, name: str = NAME) -> Result:
    """Return a tunnel in the words of the module's options, as `ip` and `bridge` see it."""
    link = host.link(name)
    data = link["linkinfo"]["info_data"]
    addresses = host.show(f"addr show dev {name} scope global")
    local = [
        f"{address['local']}/{address['prefixlen']}" for row in addresses for address in row["addr_info"] if address
    ]
    neighbours = {row["dst"]: row["lladdr"] for row in host.show(f"neigh show dev {name} nud permanent")}
    return {
        "address": local,
        "mtu": link["mtu"],
        "local": data["local6"] if "local6" in data else data["local"],
        "parent": data["link"],
        "port": data["port"],
        "mac": link["address"],
        "vni": data["id"],
        "learning": data["learning"],
        "up": "UP" in link["flags"],
        "neighbours": neighbours,
        "fdb": host.fdb(name),
    }


def expected(base: Result = VXLAN, **changed: t.Any) -> Result:
    """Return what view() shows of a wanted tunnel."""
    wanted = {**base, **changed}
    fields = ("mtu", "local", "parent", "port", "mac", "vni")
    return {
        **{field: wanted[field] for field in fields},
        "address": [wanted["address"]],
        "learning": False,
        "up": True,
        "neighbours": {peer["address"]: peer["mac"] for peer in wanted["peers"]},
        "fdb": {peer["mac"]: peer["underlay"] for peer in wanted["peers"]},
    }
