# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which routes of BIRD and of others an audit reports, from the plan and the routes of a host."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.kernel.devices import Devices
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_entries import parse
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import Route, decode
from ansible_collections.podnet.calico.plugins.module_utils.marks import BIRD_PROTOCOL, ROUTE_PROTOCOL
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit_routes import Scene, of_bird, of_others
from ansible_collections.podnet.calico.tests.unit.planner.clusters import (
    THREE_NODES,
    cluster,
    document,
    plan_all,
    plans,
    pool,
    seen,
)

Data = t.Dict[str, t.Any]
Found = t.List[t.Tuple[str, str, str, str]]
STATIC = 4
NODES = {"node1": "192.0.2.11/24", "node2": "192.0.2.12/24", "node3": "192.0.2.13/24"}
OWN, SECOND, THIRD, GONE = "10.244.166.128/26", "10.244.104.0/26", "10.244.135.0/26", "10.244.9.0/26"


def scene(
    plan: Data, listed: t.Iterable[tuple[int, Data]], ours: t.Collection[str] = (), birds: t.Collection[t.Any] = ()
) -> Scene:
    """Return a host with routes, each with its protocol number; ours: names of devices of ours."""
    devices = Devices(unborn=True)
    found: list[Route] = []
    for protocol, options in listed:
        (body,) = parse([options], devices).bodies
        found.append(decode(body)._replace(protocol=protocol))
    return Scene(plan, found, devices, {devices.index(name, "") for name in ours}, birds)


def brief(found: t.Iterable[t.Any]) -> Found:
    return [(each.category, each.name, each.expected, each.actual) for each in found]


def planned(encapsulation: str = "None", bgp: str = "enabled", **spec: t.Any) -> Data:
    stored = cluster(pool(encapsulation=encapsulation, **spec), nodes=NODES)
    return t.cast("Data", plan_all(stored, seen(NODES), bgp, standby=True)["node1"])


def by_bird(destination: str, gateway: str = "", **options: t.Any) -> tuple[int, Data]:
    way = {"gateway": gateway, "device": "eth0"} if gateway else {"type": "blackhole"}
    return BIRD_PROTOCOL, {"destination": destination, "metric": 32, **way, **options}


GOOD = [by_bird(OWN), by_bird(SECOND, "192.0.2.12"), by_bird(THIRD, "192.0.2.13")]
ROUTER = (STATIC, {"destination": "0.0.0.0/0", "gateway": "192.0.2.1", "device": "eth0"})
# By name: routes of a host, and what is wrong with those of BIRD.
OF_BIRD: dict[str, tuple[list[tuple[int, Data]], Found]] = {
    "as planned": (GOOD, []),
    "one is missing": (GOOD[:2], [("missing", THIRD, "via 192.0.2.13 dev eth0 proto bird", "")]),
    "the own block is missing": (GOOD[1:], [("missing", OWN, "blackhole proto bird", "")]),
    "one is in another table": (
        [*GOOD[:2], by_bird(THIRD, "192.0.2.13", table=99)],
        [("missing", THIRD, "via 192.0.2.13 dev eth0 proto bird", "")],
    ),
    "one of another table is of no concern": ([*GOOD, by_bird(GONE, "192.0.2.12", table=99)], []),
    "another table does not hide a wrong one": (
        [*GOOD[:2], by_bird(THIRD, "192.0.2.19"), by_bird(THIRD, "192.0.2.13", table=99)],
        [("wrong", THIRD, "via 192.0.2.13 dev eth0 proto bird", "via 192.0.2.19 dev eth0 proto bird")],
    ),
    "somebody else's in its place": (
        [*GOOD[:2], (STATIC, by_bird(THIRD, "192.0.2.13")[1])],
        [("missing", THIRD, "via 192.0.2.13 dev eth0 proto bird", "")],
    ),
    "another gateway": (
        [*GOOD[:2], by_bird(THIRD, "192.0.2.12")],
        [("wrong", THIRD, "via 192.0.2.13 dev eth0 proto bird", "via 192.0.2.12 dev eth0 proto bird")],
    ),
    "another device": (
        [*GOOD[:2], by_bird(THIRD, "192.0.2.13", device="tunl0")],
        [("wrong", THIRD, "via 192.0.2.13 dev eth0 proto bird", "via 192.0.2.13 dev tunl0 proto bird")],
    ),
    "an own block that leads elsewhere": (
        [by_bird(OWN, "192.0.2.12"), *GOOD[1:]],
        [("wrong", OWN, "blackhole proto bird", "via 192.0.2.12 dev eth0 proto bird")],
    ),
    "one of a node that is gone": (
        [*GOOD, by_bird(GONE, "192.0.2.19")],
        [("stale", GONE, "", "via 192.0.2.19 dev eth0 proto bird")],
    ),
    "a block that this node has given up": (
        [*GOOD, by_bird(GONE)],
        [("stale", GONE, "", "blackhole proto bird")],
    ),
    "one by a router that others know": ([*GOOD, ROUTER, by_bird(GONE, "192.0.2.1")], []),
    "outside of the pools": ([*GOOD, by_bird("203.0.113.0/24", "192.0.2.19")], []),
}


@pytest.mark.parametrize(("listed", "expected"), OF_BIRD.values(), ids=OF_BIRD)
def test_routes_of_bird(listed: list[tuple[int, Data]], expected: Found) -> None:
    assert brief(of_bird(scene(planned(), listed))) == expected


def test_a_router_that_is_a_peer_may_lead_to_pods() -> None:
    stored = cluster(
        pool(encapsulation="None"), extra=[document("BGPPeer", "router", peerIP="192.0.2.1", asNumber=64513)]
    )
    plan = plans(stored, THREE_NODES)["node1"]
    there = [by_bird(plan["blocks"][0]), by_bird(GONE, "192.0.2.1")]
    assert brief(of_bird(scene({**plan, "standby": []}, there))) == []


@pytest.mark.parametrize("encapsulation", ["IPIP", "VXLAN"])
def test_no_router_leads_to_pods_behind_a_tunnel(encapsulation: str) -> None:
    found = brief(of_bird(scene({**planned(encapsulation), "standby": []}, [ROUTER, by_bird(GONE, "192.0.2.1")])))
    assert ("stale", GONE, "", "via 192.0.2.1 dev eth0 proto bird") in found


@pytest.mark.parametrize(
    "plan", [planned("VXLAN"), planned(blockSize=32), planned("VXLAN", "disabled")], ids=["VXLAN", "/32", "no BIRD"]
)
def test_own_blocks_that_bird_leaves_to_us_are_not_expected_of_it(plan: Data) -> None:
    assert brief(of_bird(scene({**plan, "standby": []}, []))) == []


def static(destination: str, device: str = "eth1", **options: t.Any) -> tuple[int, Data]:
    return STATIC, {"destination": destination, "device": device, **options}


# By name: a route of a host, and whether it is in the way of packets to pods.
OF_OTHERS: dict[str, tuple[tuple[int, Data], bool]] = {
    "to another node's block": (static(SECOND), True),
    "to a part of a pool": (static("10.244.250.0/24"), True),
    "in another table": (static(SECOND, table=99), True),
    "to the whole pool": (static("10.244.0.0/16"), False),  # less than any block's
    "to more than the pool": (static("10.0.0.0/8"), False),
    "elsewhere": (static("10.243.0.0/16"), False),
    "of another IP version": (static("fd00::/64"), False),
    "to an own pod": (static("10.244.166.140/32"), False),
    "to somebody else's pod": (static("10.244.104.7/32"), True),
    "to a part of the own block": (static("10.244.166.128/27"), True),
    "on a device of ours": (static(SECOND, "cali0"), False),
    "nowhere": ((STATIC, {"destination": SECOND, "type": "blackhole"}), True),
    "of ours": ((ROUTE_PROTOCOL, static(SECOND)[1]), False),
    "of BIRD": ((BIRD_PROTOCOL, static(SECOND)[1]), False),
}


@pytest.mark.parametrize(("route", "in_the_way"), OF_OTHERS.values(), ids=OF_OTHERS)
def test_routes_of_others(route: tuple[int, Data], in_the_way: bool) -> None:
    found = brief(of_others(scene(planned(), [route], ours=["cali0"])))
    assert [each[0] for each in found] == (["foreign"] if in_the_way else [])


def test_a_route_of_others_to_a_whole_pool_is_theirs_though_ours_refuses_what_is_in_it() -> None:
    plan = planned("VXLAN", "disabled")
    assert "10.244.0.0/16" in {route["destination"] for route in plan["routes"]}
    assert brief(of_others(scene(plan, [static("10.244.0.0/16")]))) == []


OUTSIDE = ipaddress.ip_network("203.0.113.0/24")
# By name: a route of a host, and whether BIRD cannot have its own beside it.
CLASHES: dict[str, tuple[tuple[int, Data], bool]] = {
    "to another node's block": (static(SECOND, metric=32), True),
    "to a block, with another metric": (static(SECOND, metric=33), False),
    "to what a router announces": (static(str(OUTSIDE), metric=32), True),
    "to what a router announces, in another table": (static(str(OUTSIDE), metric=32, table=99), False),
    "to what BIRD does not know": (static("203.0.112.0/24", metric=32), False),
    "BIRD's own": ((BIRD_PROTOCOL, static(SECOND, metric=32)[1]), False),
    "to what BIRD leaves to others": (static("10.244.250.0/24", metric=32), False),
}


@pytest.mark.parametrize(("route", "clashes"), CLASHES.values(), ids=CLASHES)
def test_routes_of_others_with_the_metric_of_birds(route: tuple[int, Data], clashes: bool) -> None:
    found = list(of_others(scene(planned(), [route], birds=[OUTSIDE])))
    assert len(found) <= 1
    assert ["BIRD has a route there" in each.why and "another metric than 32" in each.remedy for each in found] == (
        [clashes] if found else []
    )
    assert bool(found) or not clashes


def test_a_route_of_others_to_a_pool_that_is_one_block_is_in_the_way() -> None:
    small = cluster(pool(cidr="10.244.0.0/26", encapsulation="None"), nodes={"node1": NODES["node1"]})
    plan = plans(small, {"node1": NODES["node1"]}, bgp="disabled")["node1"]
    assert plan["blocks"] == ["10.244.0.0/26"]
    found = brief(of_others(scene({**plan, "standby": []}, [static("10.244.0.0/26")])))
    assert found == [("foreign", "10.244.0.0/26", "", "dev eth1 proto static")]
