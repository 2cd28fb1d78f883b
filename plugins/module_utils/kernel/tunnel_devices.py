# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making, changing and removing tunnel devices: there are one or two of them on a host.

pyroute2 does it, but for making a VXLAN device: that and our mark have to be one system call, since a run that is
killed between the two would leave a device that nobody knows to be ours.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import IPIP_DEVICE
from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError
from ansible_collections.podnet.calico.plugins.module_utils.kernel.library import NetlinkError, explained, open_netlink
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import alias, make_marked
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.kernel.tunnel_entries import Entry
from ansible_collections.podnet.calico.plugins.module_utils.kernel.tunnel_requests import creation
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import IFA_F_NODAD

__all__ = ["configure", "create", "open_netlink", "parent_of", "remove"]

_IPIP_MTU = 1480  # bytes; what the kernel gives its own tunl0
_SCOPE_LINK = 253


def remove(ipr: t.Any, name: str, what: str) -> None:
    """Delete a device, or give the kernel's own tunl0 back as it was: without address, down, unmarked."""
    index = socket.if_nametoindex(name)
    with explained(what):
        if name != IPIP_DEVICE:
            ipr.link("del", index=index)
            return
        for address in _addresses(ipr, index):
            _address(ipr, "del", index, address)
        ipr.link("set", index=index, state="down", mtu=_IPIP_MTU, IFLA_IFALIAS="")


def configure(ipr: t.Any, name: str, actual: Entry | None, wanted: Entry, what: str) -> int:
    """Give a device its attributes and its one address; return its index. actual: what it has, None for a new one."""
    with explained(what):
        index = socket.if_nametoindex(name)
        ipr.link("set", index=index, mtu=wanted["mtu"], IFLA_IFALIAS=alias("tunnel"))
        if actual and wanted.get("mac") and actual["mac"] != wanted["mac"]:
            ipr.link("set", index=index, address=wanted["mac"])
        if actual and actual.get("learning"):
            ipr.link("set", index=index, kind="vxlan", vxlan_learning=0)
        present = set(_addresses(ipr, index))
        if wanted["address"] not in present:
            _address(ipr, "add", index, wanted["address"])
        for address in present - {wanted["address"]}:
            _address(ipr, "del", index, address)
        ipr.link("set", index=index, state="up")
        return index


def create(netlink: Netlink, ipr: t.Any, name: str, wanted: Entry, what: str) -> None:
    """Make a device that is ours from its first moment on. Raises KernelError."""
    if wanted["kind"] == "ipip":
        with explained(what):
            _create_ipip(ipr, name)
        return
    make_marked(netlink, name, creation(name, wanted, parent_of(wanted, what)), what)


def parent_of(wanted: Entry, what: str) -> int:
    """Return the index of the device that a VXLAN stands on, 0 for none; raises KernelError if it is not there."""
    if not wanted["parent"]:
        return 0
    try:
        return socket.if_nametoindex(wanted["parent"])
    except OSError as error:
        message = f"{what}: there is no device {wanted['parent']}"
        raise KernelError(message, remedy="Correct its parent") from error


def _create_ipip(ipr: t.Any, name: str) -> None:
    """Make tunl0: the kernel makes it by itself when its module is loaded, which the request triggers."""
    try:
        ipr.link("add", ifname=name, kind="ipip")
    except NetlinkError as error:
        if error.code != errno.EEXIST:
            raise
        socket.if_nametoindex(name)


def _addresses(ipr: t.Any, index: int) -> list[str]:
    return [
        f"{message.get_attr('IFA_ADDRESS')}/{message['prefixlen']}"
        for message in ipr.get_addr(index=index)
        if message["index"] == index and message["scope"] != _SCOPE_LINK
    ]


def _address(ipr: t.Any, command: str, index: int, address: str) -> None:
    """Add or delete an address; no duplicates are looked for, which would keep an IPv6 address unused for a second."""
    interface = ipaddress.ip_interface(address)
    flags = {"IFA_FLAGS": IFA_F_NODAD} if command == "add" and interface.version == 6 else {}
    ipr.addr(command, index=index, address=str(interface.ip), prefixlen=interface.network.prefixlen, **flags)
