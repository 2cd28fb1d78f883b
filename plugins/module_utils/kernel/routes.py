# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of ours in the kernel: read, compare, and change them without a moment in which one is missing."""

from __future__ import annotations

import typing as t

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

    create, replace (before and after) and delete are done in this order. surplus: routes of ours that are not wanted.
    """

    def __init__(self, devices: Devices) -> None:
        self.create: list[bytes] = []
        self.replace: list[tuple[bytes, bytes]] = []
        self.delete: list[bytes] = []
        self.surplus: list[bytes] = []
        self._devices = devices

    def __len__(self) -> int:
        return len(self.create) + len(self.replace) + len(self.delete)

    def __iter__(self) -> t.Iterator[Change]:
        for route in map(decode, self.create):
            yield Change("route", name(route), None, self.words(route))
        for before, after in self.replace:
            route = decode(after)
            yield Change("route", name(route), self.words(decode(before)), self.words(route))
        for route in map(decode, self.delete):
            yield Change("route", name(route), self.words(route), None)

    def summary(self) -> dict[str, int]:
        """Return how many changes there are by action."""
        return {"create": len(self.create), "replace": len(self.replace), "delete": len(self.delete)}

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
    for body in rest:
        after = changed.pop(key(body), None) if changed else None
        if after is None:
            result.surplus.append(body)
            continue
        del missing[after]
        if not fulfils(decode(body), decode(after)):
            result.replace.append((body, after))
    result.create = list(missing)
    result.delete = result.surplus if exclusive else []
    return result


def plan_absent(actual: t.Sequence[bytes], wanted: t.Iterable[bytes], devices: Devices) -> Plan:
    """Return the deletions of those routes of ours that have destination, table and metric of a listed one."""
    result = Plan(devices)
    listed = {key(body) for body in wanted}
    result.delete = [body for body in actual if key(body) in listed]
    return result


def ensure(entries: t.Any, *, state: str, exclusive: bool, check_mode: bool, take_over: bool = False) -> Outcome:
    """Bring the routes of ours in line with a list; all input is checked before anything is touched."""
    devices = Devices(unborn=check_mode or state == "absent")
    with only_one(check_mode), Netlink() as netlink:
        bodies, tables = parse(entries, devices)
        actual = read(netlink)
        if state == "absent":
            changes = plan_absent(actual, bodies, devices)
        else:
            actual = without_pods(netlink, actual, bodies)
            changes = plan(actual, bodies, devices, exclusive=exclusive)
        if len(changes):
            # Imported here since most calls have nothing to do, and a module's sources are compiled in each call.
            from ansible_collections.podnet.calico.plugins.module_utils.kernel import route_apply

            route_apply.settle_conflicts(netlink, changes, tables, take_over=take_over)
            if not check_mode:
                route_apply.apply(netlink, changes)
    surplus = [] if exclusive else changes.surplus[:_NAMED]
    return Outcome(changes, {"surplus": [name(decode(body)) for body in surplus]}, changes.summary())


def without_pods(netlink: Netlink, actual: list[bytes], wanted: t.Mapping[bytes, None]) -> list[bytes]:
    """Leave out the routes to pods that belong to an endpoint, unless they are listed here as well."""
    unlisted = {body for body in actual if body not in wanted}
    if not unlisted:
        return actual
    from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import endpoint_indexes

    pods = endpoint_indexes(netlink)
    return [b for b in actual if b not in unlisted or not any(hop.device in pods for hop in decode(b).way.hops)]
