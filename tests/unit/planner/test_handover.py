# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A compact plan gives the node the very plan that the datastore's host would give it."""

from __future__ import annotations

import base64
import itertools
import json
import typing as t
import zlib

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.calico import ENCAPSULATIONS
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.planner.agreement import Agreement, Wish, agree
from ansible_collections.podnet.calico.plugins.module_utils.planner.handover import whole as expand
from ansible_collections.podnet.calico.plugins.module_utils.planner.transition import staged
from ansible_collections.podnet.calico.tests.tools.seeds import seed
from ansible_collections.podnet.calico.tests.unit.planner import random_clusters
from ansible_collections.podnet.calico.tests.unit.planner.clusters import (
    NOW,
    THREE_NODES,
    Document,
    Snapshot,
    cluster,
    document,
    node,
    pool,
    seen,
)

Plan = t.Dict[str, t.Any]

MESH_PASSWORD = {"secretKeyRef": {"name": "bgp", "key": "mesh"}}
TOR_PASSWORD = {"secretKeyRef": {"name": "bgp", "key": "tor", "optional": True}}

MAC = "66:00:00:00:00:33"
NODES = {
    "node1": node("node1", "192.0.2.11/24", {"rack": "a", "zone": "south"}, asNumber=64513),
    "node2": node("node2", "192.0.2.12/24", routeReflectorClusterID="244.0.0.1"),
    "node3": node("node3", "198.51.100.13/24"),
}
BOTH_VERSIONS = [
    document("Node", name, bgp={"ipv4Address": address, "ipv6Address": f"2001:db8::{number}/64"})
    for number, (name, address) in enumerate(THREE_NODES.items(), 1)
]

# By what is special about the cluster: its documents beside three nodes, and options of the planner.
CLUSTERS: dict[str, tuple[list[Document], dict[str, t.Any]]] = {
    **{mode: ([pool(encapsulation=mode)], {"standby": True}) for mode in ENCAPSULATIONS if mode != "None"},
    "routes of BIRD are static": ([pool(encapsulation="IPIP")], {"bgp": "disabled"}),
    "no guard": ([pool(natOutgoing=True)], {"guard": False}),
    "IPv6": ([*BOTH_VERSIONS, pool("six", "2001:db8:a::/48"), pool("six-ipip", encapsulation="IPIP")], {}),
    "a node with a MAC of its own": (
        [pool(), document("Node", "node3", bgp={"ipv4Address": "198.51.100.13/24"}, vxlanTunnelMACAddr=MAC)],
        {},
    ),
    "a pool for one node": ([pool(), pool("few", "10.96.0.0/16", nodeSelector="rack == 'a'")], {}),
    "reservations": ([pool(), document("IPReservation", "r", reservedCIDRs=["10.244.0.0/18", "10.244.128.9"])], {}),
    "a mesh with a password": (
        [
            pool(encapsulation="IPIPCrossSubnet"),
            document("BGPConfiguration", "default", nodeMeshPassword=MESH_PASSWORD, asNumber=64514, listenPort=1790),
            document("BGPConfiguration", "node.node3", prefixAdvertisements=[]),
        ],
        {"secrets": ["bgp/mesh"], "standby": True},
    ),
    "routers with filters": (
        [
            pool(encapsulation="None"),
            document("BGPFilter", "out", exportV4=[{"action": "Reject", "cidr": "10.0.0.0/8", "matchOperator": "In"}]),
            document("BGPPeer", "tor", peerIP="192.0.2.1", asNumber=65000, filters=["out"], password=TOR_PASSWORD),
            document("BGPPeer", "rr", nodeSelector="all()", peerSelector="has(rack)"),
        ],
        {"standby": True},
    ),
}


def wish(documents: t.Sequence[Document], transition: bool = False, **options: t.Any) -> Wish:
    named = {each["metadata"]["name"] for each in documents if each["kind"] == "Node"}
    given = [*(each for name, each in NODES.items() if name not in named), *documents]
    hosts = seen(pod_mtu=1300, checks_sources=True, advertised=("eth0",), address_device="lo")
    return Wish(hosts, given, "", {"bgp": "auto", "allow_cut_off": ["node2"], **options}, transition)


def agreed(before: Snapshot, wanted: Wish) -> Agreement:
    return agree(before, wanted, now=NOW)


def compact(agreement: Agreement, name: str) -> Plan:
    """Return a compact plan as it arrives on the node."""
    made = agreement.compact()
    return t.cast("Plan", json.loads(json.dumps({**made["plans"][name], "table": made["table"]})))


def without_table(plan: Plan) -> Plan:
    return {key: value for key, value in plan.items() if key != "table"}


@pytest.mark.parametrize(("documents", "options"), CLUSTERS.values(), ids=CLUSTERS)
@pytest.mark.parametrize("name", THREE_NODES)
def test_the_node_works_out_its_plan(documents: list[Document], options: Plan, name: str) -> None:
    made = agreed({}, wish(documents, **options))
    assert without_table(expand(compact(made, name))) == made.whole()["plans"][name]


@pytest.mark.parametrize(("old", "new"), list(itertools.permutations(ENCAPSULATIONS, 2)))
def test_the_node_works_out_how_modes_change(old: str, new: str) -> None:
    router = document("BGPPeer", "router", peerIP="192.0.2.1", asNumber=64513)
    made = agreed(cluster(pool(encapsulation=old), extra=[router]), wish([pool(encapsulation=new), router], True))
    whole = made.whole()["plans"]["node1"]
    given = compact(made, "node1")
    assert without_table(expand(given)) == whole
    assert {key: whole["transition"][key] for key in given["transition"]} == given["transition"]
    for moved in (False, True):
        asked = {**given, "moved": moved}
        assert without_table(expand(asked)) == {**staged(whole, moved), "moved": moved}
        assert expand({**whole, "moved": moved}) == {**staged(whole, moved), "moved": moved}


def test_plays_decide_by_what_the_plan_has() -> None:
    documents, options = CLUSTERS["a mesh with a password"]
    made = agreed({}, wish(documents, **options))
    brief, whole = compact(made, "node1"), made.whole()["plans"]["node1"]
    assert brief["bird"] and brief["nft"] and brief["secrets"] == ["bgp/mesh"]
    assert {key: whole[key] for key in ("blocks", "cni")} == {key: brief[key] for key in ("blocks", "cni")}
    (probe,) = whole["probes"]
    assert brief["probe_pods"] == [{"name": "podnet-probe.main", "addresses": probe["addresses"], "mtu": 1300}]
    assert made.compact()["plans"]["node2"]["secrets"] == []  # a reflector takes no part in the mesh


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"table": "eJwDAAAAAAE="}, "plan.table is not a table of a cluster"),
        ({"table": "no base64"}, "plan.table is not a table of a cluster"),
        ({"table": None}, "plan.table is not a table of a cluster"),
        ({"table": base64.b64encode(zlib.compress(b"{}")).decode()}, "plan.table is not a table of a cluster: 'pools'"),
        ({"node": ["node1"]}, "plan.node: the table has no host"),
        ({"node": "node9"}, 'plan.node: the table has no host "node9"'),
    ],
)
def test_what_is_no_compact_plan_is_refused(changed: Plan, said: str) -> None:
    given = compact(agreed({}, wish([pool()])), "node1")
    with pytest.raises(InvalidInput) as refused:
        expand({**given, **changed})
    assert said in str(refused.value)


def test_a_whole_plan_stays_as_it_is() -> None:
    whole = agreed({}, wish([pool()])).whole()["plans"]["node1"]
    assert expand(whole) == whole


@pytest.mark.parametrize("number", [20, pytest.param(500, marks=pytest.mark.nightly)])
def test_nodes_of_any_cluster_work_out_their_plans(number: int) -> None:
    choose, planned = random_clusters.Random(seed()), 0
    while planned < number:
        try:
            made = agreed(*random_clusters.wish(choose))
        except InvalidInput:
            continue
        planned += 1
        for name, whole in json.loads(json.dumps(made.whole()["plans"])).items():
            given = compact(made, name)
            assert json.loads(json.dumps(without_table(expand(given)))) == whole
            assert given["bird"] == (whole["bgp"] is not None)
