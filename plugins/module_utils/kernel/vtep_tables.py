# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a VXLAN device knows of the other nodes: permanent neighbours and forwarding entries (FDB), two for each."""

from __future__ import annotations

import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import packed_mac
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink, Request
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import (
    IFA_ADDRESS,
    IFA_LOCAL,
    IFADDR,
    NDA_DST,
    NDA_IFINDEX,
    NDA_LLADDR,
    NEIGHBOUR,
    NLM_F_CREATE,
    NLM_F_REPLACE,
    NUD_PERMANENT,
    RTM_DELNEIGH,
    RTM_GETADDR,
    RTM_GETNEIGH,
    RTM_NEWNEIGH,
    address_text,
    attribute,
    attributes,
    number,
    packed_address,
)

AF_BRIDGE = 7
NTF_SELF = 0x02
_SCOPE_LINK = 253

Table = t.Dict[str, str]


def addresses(netlink: Netlink, index: int) -> list[str]:
    """Return the addresses (CIDR) of a device, but for link-local ones."""
    found = []
    for body in netlink.dump(RTM_GETADDR, IFADDR.pack(0, 0, 0, 0, index)):
        family, length, __, scope, of = IFADDR.unpack_from(body)
        if of == index and scope != _SCOPE_LINK:
            attrs = attributes(body, IFADDR.size)
            found.append(f"{socket.inet_ntop(family, attrs.get(IFA_LOCAL) or attrs[IFA_ADDRESS])}/{length}")
    return sorted(found)


def read(netlink: Netlink, index: int) -> tuple[Table, Table]:
    """Return the permanent neighbours of a device (address to MAC) and its forwarding entries (MAC to underlay)."""
    neighbours = {address_text(dst): mac.hex(":") for __, dst, mac in permanent(netlink, 0, index) if mac}
    fdb = {mac.hex(":"): address_text(dst) for __, dst, mac in permanent(netlink, AF_BRIDGE, index) if dst}
    return neighbours, fdb


def permanent(netlink: Netlink, family: int, index: int = 0) -> t.Iterator[tuple[int, bytes, bytes]]:
    """Yield device, address and MAC of permanent entries: neighbours (family 0) or the FDB (AF_BRIDGE).

    index: a device, 0 for all of them. Address and MAC are as the kernel has them, empty if there is none.
    """
    of_device = number(NDA_IFINDEX, index) if index else b""
    for body in netlink.dump(RTM_GETNEIGH, NEIGHBOUR.pack(family, 0, 0, 0, 0) + of_device):
        seen, of, state, __, __ = NEIGHBOUR.unpack_from(body)
        if index in (0, of) and state & NUD_PERMANENT and (seen == AF_BRIDGE) == (family == AF_BRIDGE):
            attrs = attributes(body, NEIGHBOUR.size)
            yield of, attrs.get(NDA_DST, b""), attrs.get(NDA_LLADDR, b"")


def converge(netlink: Netlink, index: int, wanted: t.Mapping[str, t.Any], what: str) -> None:
    """Bring a device's tables in line: new and changed entries first, then what is left over. Raises KernelError."""
    neighbours, fdb = read(netlink, index)
    named = [*_requests(index, "neighbours", neighbours, wanted["neighbours"])]
    named += _requests(index, "fdb", fdb, wanted["fdb"])
    named.sort(key=lambda each: each[1][0] == RTM_DELNEIGH)
    _send(netlink, named, what)


def add(netlink: Netlink, index: int, neighbours: Table, fdb: Table, what: str) -> None:
    """Add entries to a device's tables, or change them; others stay. Raises KernelError."""
    named = [*_requests(index, "neighbours", {}, neighbours), *_requests(index, "fdb", {}, fdb)]
    _send(netlink, named, what)


def _send(netlink: Netlink, named: t.Sequence[tuple[str, Request]], what: str) -> None:
    for refusal in netlink.send(request for __, request in named)[:1]:
        raise refusal.as_error(f"{what}: {named[refusal.place][0]}")


def _requests(index: int, kind: str, actual: Table, wanted: Table) -> t.Iterator[tuple[str, Request]]:
    for key in [*wanted, *(key for key in actual if key not in wanted)]:
        if actual.get(key) == wanted.get(key):
            continue
        value = wanted.get(key) or actual[key]
        verb = RTM_NEWNEIGH if key in wanted else RTM_DELNEIGH
        flags = NLM_F_CREATE | NLM_F_REPLACE if key in wanted else 0
        mac, address = (value, key) if kind == "neighbours" else (key, value)
        yield f"{kind} entry {key}", (verb, flags, _entry(index, kind, mac, address))


def _entry(index: int, kind: str, mac: str, address: str) -> bytes:
    packed = packed_address(address)
    family = socket.AF_INET6 if len(packed) == 16 else socket.AF_INET
    if kind == "neighbours":
        head = NEIGHBOUR.pack(family, index, NUD_PERMANENT, 0, 0)
    else:
        head = NEIGHBOUR.pack(AF_BRIDGE, index, NUD_PERMANENT, NTF_SELF, 0)
    return head + attribute(NDA_DST, packed) + attribute(NDA_LLADDR, packed_mac(mac))
