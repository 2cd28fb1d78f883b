# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's end of an endpoint: what it has, and the requests for it and for the route to the pod."""

from __future__ import annotations

import functools
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
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_dump import read as read_routes
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import (
    MAIN_TABLE,
    SCOPE_LINK,
    TYPES,
    Hop,
    Route,
    Template,
    Way,
    decode,
    default_metric,
    destination,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import (
    IFINFO,
    NLM_F_CREATE,
    NLM_F_EXCL,
    RTM_DELROUTE,
    RTM_GETNEIGHTBL,
    RTM_GETROUTE,
    RTM_NEWLINK,
    RTM_NEWROUTE,
    RTM_SETLINK,
    RTM_SETNEIGHTBL,
    RTMSG,
    as_number,
    attribute,
    attributes,
    number,
    text,
)

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
_NDTA_NAME, _NDTA_PARMS, _NDTPA_IFINDEX, _NDTPA_PROXY_DELAY = 1, 6, 1, 13


class Settings(t.NamedTuple):
    """What host's ends are compared with: IPv4 settings by number, and the proxy delays that they have, by index.

    spec4: the IPv4 settings as an attribute of a request.
    """

    conf4: dict[str, tuple[int, int]]
    proxy_delays: dict[int, int]
    spec4: bytes


def read_settings(netlink: Netlink) -> Settings:
    """Return the settings for all host's ends.

    rp_filter is what new devices get: services that set it for each new device are overruled with it.
    """
    name = "net.ipv4.conf.default.rp_filter"
    conf4 = {**CONF4, "rp_filter": (_RP_FILTER, int(sysctls.read([name])[name]))}
    conf = b"".join(number(at, value) for at, value in conf4.values())
    return Settings(
        conf4, _proxy_delays(netlink), attribute(socket.AF_INET | NESTED, attribute(_INET_CONF | NESTED, conf))
    )


def _proxy_delays(netlink: Netlink) -> dict[int, int]:
    """Return neigh.DEVICE.proxy_delay (milliseconds) by index of the device, from the kernel's list of ARP tables."""
    found = {}
    for body in netlink.dump(RTM_GETNEIGHTBL, struct.pack("=Bxxx", socket.AF_INET)):
        values = attributes(attributes(body, 4).get(_NDTA_PARMS, b""))
        if _NDTPA_IFINDEX in values:
            found[as_number(values[_NDTPA_IFINDEX])] = as_number(values.get(_NDTPA_PROXY_DELAY))
    return found


def faults(link: Link, entry: t.Mapping[str, t.Any], settings: Settings) -> dict[str, str]:
    """Return settings of the host's end that are not as they should be, with the value that they have."""
    found = {} if link.up else {"state": "down"}
    if link.mac != HOST_MAC:
        found["mac"] = link.mac
    spec = attributes(link.found.get(AF_SPEC, b""))
    if 4 in versions(entry):
        conf = attributes(spec.get(socket.AF_INET, b"")).get(_INET_CONF, b"")
        found.update(_differing("ipv4", conf, settings.conf4, first=1))
        if settings.proxy_delays.get(link.index):
            found["ipv4.proxy_delay"] = f"{settings.proxy_delays[link.index]} ms"
    if 6 in versions(entry):
        conf = attributes(spec.get(socket.AF_INET6, b"")).get(_INET6_CONF, b"")
        found.update(_differing("ipv6", conf, CONF6, first=0))
    return found


def _differing(prefix: str, conf: bytes, wanted: t.Mapping[str, tuple[int, int]], first: int) -> dict[str, str]:
    """Return settings that differ; conf: 32-bit numbers, of which the one with the number first comes first."""
    values = struct.unpack_from(f"={len(conf) // 4}i", conf)
    found = {name: values[at - first] if at - first < len(values) else None for name, (at, __) in wanted.items()}
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


def requests(index: int, entry: Entry, settings: Settings) -> list[Request]:
    """Return the requests for alias, MAC, MTU and settings, and then for the link to be up."""
    body = IFINFO.pack(0, 0, index, 0, 0) + attribute(IFALIAS, alias_of(entry).encode()) + number(MTU, entry["mtu"])
    body += attribute(ADDRESS, packed_mac(HOST_MAC))
    specs = b""
    if 4 in versions(entry):
        specs += settings.spec4
    if 6 in versions(entry):
        specs += attribute(socket.AF_INET6 | NESTED, attribute(_ADDR_GEN_MODE, b"\0"))
    specs = attribute(AF_SPEC | NESTED, specs) if specs else b""
    result: list[Request] = [(RTM_SETLINK, 0, body + specs)]
    if 4 in versions(entry):
        delay = number(_NDTPA_IFINDEX, index) + attribute(_NDTPA_PROXY_DELAY, bytes(8))
        arp = struct.pack("=Bxxx", socket.AF_INET) + text(_NDTA_NAME, "arp_cache")
        result.append((RTM_SETNEIGHTBL, 0, arp + attribute(_NDTA_PARMS | NESTED, delay)))
    return [*result, (RTM_SETLINK, 0, IFINFO.pack(0, 0, index, _IFF_UP, _IFF_UP))]


def write_sysctls(name: str, entry: Entry) -> None:
    """Write the settings that netlink does not carry: those of IPv6."""
    if 6 in versions(entry):
        prefix = f"net.ipv6.conf.{name.replace('.', '/')}"
        sysctls.write({f"{prefix}.{key}": str(value) for key, (__, value) in CONF6.items()})


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
    body = _template(family).bodies(int(length), [socket.inet_pton(family, host)])[0]
    return body[:-4] + struct.pack("=I", index)  # the index of the device is what a body ends with


@functools.cache
def _template(family: int) -> Template:
    scope = SCOPE_LINK if family == socket.AF_INET else 0
    return Template(Way(family, TYPES["unicast"], MAIN_TABLE, default_metric(family), (Hop(b"", 1),), scope=scope))


def route_in_the_way(netlink: Netlink, address: str) -> Route | None:
    """Return the main table's route to exactly this address, whoever it belongs to (RTM_F_FIB_MATCH, Linux 4.17)."""
    host, __, length = address.partition("/")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    head = RTMSG.pack(family, int(length), 0, 0, 0, 0, 0, 0, _RTM_F_FIB_MATCH)
    body = netlink.get(RTM_GETROUTE, head + attribute(1, socket.inet_pton(family, host)))
    route = decode(body) if body else None
    return route if route and route.length == int(length) and route.way.table == MAIN_TABLE else None
