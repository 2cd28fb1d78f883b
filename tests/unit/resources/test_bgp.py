# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BGPPeer and BGPConfiguration: defaults, canonical form, and what is refused."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_configuration import BGPConfiguration
from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_peer import BGPPeer
from ansible_collections.podnet.calico.plugins.module_utils.resources.secret import SecretKeyRef


def peer(**spec: t.Any) -> BGPPeer:
    return BGPPeer.from_document({"kind": "BGPPeer", "metadata": {"name": "peer"}, "spec": spec})


def configuration(name: str = "default", **spec: t.Any) -> BGPConfiguration:
    return BGPConfiguration.from_document({"kind": "BGPConfiguration", "metadata": {"name": name}, "spec": spec})


def test_global_peer_has_defaults() -> None:
    found = peer(peerIP="192.0.2.1", asNumber=64513)
    assert found.to_document()["spec"] == {
        "peerIP": "192.0.2.1",
        "asNumber": 64513,
        "sourceAddress": "UseNodeIP",
        "reversePeering": "Auto",
    }


@pytest.mark.parametrize(
    ("given", "canonical", "address", "port"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.1", None),
        ("192.0.2.1:1179", "192.0.2.1:1179", "192.0.2.1", 1179),
        ("2001:DB8:0::1", "2001:db8::1", "2001:db8::1", None),
        ("[2001:DB8::1]:179", "[2001:db8::1]:179", "2001:db8::1", 179),
        ("[192.0.2.1]:179", "192.0.2.1:179", "192.0.2.1", 179),
    ],
)
def test_peer_address_has_one_spelling(given: str, canonical: str, address: str, port: int | None) -> None:
    found = peer(peerIP=given, asNumber=1)
    assert (found.peer_ip, str(found.peer_address), found.peer_port) == (canonical, address, port)


def test_everything_of_a_full_peer_survives_the_round_trip() -> None:
    spec = {
        "nodeSelector": "has(rr)",
        "peerIP": "192.0.2.1",
        "asNumber": "0.64513",
        "localASNumber": 65000,
        "nextHopMode": "Self",
        "password": {"secretKeyRef": {"name": "bgp", "key": "rr", "optional": True}},
        "sourceAddress": "None",
        "maxRestartTime": "120s",
        "keepaliveTime": "1h30s",
        "numAllowedLocalASNumbers": 2,
        "ttlSecurity": 1,
        "reachableBy": "192.0.2.254",
        "filters": ["b", "a"],
        "reversePeering": "Manual",
    }
    found = peer(**spec)
    assert (found.as_number, found.max_restart_time, found.keepalive_time) == (64513, 120, 3630)
    assert found.password == SecretKeyRef("bgp", "rr", True)
    canonical = found.to_document()
    changed = {"asNumber": 64513, "maxRestartTime": "2m0s", "keepaliveTime": "1h0m30s"}
    assert canonical["spec"] == {**spec, **changed}
    assert BGPPeer.from_document(canonical) == found


PEER_INVALID = {
    "no other end": ({"asNumber": 1}, "spec.peerIP is missing", "peerSelector"),
    "two other ends": ({"peerIP": "192.0.2.1", "peerSelector": "all()"}, "contradicts peerSelector", "Give one of"),
    "two sorts of nodes": (
        {"peerIP": "192.0.2.1", "asNumber": 1, "node": "a", "nodeSelector": "all()"},
        'spec.node "a" contradicts nodeSelector',
        "every node",
    ),
    "AS with nodes": ({"peerSelector": "all()", "asNumber": 1}, "contradicts peerSelector", "own AS"),
    "no AS": ({"peerIP": "192.0.2.1"}, "spec.asNumber is missing", "peerIP does not tell it"),
    "zero for an AS": ({"peerIP": "192.0.2.1", "asNumber": 0}, "spec.asNumber 0 is missing", "AS number"),
    "zeros for an AS": ({"peerIP": "192.0.2.1", "asNumber": "0.0"}, "is missing", "peerIP does not tell it"),
    "workload without AS": ({"localWorkloadSelector": "has(a)"}, "spec.asNumber is missing", "AS number"),
    "port zero": ({"peerIP": "192.0.2.1:0", "asNumber": 1}, "is not an address with an optional port", "1179"),
    "bare IPv6 with port": ({"peerIP": "[2001:db8::1]", "asNumber": 1}, "is not an address", "[2001:db8::1]:1179"),
    "two next hops": (
        {"peerIP": "192.0.2.1", "asNumber": 1, "keepOriginalNextHop": True, "nextHopMode": "Keep"},
        "contradicts nextHopMode Keep",
        "replaces it",
    ),
    "gateway without address": ({"peerSelector": "all()", "reachableBy": "192.0.2.1"}, "needs peerIP", "Give peerIP"),
    "gateway of the other family": (
        {"peerIP": "2001:db8::1", "asNumber": 1, "reachableBy": "192.0.2.1"},
        "is not of the family of peerIP",
        "IPv6 gateway",
    ),
    "no unit": ({"peerIP": "192.0.2.1", "asNumber": 1, "maxRestartTime": "500"}, "is not a duration", "120s"),
    "empty duration": (
        {"peerIP": "192.0.2.1", "asNumber": 1, "keepaliveTime": ""},
        "is not a duration",
        "leave it out",
    ),
    "link-local without a zone": (
        {"peerIP": "fe80::1", "asNumber": 1},
        "does not say by which interface",
        "beyond its",
    ),
    "link-local with a zone": ({"peerIP": "fe80::1%eth0", "asNumber": 1}, "is not an address", "192.0.2.1"),
    "plain password": ({"peerIP": "192.0.2.1", "asNumber": 1, "password": {"value": "x"}}, "secretKeyRef", ""),
    "hops": ({"peerIP": "192.0.2.1", "asNumber": 1, "ttlSecurity": 256}, "is not within 0 to 255", "255"),
    "filter name": ({"peerIP": "192.0.2.1", "asNumber": 1, "filters": ["A_b"]}, "name of a BGPFilter", "A_b"),
    "selector too long": ({"peerSelector": "has(" + "a" * 4096 + ")"}, "more than 4096 characters", "Shorten"),
}


@pytest.mark.parametrize(("spec", "message", "remedy"), PEER_INVALID.values(), ids=PEER_INVALID)
def test_peer_is_refused(spec: dict[str, t.Any], message: str, remedy: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        peer(**spec)
    assert 'BGPPeer "peer": ' in str(caught.value)
    assert message in str(caught.value)
    assert remedy in str(caught.value)


def test_default_configuration_is_filled_in_but_leaves_the_route_owner_open() -> None:
    found = configuration()
    assert found.node is None
    assert found.to_document()["spec"] == {
        "logSeverityScreen": "Info",
        "nodeToNodeMeshEnabled": True,
        "asNumber": 64512,
        "serviceLoadBalancerAggregation": "Enabled",
        "listenPort": 179,
        "bindMode": "None",
        "ipv4NormalRoutePriority": 1024,
        "ipv6NormalRoutePriority": 1024,
    }


def test_configuration_of_one_node_holds_what_was_given_alone() -> None:
    found = configuration("node.node1.example", listenPort=1179)
    assert found.node == "node1.example"
    assert found.to_document()["spec"] == {"listenPort": 1179}


def test_everything_of_a_full_configuration_survives_the_round_trip() -> None:
    spec: dict[str, t.Any] = {
        "logSeverityScreen": "Debug",
        "nodeToNodeMeshEnabled": True,
        "asNumber": 64600,
        "serviceClusterIPs": [{"cidr": "10.96.0.0/12"}, {"cidr": "FD00:96::/108"}],
        "serviceExternalIPs": [{"cidr": "203.0.113.0/24"}],
        "serviceLoadBalancerIPs": [{"cidr": "198.51.100.0/24"}],
        "serviceLoadBalancerAggregation": "Disabled",
        "communities": [{"name": "pods", "value": "64512:100"}],
        "prefixAdvertisements": [{"cidr": "10.244.0.0/16", "communities": ["pods", "64512:1:4294967295"]}],
        "listenPort": 1179,
        "nodeMeshPassword": {"secretKeyRef": {"name": "bgp", "key": "mesh"}},
        "nodeMeshMaxRestartTime": "45s",
        "bindMode": "NodeIP",
        "ignoredInterfaces": ["docker*", "br-1"],
        "localWorkloadPeeringIPV4": "192.0.2.250",
        "localWorkloadPeeringIPV6": "2001:db8::250",
        "programClusterRoutes": "Disabled",
        "ipv4NormalRoutePriority": 100,
        "ipv6NormalRoutePriority": 200,
    }
    canonical = configuration(**spec).to_document()
    assert canonical["spec"] == {**spec, "serviceClusterIPs": [{"cidr": "10.96.0.0/12"}, {"cidr": "fd00:96::/108"}]}
    assert BGPConfiguration.from_document(canonical).to_document() == canonical


CONFIGURATION_INVALID = {
    "name": ("other", {}, "is neither default nor node.<node>", "default for all nodes"),
    "mesh of one node": (
        "node.a",
        {"nodeToNodeMeshEnabled": False},
        "in the configuration named default alone",
        "default",
    ),
    "AS of one node": ("node.a", {"asNumber": 64600}, "spec.asNumber 64600 is possible in", "default"),
    "password without mesh": (
        "default",
        {"nodeToNodeMeshEnabled": False, "nodeMeshPassword": {"secretKeyRef": {"name": "a", "key": "b"}}},
        "needs the node-to-node mesh",
        "enable the mesh",
    ),
    "unused communities": ("default", {"communities": [{"name": "a", "value": "1:2"}]}, "are not used", "prefixAdv"),
    "community read as a number": (
        "default",
        {"communities": [{"name": "a", "value": 3900050}], "prefixAdvertisements": [{"cidr": "10.0.0.0/8"}]},
        "spec.communities[0].value 3900050 is not a community",
        "in quotes",
    ),
    "community part too large": (
        "default",
        {"prefixAdvertisements": [{"cidr": "10.0.0.0/8", "communities": ["65536:1"]}]},
        '"65536:1" is neither a defined community nor a value',
        "Define it",
    ),
    "community defined twice": (
        "default",
        {
            "communities": [{"name": "a", "value": "1:2"}, {"name": "a", "value": "1:3"}],
            "prefixAdvertisements": [{"cidr": "10.0.0.0/8", "communities": ["a"]}],
        },
        "is defined twice",
        "Keep one",
    ),
    "service range": (
        "default",
        {"serviceClusterIPs": [{"cidr": "10.96.0.1/12"}]},
        "spec.serviceClusterIPs[0].cidr",
        "/12",
    ),
    "service range without mapping": ("default", {"serviceClusterIPs": ["10.96.0.0/12"]}, "is not a mapping", "field"),
    "port": ("default", {"listenPort": 65536}, "is not within 1 to 65535", "65535"),
    "log level": ("default", {"logSeverityScreen": "None"}, "is not one of Trace", "or Fatal"),
    "no communities": ("default", {"prefixAdvertisements": [{"cidr": "10.0.0.0/8"}]}, "are missing", "at least one"),
    "name of a community": (
        "default",
        {"communities": [{"name": "Gold", "value": "1:2"}], "prefixAdvertisements": [{"cidr": "10.0.0.0/8"}]},
        "is not a DNS-1123 subdomain",
        "lower-case",
    ),
    "empty AS number": ("default", {"asNumber": ""}, "is not an AS number", "from 1 to"),
    "priority": ("default", {"ipv4NormalRoutePriority": 2**31 - 1}, "is not within 1 to 2147483646", "2147483646"),
    "all interfaces": ("default", {"ignoredInterfaces": ["*"]}, "is not an interface pattern", "docker*"),
    "long interface": ("default", {"ignoredInterfaces": ["a" * 16]}, "is not an interface pattern", "1 to 15"),
    "newer value": (
        "default",
        {"programClusterRoutes": "EnabledVXLANOnly"},
        "is not one of Enabled, Disabled, EnabledIPIPOnly, EnabledNoEncapOnly",
        "",
    ),
    "unknown field": ("default", {"asnumber": 1}, "spec.asnumber is not a field", "Did you mean asNumber?"),
}


@pytest.mark.parametrize(
    ("name", "spec", "message", "remedy"), CONFIGURATION_INVALID.values(), ids=CONFIGURATION_INVALID
)
def test_configuration_is_refused(name: str, spec: dict[str, t.Any], message: str, remedy: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        configuration(name, **spec)
    assert f'BGPConfiguration "{name}": ' in str(caught.value)
    assert message in str(caught.value)
    assert remedy in str(caught.value)
