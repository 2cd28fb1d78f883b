# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BGP sessions of nodes: mesh, passive side, route reflectors, peers, and which of several stays."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.planner.bgp import bgp_of, outlines_of, sessions_of
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import SecretKey, Session
from ansible_collections.podnet.calico.plugins.module_utils.planner.snapshot import read
from ansible_collections.podnet.calico.tests.unit.planner.clusters import Document, document, node, pool, snapshot
from ansible_collections.podnet.calico.tests.unit.planner.three_nodes import (
    NO_MESH,
    NODES,
    Spec,
    bgp,
    configuration,
    peer,
    sessions,
)


def test_mesh() -> None:
    made = bgp("b")
    assert set(sessions(made)) == {"9", "11"}
    assert {session.name for session in made.sessions} == {"bgp_10_0_0_9", "bgp_10_0_0_11"}
    assert (made.router_id, made.local_as) == ("10.0.0.10", 64512)
    nine = sessions(made)["9"]
    expected = {"kind": "mesh", "remote_as": 64512, "local_as": 64512, "port": 179, "peer": "a", "source": "10.0.0.10"}
    assert {key: getattr(nine, key) for key in expected} == expected


def test_mesh_options() -> None:
    secret = {"secretKeyRef": {"name": "bgp", "key": "mesh", "optional": True}}
    made = bgp("b", configuration(nodeMeshPassword=secret, nodeMeshMaxRestartTime="90s", asNumber="1.10"))
    for session in made.sessions:
        assert session.password == SecretKey("bgp", "mesh", optional=True)
        assert (session.restart_time, session.remote_as, session.rr_client) == (90, 65546, False)


def test_mesh_off() -> None:
    assert bgp("b", NO_MESH).sessions == ()


def test_mesh_across_as_numbers() -> None:
    made = bgp("b", a={"asNumber": 65009}, b={"asNumber": 65010})
    assert made.local_as == 65010
    found = {key: (session.local_as, session.remote_as) for key, session in sessions(made).items()}
    assert found == {"9": (65010, 65009), "11": (65010, 64512)}


# The greater text connects: "10.0.0.9" is greater than "10.0.0.10" and "10.0.0.11".
PASSIVE = {("a", "10"): False, ("b", "9"): True, ("b", "11"): True, ("c", "10"): False}


@pytest.mark.parametrize(("name", "other"), PASSIVE, ids=lambda value: value)
def test_passive_side_is_decided_by_text(name: str, other: str) -> None:
    by_address = peer(peerIP=f"10.0.0.{other}", asNumber=65000)
    assert sessions(bgp(name))[other].passive == PASSIVE[name, other]
    assert sessions(bgp(name, NO_MESH, by_address))[other].passive == PASSIVE[name, other]


@pytest.mark.parametrize(("name", "other"), PASSIVE, ids=lambda value: value)
@pytest.mark.parametrize("spec", [{}, {"nodeSelector": "all()"}], ids=["of all nodes", "of selected ones"])
def test_neither_side_waits_of_a_peer_with_a_selector(name: str, other: str, spec: Spec) -> None:
    assert sessions(bgp(name, NO_MESH, peer(peerSelector="all()", **spec)))[other].passive is False


def test_a_node_with_cluster_id_takes_no_part_in_the_mesh() -> None:
    reflector = {"a": {"routeReflectorClusterID": "224.0.0.1"}}
    assert bgp("a", **reflector).sessions == ()
    assert bgp("a", **reflector).cluster_id == "224.0.0.1"
    assert set(sessions(bgp("b", **reflector))) == {"11"}


REFLECTORS = {"a": {"routeReflectorClusterID": "224.0.0.1"}, "b": {"routeReflectorClusterID": "224.0.0.1"}}
TO_REFLECTORS = peer("reflectors", nodeSelector="all()", peerSelector="name in {'a', 'b'}")


def test_route_reflectors_have_their_clients_by_the_reverse_of_the_peer() -> None:
    made = sessions(bgp("a", NO_MESH, TO_REFLECTORS, **REFLECTORS))
    found = {name: (session.rr_client, session.reflects) for name, session in made.items()}
    assert found == {"10": (False, True), "11": (True, False)}  # 10 has the same cluster ID
    client = sessions(bgp("c", NO_MESH, TO_REFLECTORS, **REFLECTORS))
    assert set(client) == {"9", "10"}
    assert not any(session.rr_client for session in client.values())
    assert all(session.reflects for session in client.values())


# What a reflector with cluster ID 224.0.0.1 in AS 65000 thinks of the node c.
CLIENTS: dict[str, tuple[Spec, Spec, bool]] = {
    "no cluster ID": ({}, {}, True),
    "another cluster ID": ({"routeReflectorClusterID": "224.0.0.2"}, {}, True),
    "the same cluster ID": ({"routeReflectorClusterID": "224.0.0.1"}, {}, False),
    "another AS": ({"asNumber": 65011}, {}, False),
    "another AS, which is taken on for it": ({"asNumber": 65011}, {"localASNumber": 65011}, True),
    "the same AS, not used for it": ({}, {"localASNumber": 65011}, False),
}


@pytest.mark.parametrize(("of_node", "of_peer", "expected"), CLIENTS.values(), ids=CLIENTS)
def test_clients(of_node: Spec, of_peer: Spec, expected: bool) -> None:
    to_c = peer(node="a", peerSelector="name == 'c'", **of_peer)
    made = bgp("a", NO_MESH, to_c, a={"routeReflectorClusterID": "224.0.0.1"}, c=of_node)
    assert sessions(made)["11"].rr_client is expected


def test_clients_outside_of_the_cluster() -> None:
    reflector = {"a": {"routeReflectorClusterID": "224.0.0.1"}}
    peers = [peer(f"p{number}", peerIP=f"192.0.2.{number}", asNumber=65000 + number) for number in (0, 1)]
    made = sessions(bgp("a", NO_MESH, *peers, **reflector))
    assert {key: session.rr_client for key, session in made.items()} == {"0": True, "1": False}


def test_manual_reverse_peering_is_left_to_the_user() -> None:
    manual = peer("reflectors", nodeSelector="name == 'c'", peerSelector="name == 'a'", reversePeering="Manual")
    assert sessions(bgp("a", NO_MESH, manual)) == {}
    assert set(sessions(bgp("c", NO_MESH, manual))) == {"9"}


# Which nodes have the reverse of a peer of node c, by the address, port and AS that it gives.
REVERSED: dict[str, tuple[Spec, set[str]]] = {
    "selector": ({"peerSelector": "name in {'a', 'b'}"}, {"a", "b"}),
    "address of a node": ({"peerIP": "10.0.0.9", "asNumber": 65000}, {"a"}),
    "address and port of a node": ({"peerIP": "10.0.0.9:179", "asNumber": 65000}, {"a"}),
    "another port of a node": ({"peerIP": "10.0.0.9:1790", "asNumber": 65000}, set()),
    "another AS than the node's": ({"peerIP": "10.0.0.9", "asNumber": 65001}, set()),
    "no node": ({"peerIP": "192.0.2.1", "asNumber": 65000}, set()),
    "left to the user": ({"peerIP": "10.0.0.9", "asNumber": 65000, "reversePeering": "Manual"}, set()),
}


@pytest.mark.parametrize(("spec", "expected"), REVERSED.values(), ids=REVERSED)
def test_reverse(spec: Spec, expected: set[str]) -> None:
    made = {name: bgp(name, NO_MESH, peer(node="c", **spec)).sessions for name in "ab"}
    assert {name for name, found in made.items() if found} == expected
    for session in (session for found in made.values() for session in found):
        assert (session.name, session.kind, session.peer, session.passive) == ("bgp_10_0_0_11", "node", "c", False)


def test_reverse_of_a_peer_of_all_nodes() -> None:
    made = sessions(bgp("a", NO_MESH, peer(peerSelector="name == 'a'")))
    assert {key: session.kind for key, session in made.items()} == {"10": "node", "11": "node"}


PEERS: dict[str, tuple[Spec, dict[str, set[str]]]] = {
    "address, all nodes": ({"peerIP": "192.0.2.1", "asNumber": 64513}, {name: {"global 1"} for name in NODES}),
    "address and port": ({"peerIP": "192.0.2.1:1790", "asNumber": 64513, "node": "a"}, {"a": {"node 1_1790"}}),
    "one node": ({"peerIP": "192.0.2.1", "asNumber": 64513, "node": "a"}, {"a": {"node 1"}}),
    "a node that is not there": ({"peerIP": "192.0.2.1", "asNumber": 64513, "node": "z"}, {}),
    "nodes by label": (
        {"peerIP": "192.0.2.1", "asNumber": 64513, "nodeSelector": "name in {'a', 'c'}"},
        {"a": {"node 1"}, "c": {"node 1"}},
    ),
    "peers by label": (
        {"peerSelector": "name == 'a'"},
        {"a": {"node 10", "node 11"}, "b": {"global 9"}, "c": {"global 9"}},
    ),
    "peers by the lack of a label": (
        {"peerSelector": "!has(name) || name == 'a' && name contains 'a'", "node": "b"},
        {"a": {"node 10"}, "b": {"node 9"}},
    ),
    "a node itself": ({"peerIP": "10.0.0.9", "asNumber": 65000, "node": "a"}, {}),
    "an address of another IP version": ({"peerIP": "2001:db8::1", "asNumber": 64513}, {}),
}


@pytest.mark.parametrize(("spec", "expected"), PEERS.values(), ids=PEERS)
def test_peers(spec: Spec, expected: dict[str, set[str]]) -> None:
    for name in NODES:
        made = sessions(bgp(name, NO_MESH, peer(**spec)))
        assert {f"{session.kind} {key}" for key, session in made.items()} == expected.get(name, set())


PORTS = (configuration(nodeToNodeMeshEnabled=False, listenPort=1179), configuration("node.a", listenPort=2179))


# By how a peer of node c names node a or b, which listen on 2179 and 1179: port and name of the session.
PORT_OF: dict[str, tuple[Spec, int, str]] = {
    "selected, own port": ({"peerSelector": "name == 'a'"}, 2179, "bgp_10_0_0_9"),
    "selected, port of all": ({"peerSelector": "name == 'b'"}, 1179, "bgp_10_0_0_10"),
    "by address, own port": ({"peerIP": "10.0.0.9", "asNumber": 64512}, 2179, "bgp_10_0_0_9"),
    "by address, port of all": ({"peerIP": "10.0.0.10", "asNumber": 64512}, 1179, "bgp_10_0_0_10"),
    "by address and port": ({"peerIP": "10.0.0.9:2179", "asNumber": 64512}, 2179, "bgp_10_0_0_9_port_2179"),
    "no node": ({"peerIP": "10.0.0.99", "asNumber": 64512}, 179, "bgp_10_0_0_99"),
}


@pytest.mark.parametrize(("spec", "port", "name"), PORT_OF.values(), ids=PORT_OF)
def test_ports(spec: Spec, port: int, name: str) -> None:
    made = bgp("c", *PORTS, peer(node="c", **spec)).sessions[0]
    assert (made.port, made.name) == (port, name)


def test_ports_of_the_mesh_and_of_the_node_itself() -> None:
    documents = (configuration(listenPort=1179), configuration("node.a", listenPort=2179))
    assert {key: session.port for key, session in sessions(bgp("c", *documents)).items()} == {"9": 2179, "10": 1179}
    assert [bgp(name, *documents).listen_port for name in "ac"] == [2179, 1179]


def test_a_peer_by_address_that_is_a_node() -> None:
    made = bgp("b", NO_MESH, peer(peerIP="10.0.0.9", asNumber=65009), a={"asNumber": 65009}).sessions
    assert made == (
        Session("bgp_10_0_0_9", "global", 4, "10.0.0.9", 65009, 65000, peer="a", source="10.0.0.10", passive=True),
    )
    other_daemon = bgp("b", NO_MESH, peer(peerIP="10.0.0.9:1790", asNumber=65009)).sessions[0]
    assert (other_daemon.peer, other_daemon.port, other_daemon.name) == (None, 1790, "bgp_10_0_0_9_port_1790")


def with_key(key: str, **spec: t.Any) -> Spec:
    return {"password": {"secretKeyRef": {"name": "bgp", "key": key}}, **spec}


# Peers of node b that all give it a session with node a; the password tells which one stays.
PRECEDENCE: dict[str, tuple[list[Document], str, str]] = {
    "all nodes before some": (
        [
            peer("a", **with_key("some", node="b", peerIP="10.0.0.9", asNumber=64512)),
            peer("z", **with_key("all", peerIP="10.0.0.9", asNumber=64512)),
        ],
        *("all", "global"),
    ),
    "some before the reverse": (
        [
            peer("a", **with_key("reverse", node="a", peerSelector="name == 'b'")),
            peer("z", **with_key("some", nodeSelector="name == 'b'", peerSelector="name == 'a'")),
        ],
        *("some", "node"),
    ),
    "the reverse before the mesh": (
        [peer("a", **with_key("reverse", node="a", peerSelector="name == 'b'"))],
        "reverse",
        "node",
    ),
    "all before the reverse": (
        [
            peer("a", **with_key("reverse", node="a", peerSelector="name == 'b'")),
            peer("z", **with_key("all", peerSelector="name == 'a'")),
        ],
        *("all", "global"),
    ),
    "the first name of two": (
        [peer(name, **with_key(name, node="b", peerSelector="name == 'a'")) for name in ("z", "m")],
        *("m", "node"),
    ),
    "the port of a node, given or not": (
        [
            peer("a", **with_key("given", peerIP="10.0.0.9:179", asNumber=64512)),
            peer("z", **with_key("not", node="b", peerSelector="name == 'a'")),
        ],
        *("given", "global"),
    ),
}


@pytest.mark.parametrize(("peers", "key", "kind"), PRECEDENCE.values(), ids=PRECEDENCE)
def test_precedence(peers: list[Document], key: str, kind: str) -> None:
    found = [session for session in bgp("b", *peers).sessions if session.address == "10.0.0.9"]
    assert [(session.password.key, session.kind) for session in found if session.password] == [(key, kind)]
    assert len(found) == 1


def test_the_name_of_a_session_does_not_tell_where_it_comes_from() -> None:
    mesh, explicit = bgp("b"), bgp("b", NO_MESH, peer(peerSelector="all()"))
    assert [session.name for session in mesh.sessions] == [session.name for session in explicit.sessions]


def test_two_ports_of_one_address_are_two_sessions() -> None:
    peers = [peer(f"p{port}", peerIP=f"192.0.2.1:{port}", asNumber=64513) for port in (1790, 1791)]
    assert set(sessions(bgp("a", NO_MESH, *peers))) == {"1_1790", "1_1791"}


def test_workloads_are_no_peers() -> None:
    local = peer(localWorkloadSelector="app == 'router'", asNumber=64513)
    assert bgp("a", NO_MESH, local).sessions == ()


def test_all_nodes_at_once_are_planned_as_each_alone() -> None:
    nodes = [node(name, address, {"name": name}) for name, address in NODES.items()]
    found = read(snapshot(pool(), *nodes, TO_REFLECTORS))
    assert sessions_of(found) == {name: bgp_of(found, found.nodes[name]) for name in NODES}
    assert set(sessions_of(found, ["b"])) == {"b"}


def test_outlines_have_one_session_of_a_mesh_and_all_of_peers() -> None:
    nodes = [node(f"n{number}", f"10.0.0.{number}/24") for number in range(1, 5)]
    mesh = read(snapshot(pool(encapsulation="IPIP"), *nodes))
    assert {name: len(bgp.sessions) for name, bgp in outlines_of(mesh).items()} == {f"n{n}": 1 for n in range(1, 5)}
    peer = document("BGPPeer", "tor", peerIP="192.0.2.1", asNumber=65000)
    with_peer = read(snapshot(pool(encapsulation="IPIP"), *nodes, peer))
    assert outlines_of(with_peer) == sessions_of(with_peer)
