# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of policy routing (ip-rule(8)), and which of them takes packets to pods past the main table; the latter pure.

Layout: linux/fib_rules.h; a rule has the header of a route.
"""

from __future__ import annotations

import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel import wire
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.preflight.finding import network

_RTM_GETRULE, _LOOKUP, _INVERT = 34, 1, 0x2
_DST, _SRC, _PRIORITY, _SUPPRESS, _TABLE = 1, 2, 6, 14, 15
# FRA_IIFNAME, GOTO, FWMARK, TUN_ID, OIFNAME, L3MDEV, UID_RANGE, IP_PROTO, SPORT_RANGE, DPORT_RANGE
_SELECTORS = (3, 4, 10, 12, 17, 19, 20, 22, 23, 24)
_LOCAL, _MAIN = 255, 254

Row = t.Dict[str, t.Any]


def read() -> list[Row]:
    """Return the rules that apply to plain packets, in the kernel's order.

    A row has version, priority, from and to (CIDR), table (0: the packet is dropped), and suppress: routes of the table
    that are no longer than this many bits do not count, -1 for none. Rules for marks, devices, users or ports are left
    out. Raises KernelError.
    """
    with Netlink() as netlink:
        return [
            row
            for family in (socket.AF_INET, socket.AF_INET6)
            for body in netlink.dump(_RTM_GETRULE, wire.RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0))
            for row in [_row(body)]
            if row
        ]


def _row(body: bytes) -> Row:
    family, to_length, from_length, tos, table, __, __, action, flags = wire.RTMSG.unpack_from(body)
    found = wire.attributes(body, wire.RTMSG.size)
    zero = bytes(16 if family == socket.AF_INET6 else 4)
    if tos or flags & _INVERT or any(found.get(kind, b"").strip(b"\0") for kind in _SELECTORS):
        return {}
    suppress = wire.as_number(found.get(_SUPPRESS), 0xFFFFFFFF)
    return {
        "version": 6 if family == socket.AF_INET6 else 4,
        "priority": wire.as_number(found.get(_PRIORITY)),
        "from": f"{wire.address_text(found.get(_SRC, zero))}/{from_length}",
        "to": f"{wire.address_text(found.get(_DST, zero))}/{to_length}",
        "table": wire.as_number(found.get(_TABLE), table) if action == _LOOKUP else 0,
        "suppress": -1 if suppress == 0xFFFFFFFF else suppress,
    }


def diverted(
    rules: t.Iterable[t.Mapping[str, t.Any]], routes: t.Sequence[t.Mapping[str, t.Any]], address: str, pool: str
) -> tuple[t.Mapping[str, t.Any], str] | None:
    """Return the rule that takes packets from an address to a pool (CIDRs) past the main table, and by which route.

    None if they are routed by the main table, where pods are. routes: of all tables, as network.read has them.
    """
    source, target = network(f"{address.partition('/')[0]}"), network(pool)
    same = (rule for rule in rules if rule["version"] == target.version == source.version)
    for rule in sorted(same, key=lambda rule: rule["priority"]):
        if not (source.subnet_of(network(rule["from"])) and target.subnet_of(network(rule["to"]))):
            continue
        if rule["table"] == _MAIN:
            return None
        if not rule["table"]:
            return rule, "nowhere"
        route = _best(routes, rule, target)
        if route is not None and not route["throw"] and rule["table"] != _LOCAL:
            return rule, f"route {route['destination']} by {', '.join(route['devices']) or 'no device'}"
    return None


def _best(
    routes: t.Iterable[t.Mapping[str, t.Any]], rule: t.Mapping[str, t.Any], target: t.Any
) -> t.Mapping[str, t.Any] | None:
    """Return the longest route of a rule's table that leads to a whole network, None for none."""
    lengths = [
        (network(route["destination"]).prefixlen, place, route)
        for place, route in enumerate(routes)
        if route["table"] == rule["table"]
        and network(route["destination"]).version == target.version
        and target.subnet_of(network(route["destination"]))
    ]
    longest = max(lengths, key=lambda each: each[:2], default=None)
    return longest[2] if longest is not None and longest[0] > rule["suppress"] else None
