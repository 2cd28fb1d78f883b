# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VXLAN of this host's kernel for the time of a probe, in a network namespace that ends with the process that has it.

What the kernel sends through it has checksums as pods' packets have them: left to the network card, where it says that
it can. All nodes have their underlay address within, too, and reach each other by entries like those of the cluster.
"""

from __future__ import annotations

import os
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import OVERHEAD, VXLAN_PORT
from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError
from ansible_collections.podnet.calico.plugins.module_utils.kernel import offload, sysctls, vtep_tables
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import MTU
from ansible_collections.podnet.calico.plugins.module_utils.kernel.namespaces import anonymous, namespace
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.kernel.pod_side import PROTOCOL_BOOT
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import (
    MAIN_TABLE,
    SCOPE_LINK,
    TYPES,
    Hop,
    Route,
    Way,
    encode,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.tunnel_requests import creation
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import (
    IFA_ADDRESS,
    IFA_LOCAL,
    IFADDR,
    IFF_UP,
    IFINFO,
    NLM_F_CREATE,
    RTM_NEWADDR,
    RTM_NEWROUTE,
    RTM_SETLINK,
    attribute,
    number,
    packed_address,
)
from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_place import Place

DEVICE = "vxlan0"
_FIRST_VNI = 0xFF0000  # 2^15 from here on: no cluster has them, and the packets that a probe makes have another one
_MAIN = (socket.AF_INET, TYPES["unicast"], MAIN_TABLE, 0)  # what a route is found by, but its destination
_NO_IPV6 = "net.ipv6.conf.default.disable_ipv6"
_NET_NS_FD = 28  # IFLA_NET_NS_FD, linux/if_link.h


def make(session: bytes, place: Place, checksum_offload: bool | None) -> int:
    """Return an open file of a namespace with a VXLAN from the address of a place. Raises KernelError.

    session: gives the VNI, since the kernel takes a moment to remove the device of the probe before.
    checksum_offload: False for checksums that the kernel makes itself; None for what the kernel's version needs.
    """
    what = "make a VXLAN for the probe"
    netns = anonymous()
    try:
        address = place.address.partition("/")[0]
        vni = _FIRST_VNI + int.from_bytes(session[:2], "big") // 2
        wanted = {"local": address, "vni": vni, "port": VXLAN_PORT, "mac": _mac(address)}
        kind, flags, body = creation(DEVICE, wanted, 0)[0]  # by any device that routes lead to
        with _inside(netns):
            sysctls.write(dict.fromkeys(sysctls.read([_NO_IPV6]), "1"))  # it would say hello to everybody
        with Netlink() as netlink:  # of the host, whose underlay it takes
            # Of what is more than a packet can have the kernel makes less.
            body += number(MTU, place.mtu - OVERHEAD["vxlan", 4]) + number(_NET_NS_FD, netns)
            for refusal in netlink.send([(kind, flags, body)]):
                raise refusal.as_error(what)
        with _inside(netns), Netlink() as inner:
            index = socket.if_nametoindex(DEVICE)
            packed = packed_address(address)
            own = IFADDR.pack(socket.AF_INET, 32, 0, 0, index)
            own += attribute(IFA_LOCAL, packed) + attribute(IFA_ADDRESS, packed)
            up = IFINFO.pack(0, 0, index, IFF_UP, IFF_UP)
            everybody = encode(Route(bytes(4), 0, PROTOCOL_BOOT, Way(*_MAIN, (Hop(b"", index),), scope=SCOPE_LINK)))
            requests = [(RTM_NEWADDR, 0, own), (RTM_SETLINK, 0, up), (RTM_NEWROUTE, NLM_F_CREATE, everybody)]
            for refusal in inner.send(requests):
                raise refusal.as_error(what)
            soft = offload.default() if checksum_offload is None else checksum_offload
            if soft is False:
                offload.put(DEVICE, on=False)
    except BaseException as error:
        os.close(netns)
        if isinstance(error, OSError):
            raise KernelError(f"{what}: {error.strerror}") from error
        raise
    return netns


def know(addresses: t.Iterable[str]) -> None:
    """Have the tunnel lead to nodes by their underlay addresses; call it within the namespace. Raises KernelError."""
    macs = {address: _mac(address) for address in addresses}
    with Netlink() as netlink:
        index = socket.if_nametoindex(DEVICE)
        vtep_tables.add(netlink, index, macs, {mac: address for address, mac in macs.items()}, "reach nodes")


def _inside(netns: int) -> namespace:
    return namespace(f"/proc/self/fd/{netns}")


def _mac(address: str) -> str:
    """Return a node's MAC in the tunnel: locally administered (IEEE 802), the rest is its address."""
    return (b"\x66\x50" + socket.inet_aton(address)).hex(":")
