# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot work is refused with every problem named."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.planner.ipam import claim
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

ROUTER = document("BGPPeer", "router", peerIP="192.0.2.1", asNumber=64513)
ROUTER_OF_NONE = document("BGPPeer", "none", node="elsewhere", peerIP="192.0.2.99", asNumber=64513)  # BIRD runs


def refusal(stored: Snapshot, hosts: dict[str, t.Any], bgp: str = "auto") -> str:
    with pytest.raises(InvalidInput) as caught:
        plan_all(stored, hosts, bgp)
    return str(caught.value)


def test_ipip_on_a_kernel_without_it(golden: t.Callable[[str, str], None]) -> None:
    hosts = seen()
    hosts["node2"]["encapsulations"] = ["vxlan"]
    golden("errors/kernel-without-ipip.txt", refusal(cluster(pool(encapsulation="IPIP")), hosts))


def test_direct_routes_across_subnets(golden: t.Callable[[str, str], None]) -> None:
    golden("errors/none-across-subnets.txt", refusal(cluster(pool(encapsulation="None")), seen()))


def test_direct_routes_across_subnets_with_a_router_that_knows() -> None:
    plan_all(cluster(pool(encapsulation="None"), extra=[ROUTER]), seen(), "auto")
    text = refusal(cluster(pool(encapsulation="None"), extra=[ROUTER]), seen(), "disabled")
    assert "are in different subnets" in text


def test_an_address_that_is_not_the_nodes() -> None:
    hosts = seen()
    hosts["node1"]["address"] = "192.0.2.11/25"
    text = refusal(cluster(pool()), hosts)
    assert 'plan node "node1": spec.bgp.ipv4Address is 192.0.2.11/24, but the host has 192.0.2.11/25' in text


def test_a_host_without_node_and_a_cluster_without_pool_are_told_together() -> None:
    text = refusal(cluster(), {**seen(), "node9": seen({"node9": "192.0.2.19/24"})["node9"]})
    assert text.startswith("2 problems:")
    assert "there is no IPPool" in text
    assert 'there is no Node "node9" in the datastore' in text


def test_a_node_with_the_address_of_pods_gateway() -> None:
    nodes = {"node1": "169.254.1.1/16", "node2": "169.254.1.2/16"}
    text = refusal(cluster(pool(), nodes=nodes), seen({"node2": nodes["node2"]}))
    assert text.startswith('Node "node1": spec.bgp.ipv4Address 169.254.1.1/16 is the address by which pods know their')
    six = pool("six", "fd00::/64", "VXLAN")
    both = {name: {"ipv6Address": f"2001:db8::{name[-1]}/64"} for name in nodes}
    documents = [six, *(node(name, nodes[name], **both[name]) for name in nodes)]
    plan_all(claim(snapshot(*documents), nodes, now=NOW), seen(nodes), "auto")


def test_workloads_as_peers() -> None:
    local = document("BGPPeer", "local", localWorkloadSelector="app == 'router'", asNumber=64513)
    text = refusal(cluster(pool(), extra=[local]), seen())
    assert 'BGPPeer "local": spec.localWorkloadSelector: sessions with pods are not supported. Leave' in text


def test_a_filter_that_is_not_there() -> None:
    peer = document("BGPPeer", "router", peerIP="192.0.2.1", asNumber=64513, filters=["gone"])
    stored = cluster(pool())
    stored["BGPPeer", "router"] = peer  # a file that a user edited; the modules refuse it before
    text = refusal(stored, seen())
    assert 'BGPPeer "router": spec.filters names BGPFilter "gone", which does not exist. Create the filter' in text


def with_key(key: str, name: str = "router", *, optional: bool = False, **spec: t.Any) -> Document:
    reference = {"name": "bgp", "key": key, **({"optional": True} if optional else {})}
    return document(
        "BGPPeer", name, **{"password": {"secretKeyRef": reference}, "peerIP": "192.0.2.1", "asNumber": 64513, **spec}
    )


MESH = document("BGPConfiguration", "default", nodeMeshPassword={"secretKeyRef": {"name": "bgp", "key": "mesh"}})
# By documents and the passwords that there are: what is refused.
SECRETS: dict[str, tuple[list[Document], list[str] | None, str | None]] = {
    "peer": ([with_key("tor")], [], 'BGPPeer "router": spec.password is key "tor" of secret "bgp"'),
    "another key": ([with_key("tor")], ["bgp/mesh", "tor/bgp"], 'BGPPeer "router": spec.password is key "tor"'),
    "mesh": ([MESH], [], 'BGPConfiguration "default": spec.nodeMeshPassword is key "mesh" of secret "bgp"'),
    "given": ([with_key("tor"), MESH], ["bgp/tor", "bgp/mesh"], None),
    "optional": ([with_key("tor", optional=True)], [], None),
    "not checked": ([with_key("tor"), MESH], None, None),
    "of no session": ([with_key("tor", node="elsewhere")], [], None),
}


@pytest.mark.parametrize(("documents", "secrets", "expected"), SECRETS.values(), ids=SECRETS)
def test_passwords_without_value(documents: list[Document], secrets: list[str] | None, expected: str | None) -> None:
    stored = cluster(pool(), extra=[ROUTER_OF_NONE, *documents])
    if expected is None:
        assert set(plan_all(stored, seen(), "auto", secrets=secrets)) == set(THREE_NODES)
        return
    with pytest.raises(InvalidInput) as caught:
        plan_all(stored, seen(), "auto", secrets=secrets)
    assert expected in str(caught.value)
    assert "for which there is no value. Set calico_bgp_passwords" in str(caught.value)


def test_passwords_are_of_no_interest_without_bird() -> None:
    assert plan_all(cluster(pool(), extra=[MESH]), seen(), "disabled", secrets=[])["node1"]["bgp"] is None


# By two peers: whether Calico would prefer neither.
RIVALS: dict[str, tuple[list[Document], bool]] = {
    "both of all nodes": ([with_key("a", "p"), with_key("b", "q")], True),
    "one without": ([with_key("a", "p"), document("BGPPeer", "q", peerIP="192.0.2.1", asNumber=64513)], True),
    "both of one node": ([with_key("a", "p", node="node1"), with_key("b", "q", nodeSelector="!has(x)")], True),
    "two nodes": ([with_key("a", "p", node="node1"), with_key("b", "q", node="node2")], False),
    "the same": ([with_key("a", "p"), with_key("a", "q")], False),
    "two ports": ([with_key("a", "p"), with_key("b", "q", peerIP="192.0.2.1:1790")], False),
    "one is preferred on both sides": (
        [
            with_key("a", "p", peerIP="192.0.2.12", asNumber=64512),
            with_key("b", "q", node="node1", peerIP="192.0.2.12", asNumber=64512),
        ],
        False,
    ),
    "one is preferred": ([with_key("a", "p"), with_key("b", "q", node="node1")], False),
}


@pytest.mark.parametrize(("peers", "refused"), RIVALS.values(), ids=RIVALS)
def test_two_passwords_of_one_session(peers: list[Document], refused: bool) -> None:
    stored = cluster(pool(), extra=peers)
    if not refused:
        assert set(plan_all(stored, seen(), "auto")) == set(THREE_NODES)
        return
    text = refusal(stored, seen())
    assert 'BGPPeer "p": it and BGPPeer "q" give the session of node "node1" with 192.0.2.1 different passwords' in text
    assert not text.startswith("2 problems")


def test_a_pool_of_an_ip_version_that_nodes_lack() -> None:
    text = refusal(cluster(pool(), pool("six", "fd00::/64")), seen())
    assert 'IPPool "six": spec.cidr fd00::/64 is IPv6, but node1, node2, node3 have no IPv6 address' in text
    assert "Set calico_node_address to an IPv6 address" in text


def test_a_pool_that_selects_no_node_without_its_ip_version() -> None:
    six = pool("six", "fd00::/64", nodeSelector="has(six)")
    assert set(plan_all(cluster(pool(), six), seen(), "auto")) == set(THREE_NODES)


def test_a_disabled_pool_of_an_ip_version_that_nodes_lack() -> None:
    six = pool("six", "fd00::/64", disabled=True)  # nobody gets an address of it
    assert set(plan_all(cluster(pool(), six), seen(), "auto")) == set(THREE_NODES)


PAIR: t.Final = {"node1": "192.0.2.11/24", "node2": "192.0.2.12/24"}


def reflecting(*extra: Document, encapsulation: str = "IPIP") -> Snapshot:
    """Return two nodes in the mesh and a third one that is made a route reflector."""
    third = node("node3", "192.0.2.13/24", routeReflectorClusterID="192.0.2.13")
    return cluster(pool(encapsulation=encapsulation), nodes=PAIR, extra=[third, *extra])


REFLECTED = document("BGPPeer", "all", nodeSelector="all()", peerSelector="all()")
# By the resources, the nodes of the run, whether BIRD routes and who may be cut off: the beginning of what is said.
CUT_OFF: dict[str, tuple[Snapshot, str, str, list[str], str]] = {
    "a reflector without peers": (
        reflecting(),
        "node3",
        "auto",
        [],
        'Node "node3": node3: no mesh and no BGPPeer gives',
    ),
    "of two that are named": (reflecting(), "node1 node3", "auto", ["node1"], 'Node "node3": node3: no mesh and'),
    "named": (reflecting(), "node1 node3", "auto", ["node3"], ""),
    "another node's run": (reflecting(), "node1", "auto", [], ""),
    "a reflector with peers": (reflecting(REFLECTED), "node1 node3", "auto", [], ""),
    "VXLAN": (reflecting(encapsulation="VXLAN"), "node1 node3", "enabled", [], ""),
    "no BIRD": (reflecting(), "node1 node3", "disabled", [], ""),
    "one side": (
        cluster(
            *(pool(encapsulation="IPIP"), document("BGPConfiguration", "default", nodeToNodeMeshEnabled=False)),
            nodes=PAIR,
            extra=[document("BGPPeer", "to-2", node="node1", peerSelector="all()", reversePeering="Manual")],
        ),
        "node1",
        "auto",
        [],
        'Node "node1": node1 has sessions with node2, which have none with it',
    ),
    "a row": (
        cluster(
            *(pool(encapsulation="IPIP"), document("BGPConfiguration", "default", nodeToNodeMeshEnabled=False)),
            nodes={**PAIR, "node3": "192.0.2.13/24"},
            extra=[document("BGPPeer", "to-1", node="node1", peerSelector="all()")],
        ),
        "node3",
        "auto",
        [],
        'Node "node2": node2 do not learn the blocks of node3: they are told by nobody',
    ),
    "a row, named": (
        cluster(
            *(pool(encapsulation="IPIP"), document("BGPConfiguration", "default", nodeToNodeMeshEnabled=False)),
            nodes={**PAIR, "node3": "192.0.2.13/24"},
            extra=[document("BGPPeer", "to-1", node="node1", peerSelector="all()")],
        ),
        "node3",
        "auto",
        ["node3"],
        "",
    ),
}


@pytest.mark.parametrize(("stored", "names", "bgp", "allowed", "said"), CUT_OFF.values(), ids=CUT_OFF)
def test_nobody_is_cut_off(stored: Snapshot, names: str, bgp: str, allowed: list[str], said: str) -> None:
    everyone = {**PAIR, "node3": "192.0.2.13/24"}
    hosts = seen({name: everyone[name] for name in names.split()})
    if not said:
        assert set(plan_all(stored, hosts, bgp, allow_cut_off=allowed)) == set(hosts)
        return
    with pytest.raises(InvalidInput) as caught:
        plan_all(stored, hosts, bgp, allow_cut_off=allowed)
    assert said in str(caught.value)
    assert "name the node in calico_allow_cut_off" in str(caught.value)


def test_good_clusters_pass() -> None:
    assert set(plan_all(cluster(pool(encapsulation="IPIPCrossSubnet")), seen(), "auto")) == set(THREE_NODES)
