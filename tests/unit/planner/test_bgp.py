# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BGP sessions of nodes: mesh, passive side, route reflectors, peers."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.planner.bgp import bgp_of
from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import read
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Bgp, Session
from ansible_collections.podnet.calico.tests.unit.planner.clusters import Document, document, node, pool, snapshot

NODES = {"a": "10.0.0.9/24", "b": "10.0.0.10/24", "c": "10.0.0.11/24"}
NO_MESH = document("BGPConfiguration", "default", nodeToNodeMeshEnabled=False, asNumber=65000)


def bgp(name: str, *documents: Document, **bgp_of_node: t.Any) -> Bgp:
    """Return the BGP part of a node; bgp_of_node: node name to further fields of its spec.bgp."""
    nodes = [node(n, a, {"name": n}, **bgp_of_node.get(n, {})) for n, a in NODES.items()]
    found = read(snapshot(pool(encapsulation="None"), *nodes, *documents))
    made = bgp_of(found, found.nodes[name])
    assert made is not None
    return made


def sessions(made: Bgp) -> dict[str, Session]:
    return {session.name: session for session in made.sessions}


def peer(name: str, **spec: t.Any) -> Document:
    return document("BGPPeer", name, **spec)


def test_mesh() -> None:
    made = bgp("b")
    assert set(sessions(made)) == {"mesh_10_0_0_9", "mesh_10_0_0_11"}
    assert (made.router_id, made.local_as, made.subnet) == ("10.0.0.10", 64512, "10.0.0.0/24")
    assert {session.remote_as for session in made.sessions} == {64512}


# The greater text connects: "10.0.0.9" is greater than "10.0.0.10" and "10.0.0.11".
PASSIVE = {("a", "10_0_0_10"): False, ("b", "10_0_0_9"): True, ("b", "10_0_0_11"): True, ("c", "10_0_0_10"): False}


@pytest.mark.parametrize(("name", "other"), PASSIVE, ids=lambda value: value)
def test_passive_side_is_decided_by_text(name: str, other: str) -> None:
    assert sessions(bgp(name))[f"mesh_{other}"].passive == PASSIVE[name, other]


def test_a_node_with_cluster_id_takes_no_part_in_the_mesh() -> None:
    reflector = {"a": {"routeReflectorClusterID": "224.0.0.1"}}
    assert bgp("a", **reflector).sessions == ()
    assert bgp("a", **reflector).cluster_id == "224.0.0.1"
    assert set(sessions(bgp("b", **reflector))) == {"mesh_10_0_0_11"}


REFLECTORS = {"a": {"routeReflectorClusterID": "224.0.0.1"}, "b": {"routeReflectorClusterID": "224.0.0.1"}}
TO_REFLECTORS = peer("reflectors", nodeSelector="all()", peerSelector="name in {'a', 'b'}")


def test_route_reflectors_have_their_clients_by_the_reverse_of_the_peer() -> None:
    made = sessions(bgp("a", NO_MESH, TO_REFLECTORS, **REFLECTORS))
    assert {name: session.rr_client for name, session in made.items()} == {
        "node_10_0_0_10": False,  # the same cluster ID
        "node_10_0_0_11": True,
    }
    client = sessions(bgp("c", NO_MESH, TO_REFLECTORS, **REFLECTORS))
    assert set(client) == {"node_10_0_0_9", "node_10_0_0_10"}
    assert not any(session.rr_client or session.pool_next_hop for session in client.values())


def test_manual_reverse_peering_is_left_to_the_user() -> None:
    manual = peer("reflectors", nodeSelector="name == 'c'", peerSelector="name == 'a'", reversePeering="Manual")
    assert sessions(bgp("a", NO_MESH, manual)) == {}
    assert set(sessions(bgp("c", NO_MESH, manual))) == {"node_10_0_0_9"}


PEERS: dict[str, tuple[dict[str, t.Any], dict[str, set[str]]]] = {
    "address, all nodes": (
        {"peerIP": "192.0.2.1", "asNumber": 64513},
        {name: {"global_192_0_2_1"} for name in NODES},
    ),
    "address and port": (
        {"peerIP": "192.0.2.1:1790", "asNumber": 64513, "node": "a"},
        {"a": {"node_192_0_2_1_port_1790"}},
    ),
    "one node": ({"peerIP": "192.0.2.1", "asNumber": 64513, "node": "a"}, {"a": {"node_192_0_2_1"}}),
    "nodes by label": (
        {"peerIP": "192.0.2.1", "asNumber": 64513, "nodeSelector": "name in {'a', 'c'}"},
        {"a": {"node_192_0_2_1"}, "c": {"node_192_0_2_1"}},
    ),
    "peers by label": (
        {"peerSelector": "name == 'a'"},
        {"a": {"node_10_0_0_10", "node_10_0_0_11"}, "b": {"global_10_0_0_9"}, "c": {"global_10_0_0_9"}},
    ),
}


@pytest.mark.parametrize(("spec", "expected"), PEERS.values(), ids=PEERS)
def test_peers(spec: dict[str, t.Any], expected: dict[str, set[str]]) -> None:
    for name in NODES:
        assert set(sessions(bgp(name, NO_MESH, peer("p", **spec)))) == expected.get(name, set())


def test_a_peer_that_is_a_node_takes_its_as_number_and_port() -> None:
    configuration = document("BGPConfiguration", "default", nodeToNodeMeshEnabled=False, listenPort=1179)
    made = bgp("b", configuration, peer("p", peerIP="10.0.0.9", asNumber=65009), a={"asNumber": 65009})
    assert made.sessions == (Session("global_10_0_0_9", "10.0.0.9", 65009, 1179, passive=True, pool_next_hop=False),)


def test_an_explicit_peer_takes_the_place_of_the_mesh_and_all_nodes_that_of_one_node() -> None:
    peers = (peer("x", peerIP="10.0.0.9", asNumber=64512), peer("y", node="b", peerIP="10.0.0.9", asNumber=64512))
    assert set(sessions(bgp("b", *peers))) == {"global_10_0_0_9", "mesh_10_0_0_11"}


def test_two_ports_of_one_address_are_two_sessions() -> None:
    peers = [peer(f"p{port}", peerIP=f"192.0.2.1:{port}", asNumber=64513) for port in (1790, 1791)]
    assert set(sessions(bgp("a", NO_MESH, *peers))) == {"global_192_0_2_1_port_1790", "global_192_0_2_1_port_1791"}


def test_no_bird_for_a_cluster_without_ipv4_pool() -> None:
    found = read(snapshot(pool(cidr="fd00::/64", encapsulation="None"), node("a", "10.0.0.9/24")))
    assert bgp_of(found, found.nodes["a"]) is None
