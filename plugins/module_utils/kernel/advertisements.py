# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices that the kernel configures by router advertisements, and the sysctl by which it goes on while it forwards.

With accept_ra 1 the kernel ignores advertisements as soon as it forwards IPv6, and deletes the default routes that it
has learned; with 2 it does neither (Linux, ip-sysctl; rt6_purge_dflt_routers). systemd-networkd and NetworkManager
follow advertisements themselves, and set 0.
"""

from __future__ import annotations

import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel import route_wire, sysctls, wire
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import links
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_dump import read as read_routes
from ansible_collections.podnet.calico.plugins.module_utils.text import device_sysctl

_UNLESS_FORWARDING, _ALWAYS = "1", "2"
_ROUTE_PROTOCOL = 9  # RTPROT_RA
_BY_KERNEL = wire.IFA_F_TEMPORARY | wire.IFA_F_MANAGETEMPADDR


def followers(path_of_file: str = sysctls.FILE) -> dict[str, int]:
    """Return accept_ra (1 or 2) of the devices that need 2 while the host forwards IPv6, in the order of their names.

    They have 1 and the kernel has learned an address or a route there, or they have 2 from us (path_of_file), whether
    a router is there at the moment or not. Raises KernelError, and FileError for a file of ours that cannot be read.
    """
    with Netlink() as netlink:
        names = {link.index: link.name for link in links(netlink)}
        learned = {*_of_routes(netlink), *_of_addresses(netlink)}
    ours = sysctls.set_by_us(path_of_file)
    devices = {names.get(index) for index in learned}
    # Not those of all devices: a host has one for each pod.
    named = {name: device_sysctl("ipv6", name, "accept_ra") for name in sorted(names.values())}
    settings = {name: setting for name, setting in named.items() if name in devices or setting in ours}
    values = sysctls.read(settings.values())
    return {
        name: int(values[setting])
        for name, setting in settings.items()
        if (values.get(setting) == _UNLESS_FORWARDING and name in devices)
        or (values.get(setting) == ours.get(setting) == _ALWAYS)
    }


def _of_routes(netlink: Netlink) -> t.Iterator[int]:
    for body in read_routes(netlink, _ROUTE_PROTOCOL):
        route = route_wire.decode(body)
        if route.way.family == socket.AF_INET6:
            yield from (hop.device for hop in route.way.hops)


def _of_addresses(netlink: Netlink) -> t.Iterator[int]:
    """Yield the devices of addresses that the kernel made from a prefix of an advertisement (RFC 4862)."""
    for body in netlink.dump(wire.RTM_GETADDR, wire.IFADDR.pack(socket.AF_INET6, 0, 0, 0, 0)):
        __, __, flags, __, index = wire.IFADDR.unpack_from(body)
        if wire.as_number(wire.attributes(body, wire.IFADDR.size).get(wire.IFA_FLAGS), flags) & _BY_KERNEL:
            yield index
