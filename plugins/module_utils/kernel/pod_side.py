# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pod's end of an endpoint: what it has, and the requests for what it lacks. Call these inside its namespace."""

from __future__ import annotations

import functools
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import POD_GATEWAY
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
PROTOCOL_BOOT = 3  # the pod's own routes, as Calico's CNI plugin leaves them: ip(8) shows no protocol for them


_HOST_MAC = packed_mac(HOST_MAC)
_GATEWAYS = {4: packed_address(POD_GATEWAY), 6: packed_address(HOST_LINK_LOCAL)}


class PodSide(t.NamedTuple):
    """What a pod's end has: the link, its addresses (CIDR), gateways of its default routes, permanent neighbours."""

    link: Link
    addresses: list[str]
    routes: set[bytes]
    neighbours: dict[bytes, bytes]
    loopback_up: bool


def gateway(version: int) -> str:
    """Return the next hop of pods' default routes (Calico): 169.254.1.1, or the host's end's link-local address."""
    return HOST_LINK_LOCAL if version == 6 else POD_GATEWAY


def versions(entry: t.Mapping[str, t.Any]) -> list[int]:
    """Return the IP versions of an endpoint's addresses."""
    addresses = entry["addresses"]
    if len(addresses) == 1:  # as most have
        return [6] if ":" in addresses[0] else [4]
    return sorted({6 if ":" in address else 4 for address in addresses})


def observe(netlink: Netlink, index: int, of_versions: t.Sequence[int]) -> PodSide | None:
    """Return what the pod's end with an index has, with the routes of some IP versions; None without such a link."""
    questions = _questions(index, tuple(of_versions))
    end, *near = netlink.get_many(questions.single)
    if end is None:
        return None
    bodies = [stripped(body) for head in questions.routes for body in netlink.dump(RTM_GETROUTE, head)]
    neighbours = dict(_permanent(filter(None, near)))
    is_up = bool(netlink.flags("lo") & IFF_UP)
    return PodSide(link_of(end), addresses(netlink, index), set(bodies), neighbours, loopback_up=is_up)


class _Questions(t.NamedTuple):
    """What a namespace is asked: for single objects (type, body), the link before the neighbours; for routes."""

    single: list[tuple[int, bytes]]
    routes: list[bytes]


@functools.cache
def _questions(index: int, of_versions: tuple[int, ...]) -> _Questions:
    """Return what is asked of a namespace; most pods' ends have the same index. Single neighbours since Linux 5.0."""
    single = [(RTM_GETLINK, IFINFO.pack(0, 0, index, 0, 0) + number(EXT_MASK, SKIP_STATISTICS))]
    routes = []
    for version in of_versions:
        family = socket.AF_INET6 if version == 6 else socket.AF_INET
        to_gateway = attribute(NDA_DST, packed_address(gateway(version)))
        single.append((RTM_GETNEIGH, NEIGHBOUR.pack(family, index, 0, 0, 0) + to_gateway))
        routes.append(RTMSG.pack(family, 0, 0, 0, 0, PROTOCOL_BOOT, 0, 0, 0) + number(OIF, index))
    return _Questions(single, routes)


def _permanent(bodies: t.Iterable[bytes]) -> t.Iterator[tuple[bytes, bytes]]:
    """Return the address and MAC of neighbours that are permanent."""
    for body in bodies:
        if NEIGHBOUR.unpack_from(body)[2] & NUD_PERMANENT:
            found = attributes(body, NEIGHBOUR.size)
            yield found.get(NDA_DST, b""), found.get(NDA_LLADDR, b"")


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
    missing = [] if seen.link.up else ["link down"]
    missing += [] if seen.loopback_up else ["lo down"]
    for version in versions(entry):
        if not seen.routes.issuperset(_routes(version, seen.link.index)):
            missing.append("no default route through the gateway")
        if seen.neighbours.get(_GATEWAYS[version]) != _HOST_MAC:
            missing.append(f"no neighbour {gateway(version)}")
    return sorted(set(missing))
