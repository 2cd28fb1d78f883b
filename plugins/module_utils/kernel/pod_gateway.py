# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this host answers pods' ARP requests for their gateway: proxy ARP does for what is routed elsewhere."""

from __future__ import annotations

import ipaddress
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import POD_GATEWAY
from ansible_collections.podnet.calico.plugins.module_utils.kernel import route_wire, wire
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.marks import ROUTE_PROTOCOL

_DST, _RTM_F_FIB_MATCH = 1, 0x2000  # linux/rtnetlink.h, Linux 4.17
_LEADS = (route_wire.TYPES["unicast"], 2)  # RTN_LOCAL: the host answers for its own addresses, too
# Every route that covers the gateway, but one to it alone, covers its neighbour as well, which no route of ours does.
_NEIGHBOUR = str(ipaddress.ip_address(POD_GATEWAY) - 1)


def answered(*, ours: bool) -> bool:
    """Tell whether a route leads to the pods' gateway. ours: whether our own route through lo counts.

    Raises KernelError if the kernel cannot be asked.
    """
    with Netlink() as netlink:
        exact, around = _matches(netlink, (POD_GATEWAY, _NEIGHBOUR))
    if exact is not None and (ours or exact.protocol != ROUTE_PROTOCOL):
        return exact.way.kind in _LEADS
    return around is not None and around.length < 32 and around.way.kind in _LEADS


def _matches(netlink: Netlink, addresses: t.Iterable[str]) -> list[route_wire.Route | None]:
    """Return the routes, as they are written, that the kernel takes to addresses; None where it has none."""
    head = wire.RTMSG.pack(socket.AF_INET, 32, 0, 0, 0, 0, 0, 0, _RTM_F_FIB_MATCH)
    asked = [head + wire.attribute(_DST, wire.packed_address(address)) for address in addresses]
    found = netlink.get_many([(wire.RTM_GETROUTE, body) for body in asked])
    return [route_wire.decode(body) if body else None for body in found]
