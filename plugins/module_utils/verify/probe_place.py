# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a node stands on the underlay: its address towards the others, and the device that carries it; reads only."""

from __future__ import annotations

import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.kernel import links, wire
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink

_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5  # linux/rtnetlink.h
_MAC_BYTES = 6
_LARGEST = 65535  # bytes of an IPv4 packet (RFC 791)
_DISCARD = 9  # a port to connect a UDP socket to, by which nothing is sent


class Place(t.NamedTuple):
    """An IPv4 address with its prefix length, the name of its device and the device's MTU in bytes."""

    address: str
    device: str
    mtu: int


class NextHop(t.NamedTuple):
    """Where a packet to a host goes first: the name of a device, and a MAC as six bytes."""

    device: str
    mac: bytes


def own_place(address: str | None, towards: t.Iterable[str]) -> Place:
    """Return the place of an address, or of the source address of what is sent to the first of some other hosts.

    towards: names or addresses, that of this host may be among them. Raises InvalidInput where there is none.
    """
    places = _places()
    if address:
        plain = address.partition("/")[0]
        if plain not in places:
            here = ", ".join(places) or "none"
            raise InvalidInput(f"address: {plain} is no IPv4 address of this host", remedy=f"It has {here}")
        return places[plain]
    for other in towards:
        source, target = source_towards(other)
        if source in places and target not in places:
            return places[source]
    raise InvalidInput("address: no other node can be reached by a route", remedy="Give address, or mend the routes")


def mtus_towards(targets: t.Iterable[str], own: Place) -> dict[str, int]:
    """Return the MTU in bytes of the device that sends to each address, of the own one where there is no route.

    The device may be another one than that of the own address, which may be on lo.
    """
    with Netlink() as netlink:
        mtus = {link.index: link.mtu for link in links.links(netlink)}
        ways = {target: _way(netlink, target) for target in targets}
    return {target: min(mtus.get(way[0], own.mtu) if way else own.mtu, _LARGEST) for target, way in ways.items()}


def _way(netlink: Netlink, target: str) -> tuple[int, bytes] | None:
    """Return the index of the device that leads to an IPv4 address, and the next hop; None without a route."""
    packed = wire.packed_address(target)
    head = wire.RTMSG.pack(socket.AF_INET, 32, 0, 0, 0, 0, 0, 0, 0)
    body = netlink.get(wire.RTM_GETROUTE, head + wire.attribute(_RTA_DST, packed))
    if body is None:
        return None
    found = wire.attributes(body, wire.RTMSG.size)
    return wire.as_number(found.get(_RTA_OIF)), found.get(_RTA_GATEWAY, packed)


def next_hop(target: str) -> NextHop | None:
    """Return the next hop to an IPv4 address as far as the kernel has resolved it; None else."""
    with Netlink() as netlink:
        way = _way(netlink, target)
        if way is None:
            return None
        device, hop = way
        neighbours = netlink.dump(wire.RTM_GETNEIGH, wire.NEIGHBOUR.pack(socket.AF_INET, 0, 0, 0, 0))
    for body in neighbours:
        __, index, __, __, __ = wire.NEIGHBOUR.unpack_from(body)
        entry = wire.attributes(body, wire.NEIGHBOUR.size)
        mac = entry.get(wire.NDA_LLADDR, b"")
        if index == device and entry.get(wire.NDA_DST) == hop and len(mac) == _MAC_BYTES:
            return NextHop(socket.if_indextoname(index), mac)
    return None


def source_towards(other: str) -> tuple[str, str]:
    """Return the source address of what is sent to a host, and the host's address; empty where there is no way.

    other: a name, of which the IPv4 address is taken, or an address of either version.
    """
    family = socket.AF_INET6 if ":" in other else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as opened:
        try:
            opened.connect((other, _DISCARD))
        except OSError:
            return "", ""
        return str(opened.getsockname()[0]), str(opened.getpeername()[0])


def _places() -> dict[str, Place]:
    with Netlink() as netlink:
        devices = {link.index: link for link in links.links(netlink)}
        bodies = netlink.dump(wire.RTM_GETADDR, wire.IFADDR.pack(socket.AF_INET, 0, 0, 0, 0))
    found = {}
    for body in bodies:
        family, length, __, __, index = wire.IFADDR.unpack_from(body)
        local = wire.attributes(body, wire.IFADDR.size).get(wire.IFA_LOCAL)
        if family == socket.AF_INET and local and index in devices:
            address = wire.address_text(local)
            found[address] = Place(f"{address}/{length}", devices[index].name, devices[index].mtu)
    return found
