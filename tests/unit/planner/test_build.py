# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans of nodes: golden per encapsulation, MTU, routes without BIRD, IPv6."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.calico import ENCAPSULATIONS
from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put
from ansible_collections.podnet.calico.plugins.module_utils.kernel.devices import Devices
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_entries import parse as parse_routes
from ansible_collections.podnet.calico.plugins.module_utils.planner.build import own_route
from ansible_collections.podnet.calico.plugins.module_utils.planner.ipam import claim
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import REFUSAL_METRIC, STANDBY_METRIC
from ansible_collections.podnet.calico.tests.unit.planner.clusters import (
    NOW,
    THREE_NODES,
    cluster,
    document,
    node,
    plan_all,
    plans,
    pool,
    seen,
    snapshot,
)

Golden = t.Callable[[str, str], None]
ROUTER = document("BGPPeer", "router", peerIP="192.0.2.1", asNumber=64513)


def as_text(plan: dict[str, t.Any]) -> str:
    return json.dumps(plan, indent=2, sort_keys=True)


@pytest.mark.parametrize("encapsulation", ENCAPSULATIONS)
def test_plan_of_a_node(encapsulation: str, golden: Golden) -> None:
    extra = [ROUTER] if encapsulation == "None" else []
    made = plans(cluster(pool(encapsulation=encapsulation, natOutgoing=True), extra=extra))
    golden(f"plans/{encapsulation}.json", as_text(made["node1"]))


# By encapsulation: how node1 reaches node2 in its own subnet and node3 in another, without BIRD.
WAYS = {
    "IPIP": (("192.0.2.12", "tunl0"), ("198.51.100.13", "tunl0")),
    "IPIPCrossSubnet": (("192.0.2.12", "eth0"), ("198.51.100.13", "tunl0")),
    "VXLAN": (("vtep", "vxlan.calico"), ("vtep", "vxlan.calico")),
    "VXLANCrossSubnet": (("192.0.2.12", "eth0"), ("vtep", "vxlan.calico")),
}


@pytest.mark.parametrize("encapsulation", WAYS)
def test_ways_to_other_nodes_without_bird(encapsulation: str) -> None:
    stored = cluster(pool(encapsulation=encapsulation))
    made = plans(stored, bgp="disabled")
    by_destination = {route["destination"]: route for route in made["node1"]["routes"]}
    for other, (gateway, device) in zip(("node2", "node3"), WAYS[encapsulation]):
        route = by_destination[made[other]["blocks"][0]]
        vtep = stored["Node", other]["spec"].get("ipv4VXLANTunnelAddr")
        assert (route["gateway"], route["device"], route["onlink"]) == (
            vtep if gateway == "vtep" else gateway,
            device,
            True,
        )
    assert by_destination[made["node1"]["blocks"][0]]["type"] == "blackhole"
    assert made["node1"]["bgp"] is None


def test_each_node_goes_by_its_own_prefix_length() -> None:
    """As in Calico: node1 reaches node2 in its own network, node2 has a smaller one, in which node1 is not."""
    nodes = {"node1": "192.0.2.11/24", "node2": "192.0.2.130/25"}
    made = plans(cluster(pool(encapsulation="VXLANCrossSubnet"), nodes=nodes), nodes)
    devices = {
        name: {route["device"] for route in plan["routes"] if route["gateway"] in ("192.0.2.11", "192.0.2.130")}
        for name, plan in made.items()
    }
    assert devices == {"node1": {"eth0"}, "node2": set()}
    assert "vxlan.calico" in {route["device"] for route in made["node2"]["routes"]}


def test_one_subnet_needs_no_tunnel_and_no_bird_when_it_is_disabled() -> None:
    nodes = {name: THREE_NODES[name] for name in ("node1", "node2")}
    made = plans(cluster(pool(encapsulation="None"), nodes=nodes), nodes, bgp="disabled")["node1"]
    assert made["tunnels"] == []
    assert [route["device"] for route in made["routes"] if route["gateway"]] == ["eth0"]


@pytest.mark.parametrize(
    ("text", "is_block", "expected"),
    [
        ("10.244.0.0/26", True, "blackhole"),
        ("10.244.0.0/31", True, "blackhole"),
        ("10.244.0.0/32", True, None),  # the route to the one pod that can be in it
        ("10.244.0.7/32", False, None),
        ("fd00:10::/122", True, "blackhole"),
        ("fd00:10::/127", True, "blackhole"),
        ("fd00:10::/128", True, None),
        ("fd00:10::32/122", True, "blackhole"),
    ],
)
def test_own_blocks_end_here_and_single_addresses_do_not(text: str, is_block: bool, expected: str | None) -> None:
    route = own_route(text, is_block)
    assert (route.type if route else None) == expected
    assert route is None or route.destination == text


def test_a_node_with_blocks_of_one_address_drops_no_packet_to_its_pods() -> None:
    made = plans(cluster(pool(blockSize=32)))
    assert made["node1"]["blocks"]
    for plan in made.values():
        assert [route for route in plan["routes"] if route["type"] == "blackhole"] == []


def leading(plan: t.Any) -> list[dict[str, t.Any]]:
    """Return the routes of a plan but those that refuse packets into tunnels that are not there."""
    return [route for route in plan["routes"] if route["type"] != "unreachable"]


def refused(stored: t.Any, bgp: str = "auto") -> list[str]:
    found = [route for route in plans(stored, bgp=bgp)["node1"]["routes"] if route["type"] == "unreachable"]
    assert {(route["metric"], route["gateway"], route["device"]) for route in found} <= {(REFUSAL_METRIC, None, None)}
    return [route["destination"] for route in found]


@pytest.mark.parametrize("bgp", ["enabled", "disabled"])
@pytest.mark.parametrize("encapsulation", [mode for mode in ENCAPSULATIONS if mode != "None"])
def test_packets_into_a_tunnel_that_is_not_there_are_refused(encapsulation: str, bgp: str) -> None:
    stored = cluster(pool(encapsulation=encapsulation), extra=[ROUTER])
    assert refused(stored, bgp) == ["10.244.0.0/16"]


def test_a_refusal_yields_to_every_other_route() -> None:
    assert REFUSAL_METRIC > STANDBY_METRIC > 1024  # the kernel's own metric of IPv6 routes


def test_nothing_is_refused_that_may_be_of_others_or_has_a_router() -> None:
    assert refused(cluster(pool(encapsulation="None"), extra=[ROUTER])) == []
    unused = pool("others", "10.0.0.0/12", "IPIP", disabled=True)
    assert refused(cluster(pool(), unused)) == ["10.244.0.0/16"]


def test_with_bird_only_vxlan_routes_are_ours() -> None:
    made = plans(cluster(pool("a", "10.1.0.0/16", "IPIP"), pool("b", "10.2.0.0/16", "VXLAN")))["node1"]
    assert {route["destination"].split(".")[1] for route in leading(made)} == {"2", "254"}
    assert {tunnel["name"] for tunnel in made["tunnels"]} == {"tunl0", "vxlan.calico"}


MTU = {
    1500: (1500, 1480, 1450, 1430),
    9000: (9000, 8980, 8950, 8930),
    9001: (9001, 8981, 8951, 8931),
    1460: (1460, 1440, 1410, 1390),
    1450: (1450, 1430, 1400, 1380),
}


@pytest.mark.parametrize("underlay", MTU)
def test_mtu_of_pods_and_tunnels(underlay: int) -> None:
    nodes = {"node1": "192.0.2.11/24", "node2": "192.0.2.12/24"}
    for encapsulation, expected in zip(("None", "IPIP", "VXLAN"), MTU[underlay]):
        made = plans(cluster(pool(encapsulation=encapsulation), nodes=nodes), nodes, mtu=underlay)["node1"]
        assert made["cni"]["mtu"] == expected
        assert all(tunnel["mtu"] == expected for tunnel in made["tunnels"])
    six = {"node1": "2001:db8::11/64", "node2": "2001:db8::12/64"}
    made = plans(cluster(pool(cidr="fd00::/64"), nodes=six), six, mtu=underlay)["node1"]
    assert (made["cni"]["mtu"], made["tunnels"][0]["mtu"]) == (MTU[underlay][3], MTU[underlay][3])


def test_several_encapsulations_take_the_smallest_mtu() -> None:
    made = plans(cluster(pool("a", "10.1.0.0/16", "IPIP"), pool("b", "10.2.0.0/16", "VXLAN")))["node1"]
    assert made["cni"]["mtu"] == 1450


@pytest.mark.parametrize("encapsulation", ["None", "VXLAN", "VXLANCrossSubnet"])
def test_ipv6(encapsulation: str) -> None:
    nodes = {"node1": "2001:db8::11/64", "node2": "2001:db8::12/64"}
    made = plans(cluster(pool(cidr="fd00::/64", encapsulation=encapsulation), nodes=nodes), nodes)["node1"]
    assert [tunnel["name"] for tunnel in made["tunnels"]] == ([] if encapsulation == "None" else ["vxlan-v6.calico"])
    if encapsulation == "None":
        assert [family["version"] for family in made["bgp"]["families"]] == [6]
        assert made["routes"] == []
    else:
        assert made["bgp"] is None
        assert [route["type"] for route in made["routes"]].count("blackhole") == 1
    assert made["requirements"]["sysctls"] == {"net.ipv6.conf.all.forwarding": "1"}
    for tunnel in made["tunnels"]:
        assert tunnel["peers"][0]["underlay"] == "2001:db8::12"
        assert tunnel["mac"].startswith("66:")


@pytest.mark.parametrize(("cidr", "has"), [("fd00::/64", True), ("10.244.0.0/16", False)])
def test_advertisements_are_followed_where_ipv6_is_forwarded(cidr: str, has: bool) -> None:
    nodes = {"node1": "2001:db8::11/64"} if has else {"node1": "192.0.2.11/24"}
    facts = {"node1": {**seen(nodes)["node1"], "advertised": ["eth0", "vlan.7"]}}
    made = plan_all(cluster(pool(cidr=cidr, encapsulation="VXLAN"), nodes=nodes), facts, "auto")["node1"]
    settings = {"net.ipv6.conf.eth0.accept_ra": "2", "net.ipv6.conf.vlan/7.accept_ra": "2"}
    found = made["requirements"]["sysctls"]
    assert {name: value for name, value in found.items() if name.endswith("accept_ra")} == (settings if has else {})


@pytest.mark.parametrize("encapsulation", ["VXLAN", "IPIP"])
def test_the_gateway_of_pods_has_a_route_where_no_other_leads_there(encapsulation: str) -> None:
    stored = cluster(pool(encapsulation=encapsulation))
    made = plan_all(stored, {**seen(), "node2": {**seen()["node2"], "pod_gateway": True}}, "auto")
    own = {name: [row for row in made[name]["routes"] if row["device"] == "lo"] for name in ("node1", "node2")}
    assert [row["destination"] for row in own["node1"]] == ["169.254.1.1/32"]
    assert own["node2"] == []


# The version of a pool, facts of a dual-stack host, the parent of its tunnel, and the devices that have the addresses.
PARENTS: dict[str, tuple[int, dict[str, str], str | None, list[str]]] = {
    "as before": (4, {}, "eth0", ["eth0"]),
    "on the device": (4, {"address_device": "eth0"}, "eth0", ["eth0"]),
    "on lo": (4, {"address_device": "lo"}, None, ["lo"]),
    "on another device": (4, {"address_device": "eth1"}, None, ["eth1"]),
    "IPv6 on lo": (6, {"address_device": "eth0", "ipv6_address_device": "lo"}, None, ["lo"]),
    "IPv4 on lo": (6, {"address_device": "lo", "ipv6_address_device": "eth0"}, "eth0", ["eth0"]),
}


@pytest.mark.parametrize(("version", "facts", "parent", "underlay"), PARENTS.values(), ids=PARENTS)
def test_a_tunnel_stands_on_the_device_that_has_the_address(
    version: int, facts: dict[str, str], parent: str | None, underlay: list[str]
) -> None:
    stored = dual_stack(pool(cidr="10.244.0.0/16" if version == 4 else "fd00::/64"))
    made = plan_all(stored, {"node1": {**seen()["node1"], **facts}}, "auto")["node1"]
    assert [tunnel["parent"] for tunnel in made["tunnels"]] == [parent]
    assert made["underlay"] == underlay


def dual_stack(*pools: dict[str, t.Any]) -> t.Any:
    dual = [node(name, THREE_NODES[name], ipv6Address=f"2001:db8::{name[-1]}/64") for name in THREE_NODES]
    return claim(snapshot(*pools, *dual), THREE_NODES, now=NOW)


def test_bird_carries_both_ip_versions() -> None:
    made = plans(dual_stack(pool(encapsulation="IPIP"), pool("six", "fd00::/64", "None")))["node1"]
    cidrs = [[rule["cidr"] for rule in family["pools"]] for family in made["bgp"]["families"]]
    assert cidrs == [["10.244.0.0/16"], ["fd00::/64"]]
    assert [route["destination"] for route in leading(made)] == ["169.254.1.1/32"]


def standby(stored: t.Any, bgp: str = "auto") -> list[dict[str, t.Any]]:
    return t.cast("list[dict[str, t.Any]]", plan_all(stored, seen(), bgp, standby=True)["node1"]["standby"])


@pytest.mark.parametrize("encapsulation", ENCAPSULATIONS)
def test_standby_routes_are_what_bird_carries(encapsulation: str) -> None:
    stored = cluster(pool(encapsulation=encapsulation), extra=[ROUTER])
    made = standby(stored)
    ways = {route["destination"]: (route["gateway"], route["device"]) for route in made}
    blocks = {name: plans(stored)[name]["blocks"][0] for name in THREE_NODES}
    expected = {
        "IPIP": {"node2": ("192.0.2.12", "tunl0"), "node3": ("198.51.100.13", "tunl0")},
        "IPIPCrossSubnet": {"node2": ("192.0.2.12", "eth0"), "node3": ("198.51.100.13", "tunl0")},
        "None": {"node2": ("192.0.2.12", "eth0")},  # the router decides about node3
    }
    assert ways == {blocks[name]: way for name, way in expected.get(encapsulation, {}).items()}
    assert {(route["metric"], route["type"], route["onlink"]) for route in made} <= {(4096, "unicast", True)}


def test_standby_and_other_routes_are_all_routes_without_bird() -> None:
    stored = dual_stack(pool(encapsulation="IPIP"), pool("b", "10.9.0.0/16"), pool("six", "fd00::/64", "None"))
    ours = plans(stored)["node1"]["routes"]
    alone = plans(stored, bgp="disabled")["node1"]["routes"]
    added = [{**route, "metric": None} for route in standby(stored)]
    left = [route for route in alone if route not in ours and route not in added]
    assert [route for route in added if route not in alone] == []
    assert [route["type"] for route in left] == ["blackhole", "blackhole"]  # BIRD has them


def test_no_standby_where_nothing_asks_for_it_or_bird_does_not_run() -> None:
    stored = cluster(pool(encapsulation="IPIP"))
    assert plans(stored)["node1"]["standby"] == []
    assert standby(stored, bgp="disabled") == []
    assert {route["metric"] for route in leading(plans(stored, bgp="disabled")["node1"])} == {None}


def test_routes_of_a_plan_are_entries_of_calico_route() -> None:
    stored = cluster(pool(encapsulation="IPIPCrossSubnet"))
    entries = [*plans(stored, bgp="disabled")["node1"]["routes"], *standby(stored)]
    assert len(parse_routes(entries, Devices(unborn=True)).bodies) == len(entries)


def test_the_port_to_open_is_the_nodes_own() -> None:
    own = [document("BGPConfiguration", "node.node1", listenPort=1179)]
    made = plans(cluster(pool(encapsulation="IPIP"), extra=own))
    assert "tcp 1179" in made["node1"]["requirements"]["open"]
    assert "tcp 179" in made["node2"]["requirements"]["open"]


def test_bgp_peers_that_are_no_nodes_are_to_be_let_in() -> None:
    extra = [
        document("BGPConfiguration", "node.node1", listenPort=1179),
        document("BGPPeer", "tor4", peerIP="203.0.113.1:1790", asNumber=64999, node="node1"),
        document("BGPPeer", "tor6", peerIP="2001:db8:ff::1", asNumber=64999, node="node1"),
        document("BGPPeer", "a-node", peerIP="192.0.2.12", asNumber=64512, node="node1"),
    ]
    made = plans(dual_stack(pool(encapsulation="IPIP"), pool("six", "fd00::/64", "None"), *extra))
    assert sorted(made["node1"]["requirements"]["peers"], key=lambda peer: peer["port"], reverse=True) == [
        {"address": "203.0.113.1", "port": 1790, "local_port": 1179},
        {"address": "2001:db8:ff::1", "port": 179, "local_port": 1179},
    ]
    assert made["node2"]["requirements"]["peers"] == []
    assert plans(dual_stack(pool()), bgp="disabled")["node1"]["requirements"]["peers"] == []


def test_a_borrowed_tunnel_address_has_its_own_route() -> None:
    nodes = {name: THREE_NODES[name] for name in ("node1", "node2")}
    tunnels = pool("tunnels", "10.9.0.0/26", allowedUses=["Tunnel"])
    made = plans(cluster(tunnels, nodes=nodes), nodes)
    found = [route for route in made["node1"]["routes"] if route["destination"] == "10.9.0.1/32"]
    assert [(route["device"], route["gateway"], route["scope"]) for route in found] == [("vxlan.calico", None, "link")]


def test_pods_get_neither_what_is_reserved_nor_what_somebody_holds() -> None:
    """With the lowest addresses reserved, the tunnel's is one that the container runtime would give otherwise."""
    reserved = document("IPReservation", "r", reservedCIDRs=["10.244.0.0/30", "10.244.0.32/27"])
    stored = cluster(pool(cidr="10.244.0.0/26"), nodes={"node1": "192.0.2.11/24"}, extra=[reserved])
    assert stored["Node", "node1"]["spec"]["ipv4VXLANTunnelAddr"] == "10.244.0.4"
    assert plans(stored, {"node1": "192.0.2.11/24"})["node1"]["cni"] == {
        "ranges": ["10.244.0.0/26"],
        "excluded": ["10.244.0.0/30", "10.244.0.4/32", "10.244.0.31/32", "10.244.0.32/27"],
        "mtu": 1450,
    }


def test_a_block_that_has_become_reserved_gives_no_addresses_but_keeps_its_route() -> None:
    nodes = {"node1": "192.0.2.11/24"}
    before = cluster(pool(cidr="10.244.0.0/25"), nodes=nodes)
    old = plans(before, nodes)["node1"]["blocks"]
    reserved = document("IPReservation", "r", reservedCIDRs=old)
    plan = plans(claim(put(before, [reserved]), nodes, now=NOW), nodes)["node1"]
    assert len(plan["cni"]["ranges"]) == 1
    assert sorted([*old, *plan["cni"]["ranges"]]) == plan["blocks"]
