# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Full mesh to route reflectors and back under load, and a node added under reflectors."""

from __future__ import annotations

import typing as t

import pytest
from audits import CLEAN, audit
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
    audited, report = audit(stage, inventory=inventory)
    assert audited.status == CLEAN, report["lines"]


def test_a_node_is_added_under_reflectors_without_touching_the_others(stage: Stage, pods: dict[str, str]) -> None:
    inventory = stage.changed_inventory(reflected)
    with Pings(stage, pods) as pings:
        played = stage.succeed("deploy", inventory=inventory)
    assert pings.lost == {}
    changed = {line.partition(":")[0] for line in played.changed}
    assert changed <= {*REFLECTORS, "node1", "node4"}, played.changed
    assert not [line for line in played.changed if line.startswith("node1: podnet.calico.bird")]
    assert "node4" in changed


@pytest.mark.nightly
def test_and_back_to_the_mesh(stage: Stage, pods: dict[str, str]) -> None:
    """One host after the other: the first refuses what its reflectors, which still are that, pass on."""
    stage.succeed("deploy", inventory=stage.changed_inventory(reflected))  # at night this test runs without the others
    mesh = '{"calico_bgp_configuration": {"node_to_node_mesh_enabled": true}}'
    with Pings(stage, pods) as pings:
        stage.succeed("change_bgp", "--forks", "1", "-e", mesh)
    assert pings.lost == {}
    assert sessions(stage, "node3") == dict.fromkeys(("node1", "node2", "node4"), "Established")
