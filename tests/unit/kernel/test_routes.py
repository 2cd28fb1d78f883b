# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which routes are created, replaced, deleted or left, from what is there and what is wanted; in which order."""

from __future__ import annotations

import errno
import ipaddress
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, KernelError
from ansible_collections.podnet.calico.plugins.module_utils.kernel import route_apply, routes
from ansible_collections.podnet.calico.plugins.module_utils.kernel.devices import Devices
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Refusal
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_entries import parse
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import decode, encode, name
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    RTM_DELROUTE,
    RTM_NEWROUTE,
    RTMSG,
)
from ansible_collections.podnet.calico.plugins.module_utils.marks import BIRD_PROTOCOL, ROUTE_PROTOCOL

STATIC = 4
# By a word: the options of a route to A or B; "eth7" is a device that this host does not have.
A, B, A6 = "10.244.0.0/26", "10.244.1.0/26", "fd00:10::/122"
ROUTES: dict[str, dict[str, t.Any]] = {
    "A": {"destination": A, "gateway": "192.0.2.12", "device": "eth7"},
    "A by another gateway": {"destination": A, "gateway": "192.0.2.13", "device": "eth7"},
    "A by any device": {"destination": A, "gateway": "192.0.2.12"},
    "A nowhere": {"destination": A, "type": "blackhole"},
    "A, metric 7": {"destination": A, "gateway": "192.0.2.12", "device": "eth7", "metric": 7},
    "A, table 7": {"destination": A, "gateway": "192.0.2.12", "device": "eth7", "table": 7},
    "B": {"destination": B, "type": "blackhole"},
    "A of IPv6": {"destination": A6, "type": "blackhole"},
}


def bodies(words: t.Iterable[str], devices: Devices) -> dict[bytes, None]:
    return parse([ROUTES[word] for word in words], devices).bodies


def names(found: t.Iterable[bytes]) -> list[str]:
    return [name(decode(body)) for body in found]


def foreign(word: str, protocol: int = STATIC) -> bytes:
    """Return the body of a route that somebody else has made."""
    return encode(decode(next(iter(bodies([word], Devices(unborn=True)))))._replace(protocol=protocol))


# By name: what is there, what is wanted, what is created, replaced, and left or (exclusive) deleted.
PLANS: dict[str, tuple[list[str], list[str], list[str], list[str], list[str]]] = {
    "nothing": ([], [], [], [], []),
    "as it should be": (["A", "B"], ["B", "A"], [], [], []),
    "the first ones": ([], ["A", "B"], [A, B], [], []),
    "one more": (["A"], ["A", "B"], [B], [], []),
    "one less": (["A", "B"], ["A"], [], [], [B]),
    "none any more": (["A", "B"], [], [], [], [A, B]),
    "another gateway": (["A", "B"], ["A by another gateway", "B"], [], [A], []),
    "another type": (["A"], ["A nowhere"], [], [A], []),
    "a device that the kernel has found": (["A"], ["A by any device"], [], [], []),
    "a device that is named now": (["A by any device"], ["A"], [], [A], []),
    "another metric": (["A"], ["A, metric 7"], [f"{A} metric 7"], [], [A]),
    "another table": (["A"], ["A, table 7"], [f"{A} table 7"], [], [A]),
    "of both IP versions": (["A"], ["A", "A of IPv6"], [A6], [], []),
    "all at once": (["A", "B"], ["A nowhere", "A of IPv6"], [A6], [A], [B]),
}


@pytest.mark.parametrize("exclusive", [False, True], ids=["", "exclusive"])
@pytest.mark.parametrize(("there", "wanted", "create", "replace", "rest"), PLANS.values(), ids=PLANS)
def test_plan(
    there: list[str], wanted: list[str], create: list[str], replace: list[str], rest: list[str], exclusive: bool
) -> None:
    devices = Devices(unborn=True)
    plan = routes.plan(list(bodies(there, devices)), bodies(wanted, devices), devices, exclusive=exclusive)
    assert names(plan.create) == create
    assert names(before for before, __ in plan.replace) == names(after for __, after in plan.replace) == replace
    assert names(plan.delete) == (rest if exclusive else [])
    assert names(plan.surplus) == rest
    assert [change.name for change in plan] == create + replace + names(plan.delete)
    assert plan.summary() == {"create": len(create), "replace": len(replace), "delete": len(plan.delete)}
    assert len(plan) == sum(plan.summary().values())


# By name: routes of ours under one key, what is wanted, what goes first, and what is replaced.
SEVERAL: dict[str, tuple[list[str], str, list[str], list[str]]] = {
    "the wanted one among them": (["A", "A nowhere"], "A", ["A"], ["A nowhere"]),
    "none is wanted": (["A", "A nowhere"], "A by another gateway", ["A"], ["A nowhere"]),
    "one without a gateway stays, and is replaced in any case": (["A nowhere", "A"], "A nowhere", ["A"], ["A nowhere"]),
    "the same twice": (["A", "A"], "A", ["A"], []),
    "two with gateways": (["A", "A by another gateway"], "A nowhere", ["A"], ["A by another gateway"]),
}


@pytest.mark.parametrize(("there", "wanted", "cleared", "replaced"), SEVERAL.values(), ids=SEVERAL)
def test_of_several_one_is_left(there: list[str], wanted: str, cleared: list[str], replaced: list[str]) -> None:
    devices = Devices(unborn=True)
    actual = [next(iter(bodies([word], devices))) for word in there]
    plan = routes.plan(actual, bodies([wanted], devices), devices, exclusive=False)
    assert plan.clear == [next(iter(bodies([word], devices))) for word in cleared]
    assert plan.replace == [(*bodies([word], devices), *bodies([wanted], devices)) for word in replaced]
    assert (plan.create, plan.delete, plan.surplus) == ([], [], [])
    assert plan.summary() == {"create": 0, "replace": len(replaced), "delete": len(cleared)}
    kernel = Kernel()
    route_apply.apply(kernel, plan)  # type: ignore[arg-type]
    assert [kind for kind, __, __ in kernel.asked] == [RTM_DELROUTE, *([RTM_NEWROUTE] if replaced else [])]


@pytest.mark.parametrize(
    ("there", "listed", "deleted"),
    [
        (["A", "B"], ["A"], [A]),
        (["A", "B"], ["A by another gateway"], [A]),
        (["A"], ["A, metric 7"], []),
        (["A, metric 7", "A"], ["A, metric 7"], [f"{A} metric 7"]),
        (["A"], ["A, table 7", "B"], []),
        ([], ["A"], []),
    ],
)
def test_plan_absent(there: list[str], listed: list[str], deleted: list[str]) -> None:
    devices = Devices(unborn=True)
    plan = routes.plan_absent(list(bodies(there, devices)), bodies(listed, devices), devices)
    assert (names(plan.delete), plan.create, plan.replace) == (deleted, [], [])


class Kernel:
    """Stands in for the socket: has some routes, refuses what it is told to, and writes down what it is asked."""

    def __init__(self, there: t.Sequence[bytes] = (), refuse: t.Mapping[bytes, int] | None = None) -> None:
        self.asked: list[tuple[int, int, list[str]]] = []
        self._there, self._refuse = there, refuse or {}

    def dump(self, __: int, body: bytes) -> list[bytes]:
        family, protocol = RTMSG.unpack_from(body)[0], RTMSG.unpack_from(body)[5]
        return [each for each in self._there if each[0] == family and protocol in (0, each[5])]

    def send_alike(self, kind: int, flags: int, requests: t.Sequence[bytes]) -> list[Refusal]:
        if requests:
            self.asked.append((kind, flags, names(requests)))
        refused = [(place, self._refuse[body]) for place, body in enumerate(requests) if body in self._refuse]
        return [Refusal(place, number, "") for place, number in refused]


CREATE, REPLACE = NLM_F_CREATE | NLM_F_EXCL, NLM_F_CREATE | NLM_F_REPLACE


def planned(there: t.Iterable[str], wanted: t.Iterable[str], devices: Devices) -> routes.Plan:
    return routes.plan(list(bodies(there, devices)), bodies(wanted, devices), devices, exclusive=True)


def test_routes_are_deleted_last_and_replaced_in_one_message() -> None:
    kernel, devices = Kernel(), Devices(unborn=True)
    changes = planned(["A", "B"], ["A nowhere", "A of IPv6"], devices)
    route_apply.apply(kernel, changes)  # type: ignore[arg-type]
    assert kernel.asked == [
        (RTM_NEWROUTE, CREATE, [A6]),
        (RTM_NEWROUTE, REPLACE, [A]),
        (RTM_DELROUTE, 0, [B]),
    ]


@pytest.mark.parametrize(
    ("refused", "said"), [("A of IPv6", f"create route {A6} blackhole"), ("A nowhere", f"replace route {A} blackhole")]
)
def test_nothing_is_deleted_if_something_cannot_be_made(refused: str, said: str) -> None:
    devices = Devices(unborn=True)
    changes = planned(["A", "B"], ["A nowhere", "A of IPv6"], devices)
    kernel = Kernel(refuse=dict.fromkeys(bodies([refused], devices), errno.EINVAL))
    with pytest.raises(KernelError) as caught:
        route_apply.apply(kernel, changes)  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert RTM_DELROUTE not in [kind for kind, __, __ in kernel.asked]


@pytest.mark.parametrize(("number", "fails"), [(errno.ESRCH, False), (errno.EPERM, True)])
def test_a_route_that_has_gone_by_itself_is_no_error(number: int, fails: bool) -> None:
    devices = Devices(unborn=True)
    changes = planned(["A", "B"], ["A"], devices)
    kernel = Kernel(refuse=dict.fromkeys(bodies(["B"], devices), number))
    if not fails:
        route_apply.apply(kernel, changes)  # type: ignore[arg-type]
        return
    with pytest.raises(KernelError, match=f"delete route {B} blackhole"):
        route_apply.apply(kernel, changes)  # type: ignore[arg-type]


# By name: a route of somebody else, what is wanted, and whether it is in the way.
OTHERS: dict[str, tuple[bytes, str, bool]] = {
    "the same destination": (foreign("A"), "A nowhere", True),
    "the same in another table": (foreign("A, table 7"), "A", False),
    "with another metric": (foreign("A, metric 7"), "A", False),
    "another destination": (foreign("B"), "A", False),
    "ours": (foreign("A", ROUTE_PROTOCOL), "A nowhere", False),
}


@pytest.mark.parametrize(("there", "wanted", "in_the_way"), OTHERS.values(), ids=OTHERS)
def test_a_route_of_others_is_refused_or_taken_over(there: bytes, wanted: str, in_the_way: bool) -> None:
    devices = Devices(unborn=True)
    listed, tables = parse([ROUTES[wanted]], devices)
    for take_over in (False, True):
        changes = routes.plan([], listed, devices, exclusive=False)
        kernel = Kernel([there])
        if in_the_way and not take_over:
            with pytest.raises(Conflict, match="one exists that is not ours"):
                route_apply.settle_conflicts(kernel, changes, tables, take_over=False)  # type: ignore[arg-type]
            continue
        route_apply.settle_conflicts(kernel, changes, tables, take_over=take_over)  # type: ignore[arg-type]
        assert changes.create == ([] if in_the_way else list(listed))
        assert changes.replace == ([(there, *listed)] if in_the_way else [])


# By the network whose routes a daemon may have left: those of A, B and A6 in it.
LEFT: dict[str, list[str]] = {
    A: [A],
    "10.244.0.0/16": [A, B],
    "10.244.0.0/27": [],
    "10.244.2.0/26": [],
    "0.0.0.0/0": [A, B],
    A6: [A6],
    "fd00:10::/48": [A6],
    "::/0": [A6],
}


@pytest.mark.parametrize(("network", "expected"), LEFT.items())
def test_what_a_daemon_left_behind(network: str, expected: list[str]) -> None:
    of_bird = [foreign(word, BIRD_PROTOCOL) for word in ("A", "B", "A of IPv6")]
    kernel = Kernel([*of_bird, foreign("A", STATIC)])
    found = route_apply.left_behind(
        kernel,  # type: ignore[arg-type]
        BIRD_PROTOCOL,
        [ipaddress.ip_network(network)],
    )
    assert names(found.delete) == expected
    assert set(found.delete) <= set(of_bird)
