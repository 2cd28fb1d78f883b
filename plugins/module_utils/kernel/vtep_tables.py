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
    NDA_NH_ID,
    NDA_PORT,
    NDA_VNI,
    NEIGHBOUR,
    NLM_F_CREATE,
    NLM_F_REPLACE,
    NUD_PERMANENT,
    RTM_DELNEIGH,
    RTM_GETADDR,
    RTM_GETNEIGH,
    RTM_NEWNEIGH,
    address_text,
    as_number,
    attribute,
    attributes,
    number,
    packed_address,
)

AF_BRIDGE = 7
NTF_SELF = 0x02
_SCOPE_LINK = 253
_GROUP = "nhid "

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
    """Return the permanent neighbours of a device (address to MAC) and its forwarding entries (MAC to underlay).

    Behind the underlay stands what else of others steers an entry, such as a port; "nhid" leads to a group instead.
    """
    neighbours = {address_text(dst): mac.hex(":") for __, dst, mac in permanent(netlink, 0, index) if mac}
    fdb = {}
    for __, state, attrs in _dumped(netlink, AF_BRIDGE, index):
        mac = attrs.get(NDA_LLADDR)
        if mac and (NDA_NH_ID in attrs or (NDA_DST in attrs and state & NUD_PERMANENT)):
            fdb[mac.hex(":")] = _way(attrs)
    return neighbours, fdb


def _way(attrs: t.Mapping[int, bytes]) -> str:
    if NDA_NH_ID in attrs:
        return f"{_GROUP}{as_number(attrs[NDA_NH_ID])}"
    words = [address_text(attrs[NDA_DST])]
    words += [f"port {int.from_bytes(attrs[NDA_PORT], 'big')}"] if NDA_PORT in attrs else []
    words += [f"vni {as_number(attrs[NDA_VNI])}"] if NDA_VNI in attrs else []
    words += [f"device {as_number(attrs[NDA_IFINDEX])}"] if NDA_IFINDEX in attrs else []
    return " ".join(words)


def permanent(netlink: Netlink, family: int, index: int = 0) -> t.Iterator[tuple[int, bytes, bytes]]:
    """Yield device, address and MAC of permanent entries: neighbours (family 0) or the FDB (AF_BRIDGE).

    index: a device, 0 for all of them. Address and MAC are as the kernel has them, empty if there is none.
    """
    for of, state, attrs in _dumped(netlink, family, index):
        if state & NUD_PERMANENT:
            yield of, attrs.get(NDA_DST, b""), attrs.get(NDA_LLADDR, b"")


def _dumped(netlink: Netlink, family: int, index: int) -> t.Iterator[tuple[int, int, dict[int, bytes]]]:
    """Yield device, state and attributes of entries."""
    of_device = number(NDA_IFINDEX, index) if index else b""
    for body in netlink.dump(RTM_GETNEIGH, NEIGHBOUR.pack(family, 0, 0, 0, 0) + of_device):
        seen, of, state, __, __ = NEIGHBOUR.unpack_from(body)
        if index in (0, of) and (seen == AF_BRIDGE) == (family == AF_BRIDGE):
            yield of, state, attributes(body, NEIGHBOUR.size)


def converge(netlink: Netlink, index: int, wanted: t.Mapping[str, t.Any], what: str) -> None:
    """Bring a device's tables in line: new and changed entries first, then what is left over. Raises KernelError."""
    tables = [(kind, actual, wanted[kind]) for kind, actual in zip(("neighbours", "fdb"), read(netlink, index))]
    named = [each for kind, actual, table in tables for each in _requests(index, kind, actual, table)]
    named += [
        (f"{kind} entry {key}", _removal(index, kind, key))
        for kind, actual, table in tables
        for key in actual
        if key not in table
    ]
    _send(netlink, named, what)


def add(netlink: Netlink, index: int, neighbours: Table, fdb: Table, what: str) -> None:
    """Add entries to a device's tables, or change them; others stay. Raises KernelError."""
    named = [*_requests(index, "neighbours", {}, neighbours), *_requests(index, "fdb", {}, fdb)]
    _send(netlink, named, what)


def _send(netlink: Netlink, named: t.Sequence[tuple[str, Request]], what: str) -> None:
    for refusal in netlink.send(request for __, request in named)[:1]:
        raise refusal.as_error(f"{what}: {named[refusal.place][0]}")


def _requests(index: int, kind: str, actual: Table, wanted: Table) -> t.Iterator[tuple[str, Request]]:
    """Yield what makes or changes entries; one that leads to a group the kernel keeps on a replace, without a word."""
    for key, value in wanted.items():
        if actual.get(key) == value:
            continue
        if actual.get(key, "").startswith(_GROUP):
            yield f"{kind} entry {key}", _removal(index, kind, key)
        mac, address = (value, key) if kind == "neighbours" else (key, value)
        body = _head(index, kind, address) + attribute(NDA_DST, packed_address(address))
        flags = NLM_F_CREATE | NLM_F_REPLACE
        yield f"{kind} entry {key}", (RTM_NEWNEIGH, flags, body + attribute(NDA_LLADDR, packed_mac(mac)))


def _removal(index: int, kind: str, key: str) -> Request:
    """Return what deletes an entry; a forwarding entry by its MAC alone, with all that it leads to."""
    name = attribute(NDA_DST, packed_address(key)) if kind == "neighbours" else attribute(NDA_LLADDR, packed_mac(key))
    return RTM_DELNEIGH, 0, _head(index, kind, key) + name


def _head(index: int, kind: str, address: str) -> bytes:
    if kind == "fdb":
        return NEIGHBOUR.pack(AF_BRIDGE, index, NUD_PERMANENT, NTF_SELF, 0)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return NEIGHBOUR.pack(family, index, NUD_PERMANENT, 0, 0)
