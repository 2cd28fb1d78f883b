# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links of this network namespace, read in one dump that the kernel filters by kind."""

from __future__ import annotations

import re
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink, Request
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import (
    IFF_UP,
    IFINFO,
    RTM_GETLINK,
    RTM_SETLINK,
    Attributes,
    as_number,
    as_text,
    attribute,
    attributes,
    nested,
    number,
    text,
)
from ansible_collections.podnet.calico.plugins.module_utils.marks import ALIAS_PREFIX

ADDRESS, NAME, MTU, LINK, LINKINFO, IFALIAS, AF_SPEC, EXT_MASK, LINK_NETNSID = 1, 3, 4, 5, 18, 20, 26, 29, 37
INFO_KIND, INFO_DATA = 1, 2
_READ = frozenset((ADDRESS, NAME, MTU, LINK, LINKINFO, IFALIAS, AF_SPEC, LINK_NETNSID))  # of some sixty attributes
SKIP_STATISTICS = 1 << 3  # RTEXT_FILTER_SKIP_STATS
NO_NAMESPACE = 0xFFFFFFFF  # NETNSA_NSID_NOT_ASSIGNED


class Link:
    """A link: index, flags (IFF_UP…), and its attributes by number (IFLA_…)."""

    def __init__(self, index: int, flags: int, found: Attributes) -> None:
        self.index, self.flags, self.found = index, flags, found

    @property
    def name(self) -> str:
        """Return the name."""
        return as_text(self.found.get(NAME))

    @property
    def alias(self) -> str:
        """Return the alias; empty for none."""
        return as_text(self.found.get(IFALIAS))

    @property
    def ours(self) -> bool:
        """Tell whether the alias is one of ours."""
        return self.alias.startswith(ALIAS_PREFIX)

    @property
    def up(self) -> bool:
        """Tell whether the link is up, as far as the administrator wants."""
        return bool(self.flags & IFF_UP)

    @property
    def mtu(self) -> int:
        """Return the MTU in bytes."""
        return as_number(self.found.get(MTU))

    @property
    def mac(self) -> str:
        """Return the MAC in its canonical spelling; empty for links without."""
        return self.found.get(ADDRESS, b"").hex(":")

    @property
    def peer(self) -> int:
        """Return the index of the link that this one stands on: of a veth the other end, of a VXLAN the parent."""
        return as_number(self.found.get(LINK))

    @property
    def peer_namespace(self) -> int | None:
        """Return the number under which this namespace knows that of the peer; None if the peer is here as well."""
        found = as_number(self.found.get(LINK_NETNSID), NO_NAMESPACE)
        return None if found == NO_NAMESPACE else found

    @property
    def kind(self) -> str:
        """Return the kind ("veth", "vxlan"); empty for a plain device."""
        return as_text(attributes(self.found.get(LINKINFO, b"")).get(INFO_KIND))

    @property
    def data(self) -> Attributes:
        """Return the attributes of the link's kind, by number (IFLA_VXLAN_…)."""
        return attributes(attributes(self.found.get(LINKINFO, b"")).get(INFO_DATA, b""))


def links(netlink: Netlink, kind: str = "") -> list[Link]:
    """Return all links, or those of one kind."""
    wanted = nested(LINKINFO, text(INFO_KIND, kind)) if kind else b""
    bodies = netlink.dump(RTM_GETLINK, IFINFO.pack(0, 0, 0, 0, 0) + number(EXT_MASK, SKIP_STATISTICS) + wanted)
    found = [link_of(body) for body in bodies]
    mark = text(INFO_KIND, kind).rstrip(b"\0")  # the kernel filters since Linux 4.20, so a look at the bytes will do
    return [link for link in found if mark in link.found.get(LINKINFO, b"")] if kind else found


def link_of(body: bytes) -> Link:
    """Return a link from the body of a message."""
    __, __, index, flags, __ = IFINFO.unpack_from(body)
    return Link(index, flags, attributes(body, IFINFO.size, _READ))


def link_named(netlink: Netlink, name: str) -> Link | None:
    """Return one link, or None."""
    body = netlink.get(RTM_GETLINK, IFINFO.pack(0, 0, 0, 0, 0) + text(NAME, name))
    return link_of(body) if body else None


def index_of(name: str) -> int:
    """Return the index of a device, 0 for none."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0


def endpoint_indexes(netlink: Netlink) -> set[int]:
    """Return the indexes of the host's ends of all pods' links of ours."""
    return {link.index for link in links(netlink, "veth") if home(link)}


def home(link: Link) -> tuple[str, str] | None:
    """Return the workload and its namespace that the alias of a pod's link of ours names; None for any other link."""
    mark = f"{ALIAS_PREFIX} endpoint "
    if not link.alias.startswith(mark):
        return None
    workload, __, netns = link.alias[len(mark) :].partition(" ")
    return workload, netns


def is_device_name(value: str) -> bool:
    """Tell whether the kernel takes a text as a device's name as it is: at most 15 bytes, no pattern such as eth%d."""
    letters = re.fullmatch(r"[^\s/:%\x00-\x1f\ud800-\udfff]+", value)
    return bool(letters) and len(value.encode()) <= 15 and value not in (".", "..")


def make_marked(netlink: Netlink, name: str, creation: t.Sequence[Request], what: str) -> None:
    """Send the requests that make a link and mark it as ours by its name. Raises KernelError.

    If somebody else's link took the name a moment ago, the second request has marked that one: the mark is taken off.
    """
    refused = netlink.send(creation)
    if len(refused) == 1 and refused[0].place == 0:
        netlink.send([(RTM_SETLINK, 0, IFINFO.pack(0, 0, 0, 0, 0) + text(NAME, name) + attribute(IFALIAS, b""))])
    for refusal in refused[:1]:
        raise refusal.as_error(what)


def canonical_mac(value: str) -> str:
    """Return a MAC in its canonical spelling, lower case with colons; raises ValueError for what is none."""
    if not re.fullmatch(r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}", value):
        raise ValueError(value)
    return value.lower().replace("-", ":")


def packed_mac(value: str) -> bytes:
    """Return the six bytes of a MAC in canonical spelling."""
    return bytes.fromhex(value.replace(":", ""))


def alias(what: str) -> str:
    """Return the link alias that marks a link as ours."""
    return f"{ALIAS_PREFIX} {what}"
