# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing the kernel's routes, and what is in the way of that."""

from __future__ import annotations

import errno
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, KernelError
from ansible_collections.podnet.calico.plugins.module_utils.kernel.devices import Devices
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink, Refusal
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_dump import read
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import (
    TABLE,
    Route,
    decode,
    encode,
    name,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.routes import Plan, head, in_turn, key
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    RTM_DELROUTE,
    RTM_GETROUTE,
    RTM_NEWROUTE,
    RTMSG,
    number,
)
from ansible_collections.podnet.calico.plugins.module_utils.marks import ROUTE_PROTOCOL

_ROUNDS = 4  # of looking for what else is there
_NAMED = 100  # how many routes an error names


def settle_conflicts(netlink: Netlink, changes: Plan, tables: t.Iterable[tuple[int, int]], *, take_over: bool) -> None:
    """Find the routes of others that are in the way of creations; they become replacements, if that is allowed.

    Raises Conflict, which shows the first of them, if it is not.
    """
    found: dict[bytes, list[bytes]] = {}
    for family, table in tables if changes.create else ():
        for foreign, ours in _in_the_way(netlink, family, table, changes.create):
            if not take_over:
                raise _conflict("create", "one exists that", foreign, changes)
            found.setdefault(ours, []).append(foreign)
    for ours, there in found.items():
        *others, last = in_turn(there)
        changes.clear += others
        changes.replace.append((last, ours))
    taken = {after for __, after in changes.replace}
    changes.create = [body for body in changes.create if body not in taken] if taken else changes.create


def settle_strangers(changes: Plan, strangers: t.Iterable[bytes], *, take_over: bool) -> None:
    """Have routes of others go that stand beside ours under the same key (IPv6), if that is allowed.

    Those where none of ours is are settle_conflicts' to find. Raises Conflict, which shows the first of them.
    """
    alone = set(map(key, changes.create))
    found = [body for body in strangers if key(body) not in alone]
    if found and not take_over:
        raise _conflict("keep", "one beside it", found[0], changes)
    changes.clear += found


def _conflict(verb: str, which: str, foreign: bytes, changes: Plan) -> Conflict:
    route = decode(foreign)
    return Conflict(
        f"{verb} route {name(route)}: {which} is not ours: {name(route)} {changes.words(route)}",
        remedy="Remove it, give ours another metric, or take it over (calico_route with take_over: true)",
    )


def _in_the_way(netlink: Netlink, family: int, table: int, bodies: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Return routes of others in a table that have destination and metric of one of the bodies, each with that body.

    The kernel writes table and destination first, so a look at these bytes passes over almost all.
    """
    found = netlink.dump(RTM_GETROUTE, RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0) + number(TABLE, table))
    foreign = [body for body in found if body[0] == family and body[5] != ROUTE_PROTOCOL and not body[3]]
    heads = {head(body) for body in foreign}
    close = {key(body): body for body in bodies if head(body) in heads}
    return [(body, close[key(body)]) for body in foreign if key(body) in close] if close else []


def converge(netlink: Netlink, changes: Plan, look: t.Callable[[], Plan]) -> None:
    """Make the changes, and those that show only then; look: plans again, from what the kernel has then.

    The kernel shows no IPv6 route that is between two legs of another one to the same destination. changes gets what
    was done beside them. Raises KernelError as apply does, and if there is always something left.
    """
    apply(netlink, changes)
    last = changes
    for __ in range(_ROUNDS):
        if not _may_have_hidden(last):
            return
        last = look()
        if not len(last):
            return
        last.clear += [before for before, __ in last.replace]  # a replacement may have taken the place of a hidden one
        apply(netlink, last)
        changes.clear += last.clear
        changes.delete += last.delete
    raise KernelError(
        f"change routes: {next(iter(last)).name} is never as it should be",
        remedy="See `ip -6 route show` and /proc/net/ipv6_route, and what else changes them",
    )


def _may_have_hidden(changes: Plan) -> bool:
    gone = [*changes.clear, *changes.delete, *(before for before, __ in changes.replace)]
    return any(body[0] == socket.AF_INET6 and len(decode(body).way.hops) > 1 for body in gone)


def apply(netlink: Netlink, changes: Plan) -> None:
    """Make the changes; a replacement is one message to the kernel, so the destination is never without a route.

    What stands beside a wanted route goes first. Other routes are deleted only if all others could be made. Raises
    KernelError that names what the kernel refused.
    """
    _delete(netlink, map(_with_all_legs, in_turn(changes.clear)), changes)
    bodies = [*changes.create, *(after for __, after in changes.replace)]
    verbs = ["create"] * len(changes.create) + ["replace"] * len(changes.replace)
    refused = netlink.send_alike(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, changes.create)
    replaced = netlink.send_alike(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, bodies[len(changes.create) :])
    refused += [refusal._replace(place=refusal.place + len(changes.create)) for refusal in replaced]
    _raise(refused, verbs, bodies, changes)
    _delete(netlink, changes.delete, changes)


def _with_all_legs(body: bytes) -> bytes:
    """Return the body that deletes a route of several legs whoever they are of.

    Legs of IPv6 that have been appended to a route are shown as its own, and have protocol numbers of their own.
    """
    route = decode(body)
    return encode(route._replace(protocol=0)) if len(route.way.hops) > 1 else body


def _delete(netlink: Netlink, routes: t.Iterable[bytes], changes: Plan) -> None:
    """Delete routes; those that have gone since are no error."""
    bodies = [_lasting(body) for body in routes]
    refused = [refusal for refusal in netlink.send_alike(RTM_DELROUTE, 0, bodies) if refusal.errno != errno.ESRCH]
    _raise(refused, ["delete"] * len(bodies), bodies, changes)


def _lasting(body: bytes) -> bytes:
    """Return a body without what the kernel says of the moment, which it does not take back."""
    return encode(decode(body))


def _raise(refused: t.Sequence[Refusal], verbs: t.Sequence[str], bodies: t.Sequence[bytes], changes: Plan) -> None:
    """Raise KernelError for refused requests, if there are any: the first in words, all of them as data."""
    errors = []
    for refusal in refused[:_NAMED]:
        route = decode(bodies[refusal.place])
        errors.append(refusal.as_error(f"{verbs[refusal.place]} route {name(route)} {changes.words(route)}"))
    if errors:
        more = f" (and {len(refused) - 1} more of {len(bodies)})" if len(refused) > 1 else ""
        details = {"errno": refused[0].errno, "refused": [error.message for error in errors]}
        raise KernelError(errors[0].message + more, remedy=errors[0].remedy, **details)


def left_behind(netlink: Netlink, number_of_protocol: int, networks: t.Collection[t.Any]) -> Plan:
    """Return the deletions of what a daemon left in the kernel: routes of its protocol number inside some networks."""
    result = Plan(Devices())
    for body in read(netlink, number_of_protocol):
        route = decode(body)
        if any(_inside(route, network) for network in networks):
            result.delete.append(body)
    return result


def _inside(route: Route, network: t.Any) -> bool:
    """Tell whether a route's destination is part of an ipaddress network."""
    if len(route.destination) * 8 != network.max_prefixlen or route.length < network.prefixlen:
        return False
    return int.from_bytes(route.destination, "big") & int(network.netmask) == int(network.network_address)
