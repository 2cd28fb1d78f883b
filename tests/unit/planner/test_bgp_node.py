# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What BIRD on a node has beside sessions: IP versions, router ID, pools, blocks, services, communities, options."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.planner.bgp import sessions_of
from ansible_collections.podnet.calico.plugins.module_utils.planner.ipam import claim
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import (
    Advertisement,
    Bgp,
    BgpFamily,
    PoolRule,
)
from ansible_collections.podnet.calico.plugins.module_utils.planner.snapshot import read
from ansible_collections.podnet.calico.tests.unit.planner.clusters import NOW, Document, document, node, pool, snapshot

Spec = t.Dict[str, t.Any]
FOUR, SIX = pool(encapsulation="None"), pool("six", "fd00::/64", encapsulation="None")
DUAL = {"ipv6Address": "2001:db8::1/64"}


def bgp(*documents: Document, name: str = "n1") -> Bgp | None:
    return sessions_of(read(snapshot(*documents))).get(name)


def made(*documents: Document, name: str = "n1") -> Bgp:
    found = bgp(*documents, name=name)
    assert found is not None
    return found


def family(*documents: Document, version: int = 4) -> BgpFamily:
    return next(found for found in made(*documents).families if found.version == version)


def configuration(name: str = "default", **spec: t.Any) -> Document:
    return document("BGPConfiguration", name, **spec)


N1 = node("n1", "192.0.2.1/24", **DUAL)
# By pools and the node: the IP versions that BIRD carries on it.
VERSIONS: dict[str, tuple[list[Document], Document, list[int]]] = {
    "both": ([FOUR, SIX], N1, [4, 6]),
    "an IPv4 pool": ([FOUR], N1, [4]),
    "an IPv6 pool": ([SIX], N1, [6]),
    "an IPv4 node": ([FOUR, SIX], node("n1", "192.0.2.1/24"), [4]),
    "an IPv6 node": ([FOUR, SIX], node("n1", "2001:db8::1/64"), [6]),
    "nothing in common": ([SIX], node("n1", "192.0.2.1/24"), []),
    "no pool at all": ([], N1, [4, 6]),
    "a node without addresses": ([FOUR], document("Node", "n1"), []),
}


@pytest.mark.parametrize(("pools", "this", "expected"), VERSIONS.values(), ids=VERSIONS)
def test_ip_versions(pools: list[Document], this: Document, expected: list[int]) -> None:
    found = bgp(*pools, this)
    assert [each.version for each in found.families] == expected if found else expected == []


def test_sessions_are_with_nodes_that_have_the_ip_version() -> None:
    nodes = [
        N1,
        node("n2", "192.0.2.2/24"),
        node("n3", "2001:db8::3/64"),
        node("n4", "192.0.2.4/24", ipv6Address="2001:db8::4/64"),
    ]
    found = made(FOUR, SIX, *nodes)
    assert [(session.family, session.peer, session.source) for session in found.sessions] == [
        (4, "n2", "192.0.2.1"),
        (4, "n4", "192.0.2.1"),
        (6, "n3", "2001:db8::1"),
        (6, "n4", "2001:db8::1"),
    ]
    assert {session.name for session in found.sessions if session.peer == "n4"} == {"bgp_192_0_2_4", "bgp_2001_db8__4"}
    assert [session.peer for session in made(FOUR, SIX, *nodes, name="n3").sessions] == ["n1", "n4"]


# The first four bytes of the names' SHA-256; the first one of n13 is 244, 32 too many.
ROUTER_IDS = {"n1": "103.107.139.184", "n13": "212.245.13.237"}


@pytest.mark.parametrize("name", ROUTER_IDS)
def test_router_id(name: str) -> None:
    assert made(FOUR, node(name, "192.0.2.1/24"), name=name).router_id == "192.0.2.1"
    assert made(SIX, node(name, "2001:db8::1/64"), name=name).router_id == ROUTER_IDS[name]


def test_pools_and_blocks() -> None:
    pools = (
        pool("a", "10.1.0.0/16", "IPIPCrossSubnet"),
        pool("b", "10.2.0.0/16", "VXLAN"),
        pool("c", "10.3.0.0/28", "None", blockSize=28, disableBGPExport=True, disabled=True),
        pool("d", "10.4.0.0/16", "None", allowedUses=["LoadBalancer"]),
    )
    stored = claim(snapshot(*pools, node("n1", "192.0.2.1/24")), ["n1"], now=NOW)
    found = sessions_of(read(stored))["n1"].families[0]
    assert found.pools == (
        PoolRule("10.1.0.0/16", 26, "ipip", cross_subnet=True, exported=True),
        PoolRule("10.2.0.0/16", 26, "vxlan", cross_subnet=False, exported=True),
        PoolRule("10.3.0.0/28", 28, "", cross_subnet=False, exported=False),
        PoolRule("10.4.0.0/16", 26, "", cross_subnet=False, exported=True),
    )
    assert [block.split(".")[1] for block in found.blocks] == ["1", "2"]
    assert (found.address, found.subnet) == ("192.0.2.1", "192.0.2.0/24")


def test_blocks_of_one_address_are_announced() -> None:
    one = pool("a", "10.1.0.0/24", "None", blockSize=32)
    stored = claim(snapshot(one, node("n1", "192.0.2.1/24")), ["n1"], now=NOW)
    [block] = read(stored).owned("n1")
    assert sessions_of(read(stored))["n1"].families[0].blocks == (str(block.cidr),)


def _cidrs(*texts: str) -> list[dict[str, str]]:
    return [{"cidr": text} for text in texts]


SERVICES = {
    "serviceClusterIPs": _cidrs("10.96.0.0/12", "fd96::/112"),
    "serviceExternalIPs": _cidrs("203.0.113.0/25"),
    "serviceLoadBalancerIPs": _cidrs("203.0.113.128/25", "fd97::/112"),
}
ALL4 = ("10.96.0.0/12", "203.0.113.0/25", "203.0.113.128/25")
LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
REFLECTOR = {"routeReflectorClusterID": "224.0.0.1"}
# By configuration, labels and the node's spec.bgp: advertised and reflected ranges of IPv4.
RANGES: dict[str, tuple[Spec, dict[str, str], Spec, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "all": ({}, {}, {}, (ALL4, ())),
    "reflector": ({}, {}, REFLECTOR, (ALL4, ALL4[2:])),
    "aggregation off": ({"serviceLoadBalancerAggregation": "Disabled"}, {}, REFLECTOR, (ALL4[:2], ALL4[2:])),
    "excluded": ({}, {LABEL: "true"}, {}, ((), ())),
    "excluded reflector": ({}, {LABEL: "true"}, REFLECTOR, ((), ALL4[2:])),
    "not excluded": ({}, {LABEL: "false"}, {}, (ALL4, ())),
}


@pytest.mark.parametrize(("spec", "labels", "of_node", "expected"), RANGES.values(), ids=RANGES)
def test_services(spec: Spec, labels: dict[str, str], of_node: Spec, expected: t.Any) -> None:
    this = node("n1", "192.0.2.1/24", labels, **of_node)
    found = family(FOUR, this, configuration(**SERVICES, **spec))
    assert (found.services, found.reflected_services) == expected


def test_services_of_ipv6() -> None:
    assert family(FOUR, SIX, N1, configuration(**SERVICES), version=6).services == ("fd96::/112", "fd97::/112")


NAMED = {"communities": [{"name": "east", "value": "64512:1"}, {"name": "large", "value": "64512:1:2"}]}
GLOBAL = {
    **NAMED,
    "prefixAdvertisements": [{"cidr": "10.244.0.0/16", "communities": ["large", "east", "64512:1", "1:2"]}],
}
OWN = {"prefixAdvertisements": [{"cidr": "10.244.9.0/24", "communities": ["3:4"]}]}


def test_communities_by_name_and_value() -> None:
    expected = Advertisement("10.244.0.0/16", ("1:2", "64512:1", "64512:1:2"))
    assert family(FOUR, N1, configuration(**GLOBAL)).advertisements == (expected,)


def test_communities_of_a_node_replace_those_of_all() -> None:
    documents = (FOUR, SIX, N1, configuration(**GLOBAL), configuration("node.n1", **OWN))
    assert family(*documents).advertisements == (Advertisement("10.244.9.0/24", ("3:4",)),)
    assert family(*documents, version=6).advertisements == ()
    assert family(FOUR, N1, configuration(**GLOBAL), configuration("node.n2", **OWN)).advertisements != ()


def test_communities_by_ip_version() -> None:
    both = [{"cidr": cidr, "communities": ["1:2"]} for cidr in ("10.244.0.0/16", "fd00::/64")]
    documents = (FOUR, SIX, N1, configuration(prefixAdvertisements=both))
    assert [found.cidr for found in family(*documents).advertisements] == ["10.244.0.0/16"]
    assert [found.cidr for found in family(*documents, version=6).advertisements] == ["fd00::/64"]


# By the configurations of all and of the node: a field of its part.
OPTIONS: dict[str, tuple[Spec, Spec, Spec]] = {
    "defaults": ({}, {}, {"listen_port": 179, "bind_to_node": False, "ignored_interfaces": (), "debug": "states"}),
    "listenPort": ({"listenPort": 1179}, {}, {"listen_port": 1179}),
    "listenPort of the node": ({"listenPort": 1179}, {"listenPort": 2179}, {"listen_port": 2179}),
    "bindMode": ({"bindMode": "NodeIP"}, {}, {"bind_to_node": True}),
    "bindMode of the node is not read": ({}, {"bindMode": "NodeIP"}, {"bind_to_node": False}),
    "ignoredInterfaces": ({"ignoredInterfaces": ["eth9"]}, {}, {"ignored_interfaces": ("eth9",)}),
    "ignoredInterfaces of the node are not read": ({}, {"ignoredInterfaces": ["eth9"]}, {"ignored_interfaces": ()}),
    "Debug": ({"logSeverityScreen": "Debug"}, {}, {"debug": "all"}),
    "fatal": ({"logSeverityScreen": "fatal"}, {}, {"debug": ""}),
    "Warning": ({"logSeverityScreen": "Warning"}, {}, {"debug": ""}),
    "Debug on the node": ({"logSeverityScreen": "Fatal"}, {"logSeverityScreen": "Debug"}, {"debug": "all"}),
}


@pytest.mark.parametrize(("default", "own", "expected"), OPTIONS.values(), ids=OPTIONS)
def test_options(default: Spec, own: Spec, expected: Spec) -> None:
    found = made(FOUR, N1, configuration(**default), configuration("node.n1", **own))
    assert {key: getattr(found, key) for key in expected} == expected


def test_priorities() -> None:
    documents = (FOUR, SIX, N1, configuration(ipv4NormalRoutePriority=512, ipv6NormalRoutePriority=2048))
    assert (family(*documents).priority, family(*documents, version=6).priority) == (512, 2048)
    assert family(FOUR, N1).priority == 1024
    assert family(FOUR, N1, configuration("node.n1", ipv4NormalRoutePriority=9)).priority == 1024
