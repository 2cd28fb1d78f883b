# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pod's end of an endpoint: what it has, and the requests for what it lacks. Call these inside its namespace."""

from __future__ import annotations

import functools
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel import sysctls
from ansible_collections.podnet.calico.plugins.module_utils.kernel.endpoint_entries import Entry
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import (
    ADDRESS,
    EXT_MASK,
    MTU,
    SKIP_STATISTICS,
    Link,
    link_of,
    packed_mac,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink, Request
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import (
    LOOPBACK,
    OIF,
    SCOPE_LINK,
    TYPES,
    Hop,
    Route,
    Way,
    decode,
    default_metric,
    encode,
    stripped,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.vtep_tables import addresses
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import (
    IFADDR,
    IFINFO,
    NEIGHBOUR,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    RTM_DELADDR,
    RTM_GETLINK,
    RTM_GETNEIGH,
    RTM_GETROUTE,
    RTM_NEWADDR,
    RTM_NEWNEIGH,
    RTM_NEWROUTE,
    RTM_SETLINK,
    RTMSG,
    attribute,
    attributes,
    number,
)

HOST_MAC = "ee:ee:ee:ee:ee:ee"
HOST_LINK_LOCAL = "fe80::ecee:eeff:feee:eeee"  # what EUI-64 makes of HOST_MAC (RFC 4291, appendix A)
GATEWAY4 = "169.254.1.1"
PROTOCOL_BOOT = 3  # the pod's own routes, as Calico's CNI plugin leaves them: ip(8) shows no protocol for them
NUD_PERMANENT = 0x80
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_NDA_DST, _NDA_LLADDR, _NDA_IFINDEX = 1, 2, 8
_IFF_UP = 1


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


def observe(netlink: Netlink, index: int, of: t.Iterable[int]) -> PodSide | None:
    """Return what the pod's end with an index has, with the routes of some IP versions; None without such a link."""
    body = netlink.get(RTM_GETLINK, IFINFO.pack(0, 0, index, 0, 0) + number(EXT_MASK, SKIP_STATISTICS))
    loopback = netlink.get(RTM_GETLINK, IFINFO.pack(0, 0, LOOPBACK, 0, 0) + number(EXT_MASK, SKIP_STATISTICS))
    if body is None or loopback is None:
        return None
    bodies: list[bytes] = []
    for version in of:
        head = RTMSG.pack(socket.AF_INET6 if version == 6 else socket.AF_INET, 0, 0, 0, 0, PROTOCOL_BOOT, 0, 0, 0)
        bodies += map(stripped, netlink.dump(RTM_GETROUTE, head + number(OIF, index)))
    is_up = bool(IFINFO.unpack_from(loopback)[3] & _IFF_UP)
    return PodSide(
        link_of(body), addresses(netlink, index), set(bodies), dict(_neighbours(netlink, index)), loopback_up=is_up
    )


def _neighbours(netlink: Netlink, index: int) -> t.Iterator[tuple[bytes, bytes]]:
    for body in netlink.dump(RTM_GETNEIGH, NEIGHBOUR.pack(0, 0, 0, 0, 0) + number(_NDA_IFINDEX, index)):
        __, of, state, __, __ = NEIGHBOUR.unpack_from(body)
        if of == index and state & NUD_PERMANENT:
            found = attributes(body, NEIGHBOUR.size)
            yield found.get(_NDA_DST, b""), found.get(_NDA_LLADDR, b"")


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
    present += [(f"no neighbour {via}", seen.neighbours.get(_packed(via)) == mac) for via in _gateways(entry)]
    return sorted({words for words, is_there in present if not is_there})


def _gateways(entry: t.Mapping[str, t.Any]) -> list[str]:
    return [gateway(version) for version in versions(entry)]


def _packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def prepare(entry: Entry) -> None:
    """Set the sysctls of the pod's namespace, as Calico's CNI plugin does: it does not forward, IPv6 starts at once."""
    values = {"net.ipv4.ip_forward": "0"}
    if 6 in versions(entry):
        interface = entry["interface"].replace(".", "/")
        values.update({f"net.ipv6.conf.{name}.disable_ipv6": "0" for name in ("all", "default", "lo")})
        values.update({"net.ipv6.conf.all.forwarding": "0", f"net.ipv6.conf.{interface}.accept_dad": "0"})
    sysctls.write(values)


def requests(entry: Entry, index: int, seen: PodSide | None) -> list[Request]:
    """Return the requests that give the pod's end what it lacks: link, addresses, neighbours, then routes."""
    mac = attribute(ADDRESS, packed_mac(entry["mac"])) if entry.get("mac") else b""
    up = (RTM_SETLINK, 0, IFINFO.pack(0, 0, index, _IFF_UP, _IFF_UP) + number(MTU, entry["mtu"]) + mac)
    result: list[Request] = [(RTM_SETLINK, 0, IFINFO.pack(0, 0, LOOPBACK, _IFF_UP, _IFF_UP)), up]
    present = seen.addresses if seen else []
    replace = NLM_F_CREATE | NLM_F_REPLACE
    result += [(RTM_NEWADDR, replace, _address(text, index)) for text in entry["addresses"] if text not in present]
    result += [(RTM_DELADDR, 0, _address(text, index)) for text in present if text not in entry["addresses"]]
    result += [(RTM_NEWNEIGH, replace, _neighbour(version, index)) for version in versions(entry)]
    there = seen.routes if seen and seen.link.up else set()
    wanted = routes(entry, index)
    return result + [(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, body) for body in wanted if body not in there]


@functools.cache
def _neighbour(version: int, index: int) -> bytes:
    """Return the permanent neighbour entry of the gateway; most pods' ends have the same index."""
    body = NEIGHBOUR.pack(socket.AF_INET6 if version == 6 else socket.AF_INET, index, NUD_PERMANENT, 0, 0)
    return body + attribute(_NDA_DST, _packed(gateway(version))) + attribute(_NDA_LLADDR, packed_mac(HOST_MAC))


def replacing(netlink: Netlink, index: int, wanted: t.Sequence[Request]) -> list[Request]:
    """Return requests of which those for routes replace what the pod's end has for that destination, if anything.

    A route through another device is somebody else's: there the kernel goes on to refuse.
    """
    head = RTMSG.pack(0, 0, 0, 0, 0, 0, 0, 0, 0) + number(OIF, index)
    taken = {_place(body) for body in netlink.dump(RTM_GETROUTE, head)}
    replace = NLM_F_CREATE | NLM_F_REPLACE
    return [
        (kind, replace, body) if kind == RTM_NEWROUTE and _place(body) in taken else (kind, flags, body)
        for kind, flags, body in wanted
    ]


def _place(body: bytes) -> tuple[int, bytes, int, int, int]:
    """Return what makes two routes one to the kernel: prefix length, destination, table, metric and TOS."""
    route = decode(body)
    return (route.length, route.destination, route.way.table, route.way.metric, route.way.tos)


def _address(text: str, index: int) -> bytes:
    host, __, length = text.partition("/")
    packed = _packed(host)
    body = IFADDR.pack(socket.AF_INET6 if ":" in host else socket.AF_INET, int(length), 0, 0, index)
    return body + attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)
