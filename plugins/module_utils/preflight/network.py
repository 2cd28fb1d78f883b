# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links, addresses, routes and the node's own address, as the kernel has them; no library beside Python's own."""

from __future__ import annotations

import ipaddress
import os
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel import addresses, route_wire
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import Link, links
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_dump import everything
from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_place import source_towards

LISTED = 200  # how many routes are returned at most
_LOCAL, _THROW = (2, 3), 9  # RTN_LOCAL, RTN_BROADCAST; RTN_THROW

Row = t.Dict[str, t.Any]


def read(networks: t.Iterable[str]) -> dict[str, list[Row]]:
    """Return links, addresses, and those routes that are default or overlap one of some networks (CIDR)."""
    wanted = [ipaddress.ip_network(text, strict=False) for text in networks]
    with Netlink() as netlink:
        found = {link.index: link for link in links(netlink)}
        names = {index: link.name for index, link in found.items()}
        own = addresses.read(netlink, names)
        routes = list(_routes(netlink, names, wanted))
    return {
        "links": [_link(link) for link in found.values()],
        "addresses": [row for row in own if row["scope"] == 0],  # link-local and loopback ones say nothing
        "routes": routes[:LISTED],
    }


def _link(link: Link) -> Row:
    driver = os.path.basename(os.path.realpath(f"/sys/class/net/{link.name}/device/driver"))
    return {
        "name": link.name,
        "kind": link.kind,
        "up": link.up,
        "mtu": link.mtu,
        "ours": link.ours,
        "driver": "" if driver == "driver" else driver,
    }


def _routes(netlink: Netlink, names: t.Mapping[int, str], wanted: t.Sequence[t.Any]) -> t.Iterator[Row]:
    for route in map(route_wire.decode, everything(netlink)):
        destination = ipaddress.ip_network(route_wire.destination(route))
        if route.way.kind in _LOCAL or destination.is_multicast or destination.is_link_local:
            continue
        if not destination.prefixlen or any(
            each.version == destination.version and each.overlaps(destination) for each in wanted
        ):
            yield {
                "destination": str(destination),
                "devices": [names.get(hop.device, str(hop.device)) for hop in route.way.hops],
                "gateway": bool(route.way.hops and route.way.hops[0].gateway),
                "protocol": route.protocol,
                "table": route.way.table,
                "throw": route.way.kind == _THROW,
            }


class NodeAddress(t.NamedTuple):
    """The address of a node, and the IPv6 one beside it, as the inventory has them; preferred: if it has none."""

    asked: str = ""
    ipv6: str = ""
    preferred: str = ""


def node(rows: addresses.Rows, given: NodeAddress, towards: t.Iterable[str]) -> Row:
    """Return address and device of the node, and the source address towards the others; empty for what is not known.

    rows: the host's addresses. towards: addresses or names of all nodes. ipv6_asked and ipv6_address are there where
    the inventory has an IPv6 address beside the node's.
    """
    own = {row["address"].partition("/")[0]: row for row in rows}
    sources = [source for source, target in map(source_towards, towards) if source in own and target not in own]
    source = next(iter(sources), "")
    found = addresses.find(rows, given.asked) if given.asked else addresses.pick(rows, [given.preferred, *sources])
    row, second = found or {}, addresses.find(rows, given.ipv6) or {}
    return {
        "asked": given.asked,
        "address": row.get("address", ""),
        "device": row.get("device", ""),
        "towards": source,
        "towards_device": own[source]["device"] if source else "",
        **({"ipv6_asked": given.ipv6, "ipv6_address": second.get("address", "")} if given.ipv6 else {}),
    }
