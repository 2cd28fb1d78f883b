# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods that live on this host, by the routes that lead to them, whoever made them: calico_veth or a CNI plugin."""

from __future__ import annotations

import ipaddress
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.ip import read_network
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import Link, links
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import (
    LOOPBACK,
    MAIN_TABLE,
    TYPES,
    decode,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import RTM_GETROUTE, RTMSG

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Address, Network
    from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink

_TUNNELS = ("vxlan", "ipip")  # single addresses of other nodes are routed to these


class Pod(t.NamedTuple):
    """The host's end of a pod's link, and the pod's addresses that are routed to it."""

    link: Link
    addresses: list[str]


def ranges(texts: t.Iterable[str], what: str) -> list[Network]:
    """Return networks; raises InvalidInput, which says what they are for."""
    try:
        return [read_network(text) for text in texts]
    except ValueError as error:
        raise InvalidInput(f"{what}: {error}", remedy="Give ranges such as 10.244.0.0/26") from error


def read(netlink: Netlink, cidrs: t.Sequence[Network]) -> list[Pod]:
    """Return the pods with addresses in some ranges: what single addresses there are routed to without a gateway.

    They come in the order of their links' names.
    """
    found: dict[int, list[Address]] = {}
    for index, address in _routed(netlink, {cidr.version for cidr in cidrs}):
        if any(address in cidr for cidr in cidrs):
            found.setdefault(index, []).append(address)
    ends = {link.index: link for link in links(netlink)} if found else {}
    there = [index for index in found if index in ends and index != LOOPBACK and ends[index].kind not in _TUNNELS]
    return [
        Pod(ends[index], [str(address) for address in sorted(found[index], key=lambda each: (each.version, int(each)))])
        for index in sorted(there, key=lambda index: ends[index].name)
    ]


def _routed(netlink: Netlink, versions: t.Collection[int]) -> t.Iterator[tuple[int, Address]]:
    """Yield device and address of the main table's routes to single addresses that need no gateway."""
    for family in [family for version, family in ((4, socket.AF_INET), (6, socket.AF_INET6)) if version in versions]:
        bits = 32 if family == socket.AF_INET else 128
        for body in netlink.dump(RTM_GETROUTE, RTMSG.pack(family, 0, 0, 0, MAIN_TABLE, 0, 0, TYPES["unicast"], 0)):
            if body[0] != family or body[1] != bits:  # most are routes to blocks
                continue
            route = decode(body)
            hops = route.way.hops
            if (route.way.table, route.way.kind, len(hops)) == (MAIN_TABLE, TYPES["unicast"], 1) and not hops[
                0
            ].gateway:
                yield hops[0].device, ipaddress.ip_address(route.destination)
