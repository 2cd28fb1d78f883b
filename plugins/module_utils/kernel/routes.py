# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of ours in the kernel: read, compare, and change them without a moment in which one is missing."""

from __future__ import annotations

import socket
import typing as t
from collections import Counter

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome
from ansible_collections.podnet.calico.plugins.module_utils.kernel.devices import Devices
from ansible_collections.podnet.calico.plugins.module_utils.kernel.lock import only_one
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_dump import read
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_entries import parse
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import (
    Route,
    decode,
    fulfils,
    name,
    words_with_owner,
)

_NAMED = 100  # how many routes a fact or an error names

Key = t.Tuple[int, bytes, int, int]  # prefix length, destination, table, metric: what makes two routes one


class Plan:
    """The changes to routes, as the bytes that the kernel gets; whoever looks at them sees Changes.

    clear, create, replace (before and after) and delete are done in this order. clear: deletions of what has the
    destination, table and metric of a wanted route and is beside it. surplus: routes of ours that are not wanted.
    """

    def __init__(self, devices: Devices) -> None:
        self.clear: list[bytes] = []
        self.create: list[bytes] = []
        self.replace: list[tuple[bytes, bytes]] = []
        self.delete: list[bytes] = []
        self.surplus: list[bytes] = []
        self._devices = devices

    def __len__(self) -> int:
        return len(self.clear) + len(self.create) + len(self.replace) + len(self.delete)

    def __iter__(self) -> t.Iterator[Change]:
        for route in map(decode, self.create):
            yield Change("route", name(route), None, self.words(route))
        for before, after in self.replace:
            route = decode(after)
            yield Change("route", name(route), self.words(decode(before)), self.words(route))
        for route in map(decode, [*self.clear, *self.delete]):
            yield Change("route", name(route), self.words(route), None)

    def summary(self) -> dict[str, int]:
        """Return how many changes there are by action."""
        return {"create": len(self.create), "replace": len(self.replace), "delete": len(self.clear) + len(self.delete)}

    def words(self, route: Route) -> str:
        """Return all of a route but its name; who it belongs to, if it is not ours."""
        return words_with_owner(route, self._devices.name)


def key(body: bytes) -> Key:
    """Return what identifies a route to the kernel."""
    route = decode(body)
    return (route.length, route.destination, route.way.table, route.way.metric)


def plan(actual: t.Sequence[bytes], wanted: t.Mapping[bytes, None], devices: Devices, *, exclusive: bool) -> Plan:
    """Return the changes that make the wanted routes exist among those of ours; exclusive deletes the rest."""
    result = Plan(devices)
    rest = [body for body in actual if body not in wanted]
    if not rest and len(actual) == len(wanted):
        return result
    if not actual:
        result.create = list(wanted)
        return result
    same = set(actual)
    missing = {body: None for body in wanted if body not in same}
    changed = {key(body): body for body in missing} if rest else {}
    there = _beside(rest, wanted) if len(missing) < len(wanted) else {}
    for place, bodies in _by_key(rest).items():
        after = changed.pop(place, None) or there.get(place)
        if after is None:
            result.surplus += bodies
            continue
        missing.pop(after, None)
        _make_one(result, [*bodies, *([after] if after in same else [])], after)
    if len(actual) > len(same):
        again = Counter(actual)
        result.clear += [body for body in wanted for __ in range(again[body] - 1)]
    result.create = list(missing)
    result.delete = result.surplus if exclusive else []
    return result


def _by_key(bodies: t.Iterable[bytes]) -> dict[Key, list[bytes]]:
    found: dict[Key, list[bytes]] = {}
    for body in bodies:
        found.setdefault(key(body), []).append(body)
    return found


def _beside(rest: t.Iterable[bytes], wanted: t.Iterable[bytes]) -> dict[Key, bytes]:
    """Return the wanted routes, by key, that may share it with one of the rest: those to the same destinations."""
    heads = {head(body) for body in rest}
    return {key(body): body for body in wanted if head(body) in heads} if heads else {}


def head(body: bytes) -> bytes:
    """Return the bytes that a body begins with behind its header: table and destination, as the kernel writes them."""
    return body[12 : (40 if body[0] == socket.AF_INET6 else 28) if body[1] else 20]


def _make_one(result: Plan, there: list[bytes], wanted: bytes) -> None:
    """Plan that of several routes of ours with one key a wanted one is left.

    The kernel keeps several for IPv6, such as one with a gateway and one without, and a replacement takes the place of
    one of them. So all but one are deleted first, and that one is replaced in any case: see in_turn.
    """
    if len(there) == 1:
        if not fulfils(decode(there[0]), decode(wanted)):
            result.replace.append((there[0], wanted))
        return
    *others, last = in_turn(there)
    result.clear += others
    result.replace.append((last, wanted))


def in_turn(bodies: t.Iterable[bytes]) -> list[bytes]:
    """Return bodies in an order in which they can be deleted: those without a gateway last.

    A request to delete such a one would delete one with a gateway on the same device as well (Linux, ip6_route_del).
    """
    return sorted(bodies, key=lambda body: not any(hop.gateway for hop in decode(body).way.hops))


def plan_absent(actual: t.Sequence[bytes], wanted: t.Iterable[bytes], devices: Devices) -> Plan:
    """Return the deletions of those routes of ours that have destination, table and metric of a listed one."""
    result = Plan(devices)
    listed = {key(body) for body in wanted}
    result.delete = [body for body in actual if key(body) in listed]
    return result


def ensure(
    entries: t.Any,
    *,
    state: str,
    exclusive: bool,
    check_mode: bool,
    take_over: bool = False,
    made_anew: t.Collection[str] = (),
) -> Outcome:
    """Bring the routes of ours in line with a list; all input is checked before anything is touched.

    made_anew: names of devices that check mode only predicts to be made anew, so that the kernel has their routes yet.
    """
    devices = Devices(unborn=check_mode or state == "absent")
    with only_one(check_mode), Netlink() as netlink:
        bodies, tables = parse(entries, devices)

        def look() -> Plan:
            if state == "absent":
                return plan_absent(read(netlink), bodies, devices)
            beside: list[bytes] = []
            with_ipv6 = any(family == socket.AF_INET6 for family, __ in tables)
            actual = without_pods(netlink, read(netlink, beside=beside if with_ipv6 else None), bodies)
            actual = without_devices(actual, made_anew) if check_mode else actual
            found = plan(actual, bodies, devices, exclusive=exclusive)
            strangers = shared(bodies, beside)
            if len(found) or strangers:
                # Imported here since most calls have nothing to do, and a module's sources are compiled in each call.
                from ansible_collections.podnet.calico.plugins.module_utils.kernel import route_apply

                route_apply.settle_strangers(found, strangers, take_over=take_over)
                route_apply.settle_conflicts(netlink, found, tables, take_over=take_over)
            return found

        changes = look()
        if len(changes) and not check_mode:
            from ansible_collections.podnet.calico.plugins.module_utils.kernel import route_apply

            route_apply.converge(netlink, changes, look)
    surplus = [] if exclusive else changes.surplus[:_NAMED]
    return Outcome(changes, {"surplus": [name(decode(body)) for body in surplus]}, changes.summary())


def shared(wanted: t.Iterable[bytes], others: t.Sequence[bytes]) -> list[bytes]:
    """Return routes of others that have destination, table and metric of a wanted one, where the kernel allows that."""
    candidates = _beside(others, wanted) if others else {}
    return [body for body in others if not body[3] and key(body) in candidates] if candidates else []


def without_pods(netlink: Netlink, actual: list[bytes], wanted: t.Mapping[bytes, None]) -> list[bytes]:
    """Leave out the routes to pods that belong to an endpoint, unless they are listed here as well."""
    unlisted = {body for body in actual if body not in wanted}
    if not unlisted:
        return actual
    from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import endpoint_indexes

    pods = endpoint_indexes(netlink)
    return [b for b in actual if b not in unlisted or not any(hop.device in pods for hop in decode(b).way.hops)]


def without_devices(actual: list[bytes], names: t.Collection[str]) -> list[bytes]:
    """Leave out the routes by devices that are there."""
    if not names:
        return actual
    from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import index_of

    gone = {index for index in map(index_of, names) if index}
    return [body for body in actual if not any(hop.device in gone for hop in decode(body).way.hops)]
