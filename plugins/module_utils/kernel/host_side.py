# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's end of an endpoint: what it has, and the requests for it and for the route to the pod."""

from __future__ import annotations

import socket
import struct
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel import sysctls
from ansible_collections.podnet.calico.plugins.module_utils.kernel.endpoint_entries import Entry, alias_of
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import (
    ADDRESS,
    AF_SPEC,
    IFALIAS,
    INFO_DATA,
    INFO_KIND,
    LINKINFO,
    MTU,
    NAME,
    Link,
    packed_mac,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink, Request
from ansible_collections.podnet.calico.plugins.module_utils.kernel.pod_side import HOST_MAC, versions
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import (
    MAIN_TABLE,
    SCOPE_LINK,
    TYPES,
    Hop,
    Route,
    Way,
    decode,
    default_metric,
    destination,
    encode,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.routes import read as read_routes
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import (
    IFINFO,
    NLM_F_CREATE,
    NLM_F_EXCL,
    RTM_DELROUTE,
    RTM_GETROUTE,
    RTM_NEWLINK,
    RTM_NEWROUTE,
    RTM_SETLINK,
    RTMSG,
    attribute,
    attributes,
    number,
    text,
)
from ansible_collections.podnet.calico.plugins.module_utils.marks import ROUTE_PROTOCOL

NESTED = 0x8000  # NLA_F_NESTED
_NET_NS_FD, _VETH_INFO_PEER = 28, 1
_INET_CONF, _INET6_CONF, _ADDR_GEN_MODE = 1, 2, 8
_IFF_UP = 1
_RTM_F_FIB_MATCH = 0x2000
# Settings of the host's end (Calico's CNI plugin and Felix): their numbers in the kernel's lists, and values.
# linux/ip.h counts from 1, linux/ipv6.h from 0.
CONF4 = {"forwarding": (1, 1), "proxy_arp": (3, 1), "route_localnet": (26, 1)}
CONF6 = {
    "forwarding": (0, 1),
    "accept_ra": (3, 0),
    "proxy_ndp": (22, 1),
    "disable_ipv6": (26, 0),
    "accept_dad": (27, 0),
}
_RP_FILTER = 8


def default_rp_filter() -> int:
    """Return what new devices get as rp_filter; services that set it for each new device are overruled with it."""
    return int(sysctls.read(["net.ipv4.conf.default.rp_filter"])["net.ipv4.conf.default.rp_filter"])


def _conf4() -> dict[str, tuple[int, int]]:
    return {**CONF4, "rp_filter": (_RP_FILTER, default_rp_filter())}


def faults(link: Link, entry: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return settings of the host's end that are not as they should be, with the value that they have."""
    found = {} if link.up else {"state": "down"}
    if link.mac != HOST_MAC:
        found["mac"] = link.mac
    spec = attributes(link.found.get(AF_SPEC, b""))
    conf4 = attributes(spec.get(socket.AF_INET, b"")).get(_INET_CONF, b"")
    conf6 = attributes(spec.get(socket.AF_INET6, b"")).get(_INET6_CONF, b"")
    if 4 in versions(entry):
        found.update(_differing("ipv4", conf4, {name: (at - 1, value) for name, (at, value) in _conf4().items()}))
        delay = f"net.ipv4.neigh.{link.name.replace('.', '/')}.proxy_delay"
        if sysctls.read([delay]).get(delay) != "0":
            found["ipv4.proxy_delay"] = sysctls.read([delay]).get(delay, "")
    if 6 in versions(entry):
        found.update(_differing("ipv6", conf6, CONF6))
    return found


def _differing(prefix: str, conf: bytes, wanted: t.Mapping[str, tuple[int, int]]) -> dict[str, str]:
    values = struct.unpack_from(f"={len(conf) // 4}i", conf)
    found = {name: values[at] if at < len(values) else None for name, (at, __) in wanted.items()}
    return {f"{prefix}.{name}": str(value) for name, value in found.items() if value != wanted[name][1]}


def creation(name: str, entry: Entry, netns: int) -> list[Request]:
    """Return the requests that make both ends, and mark ours at once: they are one system call.

    netns: an open file of the pod's namespace. MACs are part of the creation: udev leaves those alone, while one that
    is set later it may overwrite.
    """
    peer = IFINFO.pack(0, 0, 0, 0, 0) + text(NAME, entry["interface"]) + number(MTU, entry["mtu"])
    peer += number(_NET_NS_FD, netns) + (attribute(ADDRESS, packed_mac(entry["mac"])) if entry.get("mac") else b"")
    info = text(INFO_KIND, "veth") + attribute(INFO_DATA | NESTED, attribute(_VETH_INFO_PEER | NESTED, peer))
    body = IFINFO.pack(0, 0, 0, 0, 0) + text(NAME, name) + number(MTU, entry["mtu"])
    body += attribute(ADDRESS, packed_mac(HOST_MAC)) + attribute(LINKINFO | NESTED, info)
    mark = IFINFO.pack(0, 0, 0, 0, 0) + text(NAME, name) + attribute(IFALIAS, alias_of(entry).encode())
    return [(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body), (RTM_SETLINK, 0, mark)]


def settings(name: str, index: int, entry: Entry) -> list[Request]:
    """Return the requests for alias, MAC, MTU and settings, and then for the link to be up."""
    body = IFINFO.pack(0, 0, index, 0, 0) + attribute(IFALIAS, alias_of(entry).encode()) + number(MTU, entry["mtu"])
    body += attribute(ADDRESS, packed_mac(HOST_MAC))
    specs = b""
    if 4 in versions(entry):
        conf = b"".join(number(at, value) for at, value in _conf4().values())
        specs += attribute(socket.AF_INET | NESTED, attribute(_INET_CONF | NESTED, conf))
    if 6 in versions(entry):
        specs += attribute(socket.AF_INET6 | NESTED, attribute(_ADDR_GEN_MODE, b"\0"))
    specs = attribute(AF_SPEC | NESTED, specs) if specs else b""
    return [(RTM_SETLINK, 0, body + specs), (RTM_SETLINK, 0, IFINFO.pack(0, 0, index, _IFF_UP, _IFF_UP))]


def write_sysctls(name: str, entry: Entry) -> None:
    """Write the settings that netlink does not carry."""
    escaped = name.replace(".", "/")
    values = {f"net.ipv4.neigh.{escaped}.proxy_delay": "0"} if 4 in versions(entry) else {}
    if 6 in versions(entry):
        values.update({f"net.ipv6.conf.{escaped}.{key}": str(value) for key, (__, value) in CONF6.items()})
    sysctls.write(values)


def read_pod_routes(netlink: Netlink) -> dict[int, list[str]]:
    """Return the destinations of our routes in the main table by the index of the device they lead to."""
    found: dict[int, list[str]] = {}
    for body in read_routes(netlink):
        route = decode(body)
        if route.way.table == MAIN_TABLE and len(route.way.hops) == 1 and not route.way.hops[0].gateway:
            found.setdefault(route.way.hops[0].device, []).append(destination(route))
    return {index: sorted(destinations) for index, destinations in found.items()}


def route_requests(index: int, wanted: t.Iterable[str], actual: t.Collection[str]) -> list[Request]:
    """Return the requests that make the routes to a pod's addresses."""
    missing = [address for address in wanted if address not in actual]
    return [(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, _route(address, index)) for address in missing]


def unroute_requests(index: int, wanted: t.Container[str], actual: t.Iterable[str]) -> list[Request]:
    """Return the requests that delete routes to addresses which the pod shall not have any more."""
    return [(RTM_DELROUTE, 0, _route(address, index)) for address in actual if address not in wanted]


def _route(address: str, index: int) -> bytes:
    host, __, length = address.partition("/")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    scope = SCOPE_LINK if family == socket.AF_INET else 0
    way = Way(family, TYPES["unicast"], MAIN_TABLE, default_metric(family), (Hop(b"", index),), scope=scope)
    return encode(Route(socket.inet_pton(family, host), int(length), ROUTE_PROTOCOL, way))


def route_in_the_way(netlink: Netlink, address: str) -> Route | None:
    """Return the main table's route to exactly this address, whoever it belongs to (RTM_F_FIB_MATCH, Linux 4.17)."""
    host, __, length = address.partition("/")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    head = RTMSG.pack(family, int(length), 0, 0, 0, 0, 0, 0, _RTM_F_FIB_MATCH)
    body = netlink.get(RTM_GETROUTE, head + attribute(1, socket.inet_pton(family, host)))
    route = decode(body) if body else None
    return route if route and route.length == int(length) and route.way.table == MAIN_TABLE else None
