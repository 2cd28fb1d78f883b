# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Full mesh to route reflectors and back under load, a node added under reflectors, and an added peer foretold."""

from __future__ import annotations

import typing as t

import pytest
from pod_pings import Pings, make_pods
from stage import Stage

REFLECTORS = ("node2", "node3")
PEERS = [{"name": "reflectors", "node_selector": "all()", "peer_selector": "has(reflector)"}]


def reflected(group: dict[str, t.Any]) -> None:
    """Have the second and third node reflect, and no mesh: node1 is configured before its reflectors."""
    for name in REFLECTORS:
        group["hosts"][name] |= {
            "calico_node_route_reflector_cluster_id": "192.0.2.10",
            "calico_node_labels": {"reflector": "true"},
        }
    group["vars"] |= {"calico_bgp_configuration": {"node_to_node_mesh_enabled": False}, "calico_bgp_peers": PEERS}


def without_last(group: dict[str, t.Any]) -> None:
    """Leave the last node out."""
    group["hosts"].popitem()


def sessions(stage: Stage, node: str) -> dict[str, str]:
    """Return the other nodes that a node has a session with, and the sessions' states."""
    found = stage.module(node, "calico_bird_info")["sessions"]
    return {f"node{session['address'].rpartition('.1')[2]}": session["info"] for session in found.values()}


def standby(stage: Stage, node: str) -> str:
    """Return the routes on standby that a node has."""
    return stage.ask(node, "ip route show proto 98 metric 4096")


@pytest.fixture(scope="module")
def pods(stage: Stage) -> dict[str, str]:
    """Have four nodes with a full mesh, without encapsulation, and a pod on each of the first three."""
    stage.fresh(4, "None")
    inventory = stage.changed_inventory(without_last)
    stage.names = stage.names[:3]
    stage.succeed("deploy", inventory=inventory)
    return make_pods(stage)


def test_mesh_to_reflectors_loses_nothing(stage: Stage, pods: dict[str, str]) -> None:
    inventory = stage.changed_inventory(lambda group: (without_last(group), reflected(group)))
    with Pings(stage, pods) as pings:
        stage.succeed("change_bgp", inventory=inventory)
    assert pings.sent > 1000
    assert pings.lost == {}
    assert sessions(stage, "node1") == {"node2": "Established", "node3": "Established"}
    assert [standby(stage, name) for name in stage.names] == [""] * 3
    assert stage.succeed("deploy", inventory=inventory).changed == []


def test_a_node_is_added_under_reflectors_without_touching_the_others(stage: Stage, pods: dict[str, str]) -> None:
    inventory = stage.changed_inventory(reflected)
    with Pings(stage, pods) as pings:
        played = stage.succeed("deploy", inventory=inventory)
    assert pings.lost == {}
    changed = {line.partition(":")[0] for line in played.changed}
    assert changed <= {*REFLECTORS, "node1", "node4"}, played.changed
    assert not [line for line in played.changed if line.startswith("node1: podnet.calico.bird")]
    assert "node4" in changed
    assert stage.succeed("deploy", inventory=inventory).changed == []


def test_and_back_to_the_mesh(stage: Stage, pods: dict[str, str]) -> None:
    """One host after the other: the first refuses what its reflectors, which still are that, pass on."""
    mesh = '{"calico_bgp_configuration": {"node_to_node_mesh_enabled": true}}'
    with Pings(stage, pods) as pings:
        stage.succeed("change_bgp", "--forks", "1", "-e", mesh)
    assert pings.lost == {}
    assert sessions(stage, "node3") == dict.fromkeys(("node1", "node2", "node4"), "Established")


def test_an_added_peer_is_foretold(stage: Stage, pods: dict[str, str]) -> None:
    peers = [{"name": "router", "peer_ip": "192.0.2.254", "as_number": 64999, "node": "node1"}]

    def routed(group: dict[str, t.Any]) -> None:
        group["vars"]["calico_bgp_peers"] = peers

    inventory = stage.changed_inventory(routed)
    predicted = stage.succeed("deploy", "--check", "--diff", inventory=inventory)
    assert [line for line in predicted.changed if "Configure BIRD" in line] == [
        "node1: podnet.calico.bird : Configure BIRD"
    ]
    assert predicted.output.count("+session bgp_192_0_2_254") == 1
    before = sessions(stage, "node1")
    with Pings(stage, pods) as pings:
        done = stage.succeed("deploy", inventory=inventory)  # nobody answers at that address
    assert "bgp_192_0_2_254: " in done.output
    assert pings.lost == {}
    after = stage.module("node1", "calico_bird_info")["sessions"]
    assert set(after) - {"bgp_192_0_2_254"} == {f"bgp_192_0_2_1{index}" for index in (2, 3, 4)}
    assert {name: state for name, state in sessions(stage, "node1").items() if name in before} == before
