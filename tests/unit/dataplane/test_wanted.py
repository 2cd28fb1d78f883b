# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a plan that a node's kernel and boot get: which, and what is refused."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.dataplane import wanted
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.planner.handover import whole
from ansible_collections.podnet.calico.tests.unit.planner.clusters import cluster, plans, pool

Plan = t.Dict[str, t.Any]

PLAN: Plan = plans(cluster(pool(natOutgoing=True)))["node1"]
STANDBY = {"destination": "10.244.9.0/26", "type": "blackhole", "metric": 4096}
NEEDS = PLAN["requirements"]
TUNNEL, ROUTE = PLAN["tunnels"][0], PLAN["routes"][0]


def asked(exclusive: bool = False, **changed: t.Any) -> wanted.Wanted:
    return of_parts({**PLAN, **changed}, exclusive)


def of_parts(plan: Plan, exclusive: bool = False) -> wanted.Wanted:
    return wanted.of_plan(whole(plan, wanted.PARTS), exclusive=exclusive, checksum_offload=None)


def test_parts_of_a_plan() -> None:
    found = asked()
    assert (found.sysctls, found.tunnels, found.routes) == (NEEDS["sysctls"], PLAN["tunnels"], PLAN["routes"])
    assert [str(network) for network in found.nat.masquerade] == ["10.244.0.0/16"]
    assert found.nat.tunnels == ["vxlan.calico"]
    assert found.guarding is not None
    assert [str(node) for node in found.guarding.nodes] == ["192.0.2.12/32", "198.51.100.13/32"]
    assert found.boot.tunnels == ["vxlan.calico"]
    assert "eth0" in found.boot.underlay


def test_what_no_part_of_the_data_path_is_may_be_left_out() -> None:
    parts = ("device", "nat", "requirements", "routes", "tunnels")
    found = of_parts({part: PLAN[part] for part in parts})
    assert found.guarding is not None
    assert found.routes == PLAN["routes"]


def test_the_guard_can_be_off() -> None:
    assert asked(guard=False).guarding is None


@pytest.mark.parametrize("exclusive", [False, True])
def test_routes_that_stand_by_are_wanted_until_all_others_go(exclusive: bool) -> None:
    found = asked(exclusive, standby=[STANDBY])
    assert [route["destination"] for route in found.routes].count(STANDBY["destination"]) == (not exclusive)
    assert str(STANDBY["destination"]) not in found.boot.text


REFUSED: dict[str, tuple[Plan, str]] = {
    "no list": ({"routes": 7}, "plan.routes 7 is not a list"),
    "two tunnels of a name": ({"tunnels": [TUNNEL, TUNNEL]}, "vxlan.calico is listed twice"),
    "an odd MTU": ({"tunnels": [{**TUNNEL, "mtu": 7}]}, "mtu 7 is not between"),
    "host bits": ({"routes": [{**ROUTE, "destination": "10.0.0.1/26"}]}, "host bits"),
    "a route and one that stands by contradict": (
        {"standby": [{**ROUTE, "type": "unreachable", "device": None, "gateway": None}]},
        "is listed twice",
    ),
    "NAT outside of pools": ({"nat": {"masquerade": ["10.9.0.0/16"], "pools": []}}, "is not within pools"),
    "a device that cannot be": ({"device": "eth0:1"}, 'uplinks: "eth0:1"'),
    "a node": ({"requirements": {**NEEDS, "nodes": ["somewhere"]}}, '"somewhere" is not an address'),
    "a sysctl": ({"requirements": {**NEEDS, "sysctls": {"a.b": "1\n2"}}}, "several lines"),
}


@pytest.mark.parametrize(("changed", "reason"), REFUSED.values(), ids=REFUSED)
def test_whatever_cannot_be_is_refused(changed: Plan, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        asked(**changed)
    assert reason in str(caught.value)
