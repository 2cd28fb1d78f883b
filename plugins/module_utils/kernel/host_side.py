# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's end of an endpoint: what it has, and the requests for it and for the route to the pod."""

from __future__ import annotations

import functools
import socket
import struct
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import (
    AF_SPEC,
    Link,
    packed_mac,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.kernel.pod_side import HOST_MAC, versions
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_dump import read as read_routes
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import (
    MAIN_TABLE,
    decode,
    destination,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.vtep_tables import permanent
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import (
    RTM_GETNEIGHTBL,
    address_text,
    as_number,
    attributes,
    nested,
    number,
    packed_address,
)

_INET_CONF, _INET6_CONF = 1, 2
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
# What a pod without an IPv6 address could do harm with: its advertisements would give the host a default route.
WITHOUT_IPV6 = ("accept_ra",)
_RP_FILTER = 8
NDTA_PARMS, NDTPA_IFINDEX, NDTPA_PROXY_DELAY = 6, 1, 13
_PARMS, _DEVICE_AND_DELAY = frozenset((NDTA_PARMS,)), frozenset((NDTPA_IFINDEX, NDTPA_PROXY_DELAY))


Wanted = t.Tuple[t.Tuple[str, int, int], ...]  # name, number and value of each setting
Neighbours = t.Dict[bytes, bytes]  # address to MAC

_WANTED6: Wanted = tuple((name, at, value) for name, (at, value) in CONF6.items())
_WITHOUT6: Wanted = tuple(each for each in _WANTED6 if each[0] in WITHOUT_IPV6)


class Settings(t.NamedTuple):
    """What host's ends are compared with: the IPv4 settings, and the proxy delays that they have, by index.

    spec4: the IPv4 settings as an attribute of a request.
    """

    wanted4: Wanted
    proxy_delays: dict[int, int]
    spec4: bytes


def read_settings(netlink: Netlink) -> Settings:
    """Return the settings for all host's ends.

    rp_filter is what new devices get: services that set it for each new device are overruled with it.
    """
    with open("/proc/sys/net/ipv4/conf/default/rp_filter") as file:
        conf4 = {**CONF4, "rp_filter": (_RP_FILTER, int(file.read()))}
    conf = b"".join(number(at, value) for at, value in conf4.values())
    return Settings(
        tuple((name, at, value) for name, (at, value) in conf4.items()),
        _proxy_delays(netlink),
        nested(socket.AF_INET, nested(_INET_CONF, conf)),
    )


def _proxy_delays(netlink: Netlink) -> dict[int, int]:
    """Return neigh.DEVICE.proxy_delay (milliseconds) by index of the device, from the kernel's list of ARP tables."""
    found = {}
    for body in netlink.dump(RTM_GETNEIGHTBL, struct.pack("=Bxxx", socket.AF_INET)):
        values = attributes(attributes(body, 4, _PARMS).get(NDTA_PARMS, b""), 0, _DEVICE_AND_DELAY)
        if NDTPA_IFINDEX in values:
            found[as_number(values[NDTPA_IFINDEX])] = as_number(values.get(NDTPA_PROXY_DELAY))
    return found


def faults(link: Link, entry: t.Mapping[str, t.Any], settings: Settings) -> dict[str, str]:
    """Return settings of the host's end that are not as they should be, with the value that they have."""
    found = {} if link.up else {"state": "down"}
    if link.mac != HOST_MAC:
        found["mac"] = link.mac
    spec = attributes(link.found.get(AF_SPEC, b""))
    if 4 in versions(entry):
        conf = attributes(spec.get(socket.AF_INET, b"")).get(_INET_CONF, b"")
        found.update(_differing("ipv4", conf, settings.wanted4, first=1))
        if settings.proxy_delays.get(link.index):
            found["ipv4.proxy_delay"] = f"{settings.proxy_delays[link.index]} ms"
    conf = attributes(spec.get(socket.AF_INET6, b"")).get(_INET6_CONF, b"")
    if 6 in versions(entry):
        found.update(_differing("ipv6", conf, _WANTED6, first=0))
    elif conf:  # the host has IPv6
        found.update(_differing("ipv6", conf, _WITHOUT6, first=0))
    return found


def read_neighbours(netlink: Netlink, device: int = 0) -> dict[int, Neighbours]:
    """Return permanent neighbours by index of the device: of all devices, or of one."""
    found: dict[int, Neighbours] = {}
    for index, address, mac in permanent(netlink, 0, device):
        found.setdefault(index, {})[address] = mac
    return found


def neighbours_of(entry: t.Mapping[str, t.Any], mac: str) -> Neighbours:
    """Return the permanent neighbours that a host's end has: the pod's addresses. mac: of the pod's end."""
    packed = packed_mac(mac)
    return {packed_address(address.partition("/")[0]): packed for address in entry["addresses"]}


def neighbour_faults(there: Neighbours, wanted: Neighbours) -> dict[str, str]:
    """Return neighbours of the host's end that are not as they should be, with the MAC that they have."""
    differing = [address for address in {**there, **wanted} if there.get(address) != wanted.get(address)]
    return {
        f"neighbour {address_text(address)}": there[address].hex(":") if address in there else "none"
        for address in sorted(differing)
    }


@functools.lru_cache(maxsize=16)  # most ends have the same settings
def _differing(prefix: str, conf: bytes, wanted: Wanted, first: int) -> dict[str, str]:
    """Return settings that differ; conf: 32-bit numbers, of which the one with the number first comes first."""
    values = struct.unpack_from(f"={len(conf) // 4}i", conf)
    found = {name: values[at - first] if at - first < len(values) else None for name, at, __ in wanted}
    return {f"{prefix}.{name}": str(found[name]) for name, __, value in wanted if found[name] != value}


def read_pod_routes(netlink: Netlink) -> dict[int, list[str]]:
    """Return the destinations of our routes in the main table by the index of the device they lead to."""
    found: dict[int, list[str]] = {}
    for body in read_routes(netlink):
        route = decode(body)
        if route.way.table == MAIN_TABLE and len(route.way.hops) == 1 and not route.way.hops[0].gateway:
            found.setdefault(route.way.hops[0].device, []).append(destination(route))
    return {index: sorted(destinations) for index, destinations in found.items()}
