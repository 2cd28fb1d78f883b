# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For each rule of the lint clusters that break it, and next to each one that differs in little and does not."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import re
import sys
import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.planner import ipam_records as records
from ansible_collections.podnet.calico.plugins.module_utils.planner import lint
from ansible_collections.podnet.calico.plugins.module_utils.planner.bgp import sessions_of
from ansible_collections.podnet.calico.plugins.module_utils.planner.lint_scene import CUT_OFF, RULES, listed
from ansible_collections.podnet.calico.plugins.module_utils.planner.snapshot import read
from ansible_collections.podnet.calico.tests.unit.planner.clusters import NOW, document, node, pool
from ansible_collections.podnet.calico.tests.unit.planner.lint_clusters import (
    CLIENTS,
    REFLECTORS,
    bgp,
    changed,
    direct,
    mesh,
    named,
    nodes,
    peer,
    racks,
    reflected,
    reflector,
    report,
    rules,
    without,
)

TOR = {"peerIP": "192.0.2.1", "asNumber": 65000}
SECRET = {"secretKeyRef": {"name": "bgp", "key": "rack"}}
OTHER = {"secretKeyRef": {"name": "bgp", "key": "other"}}
ACCEPT = document("BGPFilter", "accept", importV4=[{"action": "Accept"}])
SIDED = [direct(), bgp(nodeToNodeMeshEnabled=False), *nodes(2)]


def pair(one: dict[str, object], other: dict[str, object], **both: object) -> list[dict[str, object]]:
    """Return two nodes that name each other by address, each with its own fields of the BGPPeer."""
    there, here = {"peerIP": "192.0.2.12", "asNumber": 64512}, {"peerIP": "192.0.2.11", "asNumber": 64512}
    peers = [
        peer("there", node="node1", **{**there, "reversePeering": "Manual", **both, **one}),
        peer("here", node="node2", **{**here, "reversePeering": "Manual", **both, **other}),
    ]
    return [*SIDED, *peers]


def services(option: str, cidr: str) -> dict[str, object]:
    return bgp(**{option: [{"cidr": cidr}]})


BALANCED = pool("lb", "203.0.113.0/24", "None", allowedUses=["LoadBalancer"])
ONE_ZONE = (reflector("rr1", 1, "a"), reflector("rr2", 2, "a"))
APART = [
    *(direct(), bgp(nodeToNodeMeshEnabled=False), *nodes(2)),
    *(reflector("rr1", 1, "a", "198.18.0.9"), reflector("rr2", 2, "b", "198.18.0.9")),
    peer("first", node="node1", peerSelector="zone == 'a'"),
    peer("second", node="node2", peerSelector="zone == 'b'"),
    peer("reflectors", nodeSelector=REFLECTORS, peerSelector=REFLECTORS),
]
OWNED = records.new_block(ipaddress.ip_network("10.245.0.0/26"), "node1", NOW)
COMMUNITY = {"name": "local", "value": "64512:100"}
ADVERTISED = {"cidr": "10.244.0.0/16", "communities": ["local"]}

# rule, what breaks it, and what differs from that in little and is in order as far as this rule goes
CASES = [
    ("invalid-document", [*mesh(), pool("odd", "10.245.0.1/16")], [*mesh(), pool("odd", "10.245.0.0/16")]),
    ("invalid-document", [*mesh(), {"kind": "IPPool"}], [*mesh(), {"kind": "NetworkPolicy"}]),
    ("pool-overlap", [*mesh(), pool("b", "10.244.64.0/18")], [*mesh(), pool("b", "10.245.0.0/18")]),
    ("pool-overlaps-service", [*mesh(), services("serviceClusterIPs", "10.244.0.0/20")], mesh()),
    (
        "pool-overlaps-service",
        [*mesh(), BALANCED, services("serviceExternalIPs", "203.0.113.0/24")],
        [*mesh(), BALANCED, services("serviceLoadBalancerIPs", "203.0.113.0/24")],
    ),
    ("pool-overlaps-underlay", [pool(cidr="192.0.0.0/16"), *nodes(2)], [pool(cidr="192.1.0.0/16"), *nodes(2)]),
    (
        "pool-overlaps-underlay",
        [pool(cidr="192.0.0.0/16"), node("node1", "192.0.2.11/32")],
        [pool(cidr="192.0.0.0/23"), node("node1", "192.0.2.11/32")],
    ),
    (
        "pool-overlaps-peer",
        [*mesh(), peer("tor", peerIP="10.244.0.1", asNumber=65000)],
        [*mesh(), peer("tor", **TOR)],
    ),
    (
        "service-overlaps-underlay",
        [*mesh(), services("serviceClusterIPs", "192.0.0.0/16")],
        [*mesh(), services("serviceClusterIPs", "10.96.0.0/12")],
    ),
    ("pool-too-small", [pool(cidr="10.244.0.0/25"), *nodes(3)], [pool(cidr="10.244.0.0/25"), *nodes(2)]),
    (
        "pool-too-small",
        [pool(cidr="10.244.0.0/26"), *nodes(2)],
        [pool(cidr="10.244.0.0/26", assignmentMode="Manual"), *nodes(2)],
    ),
    ("pool-selects-nobody", [*mesh(), pool("b", "10.245.0.0/16", nodeSelector="has(x)")], mesh()),
    (
        "pool-selects-nobody",
        [*mesh(), pool("b", "10.245.0.0/16", nodeSelector="has(x)")],
        [*mesh(), pool("b", "10.245.0.0/16", nodeSelector="has(x)", disabled=True)],
    ),
    (
        "pool-not-routed",
        [direct(disableBGPExport=True), *nodes(2)],
        [*mesh(), pool("b", "10.245.0.0/16", disableBGPExport=True)],
    ),
    (
        "pool-without-address",
        [*mesh(), pool("six", "fd00::/64")],
        [*mesh(), pool("six", "fd00::/64", nodeSelector="has(six)")],
    ),
    (
        "direct-between-subnets",
        [direct(), node("node1", "192.0.2.11/32"), node("node2", "192.0.2.12/32")],
        [direct(), node("node1", "192.0.2.11"), node("node2", "192.0.2.12")],
    ),
    (
        "direct-between-subnets",
        [direct(), *nodes(1), node("node2", "198.51.100.12/24")],
        [pool(encapsulation="IPIPCrossSubnet"), *nodes(1), node("node2", "198.51.100.12/24")],
    ),
    (
        "node-is-pod-gateway",
        [*mesh(), node("node9", "169.254.1.1/16")],
        [pool("six", "fd00::/64"), node("node9", "169.254.1.1/16", ipv6Address="fd01::9/64")],
    ),
    ("block-without-pool", [*mesh(), OWNED], [*mesh(), pool("b", "10.245.0.0/16"), OWNED]),
    (
        "peer-with-pods",
        [*mesh(), peer("tor", localWorkloadSelector="has(bird)", asNumber=65000)],
        [*mesh(), peer("tor", **TOR)],
    ),
    (
        "peers-contradict",
        [*mesh(), peer("tor", **TOR), peer("two", **TOR, password=SECRET)],
        [*mesh(), peer("tor", **TOR), peer("two", peerIP="192.0.2.2", asNumber=65000, password=SECRET)],
    ),
    ("filter-missing", [*mesh(), peer("tor", filters=["accept"], **TOR)], [*mesh(), peer("tor", **TOR)]),
    (
        "filter-unused",
        [*mesh(), peer("tor", **TOR), ACCEPT],
        [*mesh(), peer("tor", filters=["accept"], **TOR), ACCEPT],
    ),
    (
        "community-unused",
        [*mesh(), bgp(communities=[COMMUNITY], prefixAdvertisements=[{**ADVERTISED, "communities": ["64512:1"]}])],
        [*mesh(), bgp(communities=[COMMUNITY], prefixAdvertisements=[ADVERTISED])],
    ),
    (
        "advertisement-unused",
        [*mesh(), bgp(communities=[COMMUNITY], prefixAdvertisements=[{**ADVERTISED, "cidr": "10.99.0.0/16"}])],
        [*mesh(), bgp(communities=[COMMUNITY], prefixAdvertisements=[ADVERTISED])],
    ),
    ("peer-selects-nobody", [*mesh(), peer("tor", nodeSelector="has(x)", **TOR)], [*mesh(), peer("tor", **TOR)]),
    ("peer-selects-nobody", [*mesh(), peer("rr", peerSelector="has(rr)")], reflected()),
    ("node-unknown", [*mesh(), peer("tor", node="node9", **TOR)], [*mesh(), peer("tor", node="node1", **TOR)]),
    ("node-unknown", [*mesh(), bgp("node.node9", listenPort=1179)], [*mesh(), bgp("node.node1", listenPort=179)]),
    (
        "peer-without-route",
        [*mesh(), peer("far", peerIP="203.0.113.1", asNumber=65000)],
        [*mesh(), peer("far", peerIP="203.0.113.1", asNumber=65000, reachableBy="192.0.2.1")],
    ),
    (
        "peer-without-route",
        [*mesh(), peer("far", peerIP="203.0.113.1", asNumber=65000, reachableBy="198.51.100.1")],
        [*mesh(), peer("far", peerIP="203.0.113.1", asNumber=65000, ttlSecurity=2)],
    ),
    (
        "local-as-of-peer",
        [*mesh(), peer("tor", localASNumber=65000, **TOR)],
        [*mesh(), peer("tor", localASNumber=65001, **TOR)],
    ),
    (
        "duplicate-router-id",
        [direct(), node("node1", "192.0.2.11/24"), node("node2", "192.0.2.11/24"), node("node3", "192.0.2.13/24")],
        mesh(),
    ),
    ("no-session", without(reflected(), "clients"), reflected()),
    ("no-session", [*SIDED], mesh(2)),
    (
        "one-sided-session",
        [*SIDED, peer("p", node="node1", peerIP="192.0.2.12", asNumber=64512, reversePeering="Manual")],
        [*SIDED, peer("p", node="node1", peerIP="192.0.2.12", asNumber=64512)],
    ),
    (
        "one-sided-session",
        changed(reflected(), "clients", reversePeering="Manual"),
        [
            *changed(reflected(), "clients", reversePeering="Manual"),
            peer("back", nodeSelector=REFLECTORS, peerSelector=CLIENTS, reversePeering="Manual"),
        ],
    ),
    ("port-of-a-node", pair({"peerIP": "192.0.2.12:1179"}, {}), pair({"peerIP": "192.0.2.12:179"}, {})),
    (
        "port-of-a-node",
        [*pair({"peerIP": "192.0.2.12:179"}, {}), bgp("node.node2", listenPort=1179)],
        [*pair({"peerIP": "192.0.2.12:1179"}, {}), bgp("node.node2", listenPort=1179)],
    ),
    ("as-mismatch", pair({"localASNumber": 65001}, {}), pair({"localASNumber": 65001}, {"asNumber": 65001})),
    ("password-mismatch", pair({"password": SECRET}, {"password": OTHER}), pair({}, {}, password=SECRET)),
    ("ttl-security-mismatch", pair({"ttlSecurity": 1}, {}), pair({}, {}, ttlSecurity=1)),
    (
        "external-peer-in-own-as",
        [*mesh(), peer("tor", peerIP="192.0.2.1", asNumber=64512)],
        [*mesh(), peer("tor", **TOR)],
    ),
    ("as-loop", racks((65001, 65001)), racks()),
    ("as-loop", racks((65001, 65001)), racks((65001, 65001), numAllowedLocalASNumbers=1)),
    (
        "blocks-unreachable",
        [*SIDED, *nodes(1, 3), peer("p", node="node1", peerSelector="all()")],
        [*SIDED, *nodes(1, 3), peer("p", peerSelector="all()")],
    ),
    ("blocks-unreachable", without(reflected(), "reflectors"), reflected()),
    ("mesh-with-reflectors", changed(reflected(), "default", nodeToNodeMeshEnabled=True), reflected()),
    ("single-reflector", reflected(reflector("rr1", 1, "a")), reflected()),
    ("reflectors-in-one-failure-domain", reflected(*ONE_ZONE), reflected()),
    (
        "reflectors-in-one-failure-domain",
        reflected(*ONE_ZONE),
        reflected(*ONE_ZONE, reflector("rr3", 3, "b")),
    ),
    (
        "shared-cluster-id",
        APART,
        reflected(reflector("rr1", 1, "a", "198.18.0.9"), reflector("rr2", 2, "b", "198.18.0.9")),
    ),
]


@pytest.mark.parametrize(("rule", "broken", "fine"), CASES)
def test_rule(rule: str, broken: list[dict[str, object]], fine: list[dict[str, object]]) -> None:
    assert rule in rules(broken)
    assert rule not in rules(fine)


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ({"passive": True}, {"passive": True}, ["nobody-connects"]),
        ({"passive": True}, {"port": 1179}, ["nobody-connects"]),
        ({"port": 1179}, {"port": 1179}, ["nobody-connects"]),
        ({"passive": True}, {}, []),
        ({"port": 1179}, {}, []),
    ],
)
def test_one_end_has_to_connect_to_where_the_other_listens(
    one: dict[str, object], other: dict[str, object], found: list[str]
) -> None:
    snapshot, __ = lint.read(mesh(2))
    bgps = sessions_of(read(snapshot))
    for name, fields in (("node1", one), ("node2", other)):
        session = dataclasses.replace(bgps[name].sessions[0], **{"passive": False, **fields})
        bgps[name] = dataclasses.replace(bgps[name], sessions=(session,))
    rules_found = [finding.rule for finding in lint.lint(lint.scene_of(snapshot, bgps)).findings]
    assert [rule for rule in rules_found if rule != "blocks-unreachable"] == found


def test_every_rule_has_a_case_and_a_line_in_the_documentation() -> None:
    assert {"nobody-connects", *(rule for rule, __, __ in CASES)} == set(RULES)
    text = (Path(__file__).parents[3] / "docs" / "lint.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \| (error|warning) \|", text, re.MULTILINE)
    assert dict(rows) == RULES
    assert len(rows) == len(RULES)


@pytest.mark.parametrize(
    "documents",
    [
        mesh(),
        mesh(1),
        reflected(),
        racks(),
        [pool(), *nodes(3)],
        [pool("main", "fd00:10::/48"), *[node(f"n{i}", f"fd00::{i}/64") for i in range(1, 4)]],
        [*mesh(), peer("tor", **TOR)],
    ],
    ids=["mesh", "one node", "reflectors", "racks", "VXLAN", "IPv6", "mesh and router"],
)
def test_nothing_is_found_where_nothing_is_wrong(documents: list[dict[str, object]]) -> None:
    found = report(documents)
    assert (found.findings, found.skipped) == ([], [])
    assert found.lines() == ["errors: 0, warnings: 0"]


def test_what_many_nodes_have_in_common_is_said_once() -> None:
    documents = [direct(), bgp(nodeToNodeMeshEnabled=False), *nodes(30), reflector("rr1", 1, "a")]
    documents += [peer("clients", nodeSelector=CLIENTS, peerSelector=REFLECTORS)]
    assert named(documents) == [("single-reflector", "rr1")]
    (finding,) = report(documents).findings
    assert "node1, node10, node11, node12, node13 and 25 more" in finding.message


def test_clients_of_reflectors_with_one_cluster_id_are_hidden_from_each_other() -> None:
    hidden = [finding for finding in report(APART).findings if finding.rule == "blocks-unreachable"]
    assert [finding.message.partition(":")[0] for finding in hidden] == [
        "node1, rr1 do not learn the blocks of node2",
        "node2, rr2 do not learn the blocks of node1",
    ]
    apart = [each for each in APART if each["metadata"]["name"] not in ("rr1", "rr2")]
    assert "blocks-unreachable" not in rules([*apart, reflector("rr1", 1, "a"), reflector("rr2", 2, "b")])


def test_reflectors_in_a_row_pass_on_to_clients_and_from_clients_alone() -> None:
    """node1 - rr1 - rr2 - rr3 - node2: rr2 is no client of its neighbours nor they of it if all have one cluster ID."""
    row = [direct(), bgp(nodeToNodeMeshEnabled=False), *nodes(2)]
    ends = [peer("a", node="node1", peerSelector="zone == '1'"), peer("d", node="node2", peerSelector="zone == '3'")]
    steps = [peer("b", node="rr1", peerSelector="zone == '2'"), peer("c", node="rr2", peerSelector="zone == '3'")]
    own = [reflector(f"rr{i}", i, str(i)) for i in (1, 2, 3)]
    shared = [reflector(f"rr{i}", i, str(i), "198.18.0.9") for i in (1, 2, 3)]
    assert "blocks-unreachable" not in rules([*row, *ends, *steps, *own])
    assert "blocks-unreachable" in rules([*row, *ends, *steps, *shared])


def test_pools_that_bird_does_not_route_need_no_session() -> None:
    tor = peer("tor", node="node1", **TOR)
    off = bgp(nodeToNodeMeshEnabled=False)
    assert "blocks-unreachable" not in rules([pool(), off, *nodes(3), tor])
    assert rules([pool(encapsulation="IPIP"), off, *nodes(3), tor]) == ["no-session"]


def test_rules_that_need_a_subnet_are_skipped_without_one_and_say_so() -> None:
    hosts = [node("node1", "192.0.2.11/32"), node("node2", "192.0.2.12/24")]
    found = report([direct(), *hosts, peer("far", peerIP="203.0.113.1", asNumber=65000)])
    assert [(skip.rule, skip.name) for skip in found.skipped] == [("peer-without-route", "far")]
    assert "node1" in found.skipped[0].reason
    assert [finding.rule for finding in found.findings] == ["peer-without-route"]
    assert "node1" not in found.findings[0].message


def test_reflectors_without_label_are_skipped_and_named() -> None:
    found = report(reflected(reflector("rr1", 1, "a"), reflector("rr2", 2, None)))
    assert found.findings == []
    assert [(skip.rule, skip.reason) for skip in found.skipped] == [
        ("reflectors-in-one-failure-domain", "rr2 without label zone")
    ]


@pytest.mark.parametrize(("count", "text"), [(2, "n0, n1"), (6, "n0, n1, n2, n3, n4, n5"), (9, "n4 and 4 more")])
def test_listed(count: int, text: str) -> None:
    assert listed(f"n{i}" for i in range(count)).endswith(text)


def calls_of(work: t.Callable[[], None]) -> int:
    """Return how many functions of Python are called."""
    calls = 0

    def count(frame: types.FrameType, event: str, argument: t.Any) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


def look_at(number: int) -> None:
    """Find nothing in a cluster of so many nodes and three reflectors."""
    big = [node(f"node{i}", f"172.16.{i // 250}.{i % 250 + 1}/16") for i in range(number)]
    servers = [
        node(f"rr{i}", f"172.16.200.{i}/16", {"rr": "true", "zone": str(i)}, routeReflectorClusterID=f"198.18.0.{i}")
        for i in (1, 2, 3)
    ]
    documents = [*reflected(*servers, clients=0), *big]
    assert rules(changed(documents, "main", cidr="10.0.0.0/8")) == []


def test_twice_the_nodes_are_twice_the_work() -> None:
    few, many = (calls_of(functools.partial(look_at, number)) for number in (100, 200))
    assert many < 2.1 * few


def test_another_daemon_on_a_node_does_not_hide_the_nodes_own_session() -> None:
    other = peer("other", node="node2", peerIP="192.0.2.11:1790", asNumber=64512)
    assert set(rules([*mesh(2), other])) == {"external-peer-in-own-as", "port-of-a-node"}


def test_nodes_that_may_be_cut_off_are_not_found() -> None:
    """rr1 takes no part in the mesh; in the other cluster it has sessions with clients, but none with rr2."""
    documents = [*mesh(3), reflector("rr1", 1, "a")]
    snapshot, __ = lint.read(documents)
    bgps = sessions_of(read(snapshot))
    for excused, found in ((), ["no-session"]), (("rr1",), []), (("node1",), ["no-session"]):
        report_of = lint.lint(lint.scene_of(snapshot, bgps, excused=excused))
        assert [f.rule for f in report_of.findings if f.rule in CUT_OFF] == found
    apart = without(reflected(), "reflectors")
    snapshot, __ = lint.read(apart)
    bgps = sessions_of(read(snapshot))
    for names, expected in ((), ["blocks-unreachable"]), (("rr1",), []):
        report_of = lint.lint(lint.scene_of(snapshot, bgps, excused=names))
        assert sorted({f.rule for f in report_of.findings if f.rule in CUT_OFF}) == expected
