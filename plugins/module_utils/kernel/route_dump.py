# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of one protocol number, out of the kernel as bytes."""

from __future__ import annotations

import operator
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import stripped
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import RTM_GETROUTE, RTMSG
from ansible_collections.podnet.calico.plugins.module_utils.marks import ROUTE_PROTOCOL

_FAMILY_PROTOCOL = operator.itemgetter(slice(0, 6, 5))


def read(netlink: Netlink, protocol: int = ROUTE_PROTOCOL, beside: list[bytes] | None = None) -> list[bytes]:
    """Return the bodies of all routes with a protocol number; the kernel leaves out the others (Linux 4.20).

    beside: gets the others of IPv6, if it is given.
    """
    found: list[bytes] = []
    for family in (socket.AF_INET, socket.AF_INET6):
        if beside is not None and family == socket.AF_INET6:
            bodies = netlink.dump(RTM_GETROUTE, RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0))
            found += [stripped(body) for body in bodies if body[5] == protocol]
            beside += [body for body in bodies if body[5] != protocol]
            continue
        bodies = netlink.dump(RTM_GETROUTE, RTMSG.pack(family, 0, 0, 0, 0, protocol, 0, 0, 0))
        if set(map(_FAMILY_PROTOCOL, bodies)) - {bytes((family, protocol))}:  # a kernel that does not filter
            bodies = [body for body in bodies if body[0] == family and body[5] == protocol]
        found += [stripped(body) for body in bodies] if family == socket.AF_INET6 else bodies
    return found


def everything(netlink: Netlink) -> t.Iterator[bytes]:
    """Yield the bodies of all routes of all tables, whoever made them, as the kernel has them."""
    for family in (socket.AF_INET, socket.AF_INET6):
        yield from netlink.dump(RTM_GETROUTE, RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0))
