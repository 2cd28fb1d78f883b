# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From one mode to another: tunnels of both, routes before and after, what a router carries, and what is refused."""

from __future__ import annotations

import itertools
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.calico import ENCAPSULATIONS
from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.kernel.devices import Devices
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_entries import parse as parse_routes
from ansible_collections.podnet.calico.plugins.module_utils.planner import ipam_records as records
from ansible_collections.podnet.calico.plugins.module_utils.planner.build import plan_of
from ansible_collections.podnet.calico.plugins.module_utils.planner.checked import ready
from ansible_collections.podnet.calico.plugins.module_utils.planner.ipam import claim, only_claims
from ansible_collections.podnet.calico.plugins.module_utils.planner.mode_change import change_of
from ansible_collections.podnet.calico.plugins.module_utils.planner.transition import staged, transition_of
from ansible_collections.podnet.calico.tests.unit.planner.clusters import (
    NOW,
    THREE_NODES,
    Document,
    Snapshot,
    cluster,
    document,
    node,
    plan_all,
    pool,
    seen,
    snapshot,
)

PAIRS = list(itertools.permutations(ENCAPSULATIONS, 2))
ROUTER = document("BGPPeer", "router", peerIP="192.0.2.1", asNumber=64513)
BOTH = {"node1": ("192.0.2.11/24", "2001:db8::11/64"), "node2": ("192.0.2.12/24", "2001:db8::12/64")}

# By encapsulation: the devices by which node1 reaches node2 in its own subnet and node3 in another. A router between
# subnets carries what has none.
DEVICES = {
    "None": ("eth0", None),
    "IPIP": ("tunl0", "tunl0"),
    "IPIPCrossSubnet": ("eth0", "tunl0"),
    "VXLAN": ("vxlan.calico", "vxlan.calico"),
    "VXLANCrossSubnet": ("eth0", "vxlan.calico"),
}
TUNNELS = {"I": "tunl0", "V": "vxlan.calico"}


class Change:
    """What the planner makes of a cluster and other pools for it."""

    def __init__(
        self, stored: Snapshot, pools: t.Sequence[Document], nodes: t.Mapping[str, str] = THREE_NODES, **host: t.Any
    ) -> None:
        self.stored = stored
        self.claimed = claim(put(stored, pools), nodes, now=NOW, keep=True)
        agreed = ready(self.claimed, seen(nodes, **host), "auto")
        change = change_of(stored, self.claimed, agreed)
        self.plans = {name: plan_of(agreed, name).as_dict() for name in agreed.hosts}
        self.transitions = {name: transition_of(change, name, each) for name, each in agreed.hosts.items()}

    def ways(self, name: str, when: str) -> dict[str, tuple[str | None, str | None, int | None]]:
        """Return gateway, device and metric of a node's routes before or after it moves, by destination."""
        routes = getattr(self.transitions[name], when)
        assert len({route.destination for route in routes}) == len(routes)
        return {route.destination: (route.gateway, route.device, route.metric) for route in routes}


def change(old: str, new: str, **host: t.Any) -> Change:
    stored = cluster(pool(encapsulation=old), extra=[ROUTER])
    return Change(stored, [pool(encapsulation=new)], **host)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_each_pair_of_modes(old: str, new: str) -> None:
    made = change(old, new)
    blocks = {name: made.plans[name]["blocks"][0] for name in THREE_NODES}
    before, after = made.ways("node1", "before"), made.ways("node1", "after")
    for ways, mode in ((before, old), (after, new)):
        found = [ways.get(blocks[other], (None, None))[1] for other in ("node2", "node3")]
        assert found == list(DEVICES[mode])
        assert ways[blocks["node1"]] == (None, None, None)  # the blackhole
        assert "169.254.1.1/32" in ways
    assert made.transitions["node1"].changes == (f"main: {old} -> {new}",)
    tunnels = {tunnel["name"] for tunnel in made.plans["node1"]["tunnels"]}
    assert tunnels == {TUNNELS[mode[0]] for mode in (old, new) if mode != "None"}


def test_the_gateway_of_pods_keeps_the_route_of_others() -> None:
    made = change("VXLAN", "IPIP", pod_gateway=True)
    for when in ("before", "after"):
        assert "169.254.1.1/32" not in made.ways("node1", when)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_bird_is_prepared_first_unless_its_routes_show(old: str, new: str) -> None:
    """The router carries None between subnets: there no route of ours hides what BIRD does."""
    assert change(old, new).transitions["node1"].bird_first == (old != "None")


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_only_probe_pods_try_the_new_mode(old: str, new: str) -> None:
    made = change(old, new)
    before, after = made.ways("node1", "before"), made.ways("node1", "after")
    targets = {target["name"]: f"{target['address']}/32" for target in made.plans["node1"]["probes"][0]["targets"]}
    reached = {name: device for name, device in zip(("node2", "node3"), DEVICES[new]) if device}
    assert {name: before[targets[name]][1] for name in reached} == reached
    assert sorted(made.transitions["node1"].trial) == sorted(targets[name] for name in reached)
    assert not set(targets.values()) & set(after)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_what_both_modes_refuse_is_refused_all_the_time(old: str, new: str) -> None:
    made = change(old, new)
    for when in ("before", "after"):
        found = [route.destination for route in getattr(made.transitions["node1"], when) if route.type == "unreachable"]
        assert found == ([] if "None" in (old, new) else ["10.244.0.0/16"])


def test_the_kernel_takes_the_routes() -> None:
    for old, new in PAIRS:
        transition = change(old, new).transitions["node1"].as_dict()
        for when in ("before", "after"):
            bodies, __ = parse_routes(transition[when], Devices(unborn=True))
            assert len(bodies) == len(transition[when])


@pytest.mark.parametrize(
    ("old", "new", "mtu"), [("None", "VXLAN", 1450), ("VXLAN", "IPIP", 1450), ("IPIP", "None", 1480)]
)
def test_the_smaller_mtu_counts(old: str, new: str, mtu: int) -> None:
    assert change(old, new).transitions["node1"].mtu == mtu


@pytest.mark.parametrize(("checks", "sysctls"), [(True, {"net.ipv4.conf.all.rp_filter": "2"}), (False, {})])
def test_sources_are_checked_loosely_where_they_are_checked(checks: bool, sysctls: dict[str, str]) -> None:
    assert change("None", "VXLAN", checks_sources=checks).transitions["node1"].sysctls == sysctls


@pytest.mark.parametrize("new", ["None", "IPIP"])
def test_bird_has_to_have_all_blocks(new: str) -> None:
    made = change("VXLAN", new)
    expected = [made.plans[other]["blocks"][0] for other in ("node2", "node3")]
    assert sorted(route.destination for route in made.transitions["node1"].carried) == sorted(expected)
    assert change(new, "VXLAN").transitions["node1"].carried == ()


def dual(encapsulation: str) -> list[Document]:
    return [pool("four", "10.244.0.0/16", encapsulation), pool("six", "fd00::/64", encapsulation)]


@pytest.mark.parametrize(("old", "new"), [("None", "VXLAN"), ("VXLAN", "None")])
def test_dual_stack(old: str, new: str) -> None:
    nodes = [node(name, four, ipv6Address=six) for name, (four, six) in BOTH.items()]
    hosts = {name: four for name, (four, __) in BOTH.items()}
    stored = claim(snapshot(*dual(old), *nodes), hosts, now=NOW)
    made = Change(stored, dual(new), hosts)
    four, six = made.plans["node2"]["blocks"]
    end = made.claimed["Node", "node2"]["spec"]["ipv6VXLANTunnelAddr"]
    before, after = made.ways("node1", "before"), made.ways("node1", "after")
    direct = {four: ("192.0.2.12", "eth0", None), six: ("2001:db8::12", "eth0", 1)}
    for ways, mode in ((before, old), (after, new)):
        found = {block: ways[block] for block in (four, six)}
        assert (found == direct) == (mode == "None")
        assert {way[2] for way in found.values()} == {None, 1}
        # Without it the kernel refuses the tunnel's end as a gateway while its block is routed directly.
        assert ways[f"{end}/128"] == (None, "vxlan-v6.calico", 1)
        assert list(ways).index(f"{end}/128") < list(ways).index(six)


def test_an_address_that_another_node_has_borrowed_moves_along() -> None:
    stored = cluster(pool(encapsulation="VXLAN"))
    key = next(key for key, found in stored.items() if key[0] == "IPAMBlock" and records.owner(found) == "node3")
    stored[key] = records.allocate(stored[key], 40, "pod", {"node": "node2", "pod": "default/shop"})
    made = Change(stored, [pool(encapsulation="VXLANCrossSubnet")])
    address = f"{records.network(stored[key])[40]}/32"
    assert made.ways("node1", "before")[address][1] == "vxlan.calico"
    assert made.ways("node1", "after")[address][:2] == ("192.0.2.12", "eth0")
    assert address not in made.ways("node2", "before")


def test_nothing_but_claims_is_stored_and_nothing_is_released() -> None:
    made = change("VXLAN", "IPIP")
    kept = only_claims(made.stored, made.claimed)
    assert kept["IPPool", "main"] == made.stored["IPPool", "main"]
    spec = kept["Node", "node1"]["spec"]
    assert spec["ipv4VXLANTunnelAddr"] == made.stored["Node", "node1"]["spec"]["ipv4VXLANTunnelAddr"]
    assert spec["bgp"]["ipv4IPIPTunnelAddr"] != spec["ipv4VXLANTunnelAddr"]
    assert claim(put(kept, [pool(encapsulation="IPIP")]), THREE_NODES, now=NOW, keep=True) == made.claimed
    released = claim(put(kept, [pool(encapsulation="IPIP")]), THREE_NODES, now=NOW)
    assert "ipv4VXLANTunnelAddr" not in released["Node", "node1"]["spec"]


def test_the_same_mode_is_no_change() -> None:
    made = change("IPIP", "IPIP")
    assert (made.transitions["node1"].changes, made.transitions["node1"].trial) == ((), ())
    assert made.ways("node1", "before") == made.ways("node1", "after")


TWO = {name: THREE_NODES[name] for name in ("node1", "node2")}


def test_a_node_that_takes_no_part_is_refused() -> None:
    stored = cluster(pool(encapsulation="VXLAN"))
    with pytest.raises(InvalidInput, match="node3 are in the datastore, but not in this run"):
        Change(stored, [pool(encapsulation="IPIP")], TWO)


def test_a_node_that_is_not_deployed_is_refused() -> None:
    stored = cluster(pool(encapsulation="VXLAN"), nodes=TWO)
    with pytest.raises(InvalidInput, match="node3 are not in the datastore"):
        Change(stored, [pool(encapsulation="IPIP"), node("node3", THREE_NODES["node3"])])


def test_a_pool_that_is_new_is_refused() -> None:
    with pytest.raises(InvalidInput, match="change the mode of pools: second are new"):
        Change(cluster(pool()), [pool(encapsulation="IPIP"), pool(name="second", cidr="10.245.0.0/16")])


def test_hosts_come_as_they_were_seen() -> None:
    facts = seen(programs={"bird": True}, ipv6_address=None)
    assert plan_all(cluster(pool()), facts, "auto") == plan_all(cluster(pool()), seen(), "auto")


def test_pools_that_come_to_and_from_the_router_change_one_after_the_other() -> None:
    stored = cluster(pool("a", "10.1.0.0/16", "None"), pool("b", "10.2.0.0/16", "VXLAN"), extra=[ROUTER])
    with pytest.raises(InvalidInput, match=r"for one of them only\. Change the mode of one pool"):
        Change(stored, [pool("a", "10.1.0.0/16", "VXLAN"), pool("b", "10.2.0.0/16", "None")])
    assert Change(stored, [pool("a", "10.1.0.0/16", "VXLAN")]).transitions["node1"].bird_first is False


def test_tunnels_have_the_first_two_addresses_of_a_block_whatever_came_before() -> None:
    """A container runtime's host-local gives all others to pods, which the datastore does not know of."""
    stored = cluster(pool(encapsulation="None"))
    for mode in ("VXLAN", "None", "VXLAN", "IPIP", "VXLAN", "None", "IPIP", "VXLANCrossSubnet"):
        keeping = claim(put(stored, [pool(encapsulation=mode)]), THREE_NODES, now=NOW, keep=True)
        stored = claim(keeping, THREE_NODES, now=NOW)
        taken = {
            int(address) - int(records.network(block)[0])
            for (kind, __), block in keeping.items()
            if kind == "IPAMBlock"
            for address, entry in records.allocations(block)
            if entry["secondary"]["type"] != "podnetProbe"
        }
        assert taken <= {0, 1}


PLAN: dict[str, t.Any] = {
    "node": "node1",
    "routes": ["final"],
    "standby": ["kept for BIRD"],
    "requirements": {"sysctls": {"net.ipv4.ip_forward": "1"}, "open": ["udp 4789"]},
    "cni": {"mtu": 1500, "ranges": []},
    "transition": {
        "before": ["old"],
        "after": ["new"],
        "sysctls": {"net.ipv4.conf.all.rp_filter": "2"},
        "mtu": 1450,
    },
}


@pytest.mark.parametrize(("moved", "routes"), [(False, ["old"]), (True, ["new"])])
def test_the_plan_meanwhile(moved: bool, routes: list[str]) -> None:
    assert staged(PLAN, moved) == {
        **PLAN,
        "routes": routes,
        "standby": [],
        "requirements": {
            "sysctls": {"net.ipv4.ip_forward": "1", "net.ipv4.conf.all.rp_filter": "2"},
            "open": ["udp 4789"],
        },
        "cni": {"mtu": 1450, "ranges": []},
    }
