# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole topologies: the BGP part of every node as data, golden, and what both ends of a session must agree on."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.planner.bgp import sessions_of
from ansible_collections.podnet.calico.plugins.module_utils.planner.ipam import claim
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Bgp
from ansible_collections.podnet.calico.plugins.module_utils.planner.snapshot import read
from ansible_collections.podnet.calico.tests.unit.planner.clusters import NOW, Document, document, node, pool, snapshot

POOL, SIX = pool(encapsulation="IPIPCrossSubnet"), pool("six", "fd00::/64", "None")
NO_MESH = document("BGPConfiguration", "default", nodeToNodeMeshEnabled=False)
FILTER = document(
    "BGPFilter",
    "tor",
    importV4=[{"action": "Accept", "cidr": "198.51.100.0/24", "matchOperator": "In"}],
    exportV4=[{"action": "Accept", "cidr": "10.244.0.0/16", "matchOperator": "In"}],
)


def secret(key: str) -> dict[str, t.Any]:
    return {"secretKeyRef": {"name": "bgp", "key": key}}


def nodes(count: int, dual: bool = False) -> list[Document]:
    six = [{"ipv6Address": f"2001:db8::{number}/64"} if dual else {} for number in range(1, count + 1)]
    return [
        node(f"n{index}", f"192.0.2.{index}/24", {"name": f"n{index}"}, **fields) for index, fields in enumerate(six, 1)
    ]


def reflectors() -> list[Document]:
    """Return two clusters with two reflectors and two clients each; reflectors are in a mesh of their own."""
    made = []
    for number in range(1, 9):
        cluster, labels = (number - 1) // 4 + 1, {"cluster": str((number - 1) // 4 + 1)}
        reflects = (number - 1) % 4 < 2
        fields = {"routeReflectorClusterID": f"224.0.0.{cluster}"} if reflects else {}
        made.append(
            node(f"n{number}", f"192.0.2.{number}/24", {**labels, **({"rr": ""} if reflects else {})}, **fields)
        )
    clients = [
        document(
            "BGPPeer",
            f"clients-{cluster}",
            nodeSelector=f"cluster == '{cluster}' && !has(rr)",
            peerSelector=f"cluster == '{cluster}' && has(rr)",
            password=secret("rr"),
        )
        for cluster in "12"
    ]
    between = document("BGPPeer", "between", nodeSelector="has(rr)", peerSelector="has(rr)", password=secret("rr"))
    return [POOL, NO_MESH, *made, *clients, between]


EXTERNAL = [
    POOL,
    FILTER,
    document(
        "BGPConfiguration",
        "default",
        asNumber=64512,
        serviceClusterIPs=[{"cidr": "10.96.0.0/12"}],
        communities=[{"name": "pods", "value": "64512:100"}],
        prefixAdvertisements=[{"cidr": "10.244.0.0/16", "communities": ["pods", "64512:1:2"]}],
    ),
    document("BGPConfiguration", "node.n1", listenPort=1179),
    *nodes(2),
    document(
        "BGPPeer",
        "tor",
        peerIP="192.0.2.254:1790",
        asNumber=65001,
        localASNumber=64999,
        nextHopMode="Self",
        password=secret("tor"),
        sourceAddress="None",
        maxRestartTime="60s",
        keepaliveTime="20s",
        numAllowedLocalASNumbers=1,
        ttlSecurity=1,
        filters=["tor"],
    ),
    document("BGPPeer", "far", node="n1", peerIP="203.0.113.1", asNumber=65002, reachableBy="192.0.2.254"),
]
# Whatever else can be set: of a node, of all nodes, and of next hops.
SETTINGS = [
    pool(encapsulation="None"),
    pool("hidden", "10.245.0.0/16", "IPIP", disableBGPExport=True),
    SIX,
    document(
        "BGPConfiguration",
        "default",
        logSeverityScreen="Debug",
        nodeMeshPassword=secret("mesh"),
        nodeMeshMaxRestartTime="45s",
        bindMode="NodeIP",
        ignoredInterfaces=["docker*", "ib0"],
        serviceClusterIPs=[{"cidr": "10.96.0.0/12"}, {"cidr": "fd96::/112"}],
        serviceExternalIPs=[{"cidr": "203.0.113.0/25"}],
        serviceLoadBalancerIPs=[{"cidr": "203.0.113.128/25"}],
        communities=[{"name": "pods", "value": "64512:100"}],
        prefixAdvertisements=[{"cidr": "10.244.0.0/16", "communities": ["pods"]}],
        ipv4NormalRoutePriority=2000,
        ipv6NormalRoutePriority=3000,
    ),
    document(
        "BGPConfiguration",
        "node.n2",
        logSeverityScreen="Fatal",
        prefixAdvertisements=[{"cidr": "10.244.0.0/16", "communities": ["64512:2", "64512:1:2"]}],
    ),
    *nodes(2, dual=True),
    node("n3", "192.0.2.3/24", {"node.kubernetes.io/exclude-from-external-load-balancers": "true"}, asNumber=64600),
    document("BGPPeer", "keep", peerIP="192.0.2.250", asNumber=65001, nextHopMode="Keep"),
    document("BGPPeer", "original", peerIP="192.0.2.251", asNumber=65001, keepOriginalNextHop=True),
]
TOPOLOGIES: dict[str, list[Document]] = {
    "mesh": [POOL, *nodes(3), document("BGPConfiguration", "default", nodeMeshPassword=secret("mesh"))],
    "reflectors": reflectors(),
    "external": EXTERNAL,
    "dual-stack": [
        POOL,
        SIX,
        *nodes(3, dual=True),
        document("BGPPeer", "tor", peerIP="[2001:db8::fe]:1790", asNumber=65001),
    ],
    "settings": SETTINGS,
    "one-family": [POOL, SIX, *nodes(2, dual=True), node("n8", "192.0.2.8/24"), node("n9", "2001:db8::9/64")],
    "reverse": [
        POOL,
        NO_MESH,
        *nodes(4),
        document("BGPPeer", "by-address", node="n1", peerIP="192.0.2.2", asNumber=64512, password=secret("one")),
        document("BGPPeer", "by-label", node="n3", peerSelector="name in {'n1', 'n4'}", ttlSecurity=2),
        document("BGPPeer", "manual", node="n2", peerSelector="name == 'n4'", reversePeering="Manual"),
    ],
    "precedence": [
        POOL,
        *nodes(3),
        document("BGPPeer", "a-node", node="n1", peerIP="192.0.2.2", asNumber=64512, keepaliveTime="11s"),
        document("BGPPeer", "b-global", peerIP="192.0.2.2", asNumber=64512, keepaliveTime="22s"),
        document("BGPPeer", "c-reverse", node="n3", peerSelector="name in {'n1', 'n2'}", keepaliveTime="33s"),
    ],
}


def planned(documents: list[Document]) -> dict[str, Bgp]:
    stored = snapshot(*documents)
    names = [name for kind, name in stored if kind == "Node"]
    return sessions_of(read(claim(stored, names, now=NOW)))


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_topology(name: str, golden: t.Callable[[str, str], None]) -> None:
    made = {node_name: bgp.as_dict() for node_name, bgp in planned(TOPOLOGIES[name]).items()}
    golden(f"bgp/{name}.json", json.dumps(made, indent=1, sort_keys=True))


@pytest.mark.parametrize("name", sorted(set(TOPOLOGIES) - {"reverse"}))
def test_both_ends_of_a_session_between_nodes_agree(name: str) -> None:
    made = planned(TOPOLOGIES[name])
    ends = {(this, s.peer, s.family): s for this, bgp in made.items() for s in bgp.sessions if s.peer is not None}
    assert len(ends) > 0
    for (this, other, family), one in ends.items():
        back = ends[other, this, family]
        assert (one.local_as, one.remote_as) == (back.remote_as, back.local_as)
        assert (one.password, one.ttl_security) == (back.password, back.ttl_security)
        assert one.port == made[other].listen_port
        assert not (one.passive and back.passive)
        if one.kind == "mesh":
            assert one.passive != back.passive


def test_reflectors_reach_everybody_through_few_sessions() -> None:
    made = planned(TOPOLOGIES["reflectors"])
    count = {name: len(bgp.sessions) for name, bgp in made.items()}
    assert count == {**dict.fromkeys(("n1", "n2", "n5", "n6"), 5), **dict.fromkeys(("n3", "n4", "n7", "n8"), 2)}
    assert [session.peer for session in made["n1"].sessions if session.rr_client] == ["n3", "n4", "n5", "n6"]
