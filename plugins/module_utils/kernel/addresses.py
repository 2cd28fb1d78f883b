# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of this host, and which of them may be the node's: one rule for deploy and preflight."""

from __future__ import annotations

import ipaddress
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel import wire
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink

_LABEL = 3  # IFA_LABEL
_SECONDARY, _NO_PREFIX_ROUTE = 0x01, 0x200  # IFA_F_SECONDARY, IFA_F_NOPREFIXROUTE (linux/if_addr.h)

Row = t.Dict[str, t.Any]
Rows = t.Sequence[t.Mapping[str, t.Any]]

TEMPORARY, DEPRECATED, LOOPBACK, LINK_LOCAL, VIRTUAL = "temporary", "deprecated", "loopback", "link-local", "virtual"
_WHY = {
    TEMPORARY: "it ends soon (privacy extensions), and the node's tunnels and sessions with it",
    DEPRECATED: "it is about to end, or others have said that it is not to be used",
    LOOPBACK: "it leads to this host alone",
    LINK_LOCAL: "other nodes cannot reach it by its address alone",
    VIRTUAL: "when keepalived, kube-vip or the like moves it, the node's tunnels and sessions go with it",
}


class Fault(t.NamedTuple):
    """Why an address cannot be the node's, in words, and another address (CIDR) that can, empty for none."""

    kind: str
    what: str
    why: str
    instead: str


def read(netlink: Netlink, names: t.Mapping[int, str]) -> list[Row]:
    """Return the addresses of devices in the kernel's order; names: of devices, by index.

    A row has address (CIDR), device, scope (0: global), secondary, noprefixroute, label, and state: "temporary" or
    "deprecated" of an address that passes away, "" of others.
    """
    bodies = netlink.dump(wire.RTM_GETADDR, wire.IFADDR.pack(0, 0, 0, 0, 0))
    rows = (_row(body, names) for body in bodies)
    return [row for row in rows if row["address"] and row["device"]]


def _row(body: bytes, names: t.Mapping[int, str]) -> Row:
    family, length, flags, scope, index = wire.IFADDR.unpack_from(body)
    found = wire.attributes(body, wire.IFADDR.size)
    flags = wire.as_number(found.get(wire.IFA_FLAGS), flags)
    packed = found.get(wire.IFA_LOCAL) or found.get(wire.IFA_ADDRESS) or b""
    temporary = family == socket.AF_INET6 and bool(flags & wire.IFA_F_TEMPORARY)
    return {
        "address": f"{socket.inet_ntop(family, packed)}/{length}" if packed else "",
        "device": names.get(index, ""),
        "scope": scope,
        "secondary": family == socket.AF_INET and bool(flags & _SECONDARY),
        "noprefixroute": bool(flags & _NO_PREFIX_ROUTE),
        "label": wire.as_text(found.get(_LABEL)),
        "state": TEMPORARY if temporary else DEPRECATED if flags & wire.IFA_F_DEPRECATED else "",
    }


def fault(row: t.Mapping[str, t.Any], rows: Rows) -> Fault | None:
    """Return why an address of a host cannot be the node's, None if it can; rows: all addresses of the host."""
    kind = _kind(row, rows)
    if not kind:
        return None
    instead = next((str(each["address"]) for each in _instead(row, rows)), "")
    return Fault(kind, "looks like a virtual one" if kind == VIRTUAL else f"is {kind}", _WHY[kind], instead)


def _kind(row: t.Mapping[str, t.Any], rows: Rows) -> str:
    own = ipaddress.ip_interface(row["address"])
    if own.is_loopback:
        return LOOPBACK
    if own.version == 6 and own.is_link_local:
        return LINK_LOCAL
    return row["state"] or (VIRTUAL if _is_beside_another(row, rows) else "")


def _is_beside_another(row: t.Mapping[str, t.Any], rows: Rows) -> bool:
    """Tell whether an address of full length belongs to the network of another one of the same device."""
    own = ipaddress.ip_interface(row["address"])
    others = (ipaddress.ip_interface(each["address"]) for each in rows if each["device"] == row["device"])
    wider = (each.network for each in others if each.version == own.version and each.network != own.network)
    return own.network.prefixlen == own.max_prefixlen and any(own.ip in network for network in wider)


def _instead(row: t.Mapping[str, t.Any], rows: Rows) -> t.Iterator[t.Mapping[str, t.Any]]:
    """Yield addresses of the same device and version that may be the node's, those of the same network first."""
    own = ipaddress.ip_interface(row["address"])
    mates = [
        each
        for each in rows
        if each["device"] == row["device"]
        and ipaddress.ip_interface(each["address"]).version == own.version
        and not _kind(each, rows)
    ]
    yield from sorted(mates, key=lambda each: own.ip not in ipaddress.ip_interface(each["address"]).network)


def pick(rows: Rows, candidates: t.Iterable[str]) -> t.Mapping[str, t.Any] | None:
    """Return the address of a host that is the node's, None if nothing says which.

    candidates: addresses, the best first; those that the host does not have are passed over. One that cannot be the
    node's gives way to another candidate, then to one beside it; where there is none either, it is returned.
    """
    named = [row for text in candidates for row in [find(rows, text)] if row is not None]
    sound = [row for row in named if fault(row, rows) is None]
    beside = [mate for row in named if _kind(row, rows) != LOOPBACK for mate in _instead(row, rows)]
    return next(iter([*sound, *beside, *named]), None)


def find(rows: Rows, text: str) -> t.Mapping[str, t.Any] | None:
    """Return the row of an address, with or without prefix length, None if the host does not have it.

    If several devices have it, one where it may be the node's is returned.
    """
    try:
        wanted = ipaddress.ip_interface(text).ip
    except ValueError:
        return None
    found = [row for row in rows if ipaddress.ip_interface(row["address"]).ip == wanted]
    return next((row for row in found if not _kind(row, rows)), found[0] if found else None)
