# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pod's end of an endpoint: what it has, and the requests for what it lacks. Call these inside its namespace."""

from __future__ import annotations

import functools
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel.endpoint_entries import Entry
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import (
    EXT_MASK,
    SKIP_STATISTICS,
    Link,
    link_of,
    packed_mac,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import (
    LOOPBACK,
    OIF,
    SCOPE_LINK,
    TYPES,
    Hop,
    Route,
    Way,
    default_metric,
    encode,
    stripped,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.vtep_tables import addresses
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import (
    IFF_UP,
    IFINFO,
    NDA_DST,
    NDA_LLADDR,
    NEIGHBOUR,
    NUD_PERMANENT,
    RTM_GETLINK,
    RTM_GETNEIGH,
    RTM_GETROUTE,
    RTMSG,
    attribute,
    attributes,
    number,
    packed_address,
)

HOST_MAC = "ee:ee:ee:ee:ee:ee"
HOST_LINK_LOCAL = "fe80::ecee:eeff:feee:eeee"  # what EUI-64 makes of HOST_MAC (RFC 4291, appendix A)
GATEWAY4 = "169.254.1.1"
PROTOCOL_BOOT = 3  # the pod's own routes, as Calico's CNI plugin leaves them: ip(8) shows no protocol for them


class PodSide(t.NamedTuple):
    """What a pod's end has: the link, its addresses (CIDR), gateways of its default routes, permanent neighbours."""

    link: Link
    addresses: list[str]
    routes: set[bytes]
    neighbours: dict[bytes, bytes]
    loopback_up: bool


def gateway(version: int) -> str:
    """Return the next hop of pods' default routes (Calico): 169.254.1.1, or the host's end's link-local address."""
    return HOST_LINK_LOCAL if version == 6 else GATEWAY4


def versions(entry: t.Mapping[str, t.Any]) -> list[int]:
    """Return the IP versions of an endpoint's addresses."""
    return sorted({6 if ":" in address else 4 for address in entry["addresses"]})


def observe(netlink: Netlink, index: int, of_versions: t.Sequence[int]) -> PodSide | None:
    """Return what the pod's end with an index has, with the routes of some IP versions; None without such a link."""
    skip = number(EXT_MASK, SKIP_STATISTICS)
    end, loopback = netlink.get_many(RTM_GETLINK, [IFINFO.pack(0, 0, of, 0, 0) + skip for of in (index, LOOPBACK)])
    if end is None or loopback is None:
        return None
    bodies: list[bytes] = []
    for version in of_versions:
        head = RTMSG.pack(socket.AF_INET6 if version == 6 else socket.AF_INET, 0, 0, 0, 0, PROTOCOL_BOOT, 0, 0, 0)
        bodies += map(stripped, netlink.dump(RTM_GETROUTE, head + number(OIF, index)))
    is_up = bool(IFINFO.unpack_from(loopback)[3] & IFF_UP)
    near = dict(_neighbours(netlink, index, of_versions))
    return PodSide(link_of(end), addresses(netlink, index), set(bodies), near, loopback_up=is_up)


def _neighbours(netlink: Netlink, index: int, of_versions: t.Iterable[int]) -> t.Iterator[tuple[bytes, bytes]]:
    """Return the permanent entries of the gateways, address and MAC; the kernel finds single ones since Linux 5.0."""
    heads = [_neighbour_place(version, index) for version in of_versions]
    for body in filter(None, netlink.get_many(RTM_GETNEIGH, heads)):
        if NEIGHBOUR.unpack_from(body)[2] & NUD_PERMANENT:
            found = attributes(body, NEIGHBOUR.size)
            yield found.get(NDA_DST, b""), found.get(NDA_LLADDR, b"")


@functools.cache
def _neighbour_place(version: int, index: int) -> bytes:
    head = NEIGHBOUR.pack(socket.AF_INET6 if version == 6 else socket.AF_INET, index, 0, 0, 0)
    return head + attribute(NDA_DST, packed_address(gateway(version)))


def routes(entry: t.Mapping[str, t.Any], index: int) -> list[bytes]:
    """Return the routes that a pod has: to the gateway (IPv4), and the default route through it."""
    return [body for version in versions(entry) for body in _routes(version, index)]


@functools.cache
def _routes(version: int, index: int) -> list[bytes]:
    """Return the routes of one IP version; most pods' ends have the same index."""
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    via = socket.inet_pton(family, gateway(version))
    to_gateway = Way(family, TYPES["unicast"], 254, default_metric(family), (Hop(b"", index),), scope=SCOPE_LINK)
    default = to_gateway._replace(hops=(Hop(via, index),), scope=0)
    found = [encode(Route(via, 32, PROTOCOL_BOOT, to_gateway))] if version == 4 else []
    return [*found, encode(Route(bytes(len(via)), 0, PROTOCOL_BOOT, default))]


def lacks(entry: Entry, seen: PodSide) -> list[str]:
    """Return in words what a pod's end lacks beside addresses, MTU and MAC, which are compared by themselves."""
    present = [("link down", seen.link.up), ("lo down", seen.loopback_up)]
    present += [
        ("no default route through the gateway", route in seen.routes) for route in routes(entry, seen.link.index)
    ]
    mac = packed_mac(HOST_MAC)
    present += [(f"no neighbour {via}", seen.neighbours.get(packed_address(via)) == mac) for via in _gateways(entry)]
    return sorted({words for words, is_there in present if not is_there})


def _gateways(entry: t.Mapping[str, t.Any]) -> list[str]:
    return [gateway(version) for version in versions(entry)]
