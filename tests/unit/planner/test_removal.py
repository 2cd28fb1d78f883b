# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes with a node, and what names one: documents in, names out."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.planner.ipam import claim, give_up
from ansible_collections.podnet.calico.plugins.module_utils.planner.removal import cut_off_without, naming, removal
from ansible_collections.podnet.calico.tests.unit.planner.clusters import NOW, cluster, document, pool, snapshot
from ansible_collections.podnet.calico.tests.unit.planner.lint_clusters import (
    bgp,
    changed,
    direct,
    mesh,
    reflected,
    reflector,
)

FILTERS = [document("BGPFilter", name) for name in ("shared", "lonely")]
PEERS = [
    document("BGPPeer", "of", node="node3", peerIP="192.0.2.1", asNumber=65000, filters=["shared", "lonely"]),
    document("BGPPeer", "to", nodeSelector="has(x)", peerIP="198.51.100.13:1179", asNumber=64512),
    document("BGPPeer", "router", peerIP="198.51.100.1", asNumber=65000, filters=["shared"]),
    document("BGPPeer", "near", nodeSelector="has(x)", peerIP="198.51.100.130", asNumber=64512),
]
OWN = document("BGPConfiguration", "node.node3", listenPort=1179)
OTHERS = document("BGPConfiguration", "node.node33", listenPort=1179)


@pytest.fixture
def stored() -> dict[tuple[str, str], dict[str, t.Any]]:
    """Return three nodes with a block each, and node3 with all that may name it."""
    return cluster(pool(), extra=[*FILTERS, *PEERS, OWN, OTHERS])


def block_of(stored: dict[tuple[str, str], dict[str, t.Any]], node: str) -> dict[str, t.Any]:
    (block,) = [
        d for (kind, __), d in stored.items() if kind == "IPAMBlock" and d["spec"]["affinity"] == f"host:{node}"
    ]
    return block


def test_what_names_the_node_goes_and_nothing_else(stored: dict[tuple[str, str], dict[str, t.Any]]) -> None:
    found = removal(list(stored.values()), "node3")
    names = {(each["kind"], each["metadata"]["name"]) for each in found["documents"]}
    assert names == {("Node", "node3"), ("BGPConfiguration", "node.node3"), ("BGPPeer", "of"), ("BGPPeer", "to")}
    assert found["cidrs"] == [block_of(stored, "node3")["spec"]["cidr"]]
    assert found["addresses"] == sorted(["198.51.100.13", stored["Node", "node3"]["spec"]["ipv4VXLANTunnelAddr"]])
    assert found["unused_filters"] == ["lonely"]


def test_nothing_names_the_node_when_all_of_that_has_gone(stored: dict[tuple[str, str], dict[str, t.Any]]) -> None:
    found = removal(list(stored.values()), "node3")
    named = naming(stored.values(), "node3", found["addresses"], found["cidrs"])
    kinds = {text.partition(" ")[0] for text in named}
    assert kinds == {"Node", "BGPConfiguration", "BGPPeer", "BlockAffinity", "IPAMBlock", "IPAMHandle"}
    after = give_up(stored, ["node3"], now=NOW)
    for each in found["documents"]:
        del after[each["kind"], each["metadata"]["name"]]
    assert naming(after.values(), "node3", found["addresses"], found["cidrs"]) == []


def test_a_dead_node_without_a_document_is_known_by_its_blocks_and_what_the_inventory_says(
    stored: dict[tuple[str, str], dict[str, t.Any]],
) -> None:
    rest = [each for (kind, name), each in stored.items() if (kind, name) != ("Node", "node3")]
    found = removal(rest, "node3", ["198.51.100.13/24"])
    assert found["addresses"] == ["198.51.100.13"]
    assert len(found["cidrs"]) == 1
    assert "to" in [each["metadata"]["name"] for each in found["documents"]]


def test_a_block_that_others_borrowed_of_stays_and_borrowed_addresses_go() -> None:
    nodes = {"node1": "192.0.2.11/24", "node2": "192.0.2.12/24"}
    stored = claim(snapshot(pool(), *_nodes(nodes)), ["node1"], now=NOW)
    block = block_of(stored, "node1")
    block["spec"]["attributes"].append({"handle_id": "pod", "secondary": {"node": "node2"}})
    block["spec"]["allocations"][5] = len(block["spec"]["attributes"]) - 1
    address = block["spec"]["cidr"].rpartition(".")[0] + "."
    assert removal(list(stored.values()), "node1")["cidrs"] == []
    (borrowed,) = removal(list(stored.values()), "node2")["cidrs"]
    assert borrowed.startswith(address)
    assert borrowed.endswith("/32")


def _nodes(addresses: dict[str, str]) -> list[dict[str, t.Any]]:
    return [document("Node", name, bgp={"ipv4Address": address}) for name, address in addresses.items()]


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"node": "n3"}, True),
        ({"node": "n33"}, False),
        ({"nodeSelector": "kubernetes.io/hostname == 'n3'"}, True),
        ({"nodeSelector": 'kubernetes.io/hostname in {"n1", "n3"}'}, True),
        ({"nodeSelector": "kubernetes.io/hostname == 'n33'"}, False),
        ({"peerIP": "192.0.2.13"}, True),
        ({"peerIP": "192.0.2.13:1179"}, True),
        ({"peerIP": "192.0.2.131"}, False),
        ({"peerIP": "[2001:db8::13]:1179"}, True),
        ({"peerIP": "2001:db8::13"}, True),
        ({"reachableBy": "192.0.2.13"}, True),
        ({"filters": ["n3"]}, False),
        ({"prefixAdvertisements": [{"cidr": "10.244.3.0/26"}]}, True),
        ({"prefixAdvertisements": [{"cidr": "10.244.3.0/24"}]}, False),
    ],
)
def test_naming(spec: dict[str, t.Any], named: bool) -> None:
    documents = [document("BGPPeer", "x", **spec)]
    found = naming(documents, "n3", ["192.0.2.13", "2001:db8::13"], ["10.244.3.0/26"])
    assert bool(found) == named
    assert all(text.startswith("BGPPeer x: spec.") for text in found)


ONE = reflected(reflector("rr1", 1, "a"))
MARKED = {"podnet.calico/managed": "inventory"}
MESH = bgp(nodeToNodeMeshEnabled=True)
ROUTED = [direct(), *mesh(1)[1:], document("Node", "far", bgp={"ipv4Address": "198.51.100.12/24"})]
ROUTER = document("BGPPeer", "tor", node="node9", peerIP="192.0.2.1", asNumber=65000)
# By what is stored, who goes, and what the inventory of the others asks for: the beginning of what is said.
CUT_OFF: dict[str, tuple[list[t.Any], str, list[t.Any], tuple[str, ...], str]] = {
    "a client": (ONE, "node1", [], (), ""),
    "one reflector of two": (reflected(), "rr1", [], (), ""),
    "the only reflector": (ONE, "rr1", [], (), 'Node "node1": node1, node2, node3: no mesh and no BGPPeer'),
    "the only reflector, and the mesh is back": (ONE, "rr1", [MESH], (), ""),
    "the only reflector, which is meant": (ONE, "rr1", [], ("node1", "node2", "node3"), ""),
    "another reflector in its place": (
        *(ONE, "rr1"),
        *([document("Node", "node3", {"rr": "true"}, bgp={"routeReflectorClusterID": "198.18.0.3"})], (), ""),
    ),
    "a peer that the inventory has no more": (
        [
            *changed(ONE, "default", nodeToNodeMeshEnabled=False),
            document("BGPPeer", "rack", MARKED, peerSelector="all()"),
        ],
        *("rr1", [], (), 'Node "node1": node1, node2, node3: no mesh and no BGPPeer'),
    ),
    "the router's BGPPeer": (
        [*ROUTED, document("Node", "node9", bgp={"ipv4Address": "192.0.2.19/24"}), ROUTER],
        *("node9", [], (), 'IPPool "main": encapsulation None routes pods directly'),
    ),
}


@pytest.mark.parametrize(("stored", "name", "wanted", "allowed", "said"), CUT_OFF.values(), ids=CUT_OFF)
def test_who_would_be_cut_off_by_a_removal(
    stored: list[t.Any], name: str, wanted: list[t.Any], allowed: tuple[str, ...], said: str
) -> None:
    documents = list(snapshot(*stored).values())
    found = cut_off_without(documents, removal(documents, name)["documents"], wanted, allowed=allowed)
    assert found == [] if not said else found[0].startswith(said)
