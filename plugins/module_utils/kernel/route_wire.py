# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes as the kernel writes them in a message, which is their canonical form.

Two routes are the same if their bodies are the same bytes. The attributes stand in the order in which the kernel
(6.1 and 6.18 were seen) lists them, so that most routes of a dump need no decoding; others are decoded and made anew.
"""

from __future__ import annotations

import socket
import struct
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import (
    RTMSG,
    as_number,
    attribute,
    attributes,
    number,
)
from ansible_collections.podnet.calico.plugins.module_utils.marks import ROUTE_PROTOCOL

PROTOCOLS = {2: "kernel", 3: "boot", 4: "static", 12: "bird", 16: "dhcp", 80: "80 (Calico's Felix)"}
MAIN_TABLE = 254
_COMPAT_TABLE = 252  # what rtm_table holds for tables that do not fit
RTNH_F_ONLINK = 4
LOOPBACK = 1  # the index of lo in every network namespace
SCOPE_LINK = 253
DST, OIF, GATEWAY, PRIORITY, PREFSRC, METRICS, MULTIPATH, TABLE = 1, 4, 5, 6, 7, 8, 9, 15
_RTAX_MTU = 2
_HOP = struct.Struct("=HBBi")  # rtnexthop: length, flags, weight - 1, index
# What ends an IPv6 route in a dump: RTA_CACHEINFO and RTA_PREF, all zero.
_TAIL6 = attribute(12, bytes(32)) + attribute(20, bytes(1))
TYPES = {"unicast": 1, "blackhole": 6, "unreachable": 7}
_TYPE_NAMES = {
    1: "unicast",
    2: "local",
    3: "broadcast",
    5: "multicast",
    6: "blackhole",
    7: "unreachable",
    8: "prohibit",
}


class Hop(t.NamedTuple):
    """A next hop: packed gateway (empty for none), index of the device (0: the kernel finds it), onlink, weight."""

    gateway: bytes
    device: int
    onlink: bool = False
    weight: int = 1


class Way(t.NamedTuple):
    """All of a route but its destination; mtu in bytes, 0 for none; source packed, empty for none."""

    family: int
    kind: int
    table: int
    metric: int
    hops: tuple[Hop, ...]
    source: bytes = b""
    mtu: int = 0
    scope: int = 0
    tos: int = 0


def default_metric(family: int) -> int:
    """Return the metric of routes that name none; the kernel gives IPv6 routes 1024 (net/ipv6/route.c)."""
    return 1024 if family == socket.AF_INET6 else 0


class Template:
    """Makes the bodies of routes that differ in nothing but the destination."""

    def __init__(self, way: Way, protocol: int = ROUTE_PROTOCOL) -> None:
        self._way = way
        self._protocol = protocol
        self._suffix = _suffix(way)
        self._table = number(TABLE, way.table)
        self._flags = RTNH_F_ONLINK if len(way.hops) == 1 and way.hops[0].onlink else 0

    def bodies(self, length: int, destinations: t.Iterable[bytes]) -> list[bytes]:
        """Return the bodies of routes to packed destinations of one prefix length."""
        way = self._way
        table = way.table if way.table < 256 else _COMPAT_TABLE
        head = RTMSG.pack(way.family, length, 0, way.tos, table, self._protocol, way.scope, way.kind, self._flags)
        if not length:
            return [head + self._table + self._suffix for __ in destinations]
        start, end = (
            head + self._table + attribute(DST, bytes(16 if way.family == socket.AF_INET6 else 4))[:4],
            self._suffix,
        )
        return [start + destination + end for destination in destinations]


def _suffix(way: Way) -> bytes:
    metric = number(PRIORITY, way.metric) if way.metric else b""
    metrics = attribute(METRICS, number(_RTAX_MTU, way.mtu)) if way.mtu else b""
    source = attribute(PREFSRC, way.source) if way.source else b""
    if way.family == socket.AF_INET6:
        return source + metrics + metric + _hops(way)
    return metric + metrics + source + _hops(way)


def _hops(way: Way) -> bytes:
    if len(way.hops) > 1:
        return attribute(MULTIPATH, b"".join(_hop(hop) for hop in sorted(way.hops)))
    if not way.hops:  # an IPv6 route without a way leads to lo
        return number(OIF, LOOPBACK) if way.family == socket.AF_INET6 else b""
    hop = way.hops[0]
    return (attribute(GATEWAY, hop.gateway) if hop.gateway else b"") + (number(OIF, hop.device) if hop.device else b"")


def _hop(hop: Hop) -> bytes:
    gateway = attribute(GATEWAY, hop.gateway) if hop.gateway else b""
    flags = RTNH_F_ONLINK if hop.onlink else 0
    return _HOP.pack(_HOP.size + len(gateway), flags, hop.weight - 1, hop.device) + gateway


class Route(t.NamedTuple):
    """A decoded body: packed destination, prefix length, protocol number and the rest."""

    destination: bytes
    length: int
    protocol: int
    way: Way


def decode(body: bytes) -> Route:
    """Return what a body says; states of the moment (dead, link down, offloaded) are left out."""
    family, length, __, tos, table, protocol, scope, kind, flags = RTMSG.unpack_from(body)
    found = attributes(body, RTMSG.size)
    hops: tuple[Hop, ...] = ()
    if MULTIPATH in found:
        hops = tuple(sorted(_multipath(found[MULTIPATH])))
    elif kind == TYPES["unicast"] or GATEWAY in found:
        hops = (Hop(found.get(GATEWAY, b""), as_number(found.get(OIF)), bool(flags & RTNH_F_ONLINK)),)
    way = Way(
        family=family,
        kind=kind,
        table=as_number(found.get(TABLE), table),
        metric=as_number(found.get(PRIORITY)),
        hops=hops,
        source=found.get(PREFSRC, b""),
        mtu=as_number(attributes(found.get(METRICS, b"")).get(_RTAX_MTU)),
        scope=scope if family == socket.AF_INET else 0,
        tos=tos,
    )
    return Route(found.get(DST, bytes(16 if family == socket.AF_INET6 else 4)), length, protocol, way)


def _multipath(data: bytes) -> t.Iterator[Hop]:
    start = 0
    while start + _HOP.size <= len(data):
        length, flags, weight, device = _HOP.unpack_from(data, start)
        found = attributes(data[start + _HOP.size : start + length])
        yield Hop(found.get(GATEWAY, b""), device, bool(flags & RTNH_F_ONLINK), weight + 1)
        start += (max(length, _HOP.size) + 3) & ~3


def encode(route: Route) -> bytes:
    """Return the canonical body of a route."""
    return Template(route.way, route.protocol).bodies(route.length, [route.destination])[0]


def stripped(body: bytes) -> bytes:
    """Return a body from a dump without what ends it if it is IPv6: the same bytes as a template makes, most times."""
    return body[: -len(_TAIL6)] if body.endswith(_TAIL6) else body


def fulfils(actual: Route, wanted: Route) -> bool:
    """Tell whether a route is what was asked for; a hop without a device is fulfilled by any that the kernel found."""
    if actual == wanted:
        return True
    if actual._replace(way=actual.way._replace(hops=())) != wanted._replace(way=wanted.way._replace(hops=())):
        return False
    left = list(actual.way.hops)
    for hop in sorted(wanted.way.hops, key=lambda hop: not hop.device):
        same = [each for each in left if hop == (each if hop.device else each._replace(device=0))]
        if not same:
            return False
        left.remove(same[0])
    return not left


def destination(route: Route) -> str:
    """Return the destination as text: 10.244.1.0/26."""
    return f"{socket.inet_ntop(route.way.family, route.destination)}/{route.length}"


def name(route: Route) -> str:
    """Return the name of a route in diffs and messages: its destination, and table and metric if they are special."""
    way = route.way
    table = f" table {way.table}" if way.table != MAIN_TABLE else ""
    return destination(route) + table + (f" metric {way.metric}" if way.metric != default_metric(way.family) else "")


def words(way: Way, device: t.Callable[[int], str]) -> str:
    """Return all of a route but its name, as `ip route` shows it: via 192.0.2.12 dev eth0 onlink."""
    result = [_TYPE_NAMES.get(way.kind, f"type {way.kind}")] if way.kind != TYPES["unicast"] else []
    for hop in way.hops:
        result += ["nexthop"] if len(way.hops) > 1 else []
        result += ["via", socket.inet_ntop(way.family, hop.gateway)] if hop.gateway else []
        result += ["dev", device(hop.device)] if hop.device else []
        result += ["weight", str(hop.weight)] if len(way.hops) > 1 else []
        result += ["onlink"] if hop.onlink else []
    result += ["src", socket.inet_ntop(way.family, way.source)] if way.source else []
    result += ["mtu", str(way.mtu)] if way.mtu else []
    result += ["scope", "link"] if way.scope == SCOPE_LINK else []
    return " ".join(result)


def describe(route: Route, device: t.Callable[[int], str]) -> str:
    """Return a whole route as `ip route` shows it; with its protocol, if it is not ours."""
    return f"{name(route)} {words_with_owner(route, device)}"


def words_with_owner(route: Route, device: t.Callable[[int], str]) -> str:
    """Return all of a route but its name, and who it belongs to if it is not ours."""
    foreign = route.protocol != ROUTE_PROTOCOL
    owner = f" proto {PROTOCOLS.get(route.protocol, route.protocol)}" if foreign else ""
    return (words(route.way, device) + owner).strip()
