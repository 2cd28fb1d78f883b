# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests for what a pod's end lacks. Call these inside its namespace."""

from __future__ import annotations

import functools
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel import sysctls
from ansible_collections.podnet.calico.plugins.module_utils.kernel.endpoint_entries import Entry
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import (
    ADDRESS,
    MTU,
    packed_mac,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink, Request
from ansible_collections.podnet.calico.plugins.module_utils.kernel.pod_side import (
    HOST_MAC,
    PodSide,
    gateway,
    routes,
    versions,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import (
    LOOPBACK,
    OIF,
    decode,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import (
    IFA_ADDRESS,
    IFA_F_NODAD,
    IFA_LOCAL,
    IFADDR,
    IFF_UP,
    IFINFO,
    NDA_DST,
    NDA_LLADDR,
    NEIGHBOUR,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    NUD_PERMANENT,
    RTM_DELADDR,
    RTM_GETROUTE,
    RTM_NEWADDR,
    RTM_NEWNEIGH,
    RTM_NEWROUTE,
    RTM_SETLINK,
    RTMSG,
    attribute,
    number,
    packed_address,
)


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
    up = (RTM_SETLINK, 0, IFINFO.pack(0, 0, index, IFF_UP, IFF_UP) + number(MTU, entry["mtu"]) + mac)
    result: list[Request] = [(RTM_SETLINK, 0, IFINFO.pack(0, 0, LOOPBACK, IFF_UP, IFF_UP)), up]
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
    return body + attribute(NDA_DST, packed_address(gateway(version))) + attribute(NDA_LLADDR, packed_mac(HOST_MAC))


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
    """Return the body of an address. An IPv6 one can be used at once; by accept_dad alone, only after a moment."""
    host, __, length = text.partition("/")
    packed = packed_address(host)
    family, flags = (socket.AF_INET6, IFA_F_NODAD) if ":" in host else (socket.AF_INET, 0)
    body = IFADDR.pack(family, int(length), flags, 0, index)
    return body + attribute(IFA_LOCAL, packed) + attribute(IFA_ADDRESS, packed)
