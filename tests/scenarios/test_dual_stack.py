# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes with both IP versions: a session of BIRD and paths of pods for each; an added peer is foretold."""

from __future__ import annotations

import typing as t

import pytest
from stage import AGREEMENT, Stage

POOLS = [
    {"name": "ipv4", "cidr": "10.244.0.0/16", "encapsulation": "None"},
    {"name": "ipv6", "cidr": "2001:db8:244::/48", "encapsulation": "None"},
]


def dual(group: dict[str, t.Any]) -> None:
    """Give each node an IPv6 address beside its IPv4 one, and pools of both versions."""
    for index, name in enumerate(group["hosts"], start=1):
        group["hosts"][name]["calico_node_ipv6_address"] = f"2001:db8::1{index}"
    group["vars"]["calico_ip_pools"] = POOLS


@pytest.fixture(scope="module")
def routes(stage: Stage) -> dict[str, set[str]]:
    """Deploy two nodes, and return the routes of BIRD by IP version, without metrics, as node1 has them."""
    stage.fresh(2, "None")
    for index, name in enumerate(stage.names, start=1):
        stage.ask(name, f"ip addr add 2001:db8::1{index}/64 dev eth0 nodad")
    stage.succeed("deploy", inventory=stage.changed_inventory(dual))
    lines = {version: stage.lines("node1", f"ip -{version} route show proto bird") for version in "46"}
    return {version: {line.partition(" metric")[0].strip() for line in found} for version, found in lines.items()}


def test_each_version_has_a_session(stage: Stage, routes: dict[str, set[str]]) -> None:
    sessions = stage.module("node1", "calico_bird_info")["sessions"]
    found = {session["address"]: session["info"] for session in sessions.values()}
    assert found == {"192.0.2.12": "Established", "2001:db8::12": "Established"}


@pytest.mark.parametrize(("version", "gateway"), [("4", "192.0.2.12"), ("6", "2001:db8::12")])
def test_bird_routes_each_version(routes: dict[str, set[str]], version: str, gateway: str) -> None:
    ways = {line.partition(" ")[2] for line in routes[version] if not line.startswith("blackhole")}
    assert ways == {f"via {gateway} dev eth0"}
    assert len([line for line in routes[version] if line.startswith("blackhole")]) == 1


def test_pods_reach_each_other_over_both(stage: Stage, routes: dict[str, set[str]]) -> None:
    stage.succeed("verify", inventory=stage.changed_inventory(dual))


def test_an_added_peer_is_foretold_and_is_all_that_changes(stage: Stage, routes: dict[str, set[str]]) -> None:
    def peered(group: dict[str, t.Any]) -> None:
        dual(group)
        peer = {"name": "router", "peer_ip": "192.0.2.254", "as_number": 64999, "node": "node1"}
        group["vars"]["calico_bgp_peers"] = [peer]

    inventory = stage.changed_inventory(peered)
    changes = [f"node1: podnet.calico.plan : {AGREEMENT}", "node1: podnet.calico.bird : Configure BIRD"]
    predicted = stage.succeed("deploy", "--check", "--diff", inventory=inventory)
    assert predicted.changed == changes
    assert predicted.output.count("+session bgp_192_0_2_254") == 1
    before = stage.module("node1", "calico_bird_info")["sessions"]
    done = stage.succeed("deploy", inventory=inventory)  # nobody answers at that address
    assert done.changed == changes
    said = " ".join(done.output.split())
    assert "node1: 1 of 3 BGP sessions are not established: bgp_192_0_2_254 (" in said
    after = stage.module("node1", "calico_bird_info")["sessions"]
    assert set(after) - set(before) == {"bgp_192_0_2_254"}
    assert {name: after[name]["info"] for name in before} == dict.fromkeys(before, "Established")
