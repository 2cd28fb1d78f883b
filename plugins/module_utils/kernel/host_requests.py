# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests that make and change the host's end of an endpoint, and the route to the pod."""

from __future__ import annotations

import functools
import os
import socket
import struct
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel import sysctls
from ansible_collections.podnet.calico.plugins.module_utils.kernel.endpoint_entries import Entry, alias_of
from ansible_collections.podnet.calico.plugins.module_utils.kernel.host_side import (
    CONF6,
    NDTA_PARMS,
    NDTPA_IFINDEX,
    NDTPA_PROXY_DELAY,
    WITHOUT_IPV6,
    Neighbours,
    Settings,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import (
    ADDRESS,
    AF_SPEC,
    IFALIAS,
    INFO_DATA,
    INFO_KIND,
    LINKINFO,
    MTU,
    NAME,
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
    Template,
    Way,
    decode,
    default_metric,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import (
    IFF_UP,
    IFINFO,
    NDA_DST,
    NDA_LLADDR,
    NEIGHBOUR,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    NUD_PERMANENT,
    RTM_DELNEIGH,
    RTM_DELROUTE,
    RTM_GETROUTE,
    RTM_NEWLINK,
    RTM_NEWNEIGH,
    RTM_NEWROUTE,
    RTM_SETLINK,
    RTM_SETNEIGHTBL,
    RTMSG,
    attribute,
    nested,
    number,
    text,
)

_NET_NS_FD, _VETH_INFO_PEER, _ADDR_GEN_MODE = 28, 1, 8
_RTM_F_FIB_MATCH = 0x2000
# One queue each way (IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES), as Calico's CNI plugin asks for. Otherwise the kernel
# makes one for each processor, gives all but one up again, and waits for its own readers meanwhile.
_ONE_QUEUE = number(31, 1) + number(32, 1)
_NDTA_NAME = 1


def creation(name: str, entry: Entry, netns: int) -> list[Request]:
    """Return the requests that make both ends, and mark ours at once: they are one system call.

    netns: an open file of the pod's namespace. MACs are part of the creation: udev leaves those alone, while one that
    is set later it may overwrite.
    """
    both = number(MTU, entry["mtu"]) + _ONE_QUEUE
    peer = IFINFO.pack(0, 0, 0, 0, 0) + text(NAME, entry["interface"]) + both + number(_NET_NS_FD, netns)
    peer += attribute(ADDRESS, packed_mac(entry["mac"])) if entry.get("mac") else b""
    info = text(INFO_KIND, "veth") + nested(INFO_DATA, nested(_VETH_INFO_PEER, peer))
    body = IFINFO.pack(0, 0, 0, 0, 0) + text(NAME, name) + both
    body += attribute(ADDRESS, packed_mac(HOST_MAC)) + nested(LINKINFO, info)
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
        specs += nested(socket.AF_INET6, attribute(_ADDR_GEN_MODE, b"\0"))
    specs = nested(AF_SPEC, specs) if specs else b""
    result: list[Request] = [(RTM_SETLINK, 0, body + specs)]
    if 4 in versions(entry):
        delay = number(NDTPA_IFINDEX, index) + attribute(NDTPA_PROXY_DELAY, bytes(8))
        arp = struct.pack("=Bxxx", socket.AF_INET) + text(_NDTA_NAME, "arp_cache")
        result.append((RTM_SETNEIGHTBL, 0, arp + nested(NDTA_PARMS, delay)))
    return [*result, (RTM_SETLINK, 0, IFINFO.pack(0, 0, index, IFF_UP, IFF_UP))]


def write_sysctls(name: str, entry: Entry) -> None:
    """Write the settings that netlink does not carry: those of IPv6, where the host has it."""
    prefix = f"net.ipv6.conf.{name.replace('.', '/')}"
    if 6 in versions(entry) or os.path.exists(sysctls.path(f"{prefix}.{WITHOUT_IPV6[0]}")):
        keys = CONF6 if 6 in versions(entry) else WITHOUT_IPV6
        sysctls.write({f"{prefix}.{key}": str(CONF6[key][1]) for key in keys})


def neighbour_requests(index: int, wanted: Neighbours) -> list[Request]:
    """Return the requests that make the pod's addresses permanent neighbours.

    All of them: where a link gets its MAC, even the same one, the kernel forgets its neighbours.
    """
    return [
        (RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, _neighbour(index, address) + attribute(NDA_LLADDR, mac))
        for address, mac in wanted.items()
    ]


def forget_requests(index: int, wanted: t.Container[bytes], there: t.Iterable[bytes]) -> list[Request]:
    """Return the requests that delete permanent neighbours which are not addresses of the pod."""
    return [(RTM_DELNEIGH, 0, _neighbour(index, address)) for address in there if address not in wanted]


def _neighbour(index: int, address: bytes) -> bytes:
    family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
    return NEIGHBOUR.pack(family, index, NUD_PERMANENT, 0, 0) + attribute(NDA_DST, address)


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
